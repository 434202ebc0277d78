"""Two records in, the comparison tables out: numbers only, at equal sizes.

Every table of a metric has columns `a`, `b`, `difference` (b - a, taken before any rounding),
`relative` (the difference as a share of a), `low` and `high` (its interval over seeds), `seeds`
and `direction` (what may be said, see `uncertainty`). Ratios are from 0 to 1; what a record does
not know is NaN.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import nan

import pandas as pd

from fpcore.errors import RecordError
from fpcore.records import RunRecord, curve, frame, load_record, load_records, traces
from fpcore.scaling import PowerLaw, fit_power_law, sliding_windows
from fpcore.uncertainty import Difference, Values, difference

SUMMARY = "val_ppl val_acc alpha val_er train_er convergence_rate seconds".split()
BESIDE = "unigram_ppl bits_per_byte best_epoch".split()  # of the summary, where they are known


@dataclass(frozen=True)
class Comparison:
    """The tables of two runs `a` and `b`, over the sizes that both have (`samples`).

    `others` are further records of the same experiment: ER beside PPL and the checks take them in.
    """

    a: RunRecord
    b: RunRecord
    others: tuple[RunRecord, ...] = ()

    @cached_property
    def records(self) -> list[RunRecord]:
        """Both runs, then the others."""
        return [self.a, self.b, *self.others]

    @cached_property
    def samples(self) -> list[int]:
        """The sizes (training conversations) that both runs have, smallest first."""
        return sorted({r.samples for r in self.a.results} & {r.samples for r in self.b.results})

    @cached_property
    def seeds(self) -> int:
        """The number of seeds of the run that has fewer."""
        return min(self.a.seeds, self.b.seeds)

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

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The metrics at the largest common size, α over all common sizes, and the run time."""
        last = {
            metric: self._differences(metric)[-1] for metric in SUMMARY[:-1] if metric != "alpha"
        }
        last["alpha"] = self._alphas[-1][2]
        times: list[Values] = [{None: _seconds(r, self.samples)} for r in (self.a, self.b)]
        last["seconds"] = difference(*times)
        beside = {metric: self._differences(metric)[-1] for metric in BESIDE}
        rows = [{"metric": m} | _columns(last[m]) for m in SUMMARY]
        rows += [{"metric": m} | _columns(d) for m, d in beside.items() if d.direction != "unknown"]
        return pd.DataFrame(rows)

    def by_size(self, metric: str) -> pd.DataFrame:
        """A metric by size (`samples`)."""
        rows = zip(self.samples, self._differences(metric), strict=True)
        return pd.DataFrame([{"samples": n} | _columns(d) for n, d in rows])

    @cached_property
    def perplexity(self) -> pd.DataFrame:
        """Val PPL by size, with `unigram_ppl` where both runs know the same."""
        unigram = self.by_size("unigram_ppl")
        same = unigram["a"].where(unigram["a"] == unigram["b"])
        return self.by_size("val_ppl").assign(unigram_ppl=same.to_numpy())

    @cached_property
    def alpha(self) -> pd.DataFrame:
        """α by window of 4 sizes (`first`, `last` in conversations), the last row over all."""
        return pd.DataFrame(
            [{"first": first, "last": last} | _columns(d) for first, last, d in self._alphas]
        )

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
        whole = frame(self.records).dropna(subset=["val_er", "val_ppl"])
        whole = whole[whole["samples"].isin(self.samples)]
        groups = whole.groupby(["run", "samples"], sort=False, as_index=False)
        return pd.DataFrame(groups[["val_er", "val_ppl"]].mean())

    @cached_property
    def shared_iterations(self) -> pd.DataFrame:
        """The trace rows of both runs at the same size, seed and iteration (`loss_x`, `loss_y`)."""
        return shared_iterations(self.a, self.b)

    def fits(self, record: RunRecord) -> list[tuple[int, int, PowerLaw]]:
        """Return first size, last size and fit of each window of a run, the last one over all."""
        return _fits(curve(record), self.samples)

    @cached_property
    def _alphas(self) -> list[tuple[int, int, Difference]]:
        """α of both runs by window; the mean over seeds is that of the seeds' geometric mean."""
        a, b = (_alphas(record, self.samples) for record in (self.a, self.b))
        windows = [w for w in a if w in b] or [(self.samples[0], self.samples[-1])]
        return [(*w, difference(a.get(w, {}), b.get(w, {}))) for w in windows]

    @cached_property
    def _knobs(self) -> dict[str, tuple[object, object]]:
        keys = [k for k in self.a.config if k in self.b.config and k != "name"]
        return {key: (self.a.config[key], self.b.config[key]) for key in keys}

    def _trace(self, record: RunRecord, samples: int | None) -> pd.DataFrame:
        rows = traces([record])
        own = rows[rows["samples"] == samples]
        return own.groupby("iteration")[["convergence_rate", "loss"]].mean()

    def _differences(self, metric: str) -> list[Difference]:
        """Return the differences of a metric by common size."""
        a, b = (_values(record, metric) for record in (self.a, self.b))
        return [difference(a[n], b[n]) for n in self.samples]


def compare_runs(a: RunRecord, b: RunRecord, others: Sequence[RunRecord] = ()) -> Comparison:
    """Return the comparison of two records; `others` are further runs of the same experiment.

    Raises:
        RecordError: the runs have no size in common.
    """
    comparison = Comparison(a, b, tuple(r for r in others if r.name not in {a.name, b.name}))
    if not comparison.samples:
        raise RecordError(f"{a.name} and {b.name} have no size (samples) in common.")
    return comparison


def load_comparison(a: str, b: str, others: Iterable[str] = ()) -> Comparison:
    """Return the comparison of the records called `a` and `b`, beside those called `others`.

    Figures from print are a closed set: two published runs bring all others of their document.

    Raises:
        RecordError: a record is missing or damaged, or the runs have no size in common.
    """
    first, second, *more = [load_record(name) for name in (a, b, *others)]
    if first.document and first.document == second.document:
        more += [r for r in load_records() if r.document == first.document and r not in more]
    return compare_runs(first, second, more)


def shared_iterations(a: RunRecord, b: RunRecord) -> pd.DataFrame:
    """Pair the trace rows of the same size, seed and iteration (columns `loss_x`, `loss_y`)."""
    keys = ["samples", "seed", "iteration"]
    return traces([a]).merge(traces([b]), on=keys).dropna(subset=["loss_x", "loss_y"])


def _values(record: RunRecord, metric: str) -> dict[int, Values]:
    """Return a metric by size and seed."""
    values: dict[int, Values] = {}
    for result in record.results:
        value = getattr(result, metric)
        values.setdefault(result.samples, {})[result.seed] = nan if value is None else float(value)
    return values


def _fits(points: pd.DataFrame, samples: list[int]) -> list[tuple[int, int, PowerLaw]]:
    """Return first size, last size and power law of each window of 4 sizes, then over all."""
    points = points[points.index.isin(samples)]
    if len(points) < 2:
        return []
    sizes = points.index.tolist()
    columns = (points["train_tokens"].tolist(), points["val_ppl"].tolist())
    windows = sliding_windows(*columns) if len(points) > 4 else []
    spans = [(sizes[i], sizes[i + 3], fit) for i, fit in enumerate(windows)]
    return [*spans, (sizes[0], sizes[-1], fit_power_law(*columns))]


def _alphas(record: RunRecord, samples: list[int]) -> dict[tuple[int, int], Values]:
    """Return α by window (first and last size) and seed."""
    alphas: dict[tuple[int, int], Values] = {}
    for seed in {result.seed for result in record.results}:
        for first, last, fit in _fits(curve(record, [seed]), samples):
            alphas.setdefault((first, last), {})[seed] = fit.alpha
    sizes = [result.samples for result in record.results]
    if record.alpha is not None and set(sizes) == set(samples):
        alphas[min(sizes), max(sizes)] = {None: record.alpha}
    return alphas


def _columns(d: Difference) -> dict[str, object]:
    return asdict(d) | {
        "difference": d.difference,
        "relative": d.relative,
        "direction": d.direction,
    }


def _relative(x: object, y: object) -> float | None:
    if isinstance(x, bool) or isinstance(y, bool):
        return None
    if isinstance(x, int | float) and isinstance(y, int | float) and x != 0:
        return (y - x) / x
    return None


def _seconds(record: RunRecord, samples: list[int]) -> float:
    """Return the time of all stages at the compared sizes, NaN where it is not known."""
    if record.seconds is not None:  # of the whole run, so of no part of it
        return record.seconds if {r.samples for r in record.results} == set(samples) else nan
    rows = frame([record])
    return float(rows[rows["samples"].isin(samples)]["seconds"].astype(float).sum(min_count=1))
