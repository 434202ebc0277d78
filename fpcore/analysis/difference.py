"""What may be said of the difference of a metric: its direction, its size, and why it has none."""

from dataclasses import dataclass
from math import expm1, isnan, log1p, nan

from fpcore import notation
from fpcore.metric import METRICS
from fpcore.stats.uncertainty import LEVEL, Difference, Direction, certain, seeds_needed
from fpcore.stats.variance import resolution

FIELDS = "a b low high seeds a_spread b_spread difference relative direction".split()


@dataclass(frozen=True, kw_only=True)
class MetricDifference(Difference):
    """The difference of a metric at some level, and what may be said of it.

    Beside what the interval allows, `said` takes in how the difference is printed (`tiny` where
    that is 0), and whether the metric can be compared at all: one that cannot be is `unknown`, and
    its difference is NaN. A metric that is logged has the geometric means of its seeds; its
    variances are those of the logarithm of the ratio.
    """

    metric: str
    said: Direction
    level: float = LEVEL

    @property
    def difference(self) -> float:
        """b - a, before any rounding."""
        return nan if self.said == "unknown" else super().difference

    @property
    def direction(self) -> Direction:
        """What may be said."""
        return self.said

    @property
    def told(self) -> bool:
        """Whether it has a direction."""
        return self.said in ("up", "down")

    @property
    def certain(self) -> Direction:
        """The direction where conclusions are drawn: from one seed, none can be."""
        return certain(self.said, self.seeds)

    @property
    def size(self) -> float:
        """The difference as the margin of its metric is given: relative where that is logged."""
        return self.relative if METRICS[self.metric].logged else self.difference

    @property
    def ends(self) -> tuple[float, float]:
        """The interval in the unit of `size`."""
        whole = abs(self.a) if METRICS[self.metric].logged else 1.0
        return self.low / whole, self.high / whole

    @property
    def small(self) -> bool:
        """Whether it has a direction, but is smaller than what matters in practice."""
        return self.told and abs(self.size) < METRICS[self.metric].margin

    @property
    def negligible(self) -> bool:
        """Whether the interval leaves out every difference that matters in practice."""
        margin = METRICS[self.metric].margin
        return self.seeds > 1 and all(abs(end) < margin for end in self.ends)

    @property
    def resolution(self) -> float:
        """The smallest true difference that would be told in 80 % of cases, as `size`."""
        if self.seeds < 2:
            return nan
        found = resolution(self.variance, self.level)
        return expm1(min(found, 700)) if METRICS[self.metric].logged else found

    @property
    def seeds_needed(self) -> float:
        """The number of seeds that would tell a difference of this size in 80 % of cases.

        Infinity where none would, as the conversations alone leave more open; NaN where unknown.
        """
        size = abs(self.size)
        if isnan(size) or not size or isnan(self.low):
            return nan
        size = abs(log1p(self.size)) if METRICS[self.metric].logged else size
        return seeds_needed(self, size, self.level)

    def row(self) -> dict[str, object]:
        """Return it as a row of a frame: `metric` and the columns of FIELDS."""
        return {"metric": self.metric} | {field: getattr(self, field) for field in FIELDS}


def told(metric: str, d: Difference) -> Direction:
    """Return what may be said of the difference of a metric: `tiny` where it prints as 0."""
    if d.direction not in ("up", "down"):
        return d.direction
    text = notation.difference(metric, d.difference)
    if METRICS[metric].logged:
        text = notation.percent(d.relative, signed=True)
    return d.direction if notation.visible(text) else "tiny"
