"""The fixed-point-context model: parameters, and its two blocks (spec section 1).

Shapes: N tokens, V types, U types that occur, E embedding width, D context width, L layers,
T input tokens, B rows of a chunk or batch.

The token half of every linear layer depends on the token type alone. So `ContextBlock.terms`
multiplies it once per type, and a chunk gathers the rows that it needs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fpcore.config import RunConfig
from fpcore.generators import generator

WEIGHT_STD = 0.1
BIAS_STD = 0.01


@dataclass(frozen=True)
class Inputs:
    """The input vectors of a text, by type.

    `table` [U+1, E] holds the vectors of the types that occur and a last row of zeros (what
    stands before the start of a text); `index` [N, T] names the rows of the last T tokens of each
    position, oldest first.
    """

    table: Tensor
    index: Tensor

    def rows(self, part: slice) -> "Inputs":
        """Return the inputs of some positions, sharing the table."""
        return Inputs(self.table, self.index[part])

    def vectors(self) -> Tensor:
        """Return x, [N, E·T]."""
        return F.embedding(self.index, self.table).flatten(1)


class ContextBlock(nn.Module):
    """L layers of c ← LayerNorm(c + ReLU(Linear([c ; x]))), [.., D] → [.., D]."""

    def __init__(self, layers: int, context_dim: int, input_width: int) -> None:
        super().__init__()
        self.context_dim = context_dim
        self.linears = nn.ModuleList(
            nn.Linear(context_dim + input_width, context_dim) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(context_dim) for _ in range(layers))

    def _layers(self) -> list[tuple[nn.Linear, nn.LayerNorm]]:
        return [
            (cast(nn.Linear, linear), cast(nn.LayerNorm, norm))
            for linear, norm in zip(self.linears, self.norms, strict=True)
        ]

    def terms(self, table: Tensor) -> list[list[Tensor]]:
        """Return W_x·x + b by layer and slot, each [U+1, D]; the bias is in the newest slot."""
        width = table.shape[1]
        result = []
        for linear, _ in self._layers():
            weights = linear.weight[:, self.context_dim :].split(width, dim=1)
            slots = [table @ w.T for w in weights]
            slots[-1] += linear.bias
            result.append(slots)
        return result

    def forward(self, c: Tensor, terms: list[list[Tensor]], index: Tensor) -> list[Tensor]:
        """Apply the block to contexts `c` [B, D] of the positions with inputs `index` [B, T].

        Returns the outputs of all layers, each [B, D].
        """
        outputs = []
        for (linear, norm), slots in zip(self._layers(), terms, strict=True):
            c = norm(c + _active(linear, c, slots, index))
            outputs.append(c)
        return outputs

    def step(self, c: Tensor, terms: list[list[Tensor]], index: Tensor) -> "Step":
        """Apply the block as `forward` does, and keep what `backward` needs."""
        saved = []
        for (linear, norm), slots in zip(self._layers(), terms, strict=True):
            active = _active(linear, c, slots, index)
            z = c + active
            out, mean, rstd = torch.native_layer_norm(
                z, [self.context_dim], norm.weight, norm.bias, norm.eps
            )
            saved.append((c, active, z, mean, rstd))
            c = out
        return Step(c, saved)

    def backward(
        self, step: "Step", gradient: Tensor, index: Tensor, term_gradients: list[list[Tensor]]
    ) -> None:
        """Add the gradient of a chunk to the parameters' `.grad` and to `term_gradients`.

        `gradient` [B, D] is that of the last layer's output. The token half of the weights gets
        its gradient once per iteration, from `term_gradients` (see `finish_gradient`).
        """
        layers = self._layers()
        for layer in reversed(range(len(layers))):
            linear, norm = layers[layer]
            c, active, z, mean, rstd = step.saved[layer]
            dz, dweight, dbias = torch.ops.aten.native_layer_norm_backward(
                gradient, z, [self.context_dim], mean, rstd, norm.weight, norm.bias, [True] * 3
            )
            _grad(norm.weight).add_(dweight)
            _grad(norm.bias).add_(dbias)
            before = torch.ops.aten.threshold_backward(dz, active, 0)
            _grad(linear.weight)[:, : self.context_dim].addmm_(before.T, c)
            for slot, total in enumerate(term_gradients[layer]):
                total += torch.ops.aten.embedding_dense_backward(
                    before, index[:, slot], len(total), -1, False
                )
            if layer > 0:
                gradient = dz.addmm_(before, linear.weight[:, : self.context_dim])

    def finish_gradient(self, table: Tensor, term_gradients: list[list[Tensor]]) -> None:
        """Turn the summed gradients of `terms(table)` into those of W_x and b."""
        width = table.shape[1]
        for (linear, _), totals in zip(self._layers(), term_gradients, strict=True):
            parts = _grad(linear.weight)[:, self.context_dim :].split(width, dim=1)
            for part, total in zip(parts, totals, strict=True):
                part.addmm_(total.T, table)
            _grad(linear.bias).add_(totals[-1].sum(0))


@dataclass(frozen=True)
class Step:
    """One application of a ContextBlock: its output [B, D], and per layer what backward needs."""

    output: Tensor
    saved: list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]


class TokenBlock(nn.Module):
    """L layers of h ← LayerNorm(res(h) + ReLU(Linear([c^(l) ; h]))), from width E·T to E."""

    def __init__(self, layers: int, context_dim: int, embed_dim: int, input_tokens: int) -> None:
        super().__init__()
        first = embed_dim * input_tokens
        widths = [first - (first - embed_dim) * layer // layers for layer in range(layers + 1)]
        self.linears = nn.ModuleList(nn.Linear(context_dim + w, v) for w, v in pairwise(widths))
        self.residuals = nn.ModuleList(
            nn.Identity() if w == v else nn.Linear(w, v) for w, v in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(v) for v in widths[1:])

    def forward(self, contexts: Iterable[Tensor], x: Tensor) -> Tensor:
        """Return h [B, E] from the contexts of every layer, each [B, D], and x [B, E·T]."""
        h = x
        for linear, residual, norm, c in zip(
            self.linears, self.residuals, self.norms, contexts, strict=True
        ):
            h = norm(residual(h) + torch.relu(linear(torch.cat([c, h], dim=1))))
        return h


class FixedPointModel(nn.Module):
    """Both blocks, the frozen embedding and the input LayerNorm; the head is the embedding.

    `weights` is W_e, [V, E]. Every linear weight is drawn from N(0, 0.1²), every bias from
    N(0, 0.01²), by generators made from `seed` and the block.
    """

    def __init__(self, weights: Tensor, config: RunConfig, seed: int) -> None:
        super().__init__()
        width = weights.shape[1]
        dtype = getattr(torch, config.precision)
        self.embedding = nn.Embedding.from_pretrained(weights.to(dtype), freeze=True)
        self.input_norm = nn.LayerNorm(width, dtype=dtype)
        for parameter in self.input_norm.parameters():
            parameter.requires_grad_(False)
        self.context_block = ContextBlock(
            config.layers, config.context_dim, width * config.input_tokens
        ).to(dtype)
        self.token_block = TokenBlock(
            config.layers, config.context_dim, width, config.input_tokens
        ).to(dtype)
        self.input_tokens = config.input_tokens
        _initialise(self.context_block, generator(seed, "context block"))
        _initialise(self.token_block, generator(seed, "token block"))

    @torch.no_grad()
    def inputs(self, ids: Tensor) -> Inputs:
        """Return the input vectors of a text's tokens `ids` [N]: LayerNorm(W_e[id])."""
        types, positions = ids.unique(return_inverse=True)
        vectors = self.input_norm(self.embedding(types))
        table = torch.cat([vectors, vectors.new_zeros(1, vectors.shape[1])])
        padded = F.pad(positions, (self.input_tokens - 1, 0), value=len(types))
        return Inputs(table, padded.unfold(0, self.input_tokens, 1).contiguous())

    def parameter_counts(self) -> dict[str, int]:
        """Return the number of parameters of each part, and their total."""
        counts = {
            name: sum(p.numel() for p in part.parameters()) for name, part in self.named_children()
        }
        return counts | {"total": sum(counts.values())}


def _grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None  # the trainer sets every gradient to zero first
    return parameter.grad


def _active(linear: nn.Linear, c: Tensor, slots: list[Tensor], index: Tensor) -> Tensor:
    """Return ReLU(W_c·c + W_x·x + b), [B, D], in place of the gathered token half."""
    weight = linear.weight[:, : c.shape[1]]
    total = slots[-1].index_select(0, index[:, -1])
    for slot, term in enumerate(slots[:-1]):
        total += term.index_select(0, index[:, slot])
    return total.addmm_(c, weight.T).relu_()


@torch.no_grad()
def _initialise(block: nn.Module, source: torch.Generator) -> None:
    """Draw on the CPU, so that every device starts from the same weights."""
    for module in block.modules():
        if isinstance(module, nn.Linear):
            module.weight.normal_(0, WEIGHT_STD, generator=source)
            module.bias.normal_(0, BIAS_STD, generator=source)
