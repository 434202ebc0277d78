"""A text read by the true recurrence: its contexts are kept, so that a further token is one step.

A step is a few products of matrices with one vector, so whatever else it does has to be little:
parameters are looked up once, without their gradients, so that no step has to switch those off;
vectors are no batches of one; and the input vectors of the types read last are kept.

Shapes: N tokens read, D context width, E embedding width, T input tokens, V types.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from fpcore.model.blocks import FixedPointModel
from fpcore.model.fused import EPS
from fpcore.trainers.contexts import sequential_contexts

INPUTS = 4_096  # input vectors that are kept; the text of a conversation has fewer types


class Layer(NamedTuple):
    """A layer of a block: `linear`, `norm` and `residual` are weight and bias, or None."""

    linear: tuple[Tensor, Tensor]
    norm: tuple[Tensor, Tensor]
    residual: tuple[Tensor, Tensor] | None = None

    def apply(self, joined: Tensor, before: Tensor) -> Tensor:
        """Return LayerNorm(res(before) + ReLU(Linear(joined))), all of them vectors."""
        weight, bias = self.linear
        z = torch.addmv(bias, weight, joined).relu_()
        if self.residual:
            before = torch.addmv(self.residual[1], self.residual[0], before)
        return torch.layer_norm(z.add_(before), z.shape, *self.norm, EPS)


class Reader:
    """Reads texts with a trained model, and keeps the contexts of the last one.

    A text that begins as the last one did is read from where they part. `zero` contexts, which are
    a control's, are never computed.
    """

    def __init__(self, model: FixedPointModel, zero: bool = False) -> None:
        self._model, self._zero = model, zero
        bias = model.token_block.bias
        self._weights, self._bias = model.embedding.weight, None if bias is None else bias.detach()
        first, second = model.context_block, model.token_block
        self._first = _layers(first.linears, first.norms)
        self._second = _layers(second.linears, second.norms, second.residuals)
        self._nothing = self._weights.new_zeros(first.context_dim)
        self._vector = _vectors(self._weights)
        self._ids: list[int] = []
        self._kept: list[tuple[Tensor, ...]] = []  # by token the contexts of every layer, each [D]

    @torch.no_grad()
    def contexts(self, ids: list[int]) -> list[Tensor]:
        """Return the contexts of every layer after each token of a text `ids` [N], each [N, D]."""
        self.read(ids)
        return [torch.stack(layer) for layer in zip(*self._kept, strict=True)]

    @torch.no_grad()
    def read(self, ids: list[int]) -> None:
        """Read a text `ids` [N], as far as it has not been read."""
        start = _shared(self._ids, ids)
        self._ids, self._kept = self._ids[:start], self._kept[:start]
        if start == 0 and ids and not self._zero:  # at once, as validation reads
            inputs = self._model.inputs(torch.tensor(ids, device=self._nothing.device))
            layers = sequential_contexts(self._model.context_block, inputs)
            self._ids = list(ids)
            self._kept = list(zip(*(layer.unbind() for layer in layers), strict=True))
        for token in ids[len(self._ids) :]:
            self.step(token)

    def step(self, token: int) -> None:
        """Read one more token."""
        self._ids.append(token)
        c = self._kept[-1][-1] if self._kept else self._nothing
        if self._zero:
            self._kept.append((c,) * len(self._first))
            return
        x, steps = self._input(), []
        for layer in self._first:
            c = layer.apply(torch.cat([c, x]), c)
            steps.append(c)
        self._kept.append(tuple(steps))

    def logits(self) -> Tensor:
        """Return the logits [V] of what follows the tokens read, of which there must be some."""
        h = self._input()
        for layer, c in zip(self._second, self._kept[-1], strict=True):
            h = layer.apply(torch.cat([c, h]), h)
        if self._bias is None:
            return torch.mv(self._weights, h)
        return torch.addmv(self._bias, self._weights, h)

    def _input(self) -> Tensor:
        """Return the input vector [E·T] of the last token read, zeros before the first."""
        count = self._model.input_tokens
        if count == 1:
            return self._vector(self._ids[-1])
        rows = [self._vector(token) for token in self._ids[-count:]]
        missing = self._weights.new_zeros((count - len(rows)) * self._weights.shape[1])
        return torch.cat([missing, *rows])


def _vectors(weights: Tensor) -> Callable[[int], Tensor]:
    """Return what gives the input vector [E] of a type, by an embedding [V, E]."""

    @lru_cache(INPUTS)
    def vector(token: int) -> Tensor:
        return torch.layer_norm(weights[token], weights.shape[1:], eps=EPS)

    return vector


def _layers(
    linears: Iterable[nn.Module], norms: Iterable[nn.Module], residuals: Iterable[nn.Module] = ()
) -> list[Layer]:
    parts = zip(linears, norms, [*residuals] or [nn.Identity() for _ in linears], strict=True)
    return [
        Layer(_pair(linear), _pair(norm), _pair(residual) if [*residual.parameters()] else None)
        for linear, norm, residual in parts
    ]


def _pair(module: nn.Module) -> tuple[Tensor, Tensor]:
    return cast(Tensor, module.weight).detach(), cast(Tensor, module.bias).detach()


def _shared(a: list[int], b: list[int]) -> int:
    """Return how many tokens two texts begin with alike."""
    pairs = zip(a, b, strict=False)
    return next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
