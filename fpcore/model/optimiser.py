"""A block under Adam: steps, its gradient as one vector, and a state to store and continue from."""

import torch
from torch import Tensor, nn

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Optimiser:
    """Adam over the parameters of a block, with PyTorch's defaults but for the learning rate."""

    def __init__(self, block: nn.Module, lr: float) -> None:
        self._block = block
        self._adam = torch.optim.Adam(block.parameters(), lr=lr, fused=True)

    def step(self) -> None:
        """Take one step along the parameters' gradients."""
        self._adam.step()

    def tensors(self) -> dict[str, Tensor]:
        """Return the parameters and Adam's state, by name; they share memory with the training."""
        found = {}
        for name, parameter in self._block.named_parameters():
            found[f"parameter/{name}"] = parameter.data
            moments = self._adam.state[parameter].items()
            found |= {f"{key}/{name}": value for key, value in moments}
        return found

    def restore(self, stored: dict[str, Tensor]) -> None:
        """Take over parameters and moments from what `tensors` returned; nothing if it is empty."""
        for name, parameter in self._block.named_parameters() if stored else []:
            parameter.data.copy_(stored[f"parameter/{name}"])
            known = {key: stored[f"{key}/{name}"] for key in MOMENTS if f"{key}/{name}" in stored}
            self._adam.state[parameter] = {k: v.to(parameter.device) for k, v in known.items()}


def flat_gradient(block: nn.Module) -> Tensor:
    """Give every parameter a zero gradient; return all of them as one vector that shares memory.

    So zeroing, the norm and clipping are one operation each.
    """
    parameters = list(block.parameters())
    flat = parameters[0].detach().new_zeros(sum(p.numel() for p in parameters))
    for parameter, part in zip(
        parameters, flat.split([p.numel() for p in parameters]), strict=True
    ):
        parameter.grad = part.view_as(parameter)
    return flat


def clip(gradient: Tensor, most: float) -> Tensor:
    """Scale a gradient vector in place so that its norm is at most `most`; return the old norm."""
    norm: Tensor = torch.linalg.vector_norm(gradient)
    gradient.mul_((most / (norm + 1e-6)).clamp_max(1))  # 1e-6 as in torch's clip_grad_norm_
    return norm


def gradient_of(parameter: Tensor) -> Tensor:
    """Return a parameter's gradient, which `flat_gradient` has made."""
    assert parameter.grad is not None
    return parameter.grad
