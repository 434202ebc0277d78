"""One run: corpus → tokens → phase 1 → phase 2 → record."""

from datetime import UTC, datetime
from itertools import product

import torch

from fpcore import checkpoint
from fpcore.checkpoint import Checkpoint
from fpcore.config import RunConfig
from fpcore.dataset import Data, prepare
from fpcore.errors import TrainingError
from fpcore.lock import held
from fpcore.precision import choose, resolve
from fpcore.progress import Progress, clock
from fpcore.provenance import code_digests, environment, roles_of
from fpcore.records import RunRecord, SizeResult
from fpcore.reuse import earlier_record, is_current
from fpcore.timing import Stopwatch
from fpcore.trial import train_size


def run(config: RunConfig, *, force: bool = False, share: str = "") -> RunRecord:
    """Train every seed and size of `config`, save the record and return it.

    An earlier record of the same config with the same digests is returned as it is. Where a
    digest has changed, the run says which one and trains again. `force` trains in any case, and
    replaces a record of the same name whatever its config. Runs that are given one name to `share`
    and differ in `max_iter` alone share phase 1: a longer one goes on where a shorter one stopped.
    A run that was interrupted goes on from its checkpoint, and ends with the same record.

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
    device = choose(config.device)
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
