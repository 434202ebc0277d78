"""Both laws fitted again: to drawn data, robustly, and to synthetic data of a known law.

Each draw of the parametric bootstrap first draws the noise's standard deviation, from what the
residuals tell of it (`RSS / χ²` on the fit's degrees of freedom), then normal noise at every size,
and refits. With the residuals' own standard deviation throughout, the intervals would be those of
a known noise: far too short from few sizes. With it drawn, those of the power law are Student's t
up to chance.

The robust fits use Huber's loss on log residuals, from many starts: beyond HUBER nats a residual
counts by its size instead of its square, so one odd size pulls less. Where these fits and least
squares disagree, a single size decides (Hoffmann et al. 2022, appendix D.2, whose threshold this
is).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from fpcore.stats.scaling import (
    BETAS,
    FIRST,
    PowerLaw,
    SaturatingLaw,
    best_face,
    centre,
    fit_power_law,
    fit_saturating_law,
    loss_rms,
    points,
    ppl_of,
    project,
)
from fpcore.stats.scaling_intervals import TAIL, Interval, Profile

DRAWS = 2000
Seed = int | Sequence[int]  # what numpy's generators take
HUBER = 1e-3  # nats
STARTS = FIRST[::4]  # exponents, of both laws
Residuals = Callable[[np.ndarray], np.ndarray]
SPAN = (62_891, 948_524)  # tokens of the published runs, smallest and largest
NOISE = 0.01  # standard deviation of log PPL, in nats
ALPHA, A = -0.44, 95_000.0  # about the published power law
FLOOR, B, BETA = 3.7, 60.0, 0.3  # a saturating law of about the published losses
SEED = 0


@dataclass(frozen=True)
class Draws:
    """Refits of one law to drawn data.

    `values` maps each parameter (`alpha` and `A`, or `floor`, `B` and `beta`) to an array [draws].
    """

    values: dict[str, np.ndarray]

    def interval(self, name: str) -> Interval:
        """Return the interval of a parameter between its quantiles."""
        return Interval(*map(float, np.quantile(self.values[name], (1 - TAIL, TAIL))))


def bootstrap_power_law(
    tokens: Sequence[float], ppl: Sequence[float], draws: int = DRAWS, seed: Seed = 0
) -> Draws:
    """Refit the power law to data drawn from it.

    Raises:
        ValueError: as `fit_power_law`, or two sizes, which leave no residual to draw from.
    """
    x, _ = points(tokens, ppl, 3, "a bootstrap of the power law")
    away, law = np.log(x) - np.log(x).mean(), fit_power_law(tokens, ppl)
    drawn = _drawn(law, tokens, ppl, 2, draws, seed)
    slope, level = drawn @ away / (away @ away), drawn.mean(1)
    with np.errstate(over="ignore"):
        return Draws({"alpha": slope, "A": np.exp(level - slope * np.log(x).mean())})


def bootstrap_saturating_law(
    tokens: Sequence[float], ppl: Sequence[float], draws: int = DRAWS, seed: Seed = 0
) -> Draws:
    """Refit the saturating law to data drawn from it.

    Raises:
        ValueError: as `fit_saturating_law`, or three sizes, which leave no residual to draw from.
    """
    x, _ = points(tokens, ppl, 4, "a bootstrap of the saturating law", least=1.0)
    law = fit_saturating_law(tokens, ppl)
    floor, b, beta, _ = project(x, _drawn(law, tokens, ppl, 3, draws, seed))
    return Draws({"floor": floor, "B": b * centre(x) ** beta, "beta": beta})


def _drawn(
    law: PowerLaw | SaturatingLaw,
    tokens: Sequence[float],
    ppl: Sequence[float],
    parameters: int,
    draws: int,
    seed: Seed,
) -> np.ndarray:
    """Return losses drawn from a law [draws, n], in nats."""
    random, n = np.random.default_rng(seed), len(tokens)
    rss = n * loss_rms(law, tokens, ppl) ** 2
    sigma = np.sqrt(rss / random.chisquare(n - parameters, size=(draws, 1)))
    mean = np.array([law.loss(size) for size in tokens])
    return np.asarray(mean + sigma * random.standard_normal((draws, n)))


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
    level, alpha = _best(residuals, starts, (np.array(-np.inf), np.array(np.inf)))
    return RobustPower(alpha, ppl_of(level - alpha * float(np.log(x).mean())))


def robust_saturating_law(tokens: Sequence[float], ppl: Sequence[float]) -> RobustSaturating:
    """Fit the saturating law with Huber's loss.

    Raises:
        ValueError: as `scaling.fit_saturating_law`.
    """
    x, y = points(tokens, ppl, 3, "a saturating law", least=1.0)
    loss, away = np.log(y), np.log(x / centre(x))

    def residuals(p: np.ndarray) -> np.ndarray:
        return np.asarray(p[0] + p[1] * np.exp(-p[2] * away) - loss)

    floors, factors, _ = best_face(x, loss[None], STARTS[None])[:, 0]
    starts = list(np.stack([floors, factors, STARTS], axis=1))
    ends = (np.array([0, 0, BETAS[0]]), np.array([np.inf, np.inf, BETAS[1]]))
    floor, b, beta = _best(residuals, [np.clip(start, *ends) for start in starts], ends)
    return RobustSaturating(floor, b * ppl_of(beta * float(np.log(x).mean())), beta)


def _best(
    residuals: Residuals, starts: list[np.ndarray], bounds: tuple[np.ndarray, np.ndarray]
) -> tuple[float, ...]:
    """Return the parameters of the least cost that any start leads to."""
    with np.errstate(over="ignore"):  # in the solver's own trial steps
        fits = [
            optimize.least_squares(residuals, start, bounds=bounds, loss="huber", f_scale=HUBER)
            for start in starts
        ]
    return tuple(map(float, min(fits, key=lambda fit: fit.cost).x))


def coverage(sizes: int, trials: int) -> dict[str, float]:
    """Return the share of trials in which the interval of each parameter holds the truth.

    Each trial draws losses at `sizes` sizes, evenly spaced on the log axis over SPAN, from a law of
    known parameters with normal noise of NOISE nats: `alpha` of the power law (Student's t),
    `floor`, `B` and `beta` of the saturating law (profile likelihood).
    """
    tokens = np.geomspace(*SPAN, sizes)
    noise = np.random.default_rng(SEED).normal(0, NOISE, (2, trials, sizes))
    found = {"alpha": _alpha(tokens, np.log(A) + ALPHA * np.log(tokens) + noise[0])}
    profile = Profile.of(tokens, FLOOR + B * tokens**-BETA + noise[1])
    ends = {"floor": profile.floor(), "B": profile.factor(), "beta": profile.exponent()}
    truth = {"floor": FLOOR, "B": B, "beta": BETA}
    for name, (low, high) in ends.items():
        found[name] = float(((low <= truth[name]) & (truth[name] <= high)).mean())
    return found


def _alpha(tokens: np.ndarray, loss: np.ndarray) -> float:
    """Return how often the interval of α holds it, over series of losses [m, n]."""
    x = np.log(tokens) - np.log(tokens).mean()
    slope = loss @ x / (x @ x)
    rest = loss - loss.mean(1, keepdims=True) - slope[:, None] * x
    dof = len(tokens) - 2
    half = stats.t.ppf(TAIL, dof) * np.sqrt((rest**2).sum(1) / dof / (x @ x))
    return float((abs(slope - ALPHA) <= half).mean())
