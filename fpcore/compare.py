"""Two records in, the comparison tables out: numbers only, at equal sizes.

Every table has columns `a`, `b` and `difference` (b - a, taken before any rounding), and where it
makes sense `relative` (the difference as a share of a). Runs of several seeds are compared by
their means. Ratios are from 0 to 1; what a record does not know is NaN.
"""

from dataclasses import dataclass
from functools import cached_property
from math import nan

import pandas as pd

from fpcore.errors import RecordError
from fpcore.records import RunRecord, frame, traces
from fpcore.scaling import PowerLaw, fit_power_law, sliding_windows

SUMMARY = (
    "val_ppl unigram_ppl bits_per_byte val_acc val_er train_er convergence_rate best_epoch"
).split()


@dataclass(frozen=True)
class Comparison:
    """The tables of two runs `a` and `b`, over the sizes that both have (`samples`)."""

    a: RunRecord
    b: RunRecord

    @cached_property
    def samples(self) -> list[int]:
        """The sizes (training conversations) that both runs have, smallest first."""
        return sorted({r.samples for r in self.a.results} & {r.samples for r in self.b.results})

    @cached_property
    def seeds(self) -> int:
        """The number of seeds of the run that has fewer."""
        return min(len({r.seed for r in record.results}) for record in (self.a, self.b))

    @cached_property
    def conditions(self) -> pd.DataFrame:
        """The knobs that differ: `knob`, `a`, `b`, `relative` (NaN unless both are numbers)."""
        rows = [
            {"knob": knob, "a": x, "b": y, "relative": _relative(x, y)}
            for knob, (x, y) in self._knobs.items()
            if x != y
        ]
        return pd.DataFrame(rows, columns=["knob", "a", "b", "relative"])

    @cached_property
    def common(self) -> dict[str, object]:
        """The knobs that both runs know and share."""
        return {knob: x for knob, (x, y) in self._knobs.items() if x == y}

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The metrics at the largest common size, α over all common sizes, and the run time."""
        rows = {metric: self._pair(metric).iloc[-1] for metric in SUMMARY}
        table = pd.DataFrame(rows).T
        table.loc["alpha"] = self.alpha.iloc[-1][["a", "b"]]
        table.loc["seconds"] = [_seconds(self.a, self.samples), _seconds(self.b, self.samples)]
        return _with_differences(table.rename_axis("metric").reset_index())

    @cached_property
    def effective_rank(self) -> pd.DataFrame:
        """Val ER by size."""
        return _with_differences(self._pair("val_er").reset_index())

    @cached_property
    def perplexity(self) -> pd.DataFrame:
        """Val PPL by size, with `unigram_ppl` where both runs know the same."""
        table = _with_differences(self._pair("val_ppl").reset_index())
        unigram = self._pair("unigram_ppl")
        same = unigram["a"].where(unigram["a"] == unigram["b"])
        return table.assign(unigram_ppl=same.to_numpy())

    @cached_property
    def alpha(self) -> pd.DataFrame:
        """α by window of 4 sizes (`first`, `last` in conversations), the last row over all."""
        a, b = (self.fits(record) for record in (self.a, self.b))
        rows = [
            {"first": first, "last": last, "a": x.alpha, "b": y.alpha}
            for (first, last, x), (_, _, y) in zip(a, b, strict=True)
        ]
        if not rows:  # one common size: no exponent
            rows = [{"first": self.samples[0], "last": self.samples[-1], "a": nan, "b": nan}]
        return _with_differences(pd.DataFrame(rows))

    @cached_property
    def convergence(self) -> pd.DataFrame:
        """Rate and loss of both runs at the largest common size, every 10 iterations and last.

        Columns `iteration, a_rate, a_loss, b_rate, b_loss`.
        """
        sides = [self._trace(record) for record in (self.a, self.b)]
        both = pd.concat(sides, axis=1, keys=["a", "b"])
        ends = [side.index.max() for side in sides if len(side)]
        chosen = both[(both.index % 10 == 0) | both.index.isin(ends)]
        columns = ["iteration", "a_rate", "a_loss", "b_rate", "b_loss"]
        return chosen.reset_index().set_axis(columns, axis=1)

    @cached_property
    def er_ppl(self) -> pd.DataFrame:
        """Val ER beside Val PPL: `run, samples, val_er, val_ppl`, means over seeds."""
        whole = frame([self.a, self.b])
        whole = whole[whole["samples"].isin(self.samples)]
        columns = ["val_er", "val_ppl"]
        groups = whole.groupby(["run", "samples"], sort=False, as_index=False)
        return pd.DataFrame(groups[columns].mean())

    @cached_property
    def shared_trace(self) -> tuple[int, bool] | None:
        """The last iteration that both traces have at the largest common size, and whether they
        agree exactly up to it; None where there is nothing to compare.
        """
        keys, values = ["seed", "iteration"], ["convergence_rate", "loss"]
        a, b = (self._largest(record).set_index(keys)[values] for record in (self.a, self.b))
        shared = a.index.intersection(b.index)
        if shared.empty:
            return None
        last = int(shared.get_level_values("iteration").max())
        return last, bool((a.loc[shared] == b.loc[shared]).all(axis=None))

    def fits(self, record: RunRecord) -> list[tuple[int, int, PowerLaw]]:
        """Return first size, last size and fit of each window of a run, the last one over all."""
        means = frame([record]).groupby("samples")[["train_tokens", "val_ppl"]].mean()
        points = means.loc[self.samples].dropna()
        if len(points) < 2:
            return []
        columns = (points["train_tokens"].tolist(), points["val_ppl"].tolist())
        windows = sliding_windows(*columns) if len(points) > 4 else []
        sizes = points.index.tolist()
        spans = [(sizes[i], sizes[i + 3], fit) for i, fit in enumerate(windows)]
        return [*spans, (sizes[0], sizes[-1], fit_power_law(*columns))]

    @cached_property
    def _knobs(self) -> dict[str, tuple[object, object]]:
        keys = [k for k in self.a.config if k in self.b.config and k != "name"]
        return {key: (self.a.config[key], self.b.config[key]) for key in keys}

    def _trace(self, record: RunRecord) -> pd.DataFrame:
        """Return rate and loss by iteration at the largest common size, means over seeds."""
        return self._largest(record).groupby("iteration")[["convergence_rate", "loss"]].mean()

    def _largest(self, record: RunRecord) -> pd.DataFrame:
        """Return the phase-1 trace of a run at the largest common size."""
        rows = traces([record])
        return rows[rows["samples"] == self.samples[-1]]

    def _pair(self, metric: str) -> pd.DataFrame:
        """Return a metric of both runs by common size, `a` and `b`, means over seeds."""
        columns = {
            side: frame([record]).astype({metric: float}).groupby("samples")[metric].mean()
            for side, record in (("a", self.a), ("b", self.b))
        }
        return pd.DataFrame(columns).loc[self.samples]


def compare_runs(a: RunRecord, b: RunRecord) -> Comparison:
    """Return the comparison of two records.

    Raises:
        RecordError: the runs have no size in common.
    """
    comparison = Comparison(a, b)
    if not comparison.samples:
        raise RecordError(f"{a.name} and {b.name} have no size (samples) in common.")
    return comparison


def _with_differences(table: pd.DataFrame) -> pd.DataFrame:
    a, b = table["a"].astype(float), table["b"].astype(float)
    return table.assign(a=a, b=b, difference=b - a, relative=(b - a) / a.abs())


def _relative(x: object, y: object) -> float | None:
    if isinstance(x, bool) or isinstance(y, bool):
        return None
    if isinstance(x, int | float) and isinstance(y, int | float) and x != 0:
        return (y - x) / x
    return None


def _seconds(record: RunRecord, samples: list[int]) -> float:
    """Return the time of all stages at the compared sizes, NaN where it is not known."""
    rows = frame([record])
    return float(rows[rows["samples"].isin(samples)]["seconds"].astype(float).sum(min_count=1))
