"""How perplexity falls with data: PPL = A · tokens^α (spec section 4), or towards a floor.

The floor's law is loss = E∞ + B · tokens^−β. For a fixed β it is linear in E∞ and B with
u = (tokens / centre)^−β, so the best of them under E∞, B ≥ 0 has a closed form and the fit is a
search in one dimension (variable projection, Golub & Pereyra 1973). `project` and what it calls
take m series of losses at the same n sizes at once.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

LEAST_SIZES = 4  # an exponent from fewer is not told: a line through them always fits
LARGEST = math.log(sys.float_info.max)  # the largest number whose exponential is finite
BETAS = (1e-3, 10.0)  # where exponents are looked for; beyond, a curve is a step
FIRST = np.geomspace(*BETAS, 61)  # the search looks here, ...
ROUNDS = 3  # ... then as often between the neighbours of the best,
STEPS = 13  # at so many exponents: in the end they are 0.07 % apart, far below any interval


def ppl_of(loss: float) -> float:
    """Return exp of a mean loss in nats; infinity where it is beyond the largest float."""
    return math.inf if loss >= LARGEST else math.exp(loss)


@dataclass(frozen=True)
class PowerLaw:
    """A least-squares fit of log PPL on log tokens, kept at the centre of the sizes.

    `alpha` is the exponent (negative where more data helps), `level` the loss in nats at the size
    `centre` (the geometric mean), `r_squared` the share of variance explained (NaN where PPL does
    not vary), `stderr` the standard error of alpha (NaN for two points), `n` the number of points
    and `tokens` the smallest and largest size.
    """

    alpha: float
    level: float
    centre: float
    r_squared: float
    stderr: float
    n: int
    tokens: tuple[float, float]

    def loss(self, tokens: float) -> float:
        """Return the loss in nats that the fit predicts."""
        return self.level + self.alpha * math.log(tokens / self.centre)

    def __call__(self, tokens: float) -> float:
        """Return the perplexity that the fit predicts."""
        return ppl_of(self.loss(tokens))

    @property
    def A(self) -> float:  # noqa: N802
        """The factor of PPL = A · tokens^α, the perplexity at one token; infinity beyond floats."""
        return self(1.0)

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
    away, loss = np.log(x) - np.log(x).mean(), np.log(y)
    fit = stats.linregress(away, loss)
    stderr = float(fit.stderr) if len(x) > 2 else math.nan
    r_squared = float(fit.rvalue) ** 2 if len(set(y.tolist())) > 1 else math.nan
    span = (float(x.min()), float(x.max()))
    level = float(fit.intercept)
    return PowerLaw(float(fit.slope), level, centre(x), r_squared, stderr, len(x), span)


def local_exponents(tokens: Sequence[float], ppl: Sequence[float]) -> list[float]:
    """Return α between each two neighbouring sizes, smallest first: Δ log PPL / Δ log tokens.

    NaN between sizes of equal tokens.
    """
    return [window.alpha for window in sliding_windows(tokens, ppl, 2)]


def sliding_windows(tokens: Sequence[float], ppl: Sequence[float], size: int = 4) -> list[PowerLaw]:
    """Fit every window of `size` neighbouring sizes, smallest first; none if there are too few.

    Where all sizes of a window have equal tokens, its law is NaN.
    """
    pairs = sorted(zip(tokens, ppl, strict=True))
    windows = [pairs[i : i + size] for i in range(len(pairs) - size + 1)]
    return [_law_of(*zip(*window, strict=True)) for window in windows]


def _law_of(tokens: Sequence[float], ppl: Sequence[float]) -> PowerLaw:
    if len(set(tokens)) > 1:
        return fit_power_law(tokens, ppl)
    return PowerLaw(*(math.nan,) * 5, len(tokens), (tokens[0], tokens[-1]))


@dataclass(frozen=True)
class SaturatingLaw:
    """A least-squares fit of loss = E∞ + b · (tokens / centre)^−β, in nats.

    `floor` is E∞, `b` what the size `centre` (the geometric mean) adds to it, both in nats and at
    least 0, `beta` is positive, `rms` the root mean square of the residuals in nats, `n` the number
    of points, `dof` the degrees of freedom left: n - 3.
    """

    floor: float
    b: float
    centre: float
    beta: float
    rms: float
    n: int
    dof: int

    def loss(self, tokens: float) -> float:
        """Return the loss in nats that the fit predicts; infinity beyond floats."""
        return self.floor + self.b * ppl_of(-self.beta * math.log(tokens / self.centre))

    def __call__(self, tokens: float) -> float:
        """Return the perplexity that the fit predicts."""
        return ppl_of(self.loss(tokens))

    @property
    def B(self) -> float:  # noqa: N802
        """The factor of loss = E∞ + B · tokens^−β, in nats at one token; infinity beyond floats."""
        return self.loss(1.0) - self.floor


def fit_saturating_law(tokens: Sequence[float], ppl: Sequence[float]) -> SaturatingLaw:
    """Fit log PPL = E∞ + B · tokens^−β with E∞, B ≥ 0 and β within BETAS by least squares.

    The search over all exponents (`project`) finds the minimum, the solver its last digits.

    Raises:
        ValueError: fewer than three different sizes, a perplexity below 1, or as `fit_power_law`.
    """
    x, y = points(tokens, ppl, 3, "a saturating law", least=1.0)
    loss, away = np.log(y), np.log(x / centre(x))

    def residuals(p: np.ndarray) -> np.ndarray:
        return np.asarray(p[0] + p[1] * np.exp(-p[2] * away) - loss)

    start, ends = project(x, loss[None])[:3, 0], ([0, 0, BETAS[0]], [np.inf, np.inf, BETAS[1]])
    inside = np.clip(start, *ends)
    with np.errstate(over="ignore"):  # in the solver's own trial steps
        best = optimize.least_squares(residuals, inside, bounds=ends, xtol=1e-14, ftol=1e-14)
    floor, b, beta = (float(v) for v in best.x)
    rms = math.sqrt(float((best.fun**2).mean()))
    return SaturatingLaw(floor, b, centre(x), beta, rms, len(x), len(x) - 3)


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
    gaps = [math.log(y) - law.loss(x) for x, y in zip(tokens, ppl, strict=True)]
    return math.sqrt(sum(gap**2 for gap in gaps) / len(gaps))


def points(
    tokens: Sequence[float], ppl: Sequence[float], sizes: int, law: str, least: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return tokens and PPL as arrays [n], if a law that needs so many sizes can be fitted.

    Raises:
        ValueError: fewer different sizes, unequal lengths, a value that is not a positive finite
            number, or a perplexity below `least`.
    """
    x, y = np.asarray(tokens, float), np.asarray(ppl, float)
    if x.shape != y.shape or x.ndim != 1 or len(set(x.tolist())) < sizes:
        raise ValueError(f"{law} needs tokens and ppl of equal length and {sizes} different sizes")
    if not (np.isfinite([x, y]).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError("tokens and ppl must be positive finite numbers")
    if (y < least).any():
        raise ValueError(f"{law} needs perplexities of at least {least:g}")
    return x, y


def centre(tokens: np.ndarray) -> float:
    """Return the geometric mean of the sizes, at which B · u is B in nats."""
    return math.exp(float(np.log(tokens).mean()))


@dataclass(frozen=True)
class Face:
    """Least squares with both parameters free, or with one held at 0; arrays [m, k].

    `floor` (E∞) and `b` (B at the centre) in nats; `rss` in nats²; `ff`, `fb`, `bb` are the entries
    of the inverse of XᵀX for (E∞, b), 0 where a parameter is held.
    """

    floor: np.ndarray
    b: np.ndarray
    rss: np.ndarray
    ff: np.ndarray
    fb: np.ndarray
    bb: np.ndarray

    @property
    def allowed(self) -> np.ndarray:
        """Whether both parameters are at least 0 [m, k]."""
        return np.asarray((self.floor >= 0) & (self.b >= 0))


def faces(tokens: np.ndarray, loss: np.ndarray, beta: np.ndarray) -> list[Face]:
    """Return the fits for given exponents: both parameters free, E∞ = 0, and B = 0.

    Args:
        tokens: [n].
        loss: [m, n], nats.
        beta: [m, k], or [1, k] for all series alike.
    """
    u = np.exp(-beta[..., None] * np.log(tokens / centre(tokens)))  # [m or 1, k, n]
    y, mean_u = loss[:, None, :], u.mean(-1)
    mean_y, n = np.broadcast_to(loss.mean(-1)[:, None], (len(loss), u.shape[1])), len(tokens)
    away = u - mean_u[..., None]
    spread, squares = (away**2).sum(-1), (u**2).sum(-1)
    slope, through = (away * y).sum(-1) / spread, (u * y).sum(-1) / squares
    zero = np.zeros_like(slope)

    def face(floor: np.ndarray, b: np.ndarray, *inverse: np.ndarray) -> Face:
        rss = ((y - floor[..., None] - b[..., None] * u) ** 2).sum(-1)
        return Face(floor, b, rss, *(part + zero for part in inverse))

    free = (1 / n + mean_u**2 / spread, -mean_u / spread, 1 / spread)
    return [
        face(mean_y - slope * mean_u, slope, *free),
        face(zero, through, zero, zero, 1 / squares),
        face(mean_y, zero, zero + 1 / n, zero, zero),
    ]


def best_face(tokens: np.ndarray, loss: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Return E∞, b and the sum of squares of the best allowed fit for each exponent [3, m, k]."""
    found = faces(tokens, loss, beta)
    rss = np.stack([np.where(f.allowed, f.rss, np.inf) for f in found])
    which = rss.argmin(0)[None]
    parts = (np.stack([getattr(f, name) for f in found]) for name in ("floor", "b", "rss"))
    return np.stack([np.take_along_axis(part, which, 0)[0] for part in parts])


def project(tokens: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Return E∞, b, β and the sum of squares of the best fit of each series of losses [4, m]."""
    betas = np.broadcast_to(FIRST, (len(loss), len(FIRST)))
    fits = best_face(tokens, loss, FIRST[None])
    for _ in range(ROUNDS):
        at = fits[2].argmin(1)
        rows, last = np.arange(len(loss)), betas.shape[1] - 1
        low, high = betas[rows, np.maximum(at - 1, 0)], betas[rows, np.minimum(at + 1, last)]
        betas = np.geomspace(low, high, STEPS, axis=1)
        fits = best_face(tokens, loss, betas)
    at = fits[2].argmin(1)[:, None]
    floor, b, rss, beta = (np.take_along_axis(v, at, 1)[:, 0] for v in (*fits, betas))
    return np.stack([floor, b, beta, rss])
