"""A search at work: trials that several processes take from one journal, none lost, none twice.

The journal, `.cache/searches/<name>/journal.log`, is the truth; `trials.json` is written from it.
A trial whose process was killed is tried again with the same knobs, from its checkpoint.
"""

import multiprocessing
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from fpcore.analysis.search import distribution
from fpcore.config.run_config import RunConfig
from fpcore.config.search import Search
from fpcore.errors import ConfigError, TrainingError
from fpcore.paths import cache, shown
from fpcore.records.result import SizeResult
from fpcore.records.searches import SearchRecord, SearchTrial, load_best, save_best
from fpcore.runs import checkpoint, journal, memory
from fpcore.runs.checkpoint import Checkpoint
from fpcore.runs.experiment import made, work_of
from fpcore.runs.lock import held
from fpcore.runs.progress import Progress, Stopwatch
from fpcore.runs.provenance import code_digests, roles_of
from fpcore.runs.training import Training
from fpcore.runs.trial import Trial
from fpcore.trainers.hooks import Hooks, Row
from fpcore.trainers.phase2 import Phase2State

RANDOM = 8  # trials before TPE proposes any, and before any is pruned
WARM = 3  # epochs of a trial that are never pruned
DONE = (TrialState.COMPLETE, TrialState.PRUNED)
STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}
AGAIN, RESULT, FAILED = "again", "result", "failed"  # attributes of trials in the journal


class PrunedError(Exception):
    """The trial is worse than most were at this epoch."""


class _Watched(Training):
    """A training that tells the development loss of every epoch as soon as it is there."""

    def __init__(self, trial: Trial, progress: Progress, tell: Callable[[Row], None]) -> None:
        super().__init__(trial, progress)
        self._tell = tell

    def _second_hooks(
        self, rate: float, on_row: Callable[[Row], None], watch: Stopwatch
    ) -> Hooks[Phase2State]:
        own = super()._second_hooks(rate, on_row, watch)

        def told(row: Row) -> None:
            own.on_row(row)
            self._tell(row)

        return Hooks(told, own.keep)


def search(plan: Search, workers: int = 1) -> SearchRecord:
    """Try what `plan` asks for, in several processes, train the best again, and return the trials.

    Trials that are done already are kept: the same command goes on where it was stopped.

    Raises:
        ConfigError: no worker, or the journal is of another search, of other code, or damaged.
        HeldError: another process works on this search.
        TrainingError: a process failed.
    """
    if workers < 1:
        raise ConfigError(f"workers must be a whole number of at least 1, not {workers}.")
    with held(f"{plan.name}-search"):
        journal.check(_path(plan))
        study = _opened(plan)
        _recover(study)
        _in_processes(workers, partial(_work, plan, workers))
        record = _written(plan)
        missing = [t.number for t in record.best if t.number not in _current(plan, record)]
        parts = [missing[i::workers] for i in range(workers)]
        _in_processes(workers, partial(_train_again, plan, record, parts))
    return record


def _in_processes(workers: int, work: Callable[[int], None]) -> None:
    """Do the work of each index in a process of its own; alone in this one.

    Raises:
        TrainingError: a process failed.
    """
    if workers < 2:
        work(0)
        return
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(i,), daemon=True) for i in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise TrainingError("a process of the search failed; the same command goes on from there.")


def _path(plan: Search) -> Path:
    return cache("searches") / plan.name / "journal.log"


def _opened(plan: Search, index: int = 0) -> optuna.Study:
    """Return the study of a search; a new one begins with the base.

    Raises:
        ConfigError: the journal is of another search, or of other code.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = _path(plan)
    with journal.locked(path):
        study = optuna.create_study(
            storage=journal.opened(path),
            study_name=plan.name,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(RANDOM, WARM),
        )
        about = _about(plan)
        if not study.trials and "about" not in study.user_attrs:
            study.set_user_attr("about", about)
            study.enqueue_trial(plan.first)
        elif study.user_attrs.get("about") != about:
            raise ConfigError(
                f"{shown(path)} is of another search of this name, or of other code; give the "
                "search another name, or remove the file."
            )
        drawn = 1000 * index + len(study.trials)  # else a resumed search would draw the same again
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM, constant_liar=True, seed=drawn
        )
    return study


def _about(plan: Search) -> dict[str, Any]:
    """Return what makes two searches the same: base, ranges and code, but not how long it is."""
    config = plan.config({})
    return {
        "base": config.knobs(),
        "ranges": plan.ranges,
        "code": code_digests(roles_of(config)),
    }


def _recover(study: optuna.Study) -> None:
    """Try again what a process was killed at: nobody else works on the search now."""
    trials = study.trials
    waiting = {t.user_attrs.get(AGAIN) for t in trials if t.state == TrialState.WAITING}
    for trial in (t for t in trials if t.state == TrialState.RUNNING):
        origin = trial.user_attrs.get(AGAIN, trial.number)
        knobs = trial.system_attrs.get("fixed_params", {}) | trial.params
        if origin not in waiting and knobs:
            study.enqueue_trial(knobs, {AGAIN: origin})
        study.tell(trial.number, state=TrialState.FAIL)


def _work(plan: Search, workers: int, index: int) -> None:
    """Take trials until there are enough, or the time is over, or the parent is gone."""
    if workers > 1:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    parent = os.getppid()
    study = _opened(plan, index)
    while (trial := _asked(plan, study)) is not None:
        _try(plan, study, trial, parent)
        _written(plan)


def _asked(plan: Search, study: optuna.Study) -> optuna.Trial | None:
    """Return the next trial; one process at a time asks, so that there are not too many."""
    with journal.locked(_path(plan)):
        trials = study.trials
        begun = [t for t in trials if t.state in (*DONE, TrialState.RUNNING)]
        spent = sum(_seconds(t) for t in trials if t.state in DONE)
        waiting = any(t.state == TrialState.WAITING for t in trials)
        if len(begun) >= plan.trials or (spent >= plan.seconds and not waiting):
            return None
        return study.ask(_distributions(plan))


def _try(plan: Search, study: optuna.Study, trial: optuna.Trial, parent: int) -> None:
    config = _config(plan, trial.params, trial.user_attrs.get(AGAIN, trial.number))

    def tell(row: Row) -> None:
        if os.getppid() != parent:
            os._exit(1)  # nobody waits; whoever goes on tries this again
        trial.report(row["dev_loss"], row["epoch"])
        if trial.should_prune() and trial.params != plan.first:
            raise PrunedError

    try:
        result = _trained(config, tell)
    except PrunedError:
        study.tell(trial, state=TrialState.PRUNED)
    except TrainingError as error:
        trial.set_user_attr(FAILED, str(error))
        study.tell(trial, state=TrialState.PRUNED)
    else:
        trial.set_user_attr(RESULT, result.model_dump(mode="json"))
        study.tell(trial, result.phase2["dev_loss"][(result.best_epoch or 1) - 1])
    checkpoint.remove(config.run_name)


def _config(plan: Search, knobs: dict[str, Any], number: int) -> RunConfig:
    return plan.config(knobs).model_copy(update={"name": f"{plan.name}-trial{number}"})


def _trained(config: RunConfig, tell: Callable[[Row], None]) -> SizeResult:
    """Train the one seed and size of a trial, or take it up where it was stopped."""
    memory.check_embedding(config)
    work = work_of(config)
    trial = Trial(config, work.data, config.seeds[0], config.samples[0], work.device)
    own = Checkpoint(trial)
    finished = own.result()
    if finished is None:
        own.begin()
        finished = _Watched(trial, Progress(), tell).result()
        own.finish(finished)
    return finished


def _distributions(plan: Search) -> dict[str, BaseDistribution]:
    return {knob: distribution(*next(iter(own.items()))) for knob, own in plan.ranges.items()}


def _seconds(trial: FrozenTrial) -> float:
    return trial.duration.total_seconds() if trial.duration else 0.0


def _written(plan: Search) -> SearchRecord:
    """Write the trials that are done, and return them."""
    with journal.locked(_path(plan)):
        study = optuna.load_study(study_name=plan.name, storage=journal.opened(_path(plan)))
        done = [trial for trial in study.trials if trial.state in DONE]
        record = SearchRecord(
            name=plan.name,
            search=plan.model_dump(),
            first=plan.first,
            digests=study.user_attrs["about"]["code"],
            trials=[_told(number, trial) for number, trial in enumerate(done)],
        )
        record.save()
    return record


def _told(number: int, trial: FrozenTrial) -> SearchTrial:
    state = "failed" if FAILED in trial.user_attrs else STATES[trial.state]
    return SearchTrial(
        number=number,
        state=state,
        knobs=trial.params,
        losses=trial.intermediate_values,
        loss=trial.value if trial.state == TrialState.COMPLETE else None,
        seconds=_seconds(trial),
        result=trial.user_attrs.get(RESULT),
    )


def _again(plan: Search, record: SearchRecord, number: int) -> RunConfig:
    """Return the config by which a trial is trained again, with seeds that no trial has seen."""
    config = plan.config(record.trials[number].knobs, plan.seeds)
    return config.model_copy(update={"name": f"{plan.name}-best{number}"})


def _current(plan: Search, record: SearchRecord) -> set[int]:
    """Return the trials that have been trained again, by this code."""
    return {
        number
        for number, own in load_best(plan.name).items()
        if number < len(record.trials)
        and own.config == _again(plan, record, number).model_dump()
        and record.digests.items() <= own.digests.items()
    }


def _train_again(plan: Search, record: SearchRecord, parts: list[list[int]], index: int) -> None:
    for number in parts[index]:
        config = _again(plan, record, number)
        save_best(plan.name, number, made(config, work_of(config)))
        checkpoint.remove(config.run_name)
