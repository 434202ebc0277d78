"""Whether two runs differ: one interval for seeds and the conversations of a validation text.

A difference is a mean over seeds; that of a loss is a mean over conversations, too. Its variance
is the sum of what other seeds and what other conversations would change, with Satterthwaite's
degrees of freedom. The spread over seeds is pooled over the sizes of the two runs: three to five
seeds of one size hardly tell it, and it is alike at all of them (over 153 pairs of runs, the
logarithm of its square has the variance 1.77 between sizes, by chance alone 1.64). Over pairs it
differs up to fiftyfold, so a report of many draws them towards each other as far as they are alike
(`prior_of`). Losses are in nats, so that their difference is the logarithm of a ratio of
perplexities.

Coverage of 95 % intervals, simulated on stored loss sums of pairs of runs at three sizes
(`tests/stats/test_coverage.py`), with 3, 5 and 10 seeds: 0.952 to 0.966 on 200 conversations of at
most 1,000 tokens, 0.919 to 0.984 on 25 of which one has half of the tokens.
"""

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

LEVEL = 0.95  # the share of cases in which an interval shall hold, where nothing else is said
POWER = 0.8  # the share of cases in which a difference that can be told shall be told
FEW = 3  # fewer variances than this say nothing of each other
MOST_SEEDS = 10_000  # a number of seeds above this is not worked out
Direction = Literal["up", "down", "same", "tiny", "unclear", "unknown"]
Values = dict[int | None, float]  # one value by seed; the seed is None where a record has none
Array = NDArray[np.float64]
Key = TypeVar("Key", bound=Hashable)


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
    prior: Variance = UNKNOWN,
) -> dict[Key, Difference]:
    """Compare a metric of two runs at several sizes, given as for `difference`.

    `texts` holds by size the variance that other conversations make, where it is known. The spread
    over seeds is that of all sizes of as many seeds together, but for those at which every seed
    gave the same for both runs; it is drawn towards the `prior` of comparisons of its kind.
    """
    paired = {key: _shared(*pair) for key, pair in sides.items()}
    own = {key: _over_seeds(*pair) for key, pair in paired.items()}
    equal = {key for key, (a, b) in paired.items() if a and a == b}
    pool = [variance for key, variance in own.items() if key not in equal]
    found = {}
    for key, (a, b) in paired.items():
        seeds, text = _drawn(_pooled(own[key], pool), prior), texts.get(key, UNKNOWN)
        variances = (EXACT, EXACT) if key in equal else (seeds, text)
        found[key] = _difference(a, b, variances, level)
    return found


def prior_of(variances: Iterable[Variance]) -> Variance:
    """Return what the variances of comparisons of one kind tell of each of them.

    They are taken to be drawn from a scaled inverse χ² distribution, whose scale and degrees of
    freedom are estimated: many where all are alike, few where they differ (Smyth 2004). The
    comparisons share runs, so that half of their degrees of freedom count at most. Unknown from
    fewer than FEW that are not 0.
    """
    known = [own for own in variances if own.known and own.value > 0]
    if len(known) < FEW:
        return UNKNOWN
    d = np.array([own.dof for own in known])
    logs = np.log([own.value for own in known]) - special.digamma(d / 2) + np.log(d / 2)
    excess = float(logs.var(ddof=1) - special.polygamma(1, d / 2).mean())
    most = max(0.0, float(d.sum()) / 2 - float(d.mean()))
    dof = min(most, 2 * _inverse_trigamma(excess)) if excess > 0 else most
    shift = float(special.digamma(dof / 2) - np.log(dof / 2)) if dof else 0.0
    return Variance(math.exp(float(logs.mean()) + shift), dof) if dof else UNKNOWN


def _inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value, which falls from infinity to 0."""
    low, high = 1e-6, 1 + 2 / value  # trigamma(x) is below 1 / x + 1 / x²
    return float(optimize.brentq(lambda x: special.polygamma(1, x) - value, low, high))


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


def half_width(variance: Variance, level: float) -> float:
    """Return how far an interval reaches to either side (Student's t)."""
    if not variance.known or not variance.value:
        return variance.value
    return float(stats.t.ppf((1 + level) / 2, variance.dof)) * math.sqrt(variance.value)


def resolution(variance: Variance, level: float) -> float:
    """Return the smallest true difference that is told in POWER of all cases."""
    return half_width(variance, level) + half_width(variance, 2 * POWER - 1)


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


def _pooled(own: Variance, pool: Iterable[Variance]) -> Variance:
    """Return the mean of the variances that rest on as many seeds as `own`."""
    alike = [other for other in pool if other.known and other.dof == own.dof]
    if not alike:
        return own
    return Variance(sum(x.value for x in alike) / len(alike), sum(x.dof for x in alike))


def _mean(values: Values) -> float:
    return sum(values.values()) / len(values) if values else math.nan


def _drawn(own: Variance, prior: Variance) -> Variance:
    """Return a variance drawn towards its prior, each as its degrees of freedom weigh it."""
    if not (own.known and prior.known and own.value > 0):
        return own
    dof = own.dof + prior.dof
    return Variance((own.dof * own.value + prior.dof * prior.value) / dof, dof)


def _spread(values: Values) -> float:
    return float(np.std([*values.values()], ddof=1)) if len(values) > 1 else math.nan
