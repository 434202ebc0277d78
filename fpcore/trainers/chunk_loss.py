"""The loss of a chunk B: (1 - w)·mean((C - P)²) + w·(-‖C - mean(C)‖_F / B) (spec section 2).

Shapes: B rows of a chunk, R of a block of it, D context width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fpcore.config.run_config import RunConfig
from fpcore.model.column_sums import column_sums
from fpcore.model.fused import ROUNDING, concluded
from fpcore.model.tuning import compiles


@dataclass
class Sums:
    """What one iteration adds up over its chunks, weighted by tokens; kept on the device."""

    all: Tensor  # the three that follow, [3]
    fixed: Tensor
    diverse: Tensor
    converged: Tensor

    @classmethod
    def zero(cls, like: Tensor) -> "Sums":
        """Return sums of nothing, in double precision on the device of `like`."""
        three = torch.zeros(3, dtype=torch.float64, device=like.device)
        return cls(three, *three)

    def joined(self, *more: Tensor) -> Tensor:
        """Return the three sums and further scalars, so that they can be read at once."""
        return torch.cat([self.all, *(value.double().view(1) for value in more)])


class ChunkLoss:
    """The loss of one chunk after another, of at most `rows` rows as wide as `like` [.., D]."""

    def __init__(self, config: RunConfig, rows: int, like: Tensor) -> None:
        self._config = config
        self._change = like.new_empty(rows, like.shape[1])
        self._distance = like.new_empty(rows)
        self._total = like.new_zeros(like.shape[1], dtype=torch.float64)
        self._squares = like.new_zeros((), dtype=torch.float64)
        self._compiled = compiles(like.device)
        self._pull, self._constant, self._slope = 0.0, like[:0], like[:0]
        wide = like.shape[1:]
        self._slopes = like.new_empty(wide), like.new_empty(wide), like.new_empty(1)
        # As numbers, they would be part of the kernel, and each value would need another one.
        knobs = config.dist_reg_weight, config.convergence_threshold
        self._knobs = torch.cat([self._total.new_full((1,), knob) for knob in knobs])

    def start(self) -> None:
        """Begin a chunk."""
        self._total.zero_()
        self._squares.zero_()

    def add(self, part: slice, C: Tensor, old: Tensor) -> None:
        """Add a block of rows: the new contexts C [R, D] and the old ones."""
        change = torch.sub(C, old, out=self._change[part])
        torch.linalg.vector_norm(change, dim=1, out=self._distance[part])
        self._total += column_sums(C)
        self._squares += torch.dot(C.view(-1), C.view(-1))

    def rooms(self, part: slice) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return where a chain writes what `add` does; compilers know no scalars, so [1]."""
        distance = self._distance[part].unsqueeze(1)
        return self._change[part], distance, self._total, self._squares.view(1)

    def finish(self, rows: int, weight: float, norm: nn.LayerNorm, sums: Sums) -> None:
        """Add the chunk's terms to the sums, and prepare its gradient, which shall weigh `weight`.

        `norm` is the block's last LayerNorm: C = scale·normed + shift.
        """
        w, D = self._config.dist_reg_weight, self._change.shape[1]
        if self._compiled:
            self._conclude(rows, weight, norm, sums)
            return
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

    def _conclude(self, rows: int, weight: float, norm: nn.LayerNorm, sums: Sums) -> None:
        """Do what `finish` does, as a chain."""
        told = self._distance[:rows, None], self._total, self._squares.view(1)
        weights = self._total.new_full((1,), weight)
        concluded(told, norm, weights, self._knobs, sums.all, self._slopes)

    def _spread(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return ‖C - mean(C)‖_F and its inverse, which is zero where there is no spread."""
        square = self._squares - self._total.square().sum() / rows
        noise = ROUNDING * torch.finfo(self._change.dtype).eps * self._squares
        norm = torch.where(square > noise, square, 0.0).sqrt()
        return norm, torch.where(norm > 0, 1 / norm, 0.0)

    def slopes(self, part: slice) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return what a gradient adds up: a constant [D], factors [D] and [1], a change [R, D]."""
        return *self._slopes, self._change[part]

    def gradient(self, part: slice, normed: Tensor, out: Tensor) -> Tensor:
        """Return the gradient [R, D] of the chunk's loss by C, from normed [R, D], in `out`."""
        torch.addcmul(self._constant, normed, self._slope, out=out)
        return out.add_(self._change[part], alpha=self._pull)
