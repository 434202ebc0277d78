"""What the records of a study show: every run against the base, and the best by development loss.

Values are those at the largest size. Intervals are simultaneous (Bonferroni): with m runs beside
the base each has the level 1 - 0.05/m, so that all those of one metric hold together in 95 % of
studies. From one seed nothing is said of a direction. Checks of a pair are put to every run beside
the base.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from fpcore.analysis.checks.check import OK, ORDER, Check, Rule, Verdicts
from fpcore.analysis.checks.registry import CHECKS
from fpcore.analysis.comparison import Comparison, compare_runs
from fpcore.analysis.effects import Effect, effects
from fpcore.config.run_config import RunConfig
from fpcore.config.study import Study
from fpcore.errors import RecordError
from fpcore.notation import escaped, knob_value, metrics_where
from fpcore.paths import shown
from fpcore.records.by_seed import values
from fpcore.records.frames import frame
from fpcore.records.pairs import same_results
from fpcore.records.record import RunRecord, load_record
from fpcore.stats.uncertainty import LEVEL, Direction, Values

MOST_SEEDS = 10_000  # a number of seeds above this is not worked out
STUDIED = metrics_where(lambda m: m.in_study)


@dataclass(frozen=True)
class Clipping:
    """How gradient clipping acted in a run, over all iterations, seeds and sizes.

    `clip` is the knob and `lr` the learning rate of phase 1; `clipped` is the share of updates that
    were clipped; `norm` is the median of the gradients' norms, `least` and `most` are their ends;
    `scale` is the mean factor that clipping put on the gradient, min(1, clip / norm). Where a run
    knows no norms, these are NaN, and its ends infinite.
    """

    run: str
    clip: float
    lr: float
    clipped: float
    norm: float
    least: float
    most: float
    scale: float


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
        return self.base.largest

    @cached_property
    def seeds(self) -> int:
        """The number of seeds of every run."""
        return min(record.seeds for record in self.records)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The results at the largest size (`frames.frame`), with the `label` of each run."""
        rows = frame(self.records)
        names = {record.name: self.label(record) for record in self.records}
        return rows[rows["samples"] == self.samples].assign(label=lambda t: t["run"].map(names))

    def label(self, record: RunRecord) -> str:
        """Name a run by the values of the varied knobs that are not the base's; else the base."""
        knobs = [k for k in self.study.knobs() if record.config[k] != self.base.config[k]]
        shown = " / ".join(f"{k} {knob_value(record.config[k])}" for k in knobs)
        own = " / ".join(f"{k} {knob_value(self.base.config[k])}" for k in self.study.grid)
        return shown or f"{own}（基準）"

    def said(self, record: RunRecord) -> str:
        """Name a run as `label` does, for a sentence in Markdown."""
        return escaped(self.label(record))

    @cached_property
    def unchanged(self) -> list[str]:
        """The runs whose every figure is that of the base."""
        return [r.name for r in self.varied if same_results(self.base, r)]

    @cached_property
    def best(self) -> RunRecord:
        """The run with the lowest loss on the development text, mean over seeds."""
        return min(self.records, key=lambda record: _development_loss(record, self.samples))

    @cached_property
    def twins(self) -> list[str]:
        """The runs whose every figure is that of the best."""
        others = [r for r in self.records if r.name != self.best.name]
        return [r.name for r in others if same_results(self.best, r)]

    @cached_property
    def beside_best(self) -> dict[str, str]:
        """By run, what may be said of its Val PPL beside the best's; twins are left out."""
        others = [r for r in self.records if r.name not in (self.best.name, *self.twins)]
        told = {r.name: compare_runs(self.best, r, level=self.level) for r in others}
        return {name: c["val_ppl"].certain for name, c in told.items()}

    @cached_property
    def rivals(self) -> list[str]:
        """The runs whose Val PPL cannot be told from that of the best, without its twins."""
        return [run for run, said in self.beside_best.items() if said not in ("up", "down")]

    @cached_property
    def checks(self) -> Verdicts:
        """The outcomes of all checks; those of a pair are put to every run beside the base."""
        own = [self.base, *self.varied]
        return Verdicts(
            tuple(
                _of_pairs(check.rule, self) if check.paired else check.rule(own) for check in CHECKS
            )
        )

    def record(self, run: str) -> RunRecord:
        """Return the record of a run of the study."""
        return next(r for r in self.records if r.name == run)

    def direction(self, run: str, metric: str) -> Direction:
        """Return what may be said of a run's metric beside the base's (see `uncertainty`)."""
        return self.comparisons[run][metric].certain

    def means(self, record: RunRecord) -> dict[str, tuple[float, float]]:
        """Return mean and standard deviation over seeds of every metric of STUDIED."""
        return {m: moments(values(record, m)[self.samples]) for m in STUDIED}

    @cached_property
    def effects(self) -> list[Effect]:
        """The main effects and the interaction (`effects`) of a 2 × 2 grid; empty for another."""
        knobs = tuple(self.study.grid)
        if len(knobs) != 2 or any(len(tried) != 2 for tried in self.study.grid.values()):
            return []
        return effects(self.records[:4], (knobs[0], knobs[1]), self.samples, STUDIED)

    @cached_property
    def clipping(self) -> list[Clipping]:
        """How gradient clipping acted in every run."""
        return [_clipping(record) for record in self.records]


def gather(study: Study) -> Evidence:
    """Read the records of a study.

    Raises:
        RecordError: one is missing or damaged, or of another config than the study's.
    """
    return Evidence(study, tuple(_load(config) for config in study.configs()))


def _load(config: RunConfig) -> RunRecord:
    record, own = load_record(config.run_name), config.knobs()
    before = RunConfig().model_dump() | record.config  # a knob that is younger had its default
    other = [k for k in own if before[k] != own[k]]
    if other:
        raise RecordError(
            f"{shown(record.path)} is the record of another {', '.join(other)} than the study's; "
            "give it another name, and run the study again."
        )
    return record


def seeds_needed(c: Comparison, metric: str) -> float:
    """Return about how many seeds would tell the difference seen, if its spread stayed the same.

    The smallest n whose half width t(n - 1)·s/√n is below the difference; infinity above
    MOST_SEEDS, NaN where there is no interval or no difference.
    """
    d = c[metric]
    if math.isnan(d.high - d.low) or not d.difference:
        return math.nan
    n, share = np.arange(2, MOST_SEEDS + 1), (1 + c.level) / 2
    spread = (d.high - d.low) / 2 / stats.t.ppf(share, d.seeds - 1) * math.sqrt(d.seeds)
    enough = n[stats.t.ppf(share, n - 1) * spread / np.sqrt(n) < abs(d.difference)]
    return float(enough[0]) if len(enough) else math.inf


def _development_loss(record: RunRecord, samples: int) -> float:
    own = [r.phase2["dev_loss"] for r in record.at(samples)]
    return float(np.mean([min(losses) for losses in own]))


def moments(by_seed: Values) -> tuple[float, float]:
    """Return the mean and the standard deviation over seeds, NaN from fewer than 2."""
    known = list(by_seed.values())
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else math.nan


def _clipping(record: RunRecord) -> Clipping:
    clip = float(record.config["gradient_clip"])
    norms = np.array(_trace(record, "grad_norm"))
    known = len(norms) > 0
    return Clipping(
        run=record.name,
        clip=clip,
        lr=float(record.config["phase1_lr"]),
        clipped=float(np.mean(_trace(record, "clipped"))) if known else math.nan,
        norm=float(np.median(norms)) if known else math.nan,
        least=float(norms.min(initial=math.inf)),
        most=float(norms.max(initial=-math.inf)),
        scale=float(np.minimum(1, clip / norms).mean()) if known else math.nan,
    )


def _trace(record: RunRecord, column: str) -> list[float]:
    rows: Iterable[list[float]] = (r.phase1.get(column, []) for r in record.results)
    return [value for row in rows for value in row]


def _of_pairs(rule: Rule, e: Evidence) -> Check:
    """Return the worst verdict over the pairs with the base, and what was found in each."""
    found = {
        record.name: rule([e.base, record, *(r for r in e.varied if r is not record)])
        for record in e.varied
    }
    if not found:
        return rule([e.base])
    bad = {name: check for name, check in found.items() if check.verdict != OK}
    title = next(iter(found.values())).title
    if not bad:
        return Check(title, OK, f"基準との {len(found)} 個の比較のどれでも")
    settle = "、".join(dict.fromkeys(check.settle for check in bad.values()))
    return Check(
        title,
        max((check.verdict for check in bad.values()), key=ORDER.index),
        f"基準との {len(found)} 個の比較のうち {len(bad)} 個",
        settle,
        tuple(f"{name}: {check.evidence}" for name, check in bad.items()),
    )
