"""What a search tells: which knobs mattered, what the best are worth, and how much was luck."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fpcore.analysis.comparison import Comparison, compare_runs
from fpcore.config.search import Search
from fpcore.errors import RecordError
from fpcore.records.record import RunRecord, load_record
from fpcore.records.searches import SearchRecord, SearchTrial, load_best
from fpcore.stats.uncertainty import simultaneous

FEWEST = 8  # complete trials from which the importance of knobs can be told


@dataclass(frozen=True)
class Gain:
    """By how much a trial is better than the base, in nats, on three grounds.

    `chosen_on` is the development loss, by which it was chosen, `same_run` the validation loss of
    the same training, `fresh` the mean validation loss over seeds that no trial has seen.
    """

    chosen_on: float
    same_run: float
    fresh: float

    @property
    def luck(self) -> float:
        """What of the gain was the luck of choosing: it did not come back with fresh seeds."""
        return self.chosen_on - self.fresh


@dataclass(frozen=True)
class SearchEvidence:
    """The trials of a search, the records of the best by number (the base too), and others."""

    search: Search
    record: SearchRecord
    best: dict[int, RunRecord]
    beside: list[RunRecord]

    @cached_property
    def base(self) -> RunRecord:
        """The base, trained again with fresh seeds.

        Raises:
            RecordError: it has not been.
        """
        number = self.record.base.number
        if number not in self.best:
            raise RecordError(
                f"The search {self.record.name} has no readable record of its base, trial "
                f"{number}, trained again; run it again."
            )
        return self.best[number]

    @cached_property
    def chosen(self) -> list[SearchTrial]:
        """The best trials but for the base, the one that development likes best first."""
        return [trial for trial in self.record.best[1:] if trial.number in self.best]

    @cached_property
    def level(self) -> float:
        """The level at which the intervals of all comparisons hold together."""
        return simultaneous(len(self.chosen) + len(self.beside))

    def against_base(self, trial: SearchTrial) -> Comparison:
        """Return the comparison of the base with a trial, both with fresh seeds."""
        return compare_runs(self.base, self.best[trial.number], level=self.level)

    def against(self, other: RunRecord) -> Comparison:
        """Return the comparison of another record with the trial that development likes best."""
        return compare_runs(other, self.best[self.chosen[0].number], level=self.level)

    def gain(self, trial: SearchTrial) -> Gain:
        """Return the gain of a trial over the base."""
        base, own = self.record.base, self.best[trial.number]
        return Gain(
            _known(base.loss) - _known(trial.loss),
            _nats([base]) - _nats([trial]),
            _mean(self.base) - _mean(own),
        )

    @cached_property
    def importance(self) -> dict[str, float]:
        """The share of each knob in what tells good trials from bad, most first; {} from few."""
        return importance(self.record)


def gather_search(search: Search) -> SearchEvidence:
    """Return what a search has left in `reports/searches/`.

    Raises:
        RecordError: it has not been run, or a file is damaged.
    """
    record = SearchRecord.load(search.name)
    beside = [load_record(name) for name in search.beside]
    return SearchEvidence(search, record, load_best(search.name), beside)


def importance(record: SearchRecord) -> dict[str, float]:
    """Return the importance of knobs by PED-ANOVA over the complete trials; they add up to 1."""
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    trials = record.complete
    if len(trials) < FEWEST or len({trial.loss for trial in trials}) < 2:
        return {}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    kinds = {knob: distribution(*next(iter(own.items()))) for knob, own in _ranges(record).items()}
    for trial in trials:
        study.add_trial(
            optuna.trial.create_trial(value=trial.loss, params=trial.knobs, distributions=kinds)
        )
    evaluator = PedAnovaImportanceEvaluator(target_quantile=0.25, evaluate_on_local=False)
    found = get_param_importances(study, evaluator=evaluator)
    return {knob: float(share) for knob, share in found.items() if math.isfinite(share)}


def distribution(kind: str, values: list[Any]) -> Any:
    """Return a range of a search as Optuna knows it."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if kind == "choice":
        return CategoricalDistribution(values)
    low, high = values
    if kind == "int":
        return IntDistribution(low, high)
    return FloatDistribution(low, high, log=kind == "log")


def _ranges(record: SearchRecord) -> dict[str, dict[str, list[Any]]]:
    ranges: dict[str, dict[str, list[Any]]] = record.search["ranges"]
    return ranges


def _nats(trials: Iterable[SearchTrial]) -> float:
    losses = [math.log(_known(t.result.val_ppl if t.result else None)) for t in trials]
    return float(np.mean(losses))


def _mean(record: RunRecord) -> float:
    """Return the mean validation loss of a record over its seeds, in nats."""
    return float(np.mean([math.log(_known(result.val_ppl)) for result in record.results]))


def _known(value: float | None) -> float:
    return math.nan if value is None else value
