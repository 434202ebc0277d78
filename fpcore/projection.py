"""The saturating law for given exponents: what is left is linear (variable projection).

For a fixed β, loss = E∞ + B · u with u = (tokens / centre)^−β is linear in E∞ and B, so the best of
them under E∞, B ≥ 0 has a closed form and the fit is a search in one dimension (Golub & Pereyra
1973). All functions take m series of losses at the same n sizes at once.
"""

import math
from dataclasses import dataclass

import numpy as np

BETAS = (1e-3, 10.0)  # where exponents are looked for; beyond, a curve is a step
FIRST = np.geomspace(*BETAS, 61)  # the search looks here, ...
ROUNDS = 3  # ... then as often between the neighbours of the best,
STEPS = 13  # at so many exponents: in the end they are 0.07 % apart, far below any interval


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
