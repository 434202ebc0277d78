"""One iteration of phase 1: loss, forward and backward over a chunk, a block of rows after another.

The loss of a chunk B is (1 - w)·mean((C - P)²) + w·(-‖C - mean(C)‖_F / B) (spec section 2).

A chunk is part of the loss, but its arrays are larger than a cache. So what happens between two
matrix products happens to a block of rows, while it is in the cache. What the weight gradient
needs of all rows is kept in buffers that the next chunk uses again.

Shapes: B rows of a chunk, R of a block, D context width, E embedding width, U types that occur.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fpcore.config.run_config import RunConfig
from fpcore.model.blocks import EPS, ContextBlock, Inputs
from fpcore.model.head import pieces
from fpcore.model.optimiser import flat_gradient, gradient_of
from fpcore.trainers.contexts import BLOCK

ROUNDING = 64  # a spread of up to so many units of rounding error counts as none


@dataclass
class Sums:
    """What one iteration adds up over its chunks, weighted by tokens; kept on the device."""

    fixed: Tensor
    diverse: Tensor
    converged: Tensor

    @classmethod
    def zero(cls, like: Tensor) -> "Sums":
        """Return sums of nothing, in double precision on the device of `like`."""
        return cls(*torch.zeros(3, dtype=torch.float64, device=like.device))


class ChunkLoss:
    """The loss of one chunk after another, of at most `rows` rows as wide as `like` [.., D]."""

    def __init__(self, config: RunConfig, rows: int, like: Tensor) -> None:
        self._config = config
        self._change = like.new_empty(rows, like.shape[1])
        self._distance = like.new_empty(rows)
        self._total = like.new_zeros(like.shape[1], dtype=torch.float64)
        self._squares = like.new_zeros((), dtype=torch.float64)
        self._pull, self._constant, self._slope = 0.0, like[:0], like[:0]

    def start(self) -> None:
        """Begin a chunk."""
        self._total.zero_()
        self._squares.zero_()

    def add(self, part: slice, C: Tensor, old: Tensor) -> None:
        """Add a block of rows: the new contexts C [R, D] and the old ones."""
        change = torch.sub(C, old, out=self._change[part])
        torch.linalg.vector_norm(change, dim=1, out=self._distance[part])
        self._total += C.sum(0)
        self._squares += torch.dot(C.view(-1), C.view(-1))

    def finish(self, rows: int, weight: float, norm: nn.LayerNorm, sums: Sums) -> None:
        """Add the chunk's terms to the sums, and prepare its gradient, which shall weigh `weight`.

        `norm` is the block's last LayerNorm: C = scale·normed + shift.
        """
        w, D = self._config.dist_reg_weight, self._change.shape[1]
        step = self._distance[:rows].square().div_(D)  # mean_d((C - P)²)
        spread, inverse = self._spread(rows)
        sums.fixed += step.sum()
        sums.diverse -= spread  # -(spread / rows) · rows
        sums.converged += (step < self._config.convergence_threshold).sum()
        self._pull = weight * 2 * (1 - w) / (rows * D)
        # A norm's gradient is the matrix over its norm; taking the mean off is its own transpose.
        push = weight * w / rows * inverse
        self._constant = (push * (self._total / rows - norm.bias)).to(self._change.dtype)
        self._slope = (-push * norm.weight).to(self._change.dtype)

    def _spread(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return ‖C - mean(C)‖_F and its inverse, which is zero where there is no spread."""
        square = self._squares - self._total.square().sum() / rows
        noise = ROUNDING * torch.finfo(self._change.dtype).eps * self._squares
        norm = torch.where(square > noise, square, 0.0).sqrt()
        return norm, torch.where(norm > 0, 1 / norm, 0.0)

    def gradient(self, part: slice, normed: Tensor, out: Tensor) -> Tensor:
        """Return the gradient [R, D] of the chunk's loss by C, from normed [R, D], in `out`."""
        torch.addcmul(self._constant, normed, self._slope, out=out)
        return out.add_(self._change[part], alpha=self._pull)


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
    """A layer's weights in the format of products, its gradients, and what backward needs."""

    linear: nn.Linear
    norm: nn.LayerNorm
    weight: Tensor  # W_cᵀ, [D, D]
    terms: list[Tensor]  # by slot [U+1, D], see `ContextBlock.terms`
    term_gradients: list[Tensor]
    inner: Tensor  # [B, D]: what the layer's product read
    active: Tensor  # [B, D]: ReLU's outputs, in the end the gradient before ReLU
    normed: list[Tensor]  # by block [R, D]: LayerNorm's result before scale and shift
    rstd: list[Tensor]  # by block [R, 1]


class Sweep:
    """Passes over the chunks of a text, which have at most `rows` rows."""

    def __init__(self, block: ContextBlock, inputs: Inputs, product: torch.dtype, rows: int):
        self._block, self._table = block, inputs.table.to(product)
        self._gradient = flat_gradient(block)
        width, like = block.context_dim, inputs.table
        self._size = min(rows, max(1, BLOCK // width))
        self._scratch = like.new_empty(2, self._size, width)
        self._row_ones, self._row_zeros = (
            like.new_ones(self._size, 1),
            like.new_zeros(self._size, 1),
        )
        self._ones, self._zeros = like.new_ones(width), like.new_zeros(width)
        self._terms = block.empty_terms(self._table)
        self._layers = [
            self._layer(linear, norm, terms, rows)
            for (linear, norm), terms in zip(block.layers(), self._terms, strict=True)
        ]

    def _layer(
        self, linear: nn.Linear, norm: nn.LayerNorm, terms: list[Tensor], rows: int
    ) -> Layer:
        D = self._block.context_dim
        weight, inner, active = (self._table.new_empty(size, D) for size in (D, rows, rows))
        totals = [torch.empty_like(term, dtype=linear.weight.dtype) for term in terms]
        return Layer(linear, norm, weight, terms, totals, inner, active, [], [])

    def start(self) -> None:
        """Begin an iteration: read the weights, and set the gradients to zero."""
        self._gradient.zero_()
        self._block.renew_terms(self._table, out=self._terms)
        for layer in self._layers:
            layer.weight.copy_(layer.linear.weight[:, : len(layer.weight)].T)
            for total in layer.term_gradients:
                total.zero_()

    def blocks(self, rows: int) -> list[slice]:
        """Begin a chunk: cut its rows into blocks."""
        for layer in self._layers:
            layer.normed.clear()
            layer.rstd.clear()
        return pieces(rows, self._size)

    def room(self, part: slice) -> Tensor:
        """Return where to write the contexts [R, D] that `forward` reads."""
        inner, scratch = self._layers[0].inner[part], self._scratch[0, : part.stop - part.start]
        return inner if inner.dtype == scratch.dtype else scratch

    def spare(self, part: slice) -> Tensor:
        """Return room [R, D] for a block, which `forward` and `backward` overwrite."""
        return self._scratch[1, : part.stop - part.start]

    def forward(self, part: slice, c: Tensor, index: Tensor) -> Tensor:
        """Apply the block to a block of rows; return the last layer's output [R, D].

        `part` counts from the start of the chunk. The output is overwritten by the next call.
        """
        out = self.spare(part)
        for layer in self._layers:
            inner, active = layer.inner[part], layer.active[part]
            if inner.data_ptr() != c.data_ptr():
                inner.copy_(c)
            torch.index_select(layer.terms[-1], 0, index[:, -1], out=active)
            for slot, term in enumerate(layer.terms[:-1]):
                active += term.index_select(0, index[:, slot])
            active.addmm_(inner, layer.weight).relu_()
            torch.add(c, active, out=out)
            # PyTorch is faster with a scale and shift of ones and zeros than without.
            normed, _, rstd = torch.native_layer_norm(
                out, out.shape[1:], self._ones, self._zeros, EPS
            )
            layer.normed.append(normed)
            layer.rstd.append(rstd)
            c = torch.addcmul(layer.norm.bias, normed, layer.norm.weight, out=out)
        return c

    def backward(self, part: slice, n: int, loss: ChunkLoss) -> None:
        """Go back from the loss through block n, the rows `part` of the chunk."""
        gradient = loss.gradient(part, self._layers[-1].normed[n], self.spare(part))
        for depth in reversed(range(len(self._layers))):
            layer = self._layers[depth]
            dz = self._before_norm(layer, n, gradient)
            active = layer.active[part]
            torch.ops.aten.threshold_backward(dz.to(active.dtype), active, 0, grad_input=active)
            if depth > 0:
                gradient = dz.add_(active @ layer.weight.T)

    def _before_norm(self, layer: Layer, n: int, gradient: Tensor) -> Tensor:
        """Return the gradient of LayerNorm's input [R, D]; add those of its scale and shift.

        `gradient`, of LayerNorm's output, is overwritten. 1/std is taken out of PyTorch's function
        (the rows given as means and inverse deviations are zeros and ones), so that `normed` can
        stand for its input. Its own sums for scale and shift are slower.
        """
        rows, normed = len(gradient), layer.normed[n]
        gradient_of(layer.norm.bias).add_(gradient.sum(0))
        product = torch.mul(gradient, normed, out=self._scratch[0, :rows])
        gradient_of(layer.norm.weight).add_(product.sum(0))
        result: Tensor = torch.ops.aten.native_layer_norm_backward(
            gradient.mul_(layer.rstd[n]),
            normed,
            normed.shape[1:],
            self._row_zeros[:rows],
            self._row_ones[:rows],
            layer.norm.weight,
            None,
            [True, False, False],
        )[0]
        return result

    def finish_chunk(self, rows: int, by_type: list[Sorted]) -> None:
        """Add the chunk's gradients of W_c, and of the terms by slot."""
        for layer in self._layers:
            before = layer.active[:rows]
            weight = gradient_of(layer.linear.weight)[:, : before.shape[1]]
            _add_product(weight, before.T, layer.inner[:rows])
            for total, positions in zip(layer.term_gradients, by_type, strict=True):
                positions.add_to(total, before)

    def finish(self) -> Tensor:
        """Turn the gradients of the terms into those of W_x and b; return all as one vector."""
        D, width = self._block.context_dim, self._table.shape[1]
        for layer in self._layers:
            gradient_of(layer.linear.bias).add_(layer.term_gradients[-1].sum(0))
            parts = gradient_of(layer.linear.weight)[:, D:].split(width, dim=1)
            for part, total, rounded in zip(parts, layer.term_gradients, layer.terms, strict=True):
                _add_product(part, rounded.copy_(total).T, self._table)
        return self._gradient


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add a·b to `total`, which may be in a wider format."""
    if total.dtype == a.dtype:
        total.addmm_(a, b)
    else:
        total.add_(a @ b)
