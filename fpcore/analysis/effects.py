"""Main effects and the interaction of two knobs of two values each (a 2 × 2 design)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpcore.analysis.difference import MetricDifference, told
from fpcore.notation import METRICS
from fpcore.records.by_seed import loss_sums, values
from fpcore.records.pairs import SEED
from fpcore.records.record import RunRecord
from fpcore.stats.uncertainty import (
    LEVEL,
    Difference,
    LossDifference,
    Values,
    difference,
    paired_bootstrap,
)

EACH = 1 - (1 - LEVEL) / 3  # the level at which the three effects on a metric hold together
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Effect(MetricDifference):
    """An effect on a metric; `of` names the knob, or for the interaction both."""

    of: str


def effects(
    records: Sequence[RunRecord], knobs: tuple[str, str], samples: int, metrics: Sequence[str]
) -> list[Effect]:
    """Return every effect on every metric at one size, with its interval.

    A main effect is the mean over the values of the other knob, taken seed by seed; the
    interaction is the effect of p at the second value of q minus that at the first.

    Args:
        records: those of (p0, q0), (p0, q1), (p1, q0), (p1, q1), of the same seeds.
        knobs: p and q.
        samples: the size, in training conversations.
        metrics: the names of those that are looked at.
    """
    names = (*knobs, f"{knobs[0]} × {knobs[1]}")
    return [
        Effect(**vars(d), metric=metric, said=told(metric, d, text), of=name)
        for metric in metrics
        for name, d, text in zip(
            names,
            _over_seeds(records, samples, metric),
            _over_conversations(records, samples) if METRICS[metric].of_loss else [None] * 3,
            strict=True,
        )
    ]


def contrasts(a: Array, b: Array, c: Array, d: Array) -> list[tuple[Array, Array]]:
    """Return by effect the two sides that it is the difference of (second minus first)."""
    return [((a + b) / 2, (c + d) / 2), ((a + c) / 2, (b + d) / 2), (c - a, d - b)]


def _over_seeds(records: Sequence[RunRecord], samples: int, metric: str) -> list[Difference]:
    found = [values(record, metric)[samples] for record in records]
    seeds = list(found[0])
    rows = [np.array([one[seed] for seed in seeds]) for one in found]
    return [
        difference(_named(seeds, first), _named(seeds, second), EACH)
        for first, second in contrasts(*rows)
    ]


def _named(seeds: list[int | None], side: Array) -> Values:
    return dict(zip(seeds, side.tolist(), strict=True))


def _over_conversations(
    records: Sequence[RunRecord], samples: int
) -> Sequence[LossDifference | None]:
    """Return the effects on the loss over resampled conversations; None where it is not known."""
    known = [found for r in records if (found := loss_sums(r, samples)) is not None]
    if len(known) < len(records) or any(len(s) != len(known[0][0]) for s, _ in known):
        return [None] * 3
    pairs, counts = contrasts(*(sums for sums, _ in known)), known[0][1]
    return [paired_bootstrap(*pair, counts, SEED, level=EACH) for pair in pairs]
