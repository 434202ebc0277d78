"""Two records in, their differences out: numbers only, at equal sizes and seeds.

Ratios are from 0 to 1; what a record does not know, or what cannot be compared, is NaN.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isclose, isnan

import pandas as pd

from fpcore import language
from fpcore.analysis.contrasts import Side, contrast, exponents_over_text, said
from fpcore.analysis.difference import MetricDifference
from fpcore.errors import RecordError
from fpcore.metric import METRICS, metrics_where
from fpcore.records.by_seed import alphas, seconds, windows, without_seeds
from fpcore.records.frames import curve, frame, over_seeds, traces
from fpcore.records.pairs import incomparable, restricted
from fpcore.records.record import RunRecord, load_record, load_records
from fpcore.stats.priors import NO_PRIOR, Prior
from fpcore.stats.scaling import LEAST_SIZES, PowerLaw
from fpcore.stats.uncertainty import LEVEL, difference, differences

# What the summary always gives, and what it gives where it is known.
SUMMARY = sorted(metrics_where(lambda m: m.summary), key=lambda name: METRICS[name].summary or 0)
BESIDE = metrics_where(lambda m: m.beside)


@dataclass(frozen=True)
class Comparison:
    """The differences of two runs `a` and `b`, over the sizes (`samples`) that both have.

    `a` and `b` hold those sizes alone, and where the runs share seeds those seeds; `whole` are the
    records as they are stored. `others` are further records of the same experiment: ER beside PPL
    and the checks take them in. `level` is that of the intervals, and `priors` hold by metric what
    a report of many comparisons tells of the spread over seeds (`priors.prior_of`).
    """

    a: RunRecord
    b: RunRecord
    others: tuple[RunRecord, ...] = ()
    whole: tuple[RunRecord, ...] = ()
    level: float = LEVEL
    priors: Mapping[str, Prior] = field(default_factory=dict)

    @cached_property
    def records(self) -> list[RunRecord]:
        """Both runs, then the others."""
        return [self.a, self.b, *self.others]

    @cached_property
    def samples(self) -> list[int]:
        """The sizes (training conversations) that both runs have, smallest first."""
        return self.a.sizes

    @cached_property
    def seeds(self) -> int:
        """The number of seeds that differences rest on."""
        own = [record.seeds for record in (self.a, self.b) if not without_seeds(record)]
        return min(own, default=1)

    @property
    def incomparable(self) -> dict[str, str]:
        """The metrics that cannot be compared between the two runs, and why."""
        found = incomparable(self.a, self.b)
        if len(self._curved) < LEAST_SIZES:
            found["alpha"] = language.said(
                "共通のサイズが {n} で、{least} 未満なので求めない",
                n=len(self._curved), least=LEAST_SIZES,
            )  # fmt: skip
        return found

    @cached_property
    def conditions(self) -> pd.DataFrame:
        """The knobs that differ: `knob`, `a`, `b`, `relative` (None unless both are numbers)."""
        rows = [
            {"knob": knob, "a": x, "b": y, "relative": _relative(x, y)}
            for knob, (x, y) in self._knobs.items()
            if x != y
        ]
        return pd.DataFrame(rows, columns=["knob", "a", "b", "relative"], dtype=object)

    @cached_property
    def common(self) -> dict[str, object]:
        """The knobs that both runs know and share."""
        return {knob: x for knob, (x, y) in self._knobs.items() if x == y}

    def __getitem__(self, metric: str) -> MetricDifference:
        """Return the difference of a metric at the largest common size.

        That of `alpha` is over all common sizes, that of `seconds` over their stages.
        """
        if metric == "alpha":
            return [*self.windows.values()][-1]
        if metric == "seconds":
            a, b = (seconds(*pair) for pair in self._pairs)
            blocked = metric in self.incomparable
            return said(metric, difference(a, b, self.level), self.level, blocked)
        return self.by_size(metric)[self.samples[-1]]

    @cached_property
    def differences(self) -> list[MetricDifference]:
        """The differences of the metrics of SUMMARY, and of those of BESIDE that are known."""
        beside = [self[metric] for metric in BESIDE]
        known = [d for d in beside if not isnan(d.b - d.a)]
        return [*(self[metric] for metric in SUMMARY), *known]

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The `differences` as a frame: `metric`, `a`, `b`, `difference`, `low`, `direction`, …"""
        return pd.DataFrame([d.row() for d in self.differences])

    def by_size(self, metric: str) -> dict[int, MetricDifference]:
        """Return the difference of a metric at each common size."""
        if metric not in self._by_size:
            prior = self.priors.get(metric, NO_PRIOR)
            sides: tuple[Side, Side] = ([(1, self.a)], [(1, self.b)])
            self._by_size[metric] = contrast(*sides, metric, self.level, prior)
        return self._by_size[metric]

    @cached_property
    def _by_size(self) -> dict[str, dict[int, MetricDifference]]:
        """What `by_size` has worked out so far."""
        return {}

    @cached_property
    def unigram(self) -> dict[int, float]:
        """The PPL of the unigram model by size, where both runs know the same."""
        return {
            n: d.a
            for n, d in self.by_size("unigram_ppl").items()
            if isclose(d.a, d.b, rel_tol=1e-9)
        }

    @cached_property
    def windows(self) -> dict[tuple[int, int], MetricDifference]:
        """α by window of 4 sizes (first and last, in conversations), the last one over all.

        The mean over seeds is that of the seeds' geometric mean. Its interval takes in seeds and,
        where they are known, the conversations of the validation text. From fewer than LEAST_SIZES
        sizes nothing is known of it.
        """
        enough = len(self._curved) >= LEAST_SIZES
        a, b = (alphas(*pair, self._curved) if enough else {} for pair in self._pairs)
        found = [w for w in a if w in b] or [(self.samples[0], self.samples[-1])]
        blocked = "alpha" in self.incomparable
        spans = {w: [n for n in self._curved if w[0] <= n <= w[1]] for w in found if enough}
        texts = {w: exponents_over_text(self.a, self.b, own) for w, own in spans.items()}
        sides = {w: (a.get(w, {}), b.get(w, {})) for w in found}
        return {
            w: said("alpha", d, self.level, blocked)
            for w in found
            for d in differences({w: sides[w]}, texts, self.level).values()
        }

    @cached_property
    def trace_sizes(self) -> tuple[int | None, int | None]:
        """The size of each run's trace: the largest that both trace, else each run's largest."""
        sizes = [set(traces([record])["samples"]) for record in (self.a, self.b)]
        shared = sizes[0] & sizes[1]
        a, b = (max(shared or own, default=None) for own in sizes)
        return a, b

    @cached_property
    def traces(self) -> pd.DataFrame:
        """The phase-1 trace rows of both runs at `trace_sizes`."""
        rows = traces([self.a, self.b])
        sizes = rows["run"].map(
            dict(zip((self.a.name, self.b.name), self.trace_sizes, strict=True))
        )
        return rows[rows["samples"] == sizes]

    @cached_property
    def convergence(self) -> pd.DataFrame:
        """Rate and loss of both runs at `trace_sizes`, every 10 iterations and last.

        Columns `iteration, a_rate, a_loss, b_rate, b_loss`, means over seeds.
        """
        sides = [
            self._trace(record, n)
            for record, n in zip((self.a, self.b), self.trace_sizes, strict=True)
        ]
        both = pd.concat(sides, axis=1, keys=["a", "b"])
        ends = [side.index.max() for side in sides if len(side)]
        chosen = both[(both.index % 10 == 0) | both.index.isin(ends)].sort_index()
        columns = ["iteration", "a_rate", "a_loss", "b_rate", "b_loss"]
        return chosen.reset_index().set_axis(columns, axis=1)

    @cached_property
    def er_ppl(self) -> pd.DataFrame:
        """Val ER beside Val PPL of all records: `run, samples, val_er, val_ppl`, seeds averaged."""
        rows = frame(self.records)
        whole = rows[rows["samples"].isin(self.samples)].dropna(subset=["val_er", "val_ppl"])
        return over_seeds(whole, ["run", "samples"], ["val_er", "val_ppl"])

    @cached_property
    def shared_iterations(self) -> pd.DataFrame:
        """The trace rows of both runs at the same size, seed and iteration (`loss_x`, `loss_y`)."""
        return shared_iterations(self.a, self.b)

    def fits(self, record: RunRecord) -> list[tuple[int, int, PowerLaw]]:
        """Return first size, last size and fit of each window of a run, the last one over all.

        Nothing from fewer than LEAST_SIZES sizes.
        """
        if len(self._curved) < LEAST_SIZES:
            return []
        return windows(curve(record), self._curved)

    @cached_property
    def _pairs(self) -> tuple[tuple[RunRecord, RunRecord], ...]:
        """Each run as it is compared, and as it is stored."""
        return tuple(zip((self.a, self.b), self.whole or (self.a, self.b), strict=True))

    @cached_property
    def _curved(self) -> list[int]:
        """The sizes at which both runs know tokens and PPL."""
        shared = set(curve(self.a).index) & set(curve(self.b).index)
        return [n for n in self.samples if n in shared]

    @cached_property
    def _knobs(self) -> dict[str, tuple[object, object]]:
        keys = [k for k in self.a.config if k in self.b.config and k != "name"]
        return {key: (self.a.config[key], self.b.config[key]) for key in keys}

    def _trace(self, record: RunRecord, samples: int | None) -> pd.DataFrame:
        rows = traces([record])
        own = rows[rows["samples"] == samples]
        return own.groupby("iteration")[["convergence_rate", "loss"]].mean()


def compare_runs(
    a: RunRecord,
    b: RunRecord,
    others: Sequence[RunRecord] = (),
    level: float = LEVEL,
    priors: Mapping[str, Prior] | None = None,
) -> Comparison:
    """Return the comparison of two records; the rest is as in `Comparison`.

    Raises:
        RecordError: the runs have no size in common.
    """
    pair = restricted(a, b)
    if not pair[0].results:
        raise RecordError(f"{a.name} and {b.name} have no size (samples) in common.")
    more = tuple(r for r in others if r.name not in {a.name, b.name})
    return Comparison(*pair, more, (a, b), level, priors or {})


def load_comparison(a: str, b: str, others: Iterable[str] = ()) -> Comparison:
    """Return the comparison of the records called `a` and `b`, beside those called `others`.

    Figures from print are a closed set: two published runs bring all others of their document.

    Raises:
        RecordError: a record is missing or damaged, or the runs have no size in common.
    """
    first, second, *more = [load_record(name) for name in (a, b, *others)]
    if first.document and first.document == second.document:
        more += [r for r in _in_print(first, load_records()) if r not in more]
    return compare_runs(first, second, more)


def compare_among(a: RunRecord, b: RunRecord, records: Iterable[RunRecord]) -> Comparison:
    """Return the comparison of two of `records`, as `load_comparison` does of their names.

    Raises:
        RecordError: the runs have no size in common.
    """
    same = a.document is not None and a.document == b.document
    return compare_runs(a, b, _in_print(a, records) if same else [])


def _in_print(record: RunRecord, records: Iterable[RunRecord]) -> list[RunRecord]:
    """Return the records whose figures stand in the same document."""
    return [other for other in records if other.document == record.document]


def shared_iterations(a: RunRecord, b: RunRecord) -> pd.DataFrame:
    """Pair the trace rows of the same size, seed and iteration (columns `loss_x`, `loss_y`)."""
    keys = ["samples", "seed", "iteration"]
    left, right = (traces([record]).astype(dict.fromkeys(keys, "Int64")) for record in (a, b))
    return left.merge(right, on=keys).dropna(subset=["loss_x", "loss_y"])


def _relative(x: object, y: object) -> float | None:
    if isinstance(x, bool) or isinstance(y, bool):
        return None
    if isinstance(x, int | float) and isinstance(y, int | float) and x != 0:
        return (y - x) / x
    return None
