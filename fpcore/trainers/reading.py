"""A text read by the true recurrence: its contexts are kept, so that a further token is one step.

Shapes: N tokens read, D context width, E embedding width, T input tokens, V types.
"""

import torch
from torch import Tensor

from fpcore.model.blocks import FixedPointModel
from fpcore.model.fused import EPS
from fpcore.trainers.contexts import sequential_contexts


class Reader:
    """Reads texts with a trained model, and keeps the contexts of the last one.

    A text that begins as the last one did is read from where they part. `zero` contexts, which are
    a control's, are never computed.
    """

    def __init__(self, model: FixedPointModel, zero: bool = False) -> None:
        self._model, self._zero = model, zero
        self._layers = model.context_block.layers()
        self._weights, self._bias = model.embedding.weight, model.token_block.bias
        self._width = self._weights.shape[1:]
        self._nothing = self._weights.new_zeros(model.context_block.context_dim)
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

    @torch.no_grad()
    def step(self, token: int) -> None:
        """Read one more token."""
        self._ids.append(token)
        c = self._kept[-1][-1] if self._kept else self._nothing
        if self._zero:
            self._kept.append((c,) * len(self._layers))
            return
        x, steps = self._input(), []
        for linear, norm in self._layers:
            z = torch.addmv(linear.bias, linear.weight, torch.cat([c, x])).relu_().add_(c)
            c = torch.layer_norm(z, z.shape, norm.weight, norm.bias, EPS)
            steps.append(c)
        self._kept.append(tuple(steps))

    @torch.no_grad()
    def logits(self) -> Tensor:
        """Return the logits [V] of what follows the tokens read, of which there must be some."""
        contexts = [c.unsqueeze(0) for c in self._kept[-1]]
        h = self._model.token_block(contexts, self._input().unsqueeze(0))[0]
        if self._bias is None:
            return torch.mv(self._weights, h)
        return torch.addmv(self._bias, self._weights, h)

    def _input(self) -> Tensor:
        """Return the input vector [E·T] of the last token read, zeros before the first."""
        count = self._model.input_tokens
        last = [self._weights[token] for token in self._ids[-count:]]
        rows = [torch.layer_norm(row, self._width, eps=EPS) for row in last]
        missing = self._weights.new_zeros((count - len(rows)) * self._width[0])
        return rows[0] if count == 1 else torch.cat([missing, *rows])


def _shared(a: list[int], b: list[int]) -> int:
    """Return how many tokens two texts begin with alike."""
    pairs = zip(a, b, strict=False)
    return next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
