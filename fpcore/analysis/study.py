"""What the records of a study show: every run against the base, and the best by development loss.

Intervals are simultaneous (Bonferroni) over one family: every comparison that the report makes, at
every size and in every metric. From one seed nothing is said of a direction, and where a run's
phase 2 was cut short nothing of perplexity or accuracy. Checks of a pair are put to every run
beside the base.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from fpcore.analysis import factors
from fpcore.analysis.checks.check import Verdicts
from fpcore.analysis.checks.registry import beside_base
from fpcore.analysis.clipping import Clipping, clipping
from fpcore.analysis.comparison import Comparison, compare_runs
from fpcore.analysis.contrasts import spreads
from fpcore.analysis.effects import Effect, Step, interaction, priors_of, steps
from fpcore.config.study import Study
from fpcore.language import said
from fpcore.metric import metrics_where
from fpcore.notation import escaped, knob_value
from fpcore.records.by_seed import moments, values
from fpcore.records.frames import frame
from fpcore.records.pairs import cut_short, different_texts, distinct, same_results
from fpcore.records.record import RunRecord
from fpcore.stats.priors import Prior, prior_of
from fpcore.stats.uncertainty import Direction, simultaneous

STUDIED = metrics_where(lambda m: m.in_study)


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
    def pairs(self) -> list[tuple[RunRecord, RunRecord]]:
        """The pairs of runs that are compared; runs whose every figure is the same are one.

        Each run with the base, with the best and with those outside the grid, and each trained run
        with its controls.
        """
        wanted = [(start, r) for start in (self.base, self.best) for r in self.records]
        wanted += [(r, control) for r in self.records for control in self.controls[r.name]]
        wanted += [(r, other) for r in self.records for other in self.outside]
        first = {r.name: next(x for x in self.records if same_results(x, r)) for r in self.records}
        apart = [(first[a.name], first[b.name]) for a, b in wanted]
        return [*{frozenset((a.name, b.name)): (a, b) for a, b in apart if a is not b}.values()]

    def distinct(self, samples: int) -> list[RunRecord]:
        """Return the runs without those that repeat an earlier one's figures at a size."""
        found = distinct([r.where(lambda own: own.samples == samples) for r in self.records])
        return [self.record(r.name) for r in found]

    @cached_property
    def outside(self) -> list[RunRecord]:
        """The runs that the study has beside its grid."""
        grid = self.study.grid
        return [
            r
            for r in self.varied
            if any(r.config[k] not in tried for k, tried in grid.items())
            or any(r.config[k] != self.base.config[k] for k in self.study.knobs() if k not in grid)
        ]

    @cached_property
    def metrics(self) -> list[str]:
        """The metrics of STUDIED that a run knows."""
        results = [result for record in self.records for result in record.results]
        return [m for m in STUDIED if any(getattr(r, m) is not None for r in results)]

    @cached_property
    def family(self) -> tuple[int, int, int]:
        """The numbers of comparisons, of sizes and of metrics that are looked at.

        Bits per byte are Val PPL in another unit, and count with it.
        """
        own = [m for m in self.metrics if m != "bits_per_byte"]
        return len(self.pairs) + len(self._steps), len(self.base.sizes), len(own)

    @cached_property
    def level(self) -> float:
        """The level of each interval, so that all of the family hold together in 95 %."""
        return simultaneous(math.prod(self.family))

    def compared(self, a: RunRecord, b: RunRecord) -> Comparison:
        """Return the comparison of two runs of the study (a first), at the level of the family."""
        key = (a.name, b.name)
        if key not in self._compared:
            self._compared[key] = compare_runs(a, b, (), self.level, self._priors)
        return self._compared[key]

    @cached_property
    def _compared(self) -> dict[tuple[str, str], Comparison]:
        """What `compared` has worked out so far."""
        return {}

    @cached_property
    def _priors(self) -> dict[str, Prior]:
        """By metric, what the spreads over seeds of all pairs tell of each other."""
        pairs = [([(1, a)], [(1, b)]) for a, b in self.pairs]
        return {m: prior_of(spreads(*pair, m) for pair in pairs) for m in self.metrics}

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """By run, its comparison with the base (base first)."""
        return {r.name: self.compared(self.base, r) for r in self.varied}

    @cached_property
    def controls(self) -> dict[str, list[RunRecord]]:
        """By run, its controls: what differs in contexts, and in what acts on phase 1 alone."""
        return {r.name: factors.beside(r, self.records) for r in self.records}

    @cached_property
    def cut_short(self) -> list[RunRecord]:
        """The runs whose best epoch is the last that was allowed."""
        return [record for record in self.records if cut_short(record)]

    @cached_property
    def unlike(self) -> dict[str, list[str]]:
        """By run, what of its validation text or vocabulary is not the base's."""
        found = {r.name: different_texts(self.base, r) for r in self.varied}
        return {run: what for run, what in found.items() if what}

    @property
    def refused(self) -> bool:
        """Whether the runs leave nothing to answer: no perplexities to compare."""
        return bool(self.cut_short or self.unlike)

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
        """The results at the largest size (`frames.frame`), with the `label` of each run.

        The column `base` says whether it is the base.
        """
        rows = frame(self.records)
        names = {record.name: self.label(record) for record in self.records}
        rows = rows[rows["samples"] == self.samples]
        return rows.assign(label=rows["run"].map(names), base=rows["run"] == self.base.name)

    def label(self, record: RunRecord) -> str:
        """Name a run by the values of the varied knobs that are not the base's; else the base."""
        knobs = [k for k in self.study.knobs() if record.config[k] != self.base.config[k]]
        shown = " / ".join(f"{k} {knob_value(record.config[k])}" for k in knobs)
        own = " / ".join(f"{k} {knob_value(self.base.config[k])}" for k in self.study.grid)
        return shown or said("{name}（基準）", name=own)

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
        return {r.name: self.compared(self.best, r)["val_ppl"].certain for r in others}

    @cached_property
    def rivals(self) -> list[str]:
        """The runs whose Val PPL cannot be told from that of the best, without its twins."""
        return [run for run, said in self.beside_best.items() if said not in ("up", "down")]

    @cached_property
    def checks(self) -> Verdicts:
        """The outcomes of all checks; those of a pair are put to every run beside the base."""
        return beside_base(self.base, self.varied, self.comparisons)

    def record(self, run: str) -> RunRecord:
        """Return the record of a run of the study."""
        return next(r for r in self.records if r.name == run)

    def direction(self, run: str, metric: str) -> Direction:
        """Return what may be said of a run's metric beside the base's (see `uncertainty`)."""
        return self.comparisons[run][metric].certain

    def means(self, record: RunRecord) -> dict[str, tuple[float, float]]:
        """Return mean and standard deviation over seeds of every metric that is known."""
        return {m: moments(m, values(record, m)[self.samples]) for m in self.metrics}

    @cached_property
    def effects(self) -> list[Effect]:
        """What each knob does from the base's value to another, over several settings.

        For a grid of two knobs of two values each their interaction is among them. Empty where
        the grid has one knob, whose effects are the comparisons with the base.
        """
        priors = priors_of(self._steps, self.metrics)
        return [step.effect(self.metrics, self.level, priors) for step in self._steps]

    @cached_property
    def _steps(self) -> list[Step]:
        grid = self.study.grid
        found = [s for k in grid for s in steps(self.records, k, self.base.config[k])]
        square = len(grid) == 2 and all(len(tried) == 2 for tried in grid.values())
        crossed = (
            [interaction(self.records[:4], (p, q)) for p, q in [tuple(grid)]] if square else []
        )
        return [step for step in found if step.settings > 1] + crossed

    @cached_property
    def resolutions(self) -> list[float]:
        """The smallest true difference of Val PPL that each comparison with the base would tell.

        Shares, at the largest size, smallest first; those that are not known are left out.
        """
        found = [
            c["val_ppl"].resolution
            for c in self.comparisons.values()
            if c["val_ppl"].certain not in ("same", "unknown")
        ]
        return sorted(r for r in found if not math.isnan(r))

    @cached_property
    def over_text(self) -> bool:
        """Whether every interval of Val PPL takes in the conversations, as the runs know them."""
        found = [d for c in self.comparisons.values() for d in c.by_size("val_ppl").values()]
        return all(d.by_text.known for d in found if d.certain != "unknown")

    @cached_property
    def clipping(self) -> list[Clipping]:
        """How gradient clipping acted in every run."""
        return [clipping(record) for record in self.records]


def _development_loss(record: RunRecord, samples: int) -> float:
    own = [r.phase2["dev_loss"] for r in record.at(samples)]
    return float(np.mean([min(losses) for losses in own]))
