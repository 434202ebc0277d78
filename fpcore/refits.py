"""Parametric bootstrap of both laws: fits of new data that are drawn from the fitted law.

Each draw first draws the noise's standard deviation, from what the residuals tell of it
(`RSS / χ²` on the fit's degrees of freedom), then normal noise at every size, and refits. With the
residuals' own standard deviation throughout, the intervals would be those of a known noise: far
too short from few sizes. With it drawn, those of the power law are Student's t up to chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpcore.intervals import TAIL, Interval
from fpcore.projection import centre, project
from fpcore.scaling import (
    PowerLaw,
    SaturatingLaw,
    fit_power_law,
    fit_saturating_law,
    loss_rms,
    points,
)

DRAWS = 2000
Seed = int | Sequence[int]  # what numpy's generators take


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
    law = fit_power_law(tokens, ppl)
    slope, intercept = np.polyfit(np.log(x), _drawn(law, tokens, ppl, 2, draws, seed).T, 1)
    return Draws({"alpha": slope, "A": np.exp(intercept)})


def bootstrap_saturating_law(
    tokens: Sequence[float], ppl: Sequence[float], draws: int = DRAWS, seed: Seed = 0
) -> Draws:
    """Refit the saturating law to data drawn from it.

    Raises:
        ValueError: as `fit_saturating_law`, or three sizes, which leave no residual to draw from.
    """
    x, _ = points(tokens, ppl, 4, "a bootstrap of the saturating law")
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
    mean = np.log([law(size) for size in tokens])
    return np.asarray(mean + sigma * random.standard_normal((draws, n)))
