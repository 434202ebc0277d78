"""One run, recorded: corpus → tokens → phase 1 → phase 2 → record, or an earlier record."""

from datetime import UTC, datetime
from itertools import product
from typing import Any, Protocol

import torch

from fpcore.config.run_config import RunConfig
from fpcore.data.dataset import Data, prepare
from fpcore.errors import RecordError, TrainingError
from fpcore.model.precision import device_of, resolve
from fpcore.paths import shown
from fpcore.records.pairs import changed, in_words
from fpcore.records.record import RunRecord, SizeResult, load_record, record_path
from fpcore.runs import checkpoint
from fpcore.runs.checkpoint import Checkpoint
from fpcore.runs.lock import held
from fpcore.runs.progress import Progress, Stopwatch, clock
from fpcore.runs.provenance import code_digests, environment, roles_of
from fpcore.runs.trial import train_size


class Named(Protocol):
    """A config of any kind: a name, and knobs."""

    @property
    def run_name(self) -> str:
        """The name of its record."""
        ...

    def model_dump(self, *, exclude: set[str] | None = None) -> dict[str, Any]:
        """Return its knobs."""
        ...


def earlier_record(config: Named) -> RunRecord | None:
    """Return the record that already has this run's name, if it is of the same config.

    Raises:
        RecordError: it is of another config, of published figures, or damaged.
    """
    path = record_path(config.run_name)
    if not path.exists():
        return None
    record = load_record(config.run_name)
    own = config.model_dump(exclude={"name"})
    before = RunConfig().model_dump() | record.config  # a knob that is younger had its default
    keys = [k for k in own if k not in before or before[k] != own[k]]
    if record.source != "measured" or keys:
        what = "published figures" if record.source != "measured" else f"another {', '.join(keys)}"
        raise RecordError(
            f"{shown(path)} is the record of {what}; give this run another name, or set force to "
            "replace it."
        )
    return record


def is_current(record: RunRecord, digests: dict[str, str]) -> bool:
    """Say, also to the user, whether a record has these digests of data and code."""
    other = changed(record, digests)
    if other:
        names = ", ".join(in_words(digest) for digest in other)
        print(f"{record.name}: trained again, for what it was made from has changed: {names}.")
        return False
    print(f"{record.name}: same config and digests, so its record is reused.")
    return True


def run(config: RunConfig, *, force: bool = False, share: str = "") -> RunRecord:
    """Train every seed and size of `config`, save the record and return it.

    An earlier record of the same config with the same digests is returned as it is. Where a
    digest has changed, the run says which one and trains again. `force` trains in any case, and
    replaces a record of the same name whatever its config. Runs that are given one name to `share`
    and differ in `max_iter`, or in knobs that phase 1 does not read, alone share phase 1: one that
    is as long or longer goes on where another stopped. A run that was interrupted goes on from its
    checkpoint, and ends with the same record.

    Raises:
        ConfigError: a device that is not there, or a format that it does not multiply.
        CorpusError: texts, tokenizer or embedding cannot be had.
        HeldError: another process works on a run of this name.
        RecordError: the name belongs to another config, or its record is damaged.
        StorageError: a record or checkpoint cannot be written.
        TrainingError: a loss that is not finite.
    """
    with held(config.run_name):
        return _run(config, force, share)


def _run(config: RunConfig, force: bool, share: str) -> RunRecord:
    earlier = None if force else earlier_record(config)
    device = device_of(config.device)
    precision = resolve(config, device)
    data = prepare(config)
    digests = data.digests(config.samples) | code_digests(roles_of(config))
    if earlier is not None and is_current(earlier, digests):
        return earlier
    started = datetime.now(UTC).isoformat(timespec="seconds")
    record = RunRecord(
        name=config.run_name,
        label=config.label,
        config=config.model_dump(),
        digests=digests,
        data=data.splits(),
        results=_train_all(config, data, device, share),
        environment=environment(device, precision.name),
        started=started,
    )
    record.save()
    checkpoint.remove(config.run_name)
    return record


def _train_all(config: RunConfig, data: Data, device: torch.device, share: str) -> list[SizeResult]:
    progress, watch = Progress(), Stopwatch()
    results: list[SizeResult] = []
    for seed, samples in product(config.seeds, config.samples):
        try:
            results.append(_size(config, data, seed, samples, device, progress, share))
        except TrainingError as error:
            kept = f" {len(results)} finished before it are kept." if results else ""
            where = f"{config.run_name}, seed {seed}, size {samples}"
            raise TrainingError(f"{where}: {error}{kept}") from None
    took = clock(watch.seconds())
    progress.finish(f"{config.run_name}: {len(results)} sizes and seeds trained in {took}")
    return results


def _size(
    config: RunConfig,
    data: Data,
    seed: int,
    samples: int,
    device: torch.device,
    progress: Progress,
    share: str,
) -> SizeResult:
    """Train one seed and size, unless an interrupted run has finished it."""
    own = Checkpoint.of(config, data, seed, samples, device)
    finished = own.result()
    if finished is None:
        own.begin()
        finished = train_size(config, data, seed, samples, device, progress, own, share)
        own.finish(finished)
    return finished
