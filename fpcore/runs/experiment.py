"""One run, recorded: corpus → tokens → phase 1 → phase 2 → record, or an earlier record.

`recorded` does for runs and baselines alike what has nothing to do with how they train.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import product

import torch

from fpcore.config.checked import check_share
from fpcore.config.run_config import RunConfig
from fpcore.data.dataset import Data, prepare
from fpcore.errors import TrainingError
from fpcore.model.precision import device_of, resolve
from fpcore.paths import shown
from fpcore.records.record import RunRecord, load_record
from fpcore.records.result import SizeResult
from fpcore.runs import checkpoint, memory, models, reading
from fpcore.runs.checkpoint import Checkpoint
from fpcore.runs.current import twin
from fpcore.runs.earlier import (
    FILES,
    SAMPLE,
    Recordable,
    check_texts,
    earlier_record,
    is_current,
    other_knobs,
    same_machine,
    sample,
)
from fpcore.runs.lock import held
from fpcore.runs.progress import Progress, Stopwatch, clock, note, planned
from fpcore.runs.provenance import code_digests, environment, roles_of
from fpcore.runs.training import Training
from fpcore.runs.trial import Trial


@dataclass(frozen=True)
class Work:
    """What is to be recorded: the data, where and how it is trained, and the training itself.

    `roles` of the code and the name of the `precision` go into the record. `keep` is given what a
    record of fewer seeds or sizes has measured; work without it has to be of the very config.
    """

    data: Data
    device: torch.device
    precision: str
    roles: tuple[str, ...]
    train: Callable[[], list[SizeResult]]
    keep: Callable[[list[SizeResult]], None] | None = None


def recorded(
    config: Recordable,
    force: bool,
    prepared: Callable[[], Work],
    saved: Callable[[], None],
    grows: bool = False,
) -> RunRecord:
    """Return the record of a config: an earlier one that is current, or a new one, saved.

    `prepared` is asked for the work once no earlier record forbids it; `saved` is called when a
    new record is.

    Raises:
        HeldError: another process works on a run of this name.
        RecordError: the name belongs to another config, or its record is damaged.
        StorageError: the record cannot be written.
        TrainingError: no room in memory, for the data or for the training.
    """
    with held(config.run_name):
        earlier = None if force else earlier_record(config, grows)
        memory.check_embedding(config)
        with memory.told(f"{config.run_name}: preparing the data"):
            work = prepared()
        if earlier is not None:
            check_texts(config, earlier, work.data)
            if _holds_all(earlier, config, work):
                return earlier
        elif not (force or config.name) and (other := _under_another_name(config, work)):
            return other
        note(reading.said(work.data, config.samples))
        record = made(config, work)
        record.save()
        saved()
        return record


def made(config: Recordable, work: Work) -> RunRecord:
    """Train what a config asks for, and return its record, which is not saved.

    Raises:
        TrainingError: no room in memory, or a loss that is not finite.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    plan = planned(config.run_name, getattr(config, "seeds", []), config.samples)
    with memory.told(f"{config.run_name}: training"), plan:
        results = work.train()
    return RunRecord(
        name=config.run_name,
        label=config.label,
        config=config.model_dump(),
        digests=work.data.digests(config.samples) | code_digests(work.roles),
        data=work.data.splits() | {SAMPLE: sample(work.data)},
        results=results,
        environment=environment(work.device, work.precision, work.roles),
        started=started,
    )


def _under_another_name(config: Recordable, work: Work) -> RunRecord | None:
    """Return a current record of the same config, for a run that was given no name of its own."""
    digests = work.data.digests(config.samples) | code_digests(work.roles)
    found = twin(config, digests)
    if found is not None:
        path = shown(found.path)
        print(f"{config.run_name}: {found.name} is the same run, so its record is reused: {path}")
    return found


def _holds_all(record: RunRecord, config: Recordable, work: Work) -> bool:
    """Whether a record is that of the run. What it holds of a longer one is kept for it.

    The user is told which it is, or why all is trained again.
    """
    if not is_current(record, work.data.digests(record.sizes) | code_digests(work.roles)):
        return False
    more = [knob for knob in other_knobs(config, record) if knob not in FILES]
    if not more:
        print(f"{record.name}: same config and digests, so its record is reused.")
        return True
    if work.keep and same_machine(record, environment(work.device, work.precision, work.roles)):
        work.keep(record.results)
        print(f"{record.name}: its record goes on with more {' and '.join(more)}.")
    else:
        print(f"{record.name}: trained again, for its record was made on another machine.")
    return False


def run(config: RunConfig, *, force: bool = False, share: str = "") -> RunRecord:
    """Train every seed and size of `config`, save the record and return it.

    An earlier record of the same config with the same digests is returned as it is, for a run
    without a name of its own under whatever name; one that has
    fewer seeds (the first ones) or sizes is gone on with, if it was made on this machine. Where a
    digest has changed, the run says which one and trains again. `force` trains in any case, and
    replaces a record of the same name whatever its config. Runs that are given one name to `share`
    and differ in `max_iter`, or in knobs that phase 1 does not read, alone share phase 1: one that
    is as long or longer goes on where another stopped. A run that was interrupted goes on from its
    checkpoint, and ends with the same record. Its trained models are kept (`load_model`).

    Raises:
        ConfigError: a device that is not there, a format that it does not multiply, or a `share`
            that is no name.
        CorpusError: texts, tokenizer or embedding cannot be had.
        HeldError: another process works on a run of this name.
        RecordError: the name belongs to another config, or its record is damaged.
        StorageError: a record or checkpoint cannot be written.
        TrainingError: a loss that is not finite.
    """
    check_share(share)  # it names a folder
    done = partial(_tidy, config.run_name)
    return recorded(config, force, lambda: work_of(config, share), done, grows=True)


def _tidy(name: str) -> None:
    """Remove what a run needs no longer once its record is saved."""
    checkpoint.remove(name)
    models.tidy(load_record(name))


def work_of(config: RunConfig, share: str = "") -> Work:
    """Return what a run trains: its data, and every seed and size."""
    device = device_of(config.device)
    precision = resolve(config, device)
    data = prepare(config)
    trials = [
        Trial(config, data, seed, samples, device)
        for seed, samples in product(config.seeds, config.samples)
    ]
    train, keep = partial(_train_all, trials, share), partial(_keep, trials)
    return Work(data, device, precision.name, roles_of(config), train, keep)


def _keep(trials: list[Trial], results: list[SizeResult]) -> None:
    """Take what an earlier record measured for what an interrupted run has finished."""
    at = {(result.seed, result.samples): result for result in results}
    chosen = {result.samples: result.chosen for result in reversed(results)}
    for trial in trials:
        if result := at.get((trial.seed, trial.samples)):
            first = trial.seed == trials[0].seed
            rate = None if first else chosen[trial.samples]
            Checkpoint(replace(trial, rate=rate)).finish(result)


def _train_all(trials: list[Trial], share: str) -> list[SizeResult]:
    progress, watch = Progress(), Stopwatch()
    results: list[SizeResult] = []
    name = trials[0].config.run_name
    memory.check(max(trials, key=lambda trial: trial.samples))  # before hours on smaller ones
    for trial in trials:
        same = (result.chosen for result in results if result.samples == trial.samples)
        try:
            with memory.told("this training"):
                results.append(_result(replace(trial, rate=next(same, None)), progress, share))
        except TrainingError as error:
            kept = f" {len(results)} finished before it are kept." if results else ""
            where = f"{name}, seed {trial.seed}, size {trial.samples}"
            raise TrainingError(f"{where}: {error}{kept}") from None
    took = clock(watch.seconds())
    progress.finish(f"{name}: {len(results)} sizes and seeds trained in {took}")
    return results


def _result(trial: Trial, progress: Progress, share: str) -> SizeResult:
    """Train one seed and size, unless an interrupted run has finished it."""
    own = Checkpoint(trial)
    finished = own.result()
    if finished is None:
        own.begin()
        training = Training(trial, progress, share)
        result = training.result()
        digest = models.keep(trial, training.model)  # before the result, which would be taken alone
        finished = result.model_copy(update={"model_digest": digest})
        own.finish(finished)
    return finished
