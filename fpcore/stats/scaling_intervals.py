"""95 % intervals of both laws' parameters, and of the PPL that they predict at another size.

The primary ones: for the power law, which is linear in its parameters on logarithms, Student's t;
for the saturating law, which is not, the profile likelihood with F quantiles (Bates & Watts 1988,
chapter 6): every value that some allowed law has whose sum of squares is at most
`RSS · (1 + F(1, n − 3) / (n − 3))`. For a law that is linear this is Student's t again. Both take
the noise of log PPL to be normal, alike at all sizes and unknown. `coverage` checks them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from fpcore.stats.scaling import (
    BETAS,
    Face,
    PowerLaw,
    best_face,
    centre,
    faces,
    fit_power_law,
    points,
    ppl_of,
    project,
)
from fpcore.stats.uncertainty import LEVEL

TAIL = (1 + LEVEL) / 2
# How far from the best exponent the ends are looked for, as a factor e^±x: finely near it, so that
# the intervals of nearly exact data are found, and up to the ends of BETAS.
AWAY = np.geomspace(1e-8, math.log(BETAS[1] / BETAS[0]), 100)
OFFSETS = np.concatenate([-AWAY[::-1], [0.0], AWAY])
# Where between the ends, from -1 to 1: on an ellipse the extremes lie close to its ends.
ANGLES = np.cos(np.linspace(math.pi, 0, 101))


class Interval(NamedTuple):
    """A 95 % interval; NaN where no degree of freedom is left, ±inf where the data set no end."""

    low: float
    high: float

    def covers(self, value: float) -> bool:
        """Whether the value lies in the interval."""
        return self.low <= value <= self.high


def power_interval(law: PowerLaw) -> Interval:
    """Return the interval of α (Student's t on n − 2 degrees of freedom)."""
    return Interval(law.alpha - law.half_width, law.alpha + law.half_width)


def power_prediction(tokens: Sequence[float], ppl: Sequence[float], at: float) -> Interval:
    """Return the interval of a new measurement of PPL at another size (Student's t).

    Raises:
        ValueError: as `fit_power_law`.
    """
    law, (x, y) = fit_power_law(tokens, ppl), points(tokens, ppl, 2, "a power law")
    if law.n < 3:
        return Interval(math.nan, math.nan)
    away = np.log(x) - np.log(x).mean()
    gaps = np.log(y) - np.array([law.loss(size) for size in x])
    share = 1 + 1 / law.n + (math.log(at) - np.log(x).mean()) ** 2 / (away**2).sum()
    half = stats.t.ppf(TAIL, law.n - 2) * math.sqrt((gaps**2).sum() / (law.n - 2) * share)
    return Interval(ppl_of(law.loss(at) - half), ppl_of(law.loss(at) + half))


def saturating_intervals(tokens: Sequence[float], ppl: Sequence[float]) -> dict[str, Interval]:
    """Return the intervals of `floor` (E∞), `B` and `beta` by profile likelihood.

    Raises:
        ValueError: as `fit_saturating_law`.
    """
    x, y = points(tokens, ppl, 3, "a saturating law", least=1.0)
    profile = Profile.of(x, np.log(y)[None])
    ends = {"floor": profile.floor(), "B": profile.factor(), "beta": profile.exponent()}
    return {name: Interval(*map(float, pair[:, 0])) for name, pair in ends.items()}


def saturating_prediction(tokens: Sequence[float], ppl: Sequence[float], at: float) -> Interval:
    """Return the interval of a new measurement of PPL at another size by profile likelihood.

    Raises:
        ValueError: as `fit_saturating_law`.
    """
    x, y = points(tokens, ppl, 3, "a saturating law", least=1.0)
    low, high = Profile.of(x, np.log(y)[None]).measurement(at)[:, 0]
    return Interval(ppl_of(float(low)), ppl_of(float(high)))


@dataclass(frozen=True)
class Profile:
    """All saturating laws that fit m series of losses well enough, by exponent.

    `limit` [m] is the largest sum of squares that is well enough, `ends` [2, m] the exponents
    between which it is met, `beta` [m, k] a grid between these and `faces` the laws on it. Given β,
    those on a face form an ellipse in (E∞, B), so the ends of anything linear in both are known in
    closed form; the ends over all β are those over the grid.
    """

    tokens: np.ndarray
    limit: np.ndarray
    ends: np.ndarray
    beta: np.ndarray
    faces: list[Face]

    @classmethod
    def of(cls, tokens: np.ndarray, loss: np.ndarray) -> "Profile":
        """Profile losses [m, n] in nats at sizes [n]."""
        best, dof = project(tokens, loss)[2], len(tokens) - 3
        beta = np.clip(best[:, None] * np.exp(OFFSETS), *BETAS)
        rss = best_face(tokens, loss, beta)[2]
        limit = rss.min(1) * (1 + stats.f.ppf(LEVEL, 1, dof) / dof if dof > 0 else math.nan)
        ends = np.stack([_crossing(beta, rss, limit, side) for side in (-1, 1)])
        middle, half = np.log(ends).mean(0), np.log(ends[1] / ends[0]) / 2
        beta = np.exp(middle[:, None] + half[:, None] * ANGLES)
        return cls(tokens, limit, ends, beta, faces(tokens, loss, beta))

    def exponent(self) -> np.ndarray:
        """Return the ends of β [2, m]; inf above the largest exponent that was tried."""
        low, high = self.ends
        low = np.where(low <= BETAS[0], 0.0, low)
        return self._known(np.stack([low, np.where(high >= BETAS[1], np.inf, high)]))

    def floor(self) -> np.ndarray:
        """Return the ends of E∞ [2, m] in nats."""
        return self._ends(np.ones_like(self.beta), np.zeros_like(self.beta))

    def factor(self) -> np.ndarray:
        """Return the ends of B [2, m], in nats at one token."""
        ends = self._ends(np.zeros_like(self.beta), centre(self.tokens) ** self.beta)
        ends[1, np.isinf(self.exponent()[1])] = np.inf
        return ends

    def measurement(self, at: float) -> np.ndarray:
        """Return the ends of a new loss at another size [2, m], in nats."""
        u = (at / centre(self.tokens)) ** -self.beta
        return self._ends(np.ones_like(u), u, noise=1.0)

    def _ends(self, one: np.ndarray, two: np.ndarray, noise: float = 0.0) -> np.ndarray:
        """Return the ends of one · E∞ + two · b [2, m], with so much of the noise's variance."""
        found = [self._reach(f, one, two, noise, sign) for f in self.faces for sign in (-1, 1)]
        over = np.concatenate(found, axis=1)  # NaN where not allowed, which fmin and fmax pass by
        return self._known(np.stack([np.fmin.reduce(over, 1), np.fmax.reduce(over, 1)]))

    def _reach(
        self, face: Face, one: np.ndarray, two: np.ndarray, noise: float, sign: int
    ) -> np.ndarray:
        """Return the end on one face for each exponent [m, k]; NaN where it is not allowed."""
        floor_way, b_way = face.ff * one + face.fb * two, face.fb * one + face.bb * two
        share = one * floor_way + two * b_way + noise
        slack = np.maximum(self.limit[:, None] - face.rss, 0.0)
        step = sign * np.sqrt(np.divide(slack, share, out=np.zeros_like(slack), where=share > 0))
        end_floor, end_b = face.floor + step * floor_way, face.b + step * b_way
        allowed = (face.rss <= self.limit[:, None]) & (end_floor >= 0) & (end_b >= 0)
        return np.where(allowed, one * end_floor + two * end_b + noise * step, np.nan)

    def _known(self, ends: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(self.limit), np.nan, ends)


def _crossing(beta: np.ndarray, rss: np.ndarray, limit: np.ndarray, side: int) -> np.ndarray:
    """Return the exponent at which sums of squares [m, k] pass the limit, furthest on one side."""
    inside = rss <= limit[:, None]
    rows, last = np.arange(len(rss)), rss.shape[1] - 1
    at = inside.argmax(1) if side < 0 else last - inside[:, ::-1].argmax(1)
    beyond = np.clip(at + side, 0, last)
    near, far, end = (  # roots of what is added to the least sum: nearly linear in β
        np.sqrt(np.maximum(value - rss.min(1), 0))
        for value in (rss[rows, at], rss[rows, beyond], limit)
    )
    gap = far - near
    part = np.divide(end - near, gap, out=np.zeros_like(gap), where=gap > 0)
    return np.asarray(beta[rows, at] + np.clip(part, 0, 1) * (beta[rows, beyond] - beta[rows, at]))
