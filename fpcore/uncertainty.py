"""Whether two runs differ: the difference of a metric over seeds, and what it allows to say."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

LEVEL = 0.95  # of an interval, where nothing else is said

Direction = Literal["up", "down", "same", "tiny", "unclear", "unknown"]
Values = dict[int | None, float]  # by seed; None where the record does not tell it


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
    """Return the interval of the sum of the means of some samples (Welch's degrees of freedom)."""
    centre = float(sum(sample.mean() for sample in samples))
    errors = [float(sample.var(ddof=1)) / len(sample) for sample in samples]
    total = sum(errors)
    if not total:
        return centre, centre
    dof = 1 / sum(  # by shares, as squares of large errors are beyond the largest float
        (error / total) ** 2 / (len(sample) - 1)
        for error, sample in zip(errors, samples, strict=True)
    )
    half = float(stats.t.ppf((1 + level) / 2, dof)) * math.sqrt(total)
    return centre - half, centre + half
