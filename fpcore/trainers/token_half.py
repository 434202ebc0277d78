"""Gradients of the token half of a layer, W_x and b, from those of the sums before its ReLU.

The token half depends on the token's type alone. So the rows of a type can be added up first, and
multiplied once for an iteration; or every row is multiplied with its own input.

Shapes: B rows of a chunk, D context width (or what it is filled up to), E embedding width, U types
that occur.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fpcore.model.blocks import ContextBlock, Inputs
from fpcore.model.column_sums import column_sums
from fpcore.model.optimiser import gradient_of
from fpcore.model.precision import add_transposed
from fpcore.model.tuning import tuning


class Sorted:
    """The positions [B] of a chunk sorted by type, to add up the rows of each type."""

    def __init__(self, types: Tensor) -> None:
        self._order = types.argsort(stable=True)
        self._types, counts = types.unique(return_counts=True)
        self._offsets = counts.cumsum(0) - counts

    def add_to(self, total: Tensor, rows: Tensor) -> None:
        """Add rows [B, D] to those of their types in `total` [U+1, D]."""
        sums = F.embedding_bag(self._order, rows, self._offsets, mode="sum")
        total.index_add_(0, self._types, sums.to(total.dtype))


class ByType:
    """Adds up rows by type over the chunks of an iteration, and multiplies in the end.

    `terms` are those of the layer by slot, each [U+1, D]; they are overwritten in the end.
    """

    def __init__(
        self, linear: nn.Linear, table: Tensor, terms: list[Tensor], chunks: list[list[Sorted]]
    ) -> None:
        self._linear, self._table, self._terms, self._chunks = linear, table, terms, chunks
        self._totals = [torch.empty_like(term, dtype=linear.weight.dtype) for term in terms]

    def start(self) -> None:
        """Begin an iteration."""
        for total in self._totals:
            total.zero_()

    def add(self, k: int, before: Tensor) -> None:
        """Add the gradient [B, D] of the sums before the ReLU, of chunk k."""
        for total, positions in zip(self._totals, self._chunks[k], strict=True):
            positions.add_to(total, before)

    def finish(self) -> None:
        """Add the gradients of W_x and b to the parameters'."""
        bias = gradient_of(self._linear.bias)
        bias.add_(column_sums(self._totals[-1])[: len(bias)])
        parts = _by_slot(self._linear, self._table)
        for part, total, rounded in zip(parts, self._totals, self._terms, strict=True):
            add_transposed(part, rounded.copy_(total), self._table)


class ByToken:
    """Multiplies the rows of every chunk with their inputs."""

    def __init__(self, linear: nn.Linear, table: Tensor, index: Tensor, chunks: list[slice]):
        self._linear, self._table = linear, table
        self._chunks = [index[rows].unbind(1) for rows in chunks]

    def start(self) -> None:
        """Begin an iteration; nothing is kept from one to the next."""

    def add(self, k: int, before: Tensor) -> None:
        """Add the gradients of W_x and b to the parameters', from `before` [B, D] of chunk k."""
        bias = gradient_of(self._linear.bias)
        bias.add_(before.sum(0, dtype=bias.dtype)[: len(bias)])
        parts = _by_slot(self._linear, self._table)
        for part, types in zip(parts, self._chunks[k], strict=True):
            add_transposed(part, before, self._table.index_select(0, types))

    def finish(self) -> None:
        """Do nothing: all has been added."""


TokenHalf = ByType | ByToken


def token_halves(
    block: ContextBlock,
    inputs: Inputs,
    table: Tensor,
    terms: list[list[Tensor]],
    chunks: list[slice],
) -> Sequence[TokenHalf]:
    """Return what suits the device, for every layer.

    `table` [U+1, E] is that of `inputs` in the format of products.
    """
    linears = [linear for linear, _ in block.layers()]
    if not tuning(table.device).by_type:
        return [ByToken(linear, table, inputs.index, chunks) for linear in linears]
    positions = [[Sorted(slot) for slot in inputs.index[rows].unbind(1)] for rows in chunks]
    return [
        ByType(linear, table, own, positions) for linear, own in zip(linears, terms, strict=True)
    ]


def _by_slot(linear: nn.Linear, table: Tensor) -> tuple[Tensor, ...]:
    """Return the gradient of W_x by slot, each [D, E]."""
    width = table.shape[1]
    slots = (linear.in_features - linear.out_features) // width
    return torch.split(gradient_of(linear.weight)[:, -slots * width :], width, dim=1)
