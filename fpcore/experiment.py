"""One run: corpus → tokens → phase 1 → phase 2 → record."""

import time
from datetime import UTC, datetime

import torch

from fpcore.config import RunConfig
from fpcore.dataset import Data, prepare
from fpcore.errors import ConfigError, RecordError
from fpcore.paths import shown
from fpcore.precision import resolve
from fpcore.progress import Progress, clock
from fpcore.provenance import code_digests, environment
from fpcore.records import RunRecord, SizeResult, load_record, record_path
from fpcore.trial import train_size


def run(config: RunConfig, *, force: bool = False, share: str = "") -> RunRecord:
    """Train every seed and size of `config`, save the record and return it.

    An earlier record of the same config with the same digests is returned as it is. Where a
    digest has changed, the run says which one and trains again. `force` trains in any case, and
    replaces a record of the same name whatever its config. Runs that are given one name to `share`
    and differ in `max_iter` alone share phase 1: a longer one goes on where a shorter one stopped.

    Raises:
        ConfigError: a device that is not there, or a format that it does not multiply.
        CorpusError: texts, tokenizer or embedding cannot be had.
        RecordError: the name belongs to another config, or its record is damaged.
        TrainingError: a loss that is not finite.
    """
    earlier = None if force else _earlier(config)
    device = _device(config.device)
    precision = resolve(config, device)
    data = prepare(config)
    digests = data.digests(config.samples) | code_digests()
    if earlier is not None:
        changed = _changed(earlier.digests, digests)
        if not changed:
            print(f"{earlier.name}: same config and digests, so its record is reused.")
            return earlier
        print(f"{earlier.name}: trained again, for these digests have changed: {changed}.")
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
    return record


def _train_all(config: RunConfig, data: Data, device: torch.device, share: str) -> list[SizeResult]:
    progress, start = Progress(), time.monotonic()
    results = [
        train_size(config, data, seed, samples, device, progress, share)
        for seed in config.seeds
        for samples in config.samples
    ]
    took = clock(time.monotonic() - start)
    progress.finish(f"{config.run_name}: {len(results)} sizes and seeds trained in {took}")
    return results


def _changed(old: dict[str, str], new: dict[str, str]) -> str:
    return ", ".join(key for key in {**old, **new} if old.get(key) != new.get(key))


def _earlier(config: RunConfig) -> RunRecord | None:
    """Return the record that already has this run's name, if it is of the same config."""
    path = record_path(config.run_name)
    if not path.exists():
        return None
    record = load_record(config.run_name)
    own = config.model_dump(exclude={"name"})
    before = RunConfig().model_dump() | record.config  # a knob that is younger had its default
    keys = [k for k in own if before[k] != own[k]]
    if record.source != "measured" or keys:
        what = "published figures" if record.source != "measured" else f"another {', '.join(keys)}"
        raise RecordError(
            f"{shown(path)} is the record of {what}; give this run another name, or set force to "
            "replace it."
        )
    return record


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device {name} is not on this machine; use auto or cpu.")
    return device
