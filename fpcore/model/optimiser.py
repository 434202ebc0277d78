"""A block under Adam: steps, its gradient as one vector, and a state to store and continue from."""

import torch
from torch import Tensor, nn

from fpcore.model.tuning import tuning

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
SMALL = 1e-6  # what torch's clip_grad_norm_ adds to a norm
SURE = 1 - 1e-6  # below this share of the most, no rounding in float32 takes a norm above it


class Optimiser:
    """Adam over the parameters of a block, with PyTorch's defaults but for the learning rate.

    PyTorch's own optimiser calls the same kernel, but gathers its lists anew for every step, which
    takes longer than the kernel where a block is small.
    """

    def __init__(self, block: nn.Module, lr: float) -> None:
        self._lr, self._names = lr, [name for name, _ in block.named_parameters()]
        self._parameters = list(block.parameters())
        self._values = [parameter.detach() for parameter in self._parameters]
        self._step = torch.zeros(len(self._names), device=self._values[0].device)
        self._steps = self._step.unbind()  # by parameter, in the memory of the former
        self._means, self._squares = (
            [torch.zeros_like(value) for value in self._values] for _ in range(2)
        )

    def step(self) -> None:
        """Take one step along the parameters' gradients."""
        self._step.add_(1)
        torch._fused_adam_(
            self._values,
            [gradient_of(parameter) for parameter in self._parameters],
            self._means,
            self._squares,
            [],
            self._steps,
            lr=self._lr,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the parameters and Adam's state, by name; they share memory with the training."""
        kinds = (self._steps, self._means, self._squares)
        named = {"parameter": self._values} | dict(zip(MOMENTS, kinds, strict=True))
        return {
            f"{kind}/{name}": tensor
            for kind, tensors in named.items()
            for name, tensor in zip(self._names, tensors, strict=True)
        }

    def restore(self, stored: dict[str, Tensor]) -> None:
        """Take over all that `tensors` returned, from a step on; nothing if it is empty."""
        for name, tensor in self.tensors().items() if stored else ():
            tensor.copy_(stored[name])


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
    if tuning(gradient.device).at_hand and float(norm) + SMALL < most * SURE:
        return norm  # the factor would be one
    factor = (norm + SMALL).reciprocal_().mul_(most)
    gradient.mul_(factor.clamp_max_(1))
    return norm


def gradient_of(parameter: Tensor) -> Tensor:
    """Return a parameter's gradient, which `flat_gradient` has made."""
    assert parameter.grad is not None
    return parameter.grad
