"""Adam without PyTorch's optimiser: its steps and its state."""

import pytest
import torch
from helpers.toy import Tuned
from torch import Tensor, nn

from fpcore.model.optimiser import SMALL, Optimiser, clip, flat_gradient, gradient_of


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


RATIOS = [0.0, 0.5, 1 - 1e-5, 1 - 2e-6, 1 - 1e-6, 1 - 3e-7, 1.0, 1 + 1e-7, 1 + 1e-6, 3.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("most", [1e-9, 1e-6, 1.0, 2.0, 1e4])
def test_a_gradient_that_is_short_enough_is_left_as_the_factor_would(
    tuned: Tuned, dtype: torch.dtype, most: float
) -> None:
    """Norms beside the most and far from it; the factor is at most one."""
    source = torch.Generator().manual_seed(3)
    unit = torch.randn(50, generator=source, dtype=dtype)
    unit /= torch.linalg.vector_norm(unit)
    for ratio in RATIOS:
        for add in (0, SMALL):
            gradient = unit * max(0, ratio * most - add)
            left: list[Tensor] = []
            for at_hand in (True, False):
                tuned(at_hand=at_hand)
                left.append(gradient.clone())
                assert clip(left[-1], most) == torch.linalg.vector_norm(gradient)
            assert torch.equal(*left)


def test_a_short_gradient_is_not_written(tuned: Tuned) -> None:
    """But where reading its norm would mean to wait."""
    for at_hand in (True, False):
        tuned(at_hand=at_hand)
        gradient = torch.full((4,), 0.25)
        before = gradient._version
        clip(gradient, 1.0)
        assert (gradient._version == before) == at_hand
