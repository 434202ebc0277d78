"""Both laws fitted robustly: Huber's loss on log residuals, from many starts.

Beyond HUBER nats a residual counts by its size instead of its square, so one odd size pulls less.
Where these fits and least squares disagree, a single size decides (Hoffmann et al. 2022, appendix
D.2, whose threshold this is).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize

from fpcore.projection import FIRST, best_face, centre
from fpcore.scaling import points

HUBER = 1e-3  # nats
STARTS = FIRST[::4]  # exponents, of both laws
Residuals = Callable[[np.ndarray], np.ndarray]


class RobustPower(NamedTuple):
    """PPL = A · tokens^alpha."""

    alpha: float
    A: float


class RobustSaturating(NamedTuple):
    """Loss = floor + B · tokens^-beta, in nats; all at least 0."""

    floor: float
    B: float
    beta: float


def robust_power_law(tokens: Sequence[float], ppl: Sequence[float]) -> RobustPower:
    """Fit the power law with Huber's loss.

    Raises:
        ValueError: as `scaling.fit_power_law`.
    """
    x, y = points(tokens, ppl, 2, "a power law")
    loss, away = np.log(y), np.log(x / centre(x))

    def residuals(p: np.ndarray) -> np.ndarray:
        return np.asarray(p[0] + p[1] * away - loss)

    middle = float(loss.mean())
    starts = [np.array([middle, -slope]) for slope in STARTS]
    level, alpha = _best(residuals, starts, (-np.inf, np.inf))
    return RobustPower(alpha, float(np.exp(level) * centre(x) ** -alpha))


def robust_saturating_law(tokens: Sequence[float], ppl: Sequence[float]) -> RobustSaturating:
    """Fit the saturating law with Huber's loss.

    Raises:
        ValueError: as `scaling.fit_saturating_law`.
    """
    x, y = points(tokens, ppl, 3, "a saturating law")
    loss, scale = np.log(y), centre(x)

    def residuals(p: np.ndarray) -> np.ndarray:
        return np.asarray(p[0] + p[1] * (x / scale) ** -p[2] - loss)

    floors, factors, _ = best_face(x, loss[None], STARTS[None])[:, 0]
    starts = list(np.stack([floors, factors, STARTS], axis=1))
    floor, b, beta = _best(residuals, starts, (0, np.inf))
    return RobustSaturating(floor, float(b * scale**beta), beta)


def _best(
    residuals: Residuals, starts: list[np.ndarray], bounds: tuple[float, float]
) -> tuple[float, ...]:
    """Return the parameters of the least cost that any start leads to."""
    fits = [
        optimize.least_squares(residuals, start, bounds=bounds, loss="huber", f_scale=HUBER)
        for start in starts
    ]
    return tuple(map(float, min(fits, key=lambda fit: fit.cost).x))
