"""Forward and backward of the ContextBlock over a chunk, one block of rows after another.

Shapes: B rows of a chunk, R of a block, D context width, E embedding width, U types that occur.

A chunk is part of the loss, but its arrays are larger than a cache. So what happens between two
matrix products happens to a block of rows, while it is in the cache. What the weight gradient
needs of all rows is kept in buffers that the next chunk uses again.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fpcore.head import pieces
from fpcore.loss import ChunkLoss
from fpcore.model import EPS, ContextBlock, Inputs, flat_gradient, gradient_of

BLOCK = 2**18  # elements of a block of rows: 1 MiB in float32


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


@dataclass
class Layer:
    """One layer during an iteration: its weights in the format of products, and its gradients."""

    weight: Tensor  # W_c, [D, D]
    terms: list[Tensor]  # by slot [U+1, D]: W_x·x by type, with the bias in the newest slot
    scale: Tensor  # [D], of LayerNorm
    shift: Tensor  # [D]
    weight_gradient: Tensor
    term_gradients: list[Tensor]
    scale_gradient: Tensor
    shift_gradient: Tensor


@dataclass
class Kept:
    """What the backward pass of a layer needs of a chunk."""

    inner: Tensor  # [B, D]: what the layer's product read
    active: Tensor  # [B, D]: ReLU's outputs, in the end the gradient before ReLU
    normed: list[Tensor]  # by block [R, D]: LayerNorm's result before scale and shift
    rstd: list[Tensor]  # by block [R, 1]


class Sweep:
    """Passes over the chunks of a text, which have at most `rows` rows."""

    def __init__(self, block: ContextBlock, inputs: Inputs, product: torch.dtype, rows: int):
        self._block, self._table, self._rows = block, inputs.table.to(product), rows
        self.gradient = flat_gradient(block)
        width, like = block.context_dim, inputs.table
        self._size = min(rows, max(1, BLOCK // width))
        self._scratch = like.new_empty(2, self._size, width)
        self._ones, self._zeros = like.new_ones(self._size, 1), like.new_zeros(self._size, 1)
        shape = (len(block.linears), rows, width)
        inner, active = (like.new_empty(shape, dtype=product) for _ in range(2))
        self._kept = [Kept(*pair, [], []) for pair in zip(inner, active, strict=True)]
        self._layers: list[Layer] = []

    def start(self) -> None:
        """Begin an iteration: read the weights, and set the gradients to zero."""
        self.gradient.zero_()
        self._layers = []
        D = self._block.context_dim
        for (linear, norm), terms in zip(
            self._block.layers(), self._block.terms(self._table), strict=True
        ):
            self._layers.append(
                Layer(
                    linear.weight[:, :D].to(self._table.dtype),
                    terms,
                    norm.weight,
                    norm.bias,
                    gradient_of(linear.weight)[:, :D],
                    [torch.zeros_like(term, dtype=linear.weight.dtype) for term in terms],
                    gradient_of(norm.weight),
                    gradient_of(norm.bias),
                )
            )

    def blocks(self, rows: int) -> list[slice]:
        """Begin a chunk: cut its rows into blocks."""
        for kept in self._kept:
            kept.normed.clear()
            kept.rstd.clear()
        return pieces(rows, self._size)

    def room(self, part: slice) -> Tensor:
        """Return where to write the contexts [R, D] that `forward` reads."""
        inner, scratch = self._kept[0].inner[part], self._scratch[0, : part.stop - part.start]
        return inner if inner.dtype == scratch.dtype else scratch

    def spare(self, part: slice) -> Tensor:
        """Return room [R, D] for a block, which `forward` and `backward` overwrite."""
        return self._scratch[1, : part.stop - part.start]

    def forward(self, part: slice, c: Tensor, index: Tensor) -> Tensor:
        """Apply the block to a block of rows; return the last layer's output [R, D].

        `part` counts from the start of the chunk. The output is overwritten by the next call.
        """
        out = self._scratch[1, : len(c)]
        for layer, kept in zip(self._layers, self._kept, strict=True):
            inner, active = kept.inner[part], kept.active[part]
            if inner.data_ptr() != c.data_ptr():
                inner.copy_(c)
            torch.index_select(layer.terms[-1], 0, index[:, -1], out=active)
            for slot, term in enumerate(layer.terms[:-1]):
                active += term.index_select(0, index[:, slot])
            active.addmm_(inner, layer.weight.T).relu_()
            normed, _, rstd = torch.native_layer_norm(
                torch.add(c, active, out=out), out.shape[1:], None, None, EPS
            )
            kept.normed.append(normed)
            kept.rstd.append(rstd)
            c = torch.addcmul(layer.shift, normed, layer.scale, out=out)
        return c

    def backward(self, part: slice, n: int, loss: ChunkLoss) -> None:
        """Go back from the loss through block n, the rows `part` of the chunk."""
        normed, last = self._kept[-1].normed[n], self._layers[-1]
        gradient = loss.gradient(part, normed, last.scale, last.shift, self.spare(part))
        shape = gradient.shape[1:]
        zeros, ones = self._zeros[: len(gradient)], self._ones[: len(gradient)]
        for depth in reversed(range(len(self._layers))):
            layer, kept = self._layers[depth], self._kept[depth]
            normed, active = kept.normed[n], kept.active[part]
            layer.shift_gradient += gradient.sum(0)
            layer.scale_gradient += torch.mul(
                gradient, normed, out=self._scratch[0, : len(normed)]
            ).sum(0)
            # 1/std is taken out of LayerNorm's backward, so that `normed` can stand for its input.
            dz = torch.ops.aten.native_layer_norm_backward(
                gradient.mul_(kept.rstd[n]),
                normed,
                shape,
                zeros,
                ones,
                layer.scale,
                None,
                [True, False, False],
            )[0]
            torch.ops.aten.threshold_backward(dz.to(active.dtype), active, 0, grad_input=active)
            if depth > 0:
                gradient = dz.add_(active @ layer.weight)

    def finish_chunk(self, rows: int, by_type: list[Sorted]) -> None:
        """Add the chunk's gradients of W_c, and of the terms by slot."""
        for layer, kept in zip(self._layers, self._kept, strict=True):
            before = kept.active[:rows]
            _add_product(layer.weight_gradient, before.T, kept.inner[:rows])
            for total, positions in zip(layer.term_gradients, by_type, strict=True):
                positions.add_to(total, before)

    def finish(self) -> Tensor:
        """Turn the gradients of the terms into those of W_x and b; return all as one vector."""
        D, width = self._block.context_dim, self._table.shape[1]
        for (linear, _), layer in zip(self._block.layers(), self._layers, strict=True):
            parts = gradient_of(linear.weight)[:, D:].split(width, dim=1)
            for part, total in zip(parts, layer.term_gradients, strict=True):
                _add_product(part, total.to(self._table.dtype).T, self._table)
            gradient_of(linear.bias).add_(layer.term_gradients[-1].sum(0))
        return self.gradient


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add a·b to `total`, which may be in a wider format."""
    if total.dtype == a.dtype:
        total.addmm_(a, b)
    else:
        total.add_(a @ b)
