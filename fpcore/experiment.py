"""One run: corpus → tokens → phase 1 → phase 2 → record."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from fpcore import metrics, tokens
from fpcore.baselines import unigram_loss
from fpcore.config import RunConfig
from fpcore.dataset import Data, prepare
from fpcore.errors import ConfigError, RecordError, TrainingError
from fpcore.generators import generator
from fpcore.model import FixedPointModel
from fpcore.paths import shown
from fpcore.phase1 import Phase1, sequential_contexts, train_contexts, training_contexts
from fpcore.phase2 import Phase2, Text, train_tokens
from fpcore.precision import resolve
from fpcore.progress import Progress, clock
from fpcore.provenance import code_digests, environment
from fpcore.records import RunRecord, SizeResult, load_record, record_path
from fpcore.trajectory import Trajectory


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


def train_size(
    config: RunConfig,
    data: Data,
    seed: int,
    samples: int,
    device: torch.device,
    progress: Progress,
    share: str = "",
) -> SizeResult:
    """Train both phases on the first `samples` conversations and measure them."""
    ids = data.training_ids(samples).to(device)
    model = FixedPointModel(data.weights, config, seed).to(device)
    inputs = model.inputs(ids)
    bar = _Bar(progress, f"{config.run_name} seed {seed} size {samples}")
    seconds: dict[str, float] = {}
    path = Trajectory.of(share, config, seed, ids, model.embedding.weight) if share else None
    start, seconds["phase1"] = (path and path.latest(config.max_iter, device)) or (None, 0.0)
    shared = start.iterations if start else 0
    left = config.max_iter - max(1, shared)
    with _timed(seconds, "phase1", device), _fits(len(ids), device):
        first = train_contexts(
            model.context_block, inputs, config, seed, bar.stage("phase 1", left), start
        )
    if path and first.iterations > shared:
        path.keep(first, seconds["phase1"])
    with _timed(seconds, "effective_rank", device):
        train_er, train_rows = _effective_rank(first.contexts, config, seed, "train")
    with _timed(seconds, "contexts", device):
        product = resolve(config, device).product
        contexts = training_contexts(model.context_block, first.contexts, inputs, product)
        train = Text.of(contexts, inputs, ids)
        val, val_contexts = _held_out_text(model, data.val, device)
        dev = _held_out_text(model, data.dev, device)[0] if config.select_on == "dev" else None
    with _timed(seconds, "effective_rank", device):
        val_er, val_rows = _effective_rank(val_contexts, config, seed, "val")
    with _timed(seconds, "phase2", device):
        weights = model.embedding.weight
        second = train_tokens(
            model.token_block, weights, train, val, config, dev, bar.stage("phase 2", config.epochs)
        )
    return SizeResult(
        seed=seed,
        samples=samples,
        train_tokens=len(ids),
        val_tokens=len(data.val.ids),
        val_bytes=data.val.bytes,
        train_er=train_er,
        val_er=val_er,
        train_er_rows=train_rows,
        val_er_rows=val_rows,
        unigram_ppl=metrics.perplexity(unigram_loss(ids.cpu(), data.val.ids, len(data.weights))),
        seconds=seconds,
        shared_iterations=shared,
        **_outcome(first, second, data.val.bytes),
    )


def _outcome(first: Phase1, second: Phase2, val_bytes: int) -> dict[str, Any]:
    """Return what the two trainers say about themselves, as fields of SizeResult."""
    return {
        "phase1_iterations": first.iterations,
        "convergence_rate": first.trace[-1]["convergence_rate"],
        "train_ppl": metrics.perplexity(second.train_loss),
        "val_ppl": metrics.perplexity(second.val.loss),
        "val_acc": second.val.accuracy,
        "bits_per_byte": metrics.bits_per_byte(sum(second.val.loss_sums), val_bytes),
        "best_epoch": second.best_epoch,
        "epochs_run": len(second.trace),
        "val_loss_sums": second.val.loss_sums,
        "val_token_counts": second.val.token_counts,
        "phase1": _columns(first.trace),
        "phase2": _columns(second.trace),
    }


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


def _held_out_text(
    model: FixedPointModel, held_out: tokens.HeldOut, device: torch.device
) -> tuple[Text, Tensor]:
    """Return a held-out text with its sequential contexts, and the last layer's of all tokens."""
    ids = held_out.ids.to(device)
    inputs = model.inputs(ids)
    contexts = sequential_contexts(model.context_block, inputs)
    return Text.of(contexts, inputs, ids, held_out.conversation.to(device)), contexts[-1]


def _effective_rank(
    contexts: Tensor, config: RunConfig, seed: int, split: str
) -> tuple[float, int]:
    """Return the effective rank as a share of D, and the rows it was measured on."""
    if not math.isfinite(metrics.largest(contexts)):
        raise TrainingError(
            f"Phase 1 ended with contexts that are not finite; a phase1_lr below "
            f"{config.phase1_lr} may help."
        )
    total = len(contexts)
    count = min(config.er_rows or total, total)
    order = torch.randperm(total, generator=generator(seed, "effective rank", split))
    rows = contexts if count == total else contexts[order[:count].to(contexts.device)]
    return metrics.effective_rank(rows) / config.context_dim, count


def _changed(old: dict[str, str], new: dict[str, str]) -> str:
    return ", ".join(key for key in {**old, **new} if old.get(key) != new.get(key))


def _earlier(config: RunConfig) -> RunRecord | None:
    """Return the record that already has this run's name, if it is of the same config."""
    path = record_path(config.run_name)
    if not path.exists():
        return None
    record = load_record(config.run_name)
    own = config.model_dump(exclude={"name"})
    keys = [k for k in own if record.config.get(k) != own[k]]
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


def _columns(trace: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {key: [row[key] for row in trace] for key in trace[0]}


@contextmanager
def _fits(tokens: int, device: torch.device) -> Iterator[None]:
    """Name what to lower where phase 1 does not fit; its chunks are part of the loss."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise TrainingError(
            f"Phase 1 on {tokens} tokens does not fit into the memory of {device}; set "
            "bfloat16_contexts to true, or lower samples, context_dim or phase1_batch (the last is "
            "part of the loss)."
        ) from None


@contextmanager
def _timed(seconds: dict[str, float], stage: str, device: torch.device) -> Iterator[None]:
    start = time.perf_counter()
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds[stage] = round(seconds.get(stage, 0) + time.perf_counter() - start, 3)


class _Bar:
    """Turns trace rows into a bar with the time left in the stage."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress, self._title = progress, title

    def stage(self, name: str, total: int) -> Any:
        """Return a callback that counts rows of a stage."""
        start, done = time.monotonic(), [0]

        def on_row(row: dict[str, Any]) -> None:
            done[0] += 1
            prefix, elapsed = f"{self._title} {name}", time.monotonic() - start
            meter = tqdm.format_meter(done[0], total, elapsed, prefix=prefix, ncols=100)
            self._progress.update(meter)

        return on_row
