"""Variances of estimates with their degrees of freedom: of sums, of alike ones, of texts."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

POWER = 0.8  # the share of cases in which a difference that can be told shall be told


@dataclass(frozen=True)
class Variance:
    """The variance of an estimate, and its degrees of freedom; NaN where it is not known."""

    value: float
    dof: float

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.value)


UNKNOWN = Variance(math.nan, math.nan)
EXACT = Variance(0.0, math.inf)  # of what every draw gives alike


def combined(*variances: Variance) -> Variance:
    """Return the sum of independent variances; the unknown ones are left out.

    Degrees of freedom are Satterthwaite's (1946).
    """
    known = [own for own in variances if own.known]
    if not known:
        return UNKNOWN
    total = sum(own.value for own in known)
    if not total:
        return Variance(0.0, min(own.dof for own in known))
    # From shares: squares of large variances are beyond the largest float.
    return Variance(total, 1 / sum((own.value / total) ** 2 / own.dof for own in known))


def pooled(own: Variance, pool: Iterable[Variance]) -> Variance:
    """Return a variance that those of a pool which rest on as many seeds help to know.

    It is their mean, or its own where that is larger, with Satterthwaite's degrees of freedom: many
    where they are alike, few where some are far smaller, as those of a share at 0 or 1.
    """
    alike = [other for other in pool if other.known and other.dof == own.dof]
    if not alike:
        return own
    total = combined(*alike)
    return Variance(max(own.value, total.value / len(alike)), total.dof)


def scaled(own: Variance, factor: float) -> Variance:
    """Return a variance in another unit, of which `factor` make one of the old squared."""
    return Variance(own.value * factor, own.dof)


def half_width(variance: Variance, level: float) -> float:
    """Return how far an interval reaches to either side (Student's t)."""
    if not variance.known or not variance.value:
        return variance.value
    return float(stats.t.ppf((1 + level) / 2, variance.dof)) * math.sqrt(variance.value)


def resolution(variance: Variance, level: float) -> float:
    """Return the smallest true difference that is told in POWER of all cases."""
    return half_width(variance, level) + half_width(variance, 2 * POWER - 1)


def over_conversations(gaps: ArrayLike, counts: ArrayLike) -> Variance:
    """Return the variance that other conversations make in a mean difference of losses, in nats.

    Args:
        gaps: [C], by conversation the difference of the loss sums of two models in nats.
        counts: [C], its predicted tokens; conversations without any do not count.

    Neighbouring tokens depend on each other, so conversations are the units. The mean is a ratio
    of two sums over them; its variance is linearised (Cochran 1977, section 2.11). The longer a
    conversation, the more it counts, so that fewer carry the mean: the degrees of freedom are
    Kish's effective number less 1. Unknown from fewer than 2 conversations.

    Raises:
        ValueError: shapes that do not fit, gaps that are not finite, counts that are negative or
            all zero.
    """
    d, n = np.asarray(gaps, np.float64), np.asarray(counts, np.float64)
    if d.ndim != 1 or d.shape != n.shape:
        raise ValueError(f"gaps and counts must be [conversations], not {d.shape} and {n.shape}")
    if not (np.isfinite(d).all() and np.isfinite(n).all()) or (n < 0).any() or not n.any():
        raise ValueError("gaps must be finite, and counts at least 0 and not all 0")
    d, n = d[n > 0], n[n > 0]
    if len(n) < 2:
        return UNKNOWN
    share = n / n.sum()
    rest = d / n.sum() - d.sum() / n.sum() * share
    # A long conversation pulls the mean to itself, and so its own residual towards zero.
    kept = 1 - 2 * share + (share**2).sum()
    return Variance(float((rest**2 / kept).sum()), max(1.0, effective_number(n) - 1))


def effective_number(counts: ArrayLike) -> float:
    """Return how many conversations of equal length tell as much as these [C] (Kish 1965)."""
    n = np.asarray(counts, np.float64)
    return float(n.sum() ** 2 / (n**2).sum())
