"""How perplexity falls with data: PPL = A · tokens^α (spec section 4)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class PowerLaw:
    """A least-squares fit of log PPL on log tokens.

    `alpha` is the exponent (negative where more data helps), `A` the factor, `r_squared` the share
    of variance explained, `stderr` the standard error of alpha (NaN for two points), `n` the
    number of points and `tokens` the smallest and largest size.
    """

    alpha: float
    A: float
    r_squared: float
    stderr: float
    n: int
    tokens: tuple[float, float]

    def __call__(self, tokens: float) -> float:
        """Return the perplexity that the fit predicts."""
        return float(self.A * tokens**self.alpha)


def fit_power_law(tokens: Sequence[float], ppl: Sequence[float]) -> PowerLaw:
    """Fit PPL = A · tokens^α by least squares on the logarithms.

    Raises:
        ValueError: fewer than two different sizes, unequal lengths, or a value that is not a
            positive finite number.
    """
    x, y = np.asarray(tokens, float), np.asarray(ppl, float)
    if x.shape != y.shape or x.ndim != 1 or len(set(x.tolist())) < 2:
        raise ValueError("a power law needs tokens and ppl of equal length and 2 different sizes")
    if not (np.isfinite([x, y]).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError("tokens and ppl must be positive finite numbers")
    fit = stats.linregress(np.log(x), np.log(y))
    stderr = float(fit.stderr) if len(x) > 2 else math.nan
    r_squared = float(fit.rvalue) ** 2
    span = (float(x.min()), float(x.max()))
    return PowerLaw(float(fit.slope), math.exp(fit.intercept), r_squared, stderr, len(x), span)


def sliding_windows(tokens: Sequence[float], ppl: Sequence[float], size: int = 4) -> list[PowerLaw]:
    """Fit every window of `size` neighbouring sizes, smallest first; none if there are too few."""
    pairs = sorted(zip(tokens, ppl, strict=True))
    windows = [pairs[i : i + size] for i in range(len(pairs) - size + 1)]
    return [fit_power_law(*zip(*window, strict=True)) for window in windows]
