"""One run, recorded: corpus → tokens → phase 1 → phase 2 → record, or an earlier record.

`recorded` does for runs and baselines alike what has nothing to do with how they train.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import Any, Protocol

import torch

from fpcore.config.checked import check_share
from fpcore.config.run_config import RunConfig
from fpcore.data.dataset import Data, prepare
from fpcore.errors import RecordError, TrainingError
from fpcore.model.precision import device_of, resolve
from fpcore.paths import shown
from fpcore.records.pairs import changed, in_words
from fpcore.records.record import RunRecord, SizeResult, load_record, record_path
from fpcore.runs import checkpoint, memory
from fpcore.runs.checkpoint import Checkpoint
from fpcore.runs.lock import held
from fpcore.runs.progress import Progress, Stopwatch, clock
from fpcore.runs.provenance import code_digests, environment, roles_of
from fpcore.runs.training import Training
from fpcore.runs.trial import Trial

FILES = ("corpus", "embedding")  # knobs that can name a file, in more than one spelling
SAMPLE = "some_conversations"  # in a record's data: digests of KNOWN of its conversations
KNOWN = 16


class Recordable(Protocol):
    """A config of any kind: a name, sizes, and knobs."""

    @property
    def run_name(self) -> str:
        """The name of its record."""
        ...

    @property
    def label(self) -> str:
        """The architecture in short."""
        ...

    @property
    def samples(self) -> list[int]:
        """The sizes, in training conversations."""
        ...

    def model_dump(self, *, exclude: set[str] | None = None) -> dict[str, Any]:
        """Return its knobs."""
        ...


def earlier_record(config: Recordable) -> RunRecord | None:
    """Return the record that already has this run's name, if it is of the same config.

    Files may be spelled in another way: `same_texts` tells whether they are the same.

    Raises:
        RecordError: it is of another config, of imported figures, or damaged.
    """
    path = record_path(config.run_name)
    if not path.exists():
        return None
    record = load_record(config.run_name)
    keys = [key for key in _other_knobs(config, record) if key not in FILES]
    if record.source != "measured" or keys:
        what = "imported figures" if record.source != "measured" else f"another {', '.join(keys)}"
        raise _taken(record, what)
    return record


def _other_knobs(config: Recordable, record: RunRecord) -> list[str]:
    own = config.model_dump(exclude={"name"})
    before = RunConfig().model_dump() | record.config  # a knob that is younger had its default
    return [k for k in own if k not in before or before[k] != own[k]]


def _taken(record: RunRecord, what: str) -> RecordError:
    return RecordError(
        f"{shown(record_path(record.name))} is the record of {what}; give this run another name, "
        "or set force to replace it."
    )


def check_texts(config: Recordable, record: RunRecord, data: Data) -> None:
    """Refuse texts that are not those of a record, or those that it had before some were changed.

    Raises:
        RecordError: files that are named otherwise hold something else, or a file of the same name
            holds none of the conversations that the record knows.
    """
    if not changed(record, data.digests(config.samples)):
        return
    if keys := _other_knobs(config, record):
        raise _taken(record, f"another {', '.join(keys)}")
    held = record.data.get(SAMPLE)
    known = set(held) if isinstance(held, list) else set()
    if known and known.isdisjoint(map(_known_by, _texts(data))):
        raise _taken(record, "other texts, although their file had the same name")


def _texts(data: Data) -> list[str]:
    return [*data.corpus.train, *data.corpus.dev, *data.corpus.val]


def _sample(data: Data) -> list[str]:
    """Return digests by which some conversations, from all over the corpus, are known again."""
    texts = _texts(data)
    return [_known_by(text) for text in texts[:: max(1, len(texts) // KNOWN)]]


def _known_by(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def is_current(record: RunRecord, digests: dict[str, str]) -> bool:
    """Say, also to the user, whether a record has these digests of data and code."""
    other = changed(record, digests)
    if other:
        names = ", ".join(in_words(digest) for digest in other)
        print(f"{record.name}: trained again, for what it was made from has changed: {names}.")
        return False
    print(f"{record.name}: same config and digests, so its record is reused.")
    return True


@dataclass(frozen=True)
class Work:
    """What is to be recorded: the data, where and how it is trained, and the training itself.

    `roles` of the code and the name of the `precision` go into the record.
    """

    data: Data
    device: torch.device
    precision: str
    roles: tuple[str, ...]
    train: Callable[[], list[SizeResult]]


def recorded(
    config: Recordable, force: bool, prepared: Callable[[], Work], saved: Callable[[], None]
) -> RunRecord:
    """Return the record of a config: an earlier one that is current, or a new one, saved.

    `prepared` is asked for the work once no earlier record forbids it; `saved` is called when a
    new record is.

    Raises:
        HeldError: another process works on a run of this name.
        RecordError: the name belongs to another config, or its record is damaged.
        StorageError: the record cannot be written.
    """
    with held(config.run_name):
        earlier = None if force else earlier_record(config)
        work = prepared()
        digests = work.data.digests(config.samples) | code_digests(work.roles)
        if earlier is not None:
            check_texts(config, earlier, work.data)
        if earlier is not None and is_current(earlier, digests):
            return earlier
        record = made(config, work)
        record.save()
        saved()
        return record


def made(config: Recordable, work: Work) -> RunRecord:
    """Train what a config asks for, and return its record, which is not saved."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return RunRecord(
        name=config.run_name,
        label=config.label,
        config=config.model_dump(),
        digests=work.data.digests(config.samples) | code_digests(work.roles),
        data=work.data.splits() | {SAMPLE: _sample(work.data)},
        results=work.train(),
        environment=environment(work.device, work.precision, work.roles),
        started=started,
    )


def run(config: RunConfig, *, force: bool = False, share: str = "") -> RunRecord:
    """Train every seed and size of `config`, save the record and return it.

    An earlier record of the same config with the same digests is returned as it is. Where a
    digest has changed, the run says which one and trains again. `force` trains in any case, and
    replaces a record of the same name whatever its config. Runs that are given one name to `share`
    and differ in `max_iter`, or in knobs that phase 1 does not read, alone share phase 1: one that
    is as long or longer goes on where another stopped. A run that was interrupted goes on from its
    checkpoint, and ends with the same record.

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
    return recorded(
        config, force, lambda: work_of(config, share), lambda: checkpoint.remove(config.run_name)
    )


def work_of(config: RunConfig, share: str = "") -> Work:
    """Return what a run trains: its data, and every seed and size."""
    device = device_of(config.device)
    precision = resolve(config, device)
    memory.check_embedding(config)
    with memory.told(f"{config.run_name}: preparing the data"):
        data = prepare(config)
    trials = [
        Trial(config, data, seed, samples, device)
        for seed, samples in product(config.seeds, config.samples)
    ]
    train = partial(_train_all, trials, share)
    return Work(data, device, precision.name, roles_of(config), train)


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
        finished = Training(trial, progress, share).result()
        own.finish(finished)
    return finished
