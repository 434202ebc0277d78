"""Both laws fitted robustly: Huber's loss on the residuals of log PPL, the best of many starts.

As Hoffmann et al. (2022, "Training compute-optimal large language models", approach 3) fit theirs:
δ = 0.001 and L-BFGS from a grid of starts. Their residuals are of the log of the loss; those here
are of the loss itself, log PPL in nats, as everywhere in this book. Residuals beyond δ count by
their size and not by its square, so one odd size moves the fit less. No interval goes with them:
compare them with the least squares, whose intervals `intervals` gives.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy import optimize

from fpcore.projection import BETAS, centre
from fpcore.scaling import PowerLaw, SaturatingLaw, points

DELTA = 1e-3  # nats
ALPHAS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25)  # where the fits start: exponents, ...
FIRST_BETAS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
SHARES = (0.25, 0.5, 0.75, 0.95)  # ... and the share of the smallest loss that is the floor

Model = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # parameters → losses, gradients


def robust_power_law(tokens: Sequence[float], ppl: Sequence[float]) -> PowerLaw:
    """Fit the power law with Huber's loss; its standard error is NaN.

    Raises:
        ValueError: as `fit_power_law`.
    """
    x, y = points(tokens, ppl, 2, "a power law")
    loss, away = np.log(y), np.log(x / centre(x))

    def model(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return p[0] + p[1] * away, np.stack([np.ones_like(away), away])

    starts = itertools.product(np.quantile(loss, (0.25, 0.5, 0.75)), ALPHAS)
    level, alpha = _best(model, loss, starts, [(None, None), (None, None)])
    gaps = loss - level - alpha * away
    total = float(((loss - loss.mean()) ** 2).sum())
    r_squared = 1 - float((gaps**2).sum()) / total if total else math.nan
    factor = math.exp(level) * centre(x) ** -alpha
    return PowerLaw(alpha, factor, r_squared, math.nan, len(x), (float(x.min()), float(x.max())))


def robust_saturating_law(tokens: Sequence[float], ppl: Sequence[float]) -> SaturatingLaw:
    """Fit the saturating law with Huber's loss, E∞, B, β ≥ 0.

    Raises:
        ValueError: as `fit_saturating_law`.
    """
    x, y = points(tokens, ppl, 3, "a saturating law")
    loss, away = np.log(y), np.log(x / centre(x))

    def model(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u = np.exp(-p[2] * away)
        return p[0] + p[1] * u, np.stack([np.ones_like(u), u, -p[1] * away * u])

    pairs = itertools.product(SHARES, FIRST_BETAS)
    starts = [(s * loss.min(), loss.mean() - s * loss.min(), beta) for s, beta in pairs]
    floor, b, beta = _best(model, loss, starts, [(0, None), (0, None), (0, BETAS[1])])
    gaps = loss - model(np.array([floor, b, beta]))[0]
    rms = math.sqrt(float((gaps**2).mean()))
    return SaturatingLaw(floor, b * centre(x) ** beta, beta, rms, len(x), len(x) - 3)


def huber(gaps: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the sum of Huber's losses of residuals [n] in units of δ², and its gradient."""
    scaled = gaps / DELTA
    cut = np.clip(scaled, -1, 1)
    return float((cut * (scaled - cut / 2)).sum()), cut / DELTA


def _best(
    model: Model,
    loss: np.ndarray,
    starts: Iterable[Sequence[float]],
    bounds: Sequence[tuple[float | None, float | None]],
) -> list[float]:
    """Return the parameters of the smallest sum of Huber's losses over all starts."""

    def objective(p: np.ndarray) -> tuple[float, np.ndarray]:
        predicted, gradient = model(p)
        value, slope = huber(predicted - loss)
        return value, gradient @ slope

    options = {"maxiter": 2000, "maxcor": 20, "ftol": 1e-13, "gtol": 1e-9}
    fits = [
        optimize.minimize(objective, s, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        for s in starts
    ]
    return [float(v) for v in min(fits, key=lambda fit: float(fit.fun)).x]
