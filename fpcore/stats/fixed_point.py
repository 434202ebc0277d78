"""How near a map's iterates are to a fixed point: residuals, contraction, distance.

The map of interest is one iteration of phase 1 with frozen weights and no noise (spec section 6).
Shapes: N rows (tokens), D context width.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fpcore.stats.metrics import is_converged

# A relative residual below it counts as a fixed point. A step rounds a context in float32 to about
# 1e-7 of its length and cannot come nearer; 1e-5 is well above that, and far below what training
# calls small.
TOLERANCE = 1e-5
QUANTILES = {"median": 0.5, "q90": 0.9, "q99": 0.99, "max": 1.0}
LOCAL = {"local_q10": 0.1, "local_median": 0.5, "local_q90": 0.9}
Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Settling:
    """The last iterate [N, D], and a row for each step from z to f(z).

    A row has `step` (from 1), quantiles over rows of the relative residual ‖f(z) - z‖ / ‖f(z)‖
    (`median`, `q90`, `q99`, `max`), the shares of rows whose residual is below TOLERANCE
    (`fixed`) and whose mean squared change is below the threshold of training (`converged`),
    and the contraction, from the ratio of every change to the one that it comes from: quantiles
    over rows (`local_q10`, `local_median`, `local_q90`), and `rms`, the root of the ratio of the
    summed squares. It is NaN where no change was above TOLERANCE.
    """

    contexts: Tensor
    trace: pd.DataFrame


@torch.no_grad()
def settle(
    step: Step,
    start: Tensor,
    steps: int,
    threshold: float,
    shift: int = 0,
    on_iterate: Callable[[int, Tensor], None] = lambda number, iterate: None,
) -> Settling:
    """Iterate a map from `start` [N, D] and measure every step.

    Row i of the map depends on row i - `shift` of its argument, so a change there is what the
    next change of row i comes from. `on_iterate` sees the start (number 0) and every iterate.
    """
    z, before, rows = start, start.new_empty(0, dtype=torch.float64), []
    on_iterate(0, z)
    for number in range(1, steps + 1):
        new = step(z)
        converged = float(is_converged(new - z, threshold).double().mean())
        change, size = _length(new - z), _length(new)
        row = {"step": number, "converged": converged}
        rows.append(row | _residual(change, size) | _contraction(change, before, size, shift))
        z, before = new, change
        on_iterate(number, z)
    return Settling(z, pd.DataFrame(rows))


def distance(contexts: Tensor, goal: Tensor) -> dict[str, float]:
    """Return quantiles over rows of ‖contexts - goal‖ / ‖goal‖, both [N, D]."""
    return _quantiles(_ratio(_length(contexts - goal), _length(goal)), QUANTILES)


def _length(rows: Tensor) -> Tensor:
    """Return the length of each row [N], summed in float64."""
    length: Tensor = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    return length


def _residual(change: Tensor, size: Tensor) -> dict[str, float]:
    relative = _ratio(change, size)
    fixed = float((relative < TOLERANCE).double().mean())
    return _quantiles(relative, QUANTILES) | {"fixed": fixed}


def _contraction(change: Tensor, before: Tensor, size: Tensor, shift: int) -> dict[str, float]:
    """Compare changes [N] with those of the step before, of rows `shift` earlier.

    Only where those were above TOLERANCE: below it a ratio would be one of rounding.
    """
    source = before[: max(0, len(before) - shift)]
    large = source > TOLERANCE * size[: len(source)]
    old, new = source[large], change[len(change) - len(source) :][large]
    rms = float((new.square().sum() / old.square().sum()).sqrt())
    return {"rms": rms} | _quantiles(new / old, LOCAL)


def _ratio(length: Tensor, size: Tensor) -> Tensor:
    """Return length / size by row, 0 where both are zero."""
    return torch.where(length > 0, length / size, 0.0)


def _quantiles(values: Tensor, names: dict[str, float]) -> dict[str, float]:
    """Return quantiles by name, linear between neighbours; NaN of nothing."""
    if not len(values):
        return dict.fromkeys(names, float("nan"))
    found = np.quantile(values.cpu().numpy(), list(names.values()))
    return dict(zip(names, found.tolist(), strict=True))
