"""Adam without PyTorch's optimiser: its steps and its state."""

import pytest
import torch
from torch import nn

from fpcore.model.optimiser import Optimiser, flat_gradient, gradient_of


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_and_state_are_those_of_pytorch(dtype: torch.dtype) -> None:
    """To the last bit, with a new optimiser that goes on from the state after two steps."""
    source = torch.Generator().manual_seed(0)
    own, other = (nn.Linear(5, 7, dtype=dtype) for _ in range(2))
    other.load_state_dict(own.state_dict())
    optimiser, adam = Optimiser(own, 0.01), torch.optim.Adam(other.parameters(), 0.01, fused=True)
    flat_gradient(own)
    for step in range(4):
        if step == 2:
            stored = {name: tensor.clone() for name, tensor in optimiser.tensors().items()}
            optimiser = Optimiser(own, 0.01)
            optimiser.restore(stored)
        for mine, theirs in zip(own.parameters(), other.parameters(), strict=True):
            theirs.grad = torch.randn(mine.shape, generator=source, dtype=dtype)
            gradient_of(mine).copy_(theirs.grad)
        optimiser.step()
        adam.step()
    got = optimiser.tensors()
    for name, parameter in other.named_parameters():
        expected = {"parameter": parameter.data} | adam.state[parameter]
        for kind, tensor in expected.items():
            assert torch.equal(got.pop(f"{kind}/{name}"), tensor)
    assert not got
