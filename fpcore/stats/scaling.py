"""How perplexity falls with data: PPL = A · tokens^α (spec section 4), or towards a floor.

The floor's law is loss = E∞ + B · tokens^−β. For a fixed β it is linear in E∞ and B with
u = (tokens / centre)^−β, so the best of them under E∞, B ≥ 0 has a closed form and the fit is a
search in one dimension (variable projection, Golub & Pereyra 1973). `project` and what it calls
take m series of losses at the same n sizes at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

BETAS = (1e-3, 10.0)  # where exponents are looked for; beyond, a curve is a step
FIRST = np.geomspace(*BETAS, 61)  # the search looks here, ...
ROUNDS = 3  # ... then as often between the neighbours of the best,
STEPS = 13  # at so many exponents: in the end they are 0.07 % apart, far below any interval


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
