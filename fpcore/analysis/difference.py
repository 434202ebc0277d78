"""What may be said of the difference of a metric: its direction, and why it has none."""

from dataclasses import dataclass
from math import nan

from fpcore import notation
from fpcore.stats.uncertainty import Difference, Direction, LossDifference, certain

FIELDS = "a b low high seeds a_spread b_spread difference relative direction".split()


@dataclass(frozen=True, kw_only=True)
class MetricDifference(Difference):
    """The difference of a metric, and what may be said of it.

    Beside what the interval over seeds allows, `said` takes in how the difference is printed
    (`tiny` where that is 0), other conversations of the validation text, and whether the metric
    can be compared at all: one that cannot be is `unknown`, and its difference is NaN.
    """

    metric: str
    said: Direction

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

    def row(self) -> dict[str, object]:
        """Return it as a row of a frame: `metric` and the columns of FIELDS."""
        return {"metric": self.metric} | {field: getattr(self, field) for field in FIELDS}


def told(metric: str, d: Difference, text: LossDifference | None) -> Direction:
    """Return what may be said of the difference of a metric.

    One that prints as 0 is `tiny`; one of several seeds that other conversations of the validation
    text might turn round (`text`) is `unclear`.
    """
    if d.direction not in ("up", "down"):
        return d.direction
    if not any(ch in "123456789" for ch in notation.difference(metric, d.difference)):
        return "tiny"
    turned = text is not None and d.seeds > 1 and text.direction == "unclear"
    return "unclear" if turned else d.direction
