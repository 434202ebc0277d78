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

from fpcore.config.run_config import RunConfig
from fpcore.model.fused import EPS
from fpcore.model.optimiser import gradient_of
from fpcore.model.precision import stored_dtype, write_transposed
from fpcore.model.tuning import filled, tuning
from fpcore.stats.draws import generator

WEIGHT_STD = 0.1
BIAS_STD = 0.01
Saved = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]  # inputs, active, z, mean, 1/std


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
        return self.table.index_select(0, self.index.flatten()).view(self.index.shape[0], -1)


class ContextBlock(nn.Module):
    """L layers of c ← LayerNorm(c + ReLU(Linear([c ; x]))), [.., D] → [.., D]."""

    def __init__(self, layers: int, context_dim: int, input_width: int) -> None:
        super().__init__()
        self.context_dim = context_dim
        self.linears = nn.ModuleList(
            nn.Linear(context_dim + input_width, context_dim) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(context_dim, EPS) for _ in range(layers))

    def layers(self) -> list[tuple[nn.Linear, nn.LayerNorm]]:
        """Return the linear layer and the LayerNorm of every layer."""
        return [
            (cast(nn.Linear, linear), cast(nn.LayerNorm, norm))
            for linear, norm in zip(self.linears, self.norms, strict=True)
        ]

    def terms(self, table: Tensor) -> list[list[Tensor]]:
        """Return W_x·x + b by layer and slot, each [U+1, D]; the bias is in the newest slot.

        They are in the format of `table`, [U+1, E].
        """
        terms = self.empty_terms(table)
        self.renew_terms(table, out=terms)
        return terms

    def empty_terms(self, table: Tensor, multiple: int = 1) -> list[list[Tensor]]:
        """Return room for what `terms` returns, its width filled up to a multiple."""
        linear, _ = self.layers()[0]
        slots = (linear.in_features - self.context_dim) // table.shape[1]
        shape = (len(table), filled(self.context_dim, multiple))
        return [[table.new_empty(shape) for _ in range(slots)] for _ in self.linears]

    @torch.no_grad()
    def renew_terms(self, table: Tensor, out: list[list[Tensor]]) -> None:
        """Write what `terms(table)` returns to `out`, which `empty_terms` has made, and zeros."""
        for (linear, _), slots in zip(self.layers(), out, strict=True):
            weights = linear.weight[:, self.context_dim :].to(table.dtype)
            bias = linear.bias.to(table.dtype)
            if gap := slots[0].shape[1] - len(bias):
                weights, bias = F.pad(weights, (0, 0, 0, gap)), F.pad(bias, (0, gap))
            parts = weights.split(table.shape[1], dim=1)
            for part, slot in zip(parts[:-1], slots[:-1], strict=True):
                torch.mm(table, part.T, out=slot)
            torch.addmm(bias, table, parts[-1].T, out=slots[-1])

    def forward(self, c: Tensor, terms: list[list[Tensor]], index: Tensor) -> list[Tensor]:
        """Apply the block to contexts `c` [B, D] of the positions with inputs `index` [B, T].

        Returns the outputs of all layers, each [B, D].
        """
        outputs = []
        for (linear, norm), slots in zip(self.layers(), terms, strict=True):
            c = norm(c + _active(linear, c, slots, index))
            outputs.append(c)
        return outputs


class TokenBlock(nn.Module):
    """L layers of h ← LayerNorm(res(h) + ReLU(Linear([c^(l) ; h]))), from width E·T to E.

    `bias` [V] is that of the head, where it has one: it is trained with the block.
    """

    bias: nn.Parameter | None

    def __init__(self, layers: int, context_dim: int, embed_dim: int, input_tokens: int) -> None:
        super().__init__()
        self.register_parameter("bias", None)
        first = embed_dim * input_tokens
        self._input = slice(context_dim, context_dim + first)  # the columns of x in [c ; x]
        widths = [first - (first - embed_dim) * layer // layers for layer in range(layers + 1)]
        self.linears = nn.ModuleList(nn.Linear(context_dim + w, v) for w, v in pairwise(widths))
        self.residuals = nn.ModuleList(
            nn.Identity() if w == v else nn.Linear(w, v) for w, v in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(v, EPS) for v in widths[1:])
        residuals = [part if isinstance(part, nn.Linear) else None for part in self.residuals]
        self._layers = [  # listed once: a small step takes hardly longer than what it looks up
            (cast(nn.Linear, linear), residual, cast(nn.LayerNorm, norm))
            for linear, residual, norm in zip(self.linears, residuals, self.norms, strict=True)
        ]

    def forward(self, contexts: Iterable[Tensor], x: Tensor) -> Tensor:
        """Return h [B, E] from the contexts of every layer, each [B, D], and x [B, E·T]."""
        first, *further = contexts
        return self.step(join(first, x), further)[0]

    def step(self, joined: Tensor, further: list[Tensor]) -> tuple[Tensor, list[Saved]]:
        """Return h [B, E] as `forward` does, and by layer what `backward` needs.

        `joined` is what `join` makes of the first layer's contexts and x, and `further` are the
        contexts of the further layers, each [B, D].
        """
        h, saved = joined[:, self._input], []
        for (linear, residual, norm), c in zip(self._layers, [None, *further], strict=True):
            joined = joined if c is None else join(c, h)
            active = _applied(linear, joined).relu_()
            # Of rows that lie apart, a library may add up a product in another order.
            z = (residual(h.contiguous()) if residual else h) + active
            h, mean, rstd = torch.native_layer_norm(
                z, norm.normalized_shape, norm.weight, norm.bias, EPS
            )
            saved.append((joined, active, z, mean, rstd))
        return h, saved

    def backward(self, saved: list[Saved], gradient: Tensor) -> None:
        """Set the parameters' `.grad` from the gradient [B, E] of the output of `step`.

        It ends with the gradient of x, which nobody needs, as contexts and inputs are frozen.
        """
        for n in reversed(range(len(self._layers))):
            linear, residual, norm = self._layers[n]
            joined, active, z, mean, rstd = saved[n]
            dz, dweight, dbias = torch.ops.aten.native_layer_norm_backward(
                gradient, z, norm.normalized_shape, mean, rstd, norm.weight, norm.bias, [True] * 3
            )
            gradient_of(norm.weight).copy_(dweight)
            gradient_of(norm.bias).copy_(dbias)
            before = torch.ops.aten.threshold_backward(dz, active, 0)
            _set_gradient(linear, before, joined)
            if residual:
                after = linear.in_features
                _set_gradient(residual, dz, joined[:, after - residual.in_features : after])
            if n > 0:
                gradient = dz @ residual.weight if residual else dz
                gradient = gradient.addmm(before, linear.weight[:, -gradient.shape[1] :])


class FixedPointModel(nn.Module):
    """Both blocks, the frozen embedding and the input LayerNorm; the head is the embedding.

    `weights` is W_e, [V, E]. Every linear weight is drawn from N(0, 0.1²), every bias from
    N(0, 0.01²), by generators made from `seed` and the block.
    """

    def __init__(self, weights: Tensor, config: RunConfig, seed: int) -> None:
        super().__init__()
        width = weights.shape[1]
        dtype = stored_dtype(config)
        self.embedding = nn.Embedding.from_pretrained(weights.to(dtype), freeze=True)
        self.input_norm = nn.LayerNorm(width, EPS, dtype=dtype)
        for parameter in self.input_norm.parameters():
            parameter.requires_grad_(False)
        self.context_block = ContextBlock(
            config.layers, config.context_dim, width * config.input_tokens
        ).to(dtype)
        self.token_block = TokenBlock(
            config.layers, config.context_dim, width, config.input_tokens
        ).to(dtype)
        if config.output_bias == "unigram":
            self.token_block.bias = nn.Parameter(weights.new_zeros(len(weights), dtype=dtype))
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


def join(c: Tensor, h: Tensor) -> Tensor:
    """Return [c ; h] by rows, filled up with zeros to a width that suits the device."""
    width = c.shape[1] + h.shape[1]
    gap = filled(width, tuning(h.device).multiple) - width
    return torch.cat([c, h, h.new_zeros(len(h), gap)] if gap else [c, h], dim=1)


def _applied(linear: nn.Linear, joined: Tensor) -> Tensor:
    """Apply a linear layer to what `join` returns."""
    gap = joined.shape[1] - linear.in_features
    weight = F.pad(linear.weight, (0, gap)) if gap else linear.weight
    return F.linear(joined, weight, linear.bias)


def _set_gradient(linear: nn.Linear, outer: Tensor, inner: Tensor) -> None:
    """Set the gradient of a linear layer from those of its outputs and from its inputs."""
    if inner.shape[1] == linear.in_features:
        write_transposed(gradient_of(linear.weight), outer, inner)
    else:
        gradient_of(linear.weight).copy_((outer.T @ inner)[:, : linear.in_features])
    torch.sum(outer, 0, out=gradient_of(linear.bias))


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
