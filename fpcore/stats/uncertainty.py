"""Whether two runs differ: over seeds, and over the conversations of one validation text."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95  # the share of cases in which an interval shall hold, where nothing else is said
Direction = Literal["up", "down", "same", "tiny", "unclear", "unknown"]
Values = dict[int | None, float]  # one value by seed; the seed is None where a record has none
DRAWS = 10_000  # how often conversations are drawn anew
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A metric of runs a and b, and the difference b - a.

    `low` and `high` bound the interval of the difference (95 % unless asked otherwise), NaN from
    fewer than 2 seeds; `seeds` is the number that it rests on. `a_spread` and `b_spread` are the
    standard deviations over seeds, NaN from fewer than 2.
    """

    a: float
    b: float
    low: float
    high: float
    seeds: int
    a_spread: float = math.nan
    b_spread: float = math.nan

    @property
    def difference(self) -> float:
        """b - a, before any rounding."""
        return self.b - self.a

    @property
    def relative(self) -> float:
        """The difference as a share of a."""
        return self.difference / abs(self.a) if self.a else math.nan

    @property
    def direction(self) -> Direction:
        """What may be said: from one seed the sign alone; from several what the interval allows."""
        if math.isnan(self.difference):
            return "unknown"
        if self.seeds < 2:
            low = high = self.difference
        else:
            low, high = self.low, self.high
        if low == high == 0:
            return "same"
        return "up" if low > 0 else "down" if high < 0 else "unclear"


def certain(direction: Direction, seeds: int) -> Direction:
    """Return a direction where conclusions are drawn: from one seed, none can be."""
    return "unclear" if seeds < 2 and direction in ("up", "down") else direction


def difference(a: Values, b: Values, level: float = LEVEL) -> Difference:
    """Compare a metric of two runs, each given by seed; values that are NaN do not count.

    Runs that share seeds are compared on those, in pairs (Student's t); runs that do not, by their
    means (Welch's t).
    """
    a, b = ({s: v for s, v in side.items() if not math.isnan(v)} for side in (a, b))
    if not a or not b:
        return Difference(_mean(a), _mean(b), math.nan, math.nan, min(len(a), len(b)))
    shared = [seed for seed in a if seed in b]
    if shared:
        a, b = ({seed: side[seed] for seed in shared} for side in (a, b))
    if len(shared) > 1:
        low, high = _interval([np.subtract([*b.values()], [*a.values()])], level)
    elif min(len(a), len(b)) > 1:
        low, high = _interval([np.array([*b.values()]), -np.array([*a.values()])], level)
    else:
        low = high = math.nan
    seeds = min(len(a), len(b))
    return Difference(_mean(a), _mean(b), low, high, seeds, _spread(a), _spread(b))


def _spread(values: Values) -> float:
    return float(np.std([*values.values()], ddof=1)) if len(values) > 1 else math.nan


def _mean(values: Values) -> float:
    return sum(values.values()) / len(values) if values else math.nan


def _interval(samples: list[np.ndarray], level: float) -> tuple[float, float]:
    """Return the interval of the sum of the means of some samples, each [seeds of one run].

    Student's t with Welch's degrees of freedom, which for one sample are its size less 1. The
    tests of scipy warn where all values are equal, which is common here: a knob without effect.
    """
    centre = float(sum(sample.mean() for sample in samples))
    errors = [float(sample.var(ddof=1)) / len(sample) for sample in samples]
    total = sum(errors)
    if not total:
        return centre, centre
    dof = 1 / sum(  # from shares: squares of large errors are beyond the largest float
        (error / total) ** 2 / (len(sample) - 1)
        for error, sample in zip(errors, samples, strict=True)
    )
    low, high = stats.t.interval(level, dof, loc=centre, scale=math.sqrt(total))
    return float(low), float(high)


@dataclass(frozen=True)
class LossDifference:
    """The mean loss of model b minus that of model a, in nats per token.

    `low` and `high` bound its percentile interval (95 % unless asked otherwise), NaN from fewer
    than 2 conversations, where nothing can be resampled. `conversations` and `seeds` (of a, of b)
    say what it rests on.
    """

    difference: float
    low: float
    high: float
    conversations: int
    seeds: tuple[int, int]

    @property
    def relative_ppl(self) -> tuple[float, float, float]:
        """PPL of b over that of a, minus 1: of the difference, of `low` and of `high`."""
        return (math.expm1(self.difference), math.expm1(self.low), math.expm1(self.high))

    @property
    def direction(self) -> Direction:
        """`up` or `down` where the interval leaves out 0; `unknown` without an interval."""
        if math.isnan(self.low):
            return "unknown"
        if self.low == self.high == 0:
            return "same"
        return "up" if self.low > 0 else "down" if self.high < 0 else "unclear"


def paired_bootstrap(
    a_sums: ArrayLike,
    b_sums: ArrayLike,
    counts: ArrayLike,
    seed: int,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> LossDifference:
    """Compare two models on the conversations of one text.

    Args:
        a_sums, b_sums: [seeds, C], or [C] for one seed: each conversation's loss sum in nats.
        counts: [C], its predicted tokens; conversations without any do not count.
        seed: of the resampling.
        draws: how often to resample.
        level: of the interval.

    Neighbouring tokens depend on each other, so whole conversations are drawn, with replacement
    and the same for both models; a draw's mean loss is its loss sum over its tokens. Seeds are
    drawn as well: row i of both together where both models have as many rows (runs of one seed are
    pairs), and each model's rows for themselves otherwise. Resampling n seeds makes their variance
    too small by the factor (n - 1) / n, which counts for few of them.

    Raises:
        ValueError: shapes that do not fit, loss sums that are not finite, counts that are negative
            or all zero, or no draws.

    Source: Efron & Tibshirani 1993, chapters 8 and 13 (percentile interval of paired data).
    """
    a, b, n = _checked(a_sums, b_sums, counts, draws)
    estimate = float((b.mean(0) - a.mean(0)).sum() / n.sum())
    seeds = (len(a), len(b))
    if len(n) < 2:
        return LossDifference(estimate, math.nan, math.nan, len(n), seeds)
    rng = np.random.default_rng(seed)
    times = _resampled(rng, len(n), draws)
    of_a = _resampled(rng, len(a), draws)
    of_b = of_a if len(a) == len(b) else _resampled(rng, len(b), draws)
    gaps = of_b @ b / len(b) - of_a @ a / len(a)  # [draws, C]
    differences = (times * gaps).sum(1) / (times @ n)
    tail = (1 - level) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    return LossDifference(estimate, float(low), float(high), len(n), seeds)


def _resampled(rng: np.random.Generator, count: int, draws: int) -> Array:
    """Return how often each of `count` things comes in each draw, [draws, count]."""
    return rng.multinomial(count, np.full(count, 1 / count), draws).astype(np.float64)


def _checked(
    a_sums: ArrayLike, b_sums: ArrayLike, counts: ArrayLike, draws: int
) -> tuple[Array, Array, Array]:
    a, b = (np.atleast_2d(np.asarray(sums, np.float64)) for sums in (a_sums, b_sums))
    n = np.asarray(counts, np.float64)
    if n.ndim != 1 or any(s.ndim != 2 or not len(s) or s.shape[1] != len(n) for s in (a, b)):
        raise ValueError(
            "a_sums and b_sums must be [seeds, conversations] and counts [conversations], not "
            f"{a.shape}, {b.shape} and {n.shape}"
        )
    if not all(np.isfinite(values).all() for values in (a, b, n)) or (n < 0).any() or not n.any():
        raise ValueError("loss sums must be finite, and counts at least 0 and not all 0")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, not {draws}")
    return a[:, n > 0], b[:, n > 0], n[n > 0]
