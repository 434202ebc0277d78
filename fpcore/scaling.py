"""How perplexity falls with data: PPL = A · tokens^α (spec section 4), or towards a floor."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from fpcore.projection import centre, project


@dataclass(frozen=True)
class PowerLaw:
    """A least-squares fit of log PPL on log tokens.

    `alpha` is the exponent (negative where more data helps), `A` the factor (infinite where it is
    beyond the largest float), `r_squared` the share of variance explained, `stderr` the standard
    error of alpha (NaN for two points), `n` the number of points and `tokens` the smallest and
    largest size.
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

    @property
    def half_width(self) -> float:
        """Half the 95 % interval of alpha (Student's t on n - 2 degrees); NaN for two points."""
        return float(stats.t.ppf(0.975, self.n - 2)) * self.stderr if self.n > 2 else math.nan


def fit_power_law(tokens: Sequence[float], ppl: Sequence[float]) -> PowerLaw:
    """Fit PPL = A · tokens^α by least squares on the logarithms.

    Raises:
        ValueError: fewer than two different sizes, unequal lengths, or a value that is not a
            positive finite number.
    """
    x, y = points(tokens, ppl, 2, "a power law")
    fit = stats.linregress(np.log(x), np.log(y))
    stderr = float(fit.stderr) if len(x) > 2 else math.nan
    r_squared = float(fit.rvalue) ** 2
    span = (float(x.min()), float(x.max()))
    with np.errstate(over="ignore"):
        factor = float(np.exp(fit.intercept))
    return PowerLaw(float(fit.slope), factor, r_squared, stderr, len(x), span)


def local_exponents(tokens: Sequence[float], ppl: Sequence[float]) -> list[float]:
    """Return α between each two neighbouring sizes, smallest first: Δ log PPL / Δ log tokens."""
    return [window.alpha for window in sliding_windows(tokens, ppl, 2)]


def sliding_windows(tokens: Sequence[float], ppl: Sequence[float], size: int = 4) -> list[PowerLaw]:
    """Fit every window of `size` neighbouring sizes, smallest first; none if there are too few."""
    pairs = sorted(zip(tokens, ppl, strict=True))
    windows = [pairs[i : i + size] for i in range(len(pairs) - size + 1)]
    return [fit_power_law(*zip(*window, strict=True)) for window in windows]


@dataclass(frozen=True)
class SaturatingLaw:
    """A least-squares fit of loss = E∞ + B · tokens^−β, in nats.

    `floor` is E∞, `B` and `beta` are positive, `rms` is the root mean square of the residuals in
    nats, `n` the number of points, `dof` the degrees of freedom left: n - 3.
    """

    floor: float
    B: float
    beta: float
    rms: float
    n: int
    dof: int

    def __call__(self, tokens: float) -> float:
        """Return the perplexity that the fit predicts."""
        return math.exp(self.floor + self.B * tokens**-self.beta)


def fit_saturating_law(tokens: Sequence[float], ppl: Sequence[float]) -> SaturatingLaw:
    """Fit log PPL = E∞ + B · tokens^−β with E∞, B, β ≥ 0 by least squares.

    The search over all exponents (`projection`) finds the minimum, the solver its last digits.

    Raises:
        ValueError: fewer than three different sizes, or as `fit_power_law`.
    """
    x, y = points(tokens, ppl, 3, "a saturating law")
    loss, scale = np.log(y), centre(x)

    def residuals(p: np.ndarray) -> np.ndarray:
        return np.asarray(p[0] + p[1] * (x / scale) ** -p[2] - loss)

    start = project(x, loss[None])[:3, 0]
    best = optimize.least_squares(residuals, start, bounds=(0, np.inf), xtol=1e-14, ftol=1e-14)
    floor, b, beta = (float(v) for v in best.x)
    rms = math.sqrt(float((best.fun**2).mean()))
    return SaturatingLaw(floor, float(b * scale**beta), beta, rms, len(x), len(x) - 3)


def saturation_p(
    power: PowerLaw, floor: SaturatingLaw, tokens: Sequence[float], ppl: Sequence[float]
) -> float:
    """Return how often noise alone would favour the saturating law that much (F test); NaN if n=3.

    The power law has two parameters, the saturating one three; the p-value of the drop in the sum
    of squared residuals rests on `floor.dof` degrees of freedom.
    """
    if floor.dof < 1:
        return math.nan
    rss, rest = len(tokens) * loss_rms(power, tokens, ppl) ** 2, floor.n * floor.rms**2
    return float(stats.f.sf((rss - rest) / max(rest / floor.dof, 1e-300), 1, floor.dof))


def loss_rms(law: PowerLaw | SaturatingLaw, tokens: Sequence[float], ppl: Sequence[float]) -> float:
    """Return the root mean square of log PPL minus what a law predicts, in nats."""
    gaps = [math.log(y / law(x)) for x, y in zip(tokens, ppl, strict=True)]
    return math.sqrt(sum(gap**2 for gap in gaps) / len(gaps))


def points(
    tokens: Sequence[float], ppl: Sequence[float], sizes: int, law: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return tokens and PPL as arrays [n], if a law that needs so many sizes can be fitted.

    Raises:
        ValueError: fewer different sizes, unequal lengths, or a value that is not a positive finite
            number.
    """
    x, y = np.asarray(tokens, float), np.asarray(ppl, float)
    if x.shape != y.shape or x.ndim != 1 or len(set(x.tolist())) < sizes:
        raise ValueError(f"{law} needs tokens and ppl of equal length and {sizes} different sizes")
    if not (np.isfinite([x, y]).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError("tokens and ppl must be positive finite numbers")
    return x, y
