"""Chains of elementwise operations as one kernel, where the device profits and a compiler is there.

The chain itself is ordinary PyTorch and always works; compiled it gives the same numbers but for
rounding. On a CPU a compiled chain of the noise takes less than half the time, but the records
that were made there have the other rounding, so it is not used.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fpcore.model.optimiser import gradient_of
from fpcore.stats.draws import normal_rows

EPS = 1e-5  # what every LayerNorm adds to the variance
_spent = [0.0]


class Fused:
    """A chain that writes to tensors it is given, compiled at its first call for any shapes."""

    def __init__(self, chain: Callable[..., None]) -> None:
        self._chain = chain
        self._compiled: Callable[..., None] | None = None

    def __call__(self, *given: Any) -> None:
        """Do the chain."""
        if self._compiled is None:
            self._first(*given)
        else:
            self._compiled(*given)

    def _first(self, *given: Any) -> None:
        """Compile while doing the chain for the first time, or leave it as it is."""
        start = time.perf_counter()
        self._compiled = torch.compile(self._chain, dynamic=True)
        try:
            self._compiled(*given)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # compilers fail in many ways, none of which matters here
            warnings.warn(f"The slower path is used, for nothing compiles: {error}", stacklevel=2)
            self._compiled = self._chain
            self._chain(*given)
        _spent[0] += time.perf_counter() - start


def spent() -> float:
    """Return the seconds that compiling has taken in this process."""
    return _spent[0]


def add_noise(
    rows: Tensor, columns: Tensor, before: Tensor, old: Tensor, std: float, out: Tensor
) -> None:
    """Write to `out` [R, D] the contexts of the tokens before, and noise.

    Those are `before` [D] and all but the last of `old` [R, D]; `rows` [R, 1] and `columns` [D/2]
    are keys of the noise.
    """
    noise = normal_rows(rows, columns, out.shape[1], out.dtype)
    out.copy_(torch.cat([before.unsqueeze(0), old[:-1]]) + std * noise)


def normalise(logits: Tensor, p: Tensor, log_sum: Tensor) -> None:
    """Write the softmax of logits [B, V] to `p` [B, V], and its divisor's logarithm to `log_sum`.

    The latter is [B].
    """
    found = torch.logsumexp(logits, 1)
    log_sum.copy_(found)
    p.copy_(torch.exp(logits - found.unsqueeze(1)))


def settle(
    c: Tensor, z: Tensor, norm: tuple[Tensor, Tensor], normed: Tensor, rstd: Tensor, out: Tensor
) -> None:
    """Write LayerNorm(c + ReLU(z)) to `out` [R, D], from c and z of that shape.

    `norm` are its scale and shift; `normed` [R, D] is the result before them, `rstd` [R, 1] is
    1/std.
    """
    joined = c + torch.relu(z).to(c.dtype)
    variance, mean = torch.var_mean(joined, 1, correction=0, keepdim=True)
    inverse = torch.rsqrt(variance + EPS)
    found = (joined - mean) * inverse
    normed.copy_(found)
    rstd.copy_(inverse)
    out.copy_(found * norm[0] + norm[1])


def compare(
    new: Tensor, old: Tensor, change: Tensor, distance: Tensor, total: Tensor, squares: Tensor
) -> None:
    """Write new - old [R, D] to `change` and its norm by row to `distance` [R].

    Sums of `new` are added to `total` [D], that of its squares to `squares` [1]; both may be in a
    wider format. (A compiler loses what is added to a tensor without dimensions.)
    """
    found = new - old
    change.copy_(found)
    distance.copy_(found.square().sum(1).sqrt())
    total.add_(new.sum(0))
    squares.add_(new.square().sum())


def go_back(
    gradient: Tensor, normed: Tensor, rstd: Tensor, norm: nn.LayerNorm, z: Tensor, out: Tensor
) -> None:
    """Write to `z` and to `out` [R, D] the gradients before ReLU and before LayerNorm.

    `gradient` is that of LayerNorm's output, `z` held the sums before ReLU; `normed` and `rstd` are
    what `settle` wrote. The gradients of scale and shift are added to those of `norm`.
    """
    gradient_of(norm.bias).add_(gradient.sum(0))
    gradient_of(norm.weight).add_((gradient * normed).sum(0))
    scaled = gradient * norm.weight
    found = scaled - scaled.mean(1, keepdim=True)
    found = rstd * (found - normed * (scaled * normed).mean(1, keepdim=True))
    z.copy_(torch.where(z > 0, found, 0.0))
    out.copy_(found)


noisy = Fused(add_noise)
normalised = Fused(normalise)
settled = Fused(settle)
compared = Fused(compare)
gone_back = Fused(go_back)
