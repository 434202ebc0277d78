"""Contexts by frozen weights (spec section 2): one parallel pass, or the true recurrence.

Shapes: N tokens of a text, S steps of the recurrence taken at a time, D context width. `rows` are
W_x·x + b of those steps by layer, each [S, D].
"""

import torch
from torch import Tensor

from fpcore.model.blocks import ContextBlock, Inputs
from fpcore.model.fused import EPS, stepped
from fpcore.model.precision import rounded_products
from fpcore.model.tuning import compiles, filled, pieces, tuning
from fpcore.trainers.capture import Captured


class Steps:
    """Takes steps from a zero context; each call goes on where the last one ended."""

    size = 4096  # steps whose contexts are collected at a time

    def __init__(self, block: ContextBlock) -> None:
        D = block.context_dim
        self._weights = [linear.weight[:, :D].contiguous() for linear, _ in block.layers()]
        self._norms = [(norm.weight, norm.bias) for _, norm in block.layers()]
        self._c = self._weights[0].new_zeros(D)

    def take(self, rows: list[Tensor]) -> list[Tensor]:
        """Return the contexts of every layer after each step, [S, D]."""
        contexts, self._c = self._walk(self._c, rows)
        return contexts

    def _walk(self, c: Tensor, rows: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        walked: list[list[Tensor]] = [[] for _ in rows]
        for token in zip(*(layer.unbind() for layer in rows), strict=True):
            for row, weight, norm, steps in zip(
                token, self._weights, self._norms, walked, strict=True
            ):
                c = self._step(c, row, weight, norm)
                steps.append(c)
        return [torch.stack(steps) for steps in walked], c

    def _step(self, c: Tensor, row: Tensor, weight: Tensor, norm: tuple[Tensor, Tensor]) -> Tensor:
        z = torch.addmv(row, weight, c).relu_().add_(c)
        return torch.layer_norm(z, c.shape, norm[0], norm[1], EPS)


class CapturedSteps(Steps):
    """The same on a GPU: the steps are captured once as a CUDA graph and then replayed.

    A step is a few small kernels, so launching them one by one would take most of the time.
    """

    size = 256

    def __init__(self, block: ContextBlock) -> None:
        super().__init__(block)
        D, device = block.context_dim, self._c.device
        # So wide that every row begins where a kernel can read it as it is.
        wide = filled(D, tuning(device).multiple)
        self._rows = [self._c.new_zeros(self.size, wide)[:, :D] for _ in self._weights]
        self._compiled = compiles(device)
        self._steps = Captured(self._all, device)
        self._c.zero_()  # the first steps were none of the text's

    def _step(self, c: Tensor, row: Tensor, weight: Tensor, norm: tuple[Tensor, Tensor]) -> Tensor:
        if not self._compiled:
            return super()._step(c, row, weight, norm)
        out = torch.empty_like(c)
        stepped(c, torch.mv(weight, c), row, norm, out)
        return out

    def _all(self) -> list[Tensor]:
        contexts, last = self._walk(self._c, self._rows)
        self._c.copy_(last)
        return contexts

    def take(self, rows: list[Tensor]) -> list[Tensor]:
        """Return the contexts of every layer after each step, [S, D], S at most `size`."""
        steps = len(rows[0])
        for static, layer in zip(self._rows, rows, strict=True):
            static[:steps] = layer
        return [layer[:steps] for layer in self._steps.replay()]


@torch.no_grad()
def training_contexts(
    block: ContextBlock,
    P: Tensor,
    inputs: Inputs,
    product: torch.dtype | None = None,
    out: Tensor | None = None,
) -> list[Tensor]:
    """Return the contexts for phase 2 of every layer, each [N, D]: one noise-free pass.

    The input context of token i is P[i-1], zero for token 0. The last layer's contexts are written
    to `out`, which may be P itself: then a single layer needs no second [N, D].
    """
    store = inputs.table.dtype
    out = torch.empty_like(P) if out is None else out
    outputs = [*(torch.empty_like(P) for _ in block.linears[1:]), out]
    before = P.new_zeros(1, P.shape[1])
    with rounded_products(product or store):
        terms = block.terms(inputs.table)
        for rows in pieces(len(P), max(1, tuning(P.device).block // P.shape[1])):
            c = torch.cat([before, P[rows.start : rows.stop - 1]]).to(store)
            before = P[rows.stop - 1 : rows.stop].clone()
            for output, layer in zip(outputs, block(c, terms, inputs.index[rows]), strict=True):
                output[rows] = layer
    return outputs


@torch.no_grad()
def sequential_contexts(block: ContextBlock, inputs: Inputs) -> list[Tensor]:
    """Return the contexts of every layer, each [N, D], by the true recurrence from zero.

    It is what validation uses. The token half is computed once per type, so that a step is one
    small product per layer. A step reads all weights for one vector: bfloat16 would not help.
    """
    terms = block.terms(inputs.table)
    D = block.context_dim
    steps = CapturedSteps(block) if tuning(inputs.table.device).captured else Steps(block)
    outputs = [inputs.table.new_empty(len(inputs.index), D) for _ in terms]
    for part in pieces(len(inputs.index), steps.size):
        rows = [_token_half(slots, inputs.index[part]) for slots in terms]
        for output, layer in zip(outputs, steps.take(rows), strict=True):
            output[part] = layer
    return outputs


def _token_half(slots: list[Tensor], index: Tensor) -> Tensor:
    """Return W_x·x + b of positions with inputs `index` [B, T], [B, D]."""
    total = slots[-1].index_select(0, index[:, -1])
    for slot, term in enumerate(slots[:-1]):
        total += term.index_select(0, index[:, slot])
    return total
