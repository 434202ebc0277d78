"""What a knob does over a grid: its effect from one value to another, and interactions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fpcore.analysis.contrasts import Side, contrast, spreads
from fpcore.analysis.difference import MetricDifference
from fpcore.config.run_config import KNOBS
from fpcore.records.record import RunRecord
from fpcore.stats.priors import NO_PRIOR, Prior, prior_of

Priors = Mapping[str, Prior]  # by metric, as `contrast` takes it


@dataclass(frozen=True)
class Effect:
    """The effect of a knob from `start` to `end`, the mean over `settings` of the other knobs.

    `of` names the knob, and both of them for an interaction: the effect of the first at the second
    value of the second, less that at its first value. `differences` are by metric and size.
    """

    of: str
    start: Any
    end: Any
    settings: int
    differences: dict[str, dict[int, MetricDifference]]

    def __getitem__(self, metric: str) -> MetricDifference:
        """Return the effect on a metric at the largest size."""
        by_size = self.differences[metric]
        return by_size[max(by_size)]


@dataclass(frozen=True)
class Step:
    """Two sides of an effect, before it is worked out: equally weighted runs, pair by pair."""

    of: str
    start: Any
    end: Any
    first: Side
    second: Side
    settings: int

    def effect(self, metrics: Sequence[str], level: float, priors: Priors) -> Effect:
        """Return the effect on some metrics, with intervals of a level."""
        found = {
            m: contrast(self.first, self.second, m, level, priors.get(m, NO_PRIOR)) for m in metrics
        }
        return Effect(self.of, self.start, self.end, self.settings, found)


def priors_of(found: Sequence[Step], metrics: Sequence[str]) -> Priors:
    """Return by metric what the spreads of some steps tell of each other."""
    return {m: prior_of(spreads(step.first, step.second, m) for step in found) for m in metrics}


def steps(records: Sequence[RunRecord], knob: str, start: Any) -> list[Step]:
    """Return the step from a value of a knob to every other one, over runs alike in all else.

    Controls are left out where the knob acts on phase 1 alone, which they do not run.
    """
    off = KNOBS[knob].acts_on == ("phase 1",)
    acted = [r for r in records if not off or r.config["contexts"] == "trained"]
    values: list[Any] = []
    for value in (record.config[knob] for record in acted):
        values += [value] if value not in (start, *values) else []
    ordered = sorted(values) if all(isinstance(v, int | float) for v in values) else values
    found = [_step(acted, knob, start, end) for end in ordered]
    return [step for step in found if step.settings]


def interaction(records: Sequence[RunRecord], knobs: tuple[str, str]) -> Step:
    """Return the interaction of two knobs of two values each.

    Args:
        records: those of (p0, q0), (p0, q1), (p1, q0), (p1, q1), of the same seeds.
        knobs: p and q.
    """
    a, b, c, d = records
    name = f"{knobs[0]} × {knobs[1]}"
    return Step(name, None, None, [(1, c), (-1, a)], [(1, d), (-1, b)], 1)


def _step(records: Sequence[RunRecord], knob: str, start: Any, end: Any) -> Step:
    pairs = [
        (a, b)
        for a in records
        for b in records
        if a.config[knob] == start and b.config[knob] == end and _alike(a, b, knob)
    ]
    weight = 1 / max(1, len(pairs))
    first, second = ([(weight, pair[side]) for pair in pairs] for side in (0, 1))
    return Step(knob, start, end, first, second, len(pairs))


def _alike(a: RunRecord, b: RunRecord, knob: str) -> bool:
    """Whether two runs differ in nothing but one knob."""
    other = {"name": None, knob: None}
    return a.config | other == b.config | other
