"""Whether two runs differ: one interval for seeds and the conversations of a validation text.

A difference is a mean over seeds; that of a loss is a mean over conversations, too. Its variance
is the sum of what other seeds and what other conversations would change, with Satterthwaite's
degrees of freedom. Three to five seeds of one size hardly tell their spread, so that of the other
sizes of the two runs helps, as far as it is alike (`variance.pooled`): in perplexity it is 2.4
times as large at 25 conversations as at 100 (113 pairs of runs; the same factor in all of them, but
for chance), and a convergence rate that is 0 for all seeds has none. Over pairs it differs up to
fiftyfold, so a report of many draws them towards each other as far as they are alike, and learns
the factor of the sizes (`priors.prior_of`). Losses are in nats, so that their difference is the
logarithm of a ratio of perplexities.

Coverage of 95 % intervals, simulated on stored loss sums of pairs of runs at three sizes
(`tests/stats/test_coverage.py`), with 3, 5 and 10 seeds on 200 conversations of at most 1,000
tokens: 0.95 to 0.98 where seeds spread alike at all sizes, and by size 0.93 to 0.99 where they
spread 2.4 times as much at the smallest as at the largest. All intervals of a study at once: 0.92
to 0.97 with 5 seeds, 0.89 to 0.94 with 3.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fpcore.stats.priors import NO_PRIOR, Key, Prior, drawn_to
from fpcore.stats.variance import (
    EXACT,
    UNKNOWN,
    Variance,
    combined,
    half_width,
    pooled,
    resolution,
    scaled,
)

LEVEL = 0.95  # the share of cases in which an interval shall hold, where nothing else is said
MOST_SEEDS = 10_000  # a number of seeds above this is not worked out
Direction = Literal["up", "down", "same", "tiny", "unclear", "unknown"]
Values = dict[int | None, float]  # one value by seed; the seed is None where a record has none
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A metric of runs a and b, and the difference b - a.

    `low` and `high` bound the interval of the difference, NaN where there is none; `seeds` is the
    number that it rests on. `a_spread` and `b_spread` are the standard deviations over seeds, NaN
    from fewer than 2. `by_seeds` is the variance of the difference that other seeds make,
    `by_text` that of other conversations, unknown for a metric that has none.
    """

    a: float
    b: float
    low: float
    high: float
    seeds: int
    a_spread: float = math.nan
    b_spread: float = math.nan
    by_seeds: Variance = UNKNOWN
    by_text: Variance = UNKNOWN

    @property
    def difference(self) -> float:
        """b - a, before any rounding."""
        return self.b - self.a

    @property
    def relative(self) -> float:
        """The difference as a share of a."""
        return self.difference / abs(self.a) if self.a else math.nan

    @property
    def variance(self) -> Variance:
        """The variance that the interval rests on."""
        return combined(self.by_seeds, self.by_text)

    @property
    def direction(self) -> Direction:
        """What may be said: without an interval the sign alone, else what the interval allows."""
        if math.isnan(self.difference):
            return "unknown"
        known = not math.isnan(self.low)
        low, high = (self.low, self.high) if known else (self.difference, self.difference)
        if low == high == 0:
            return "same"
        return "up" if low > 0 else "down" if high < 0 else "unclear"


def certain(direction: Direction, seeds: int) -> Direction:
    """Return a direction where conclusions are drawn: from one seed, none can be."""
    return "unclear" if seeds < 2 and direction in ("up", "down") else direction


def simultaneous(comparisons: int) -> float:
    """Return the level at which each of some intervals holds so that LEVEL holds for all at once.

    Bonferroni's: no assumption of how they depend on each other.
    """
    return 1 - (1 - LEVEL) / max(1, comparisons)


def difference(a: Values, b: Values, level: float = LEVEL) -> Difference:
    """Compare a metric of two runs, each given by seed; values that are NaN do not count.

    Runs that share seeds are compared on those, in pairs (Student's t); runs that do not, by their
    means (Welch's t).
    """
    return differences({0: (a, b)}, {}, level)[0]


def differences(
    sides: Mapping[Key, tuple[Values, Values]],
    texts: Mapping[Key, Variance],
    level: float = LEVEL,
    prior: Prior = NO_PRIOR,
) -> dict[Key, Difference]:
    """Compare a metric of two runs at several sizes, given as for `difference`.

    `texts` holds by size the variance that other conversations make, where it is known. The spread
    over seeds is told by all sizes of as many seeds together (`pooled`), but for those at which
    every seed gave the same for both runs; it is drawn towards the `prior` of comparisons of its
    kind, which tells the scale of each size, too.
    """
    paired = {key: _shared(*pair) for key, pair in sides.items()}
    scales = {key: prior.scales.get(key, 1.0) for key in sides}
    own = {key: scaled(_over_seeds(*pair), 1 / scales[key]) for key, pair in paired.items()}
    equal = {key for key, (a, b) in paired.items() if a and a == b}
    pool = [variance for key, variance in own.items() if key not in equal]
    found = {}
    for key, (a, b) in paired.items():
        seeds = scaled(drawn_to(pooled(own[key], pool), prior.variance), scales[key])
        variances = (EXACT, EXACT) if key in equal else (seeds, texts.get(key, UNKNOWN))
        found[key] = _difference(a, b, variances, level)
    return found


def over_seeds(a: Values, b: Values) -> Variance:
    """Return the variance that other seeds make: of the mean of pairs, or Welch's."""
    return _over_seeds(*_shared(a, b))


def seeds_needed(d: Difference, size: float, level: float) -> float:
    """Return how many seeds would tell a true difference of `size` in POWER of all cases.

    Infinity above MOST_SEEDS, and where the conversations alone leave more open than that; NaN
    where the variance over seeds is not known.
    """
    if not d.by_seeds.known:
        return math.nan
    fewest, most = 1, MOST_SEEDS
    if resolution(_with_seeds(d, most), level) > size:
        return math.inf
    while most - fewest > 1:  # more seeds tell more, so halves will do
        middle = (fewest + most) // 2
        if resolution(_with_seeds(d, middle), level) > size:
            fewest = middle
        else:
            most = middle
    return float(most)


def _with_seeds(d: Difference, seeds: int) -> Variance:
    """Return the variance of a difference with another number of seeds of the same spread."""
    square = d.by_seeds.value * d.seeds / seeds
    dof = d.by_seeds.dof * (seeds - 1) / max(1, d.seeds - 1)
    return combined(Variance(square, dof), d.by_text)


def _difference(
    a: Values, b: Values, variances: tuple[Variance, Variance], level: float
) -> Difference:
    by_seeds, by_text = variances
    seeds = min(len(a), len(b))
    first, second = _mean(a), _mean(b)
    gap, half = second - first, half_width(combined(*variances), level)
    spreads = (_spread(a), _spread(b))
    return Difference(first, second, gap - half, gap + half, seeds, *spreads, by_seeds, by_text)


def _shared(a: Values, b: Values) -> tuple[Values, Values]:
    """Return both sides without what is NaN, at the seeds that they share if there are any."""
    a, b = ({s: v for s, v in side.items() if not math.isnan(v)} for side in (a, b))
    shared = [seed for seed in a if seed in b]
    if not shared:
        return a, b
    return {seed: a[seed] for seed in shared}, {seed: b[seed] for seed in shared}


def _over_seeds(a: Values, b: Values) -> Variance:
    """Return the variance that other seeds make: of the mean of pairs, or Welch's."""
    if min(len(a), len(b)) < 2:
        return UNKNOWN
    x, y = (np.array([*side.values()]) for side in (a, b))
    samples = [y - x] if [*a] == [*b] else [x, y]
    return combined(*(_of_mean(sample) for sample in samples))


def _of_mean(sample: Array) -> Variance:
    return Variance(float(sample.var(ddof=1)) / len(sample), len(sample) - 1.0)


def _mean(values: Values) -> float:
    return sum(values.values()) / len(values) if values else math.nan


def _spread(values: Values) -> float:
    return float(np.std([*values.values()], ddof=1)) if len(values) > 1 else math.nan
