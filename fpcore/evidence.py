"""What the records of a study show: every run against the base, and the best by development loss.

Values are those at the largest size. Intervals are simultaneous (Bonferroni): with m runs beside
the base each has the level 1 - 0.05/m, so that all of them hold together in 95 % of studies.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from fpcore.by_seed import values
from fpcore.compare import Comparison, compare_runs
from fpcore.records import RunRecord, frame, load_record, same_results
from fpcore.study import Study
from fpcore.tables import plain
from fpcore.uncertainty import LEVEL, Difference, Values, difference

METRICS = "convergence_rate train_er val_er val_ppl bits_per_byte val_acc".split()


@dataclass(frozen=True)
class Evidence:
    """A study and the records of its runs, in the order of its configs; the base is among them."""

    study: Study
    records: tuple[RunRecord, ...]

    @cached_property
    def base(self) -> RunRecord:
        """The run that the others are compared with."""
        return next(r for r in self.records if r.name == self.study.base_name)

    @cached_property
    def varied(self) -> list[RunRecord]:
        """The runs beside the base."""
        return [r for r in self.records if r.name != self.base.name]

    @cached_property
    def level(self) -> float:
        """The level of each interval."""
        return 1 - (1 - LEVEL) / max(1, len(self.varied))

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """By run, its comparison with the base (base first)."""
        return {r.name: compare_runs(self.base, r, level=self.level) for r in self.varied}

    @cached_property
    def samples(self) -> int:
        """The largest size."""
        return max(result.samples for result in self.base.results)

    @cached_property
    def seeds(self) -> int:
        """The number of seeds of every run."""
        return min(record.seeds for record in self.records)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The results at the largest size (`records.frame`), with the `label` of each run."""
        rows = frame(self.records)
        names = {record.name: self.label(record) for record in self.records}
        return rows[rows["samples"] == self.samples].assign(label=lambda t: t["run"].map(names))

    def label(self, record: RunRecord) -> str:
        """Name a run by the values of the varied knobs that are not the base's; else the base."""
        knobs = [k for k in self.study.knobs() if record.config[k] != self.base.config[k]]
        shown = "、".join(f"{k} {plain(record.config[k])}" for k in knobs)
        own = "、".join(f"{k} {plain(self.base.config[k])}" for k in self.study.grid)
        return shown or f"{own}（基準）"

    @cached_property
    def unchanged(self) -> list[str]:
        """The runs whose every figure is that of the base."""
        return [r.name for r in self.varied if same_results(self.base, r)]

    @cached_property
    def best(self) -> RunRecord:
        """The run with the lowest loss on the development text, mean over seeds."""
        return min(self.records, key=lambda record: _development_loss(record, self.samples))

    @cached_property
    def rivals(self) -> list[str]:
        """The runs whose Val PPL cannot be told from that of the best."""
        others = [r for r in self.records if r.name != self.best.name]
        told = {r.name: compare_runs(self.best, r, level=self.level) for r in others}
        return [name for name, c in told.items() if _direction(c, "val_ppl") not in ("up", "down")]

    def record(self, run: str) -> RunRecord:
        """Return the record of a run of the study."""
        return next(r for r in self.records if r.name == run)

    def direction(self, run: str, metric: str) -> str:
        """Return what may be said of a run's metric beside the base's (see `uncertainty`)."""
        return _direction(self.comparisons[run], metric)

    def means(self, record: RunRecord) -> dict[str, tuple[float, float]]:
        """Return mean and standard deviation over seeds of every metric of METRICS."""
        return {m: moments(values(record, m)[self.samples]) for m in METRICS}

    @cached_property
    def effects(self) -> pd.DataFrame:
        """The main effects and the interaction of two knobs of two values each, with intervals.

        Rows `effect` (the knob, or both joined), `metric` and the columns of `Difference`; empty
        for another grid. A main effect is the mean over the values of the other knob, taken seed by
        seed; the interaction is the effect of the first knob at the second value of the other
        minus that at the first.
        """
        grid = self.study.grid
        if sorted(map(len, grid.values())) != [2, 2]:
            return pd.DataFrame()
        rows = [
            {"effect": name, "metric": metric, "difference": d.difference}
            | {"low": d.low, "high": d.high, "direction": d.direction}
            for metric in METRICS
            for name, d in self._effects(metric).items()
        ]
        return pd.DataFrame(rows)

    def _effects(self, metric: str) -> dict[str, Difference]:
        p, q = self.study.grid
        x = [values(r, metric)[self.samples] for r in self.records[:4]]  # (p0,q0) (p0,q1) (p1,q0) …
        level = 1 - (1 - LEVEL) / 3
        return {
            p: difference(_mean(x[0], x[1]), _mean(x[2], x[3]), level),
            q: difference(_mean(x[0], x[2]), _mean(x[1], x[3]), level),
            f"{p} × {q}": difference(_minus(x[2], x[0]), _minus(x[3], x[1]), level),
        }

    @cached_property
    def clipping(self) -> pd.DataFrame:
        """By run: `clip`, `lr`, `clipped` (share of updates), `norm` (median), `scale`.

        Over all iterations, seeds and sizes; `scale` is the mean factor that clipping put on the
        gradient, min(1, clip / norm).
        """
        return pd.DataFrame([_clipping(record) for record in self.records])


def gather(study: Study) -> Evidence:
    """Read the records of a study.

    Raises:
        RecordError: one is missing or damaged.
    """
    return Evidence(study, tuple(load_record(config.run_name) for config in study.configs()))


def seeds_needed(d: Comparison, metric: str) -> float:
    """Return about how many seeds would tell the difference seen, if its spread stayed the same.

    From the half width of the interval, which shrinks with the square root of the seeds (Student's
    factor is left as it is, so it is an upper bound); NaN where there is no interval.
    """
    row = d.summary.set_index("metric").loc[metric].to_dict()
    low, high, gap, seeds = (float(row[k]) for k in ("low", "high", "difference", "seeds"))
    if math.isnan(high - low) or not gap:
        return math.nan
    return float(math.ceil(seeds * ((high - low) / 2 / abs(gap)) ** 2))


def _direction(c: Comparison, metric: str) -> str:
    return str(c.summary.set_index("metric").loc[metric, "direction"])


def _development_loss(record: RunRecord, samples: int) -> float:
    own = [r.phase2["dev_loss"] for r in record.results if r.samples == samples]
    return float(np.mean([min(losses) for losses in own]))


def moments(by_seed: Values) -> tuple[float, float]:
    """Return the mean and the standard deviation over seeds, NaN from fewer than 2."""
    known = list(by_seed.values())
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else math.nan


def _mean(a: Values, b: Values) -> Values:
    return {seed: (a[seed] + b[seed]) / 2 for seed in a}


def _minus(a: Values, b: Values) -> Values:
    return {seed: a[seed] - b[seed] for seed in a}


def _clipping(record: RunRecord) -> dict[str, object]:
    clip = float(record.config["gradient_clip"])
    norms = np.array(_trace(record, "grad_norm"))
    return {
        "run": record.name,
        "clip": clip,
        "lr": float(record.config["phase1_lr"]),
        "clipped": float(np.mean(_trace(record, "clipped"))) if len(norms) else math.nan,
        "norm": float(np.median(norms)) if len(norms) else math.nan,
        "scale": float(np.minimum(1, clip / norms).mean()) if len(norms) else math.nan,
    }


def _trace(record: RunRecord, column: str) -> list[float]:
    rows: Iterable[list[float]] = (r.phase1.get(column, []) for r in record.results)
    return [value for row in rows for value in row]
