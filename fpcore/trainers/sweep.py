"""One iteration of phase 1: forward and backward over a chunk, a block of rows after another.

A chunk is part of the loss, but its arrays are larger than a cache. So what happens between two
matrix products happens to a block of rows, while it is in the cache. What the weight gradient
needs of all rows is kept in buffers that the next chunk uses again.

Shapes: B rows of a chunk, R of a block, D context width, U types that occur.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from fpcore.model.blocks import ContextBlock, Inputs
from fpcore.model.column_sums import column_sums
from fpcore.model.fused import EPS, Rows, arrived, departed, gone_back, settled
from fpcore.model.optimiser import flat_gradient, gradient_of
from fpcore.model.precision import add_transposed
from fpcore.model.tuning import compiles, pieces, tuning
from fpcore.trainers.chunk_loss import ChunkLoss
from fpcore.trainers.token_half import TokenHalf, token_halves


@dataclass
class Layer:
    """A layer's weights in the format of products, its gradients, and what backward needs.

    D is filled up to a width W that suits the device: what is not of D is zero.
    """

    linear: nn.Linear
    norm: nn.LayerNorm
    weight: Tensor  # W_cᵀ, [W, W]
    terms: list[Tensor]  # by slot [U+1, W], see `ContextBlock.terms`
    token_half: TokenHalf
    inner: Tensor  # [B, W]: what the layer's product read
    active: Tensor  # [B, W]: ReLU's outputs, in the end the gradient before ReLU
    # By block, LayerNorm's result before scale and shift [R, D], and 1/std [R, 1]:
    normed: list[Tensor] = field(default_factory=list)
    rstd: list[Tensor] = field(default_factory=list)

    def more(self, like: Tensor) -> Rows:
        """Return scale and shift of LayerNorm, and room for what backward needs of a block."""
        self.normed.append(torch.empty_like(like))
        self.rstd.append(like.new_empty(len(like), 1))
        return self.norm.weight, self.norm.bias, self.normed[-1], self.rstd[-1]


class Sweep:
    """Passes over the chunks of a text."""

    def __init__(
        self, block: ContextBlock, inputs: Inputs, product: torch.dtype, chunks: list[slice]
    ) -> None:
        self._block, self._table = block, inputs.table.to(product)
        self._gradient = flat_gradient(block)
        tuned = tuning(inputs.table.device)
        D, like, rows = block.context_dim, inputs.table, chunks[0].stop
        self._size = min(rows, max(1, tuned.block // D))
        self._compiled = compiles(like.device)
        # On a CPU the last bits of a sum depend on where it lies; compilers want two of their own.
        both = like.new_empty(2, self._size, D)
        self._scratch = [half.clone() for half in both] if self._compiled else list(both)
        self._row_ones, self._row_zeros = (
            like.new_ones(self._size, 1),
            like.new_zeros(self._size, 1),
        )
        self._ones, self._zeros = like.new_ones(D), like.new_zeros(D)
        self._terms = block.empty_terms(self._table, tuned.multiple)
        halves = token_halves(block, inputs, self._table, self._terms, chunks)
        width = self._terms[0][0].shape[1]
        self._layers = [
            Layer(
                linear,
                norm,
                self._table.new_zeros(width, width),
                terms,
                half,
                self._table.new_zeros(rows, width),
                self._table.new_zeros(rows, width),
            )
            for (linear, norm), terms, half in zip(block.layers(), self._terms, halves, strict=True)
        ]

    def start(self) -> None:
        """Begin an iteration: read the weights, and set the gradients to zero."""
        self._gradient.zero_()
        self._block.renew_terms(self._table, out=self._terms)
        D = self._block.context_dim
        for layer in self._layers:
            layer.weight[:D, :D].copy_(layer.linear.weight[:, :D].T)
            layer.token_half.start()

    def blocks(self, rows: int) -> list[slice]:
        """Begin a chunk: cut its rows into blocks."""
        for layer in self._layers:
            layer.normed.clear()
            layer.rstd.clear()
        return pieces(rows, self._size)

    def room(self, part: slice) -> Tensor:
        """Return where to write the contexts [R, D] that `forward` reads."""
        inner, scratch = self._own(self._layers[0].inner[part]), self._scratch[0]
        return inner if inner.dtype == scratch.dtype else scratch[: len(inner)]

    def spare(self, part: slice) -> Tensor:
        """Return room [R, D] for a block, which `forward` and `backward` overwrite."""
        spare: Tensor = self._scratch[1][: part.stop - part.start]
        return spare

    def rounded(self, part: slice) -> Tensor | None:
        """Return where else a chain writes those contexts, where products are in another format."""
        inner = self._own(self._layers[0].inner[part])
        return None if inner.dtype == self._scratch[0].dtype else inner

    def forward(self, part: slice, c: Tensor, index: Tensor, old: Tensor, loss: ChunkLoss) -> None:
        """Apply the block to a block of rows, whose outputs replace the contexts `old` [R, D].

        `part` counts from the start of the chunk, and `c` is what `room` returned. `loss` gets what
        it needs of both.
        """
        for depth, layer in enumerate(self._layers[:-1]):
            out = self._scratch[1 - depth % 2][: len(c)]
            c = self._settled(layer, c, self._z(layer, part, c, index), out)
        last = self._layers[-1]
        z = self._z(last, part, c, index)
        if self._compiled:
            arrived(c, z, old, last.more(c), loss.rooms(part))
            return
        C = self._settled(last, c, z, self.spare(part))
        loss.add(part, C, old)
        old.copy_(C)

    def _z(self, layer: Layer, part: slice, c: Tensor, index: Tensor) -> Tensor:
        """Return W_c·c + W_x·x + b of a layer, [R, D]."""
        inner, active = layer.inner[part], layer.active[part]
        first = layer is self._layers[0]
        if not first or (c.dtype != inner.dtype and not self._compiled):  # a chain has written both
            self._own(inner).copy_(c)
        torch.index_select(layer.terms[-1], 0, index[:, -1], out=active)
        for slot, term in enumerate(layer.terms[:-1]):
            active += term.index_select(0, index[:, slot])
        return self._own(active.addmm_(inner, layer.weight))

    def _settled(self, layer: Layer, c: Tensor, z: Tensor, out: Tensor) -> Tensor:
        """Write LayerNorm(c + ReLU(z)) to `out` [R, D], and return it."""
        norm = layer.norm
        if self._compiled:
            settled(c, z, layer.more(c), out)
            return out
        torch.add(c, z.relu_(), out=out)
        # PyTorch is faster with a scale and shift of ones and zeros than without.
        normed, _, rstd = torch.native_layer_norm(out, out.shape[1:], self._ones, self._zeros, EPS)
        layer.normed.append(normed)
        layer.rstd.append(rstd)
        return torch.addcmul(norm.bias, normed, norm.weight, out=out)

    def _own(self, filled_up: Tensor) -> Tensor:
        """Return the columns [.., D] of an array [.., W]."""
        return filled_up[:, : self._block.context_dim]

    def backward(self, part: slice, n: int, loss: ChunkLoss) -> None:
        """Go back from the loss through block n, the rows `part` of the chunk."""
        last = len(self._layers) - 1
        gradient = self.spare(part)
        if not self._compiled:
            loss.gradient(part, self._layers[-1].normed[n], gradient)
        for depth in reversed(range(len(self._layers))):
            layer = self._layers[depth]
            active = self._own(layer.active[part])
            if self._compiled:
                saved, out = (layer.normed[n], layer.rstd[n]), gradient if depth > 0 else None
                if depth == last:
                    departed(loss.slopes(part), saved, layer.norm, active, out)
                else:
                    gone_back(gradient, saved, layer.norm, active, out)
            else:
                gradient = self._before_norm(layer, n, gradient)
                torch.ops.aten.threshold_backward(
                    gradient.to(active.dtype), active, 0, grad_input=active
                )
            if depth > 0:
                gradient.add_(self._own(layer.active[part] @ layer.weight.T))

    def _before_norm(self, layer: Layer, n: int, gradient: Tensor) -> Tensor:
        """Return the gradient of LayerNorm's input [R, D]; add those of its scale and shift.

        `gradient`, of LayerNorm's output, is overwritten. 1/std is taken out of PyTorch's function
        (the rows given as means and inverse deviations are zeros and ones), so that `normed` can
        stand for its input. Its own sums for scale and shift are slower.
        """
        rows, normed = len(gradient), layer.normed[n]
        gradient_of(layer.norm.bias).add_(column_sums(gradient))
        product = torch.mul(gradient, normed, out=self._scratch[0][:rows])
        gradient_of(layer.norm.weight).add_(column_sums(product))
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

    def finish_chunk(self, k: int, rows: int) -> None:
        """Add the gradients of chunk k, of so many rows, to those of W_c and of the token half."""
        D = self._block.context_dim
        for layer in self._layers:
            before = layer.active[:rows]
            add_transposed(gradient_of(layer.linear.weight)[:, :D], before, layer.inner[:rows])
            layer.token_half.add(k, before)

    def finish(self) -> Tensor:
        """Finish the gradients; return all as one vector."""
        for layer in self._layers:
            layer.token_half.finish()
        return self._gradient
