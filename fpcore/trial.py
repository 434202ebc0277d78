"""One seed at one size: phase 1 → contexts → phase 2, measured."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from fpcore import metrics, tokens
from fpcore.baselines import unigram_loss
from fpcore.config import RunConfig
from fpcore.dataset import Data
from fpcore.errors import TrainingError
from fpcore.generators import generator
from fpcore.model import FixedPointModel, Inputs
from fpcore.phase1 import Phase1, sequential_contexts, train_contexts, training_contexts
from fpcore.phase2 import Phase2, Text, train_tokens
from fpcore.precision import resolve
from fpcore.progress import Progress
from fpcore.records import SizeResult
from fpcore.trajectory import Trajectory


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
    first, shared = None, 0
    if config.contexts == "trained":
        path = Trajectory.of(share, config, seed, ids, model.embedding.weight) if share else None
        first, shared = _settle(model, inputs, config, seed, bar, seconds, path)
    contexts, ranks = _training_text(model, inputs, first, config, seed, seconds)
    with _timed(seconds, "contexts", device):
        val, val_contexts = _held_out_text(model, data.val, config)
        dev = _held_out_text(model, data.dev, config)[0] if config.select_on == "dev" else None
    with _timed(seconds, "effective_rank", device):
        ranks |= _effective_rank(val_contexts, config, seed, "val")
    with _timed(seconds, "phase2", device):
        weights, train = model.embedding.weight, Text.of(contexts, inputs, ids)
        second = train_tokens(
            model.token_block, weights, train, val, config, dev, bar.stage("phase 2", config.epochs)
        )
    return SizeResult(
        seed=seed,
        samples=samples,
        train_tokens=len(ids),
        val_tokens=len(data.val.ids),
        val_bytes=data.val.bytes,
        unigram_ppl=metrics.perplexity(unigram_loss(ids.cpu(), data.val.ids, len(data.weights))),
        seconds=seconds,
        shared_iterations=shared,
        **ranks,
        **_settled(first),
        **_learnt(second, data.val.bytes),
    )


def _settle(
    model: FixedPointModel,
    inputs: Inputs,
    config: RunConfig,
    seed: int,
    bar: "_Bar",
    seconds: dict[str, float],
    path: Trajectory | None,
) -> tuple[Phase1, int]:
    """Run phase 1, from where `path` has come to; return its result and the iterations shared."""
    device = inputs.table.device
    start, seconds["phase1"] = (path and path.latest(config.max_iter, device)) or (None, 0.0)
    shared = start.iterations if start else 0
    left = config.max_iter - max(1, shared)
    with _timed(seconds, "phase1", device), _fits(len(inputs.index), device):
        first = train_contexts(
            model.context_block, inputs, config, seed, bar.stage("phase 1", left), start
        )
    if path and first.iterations > shared:
        path.keep(first, seconds["phase1"])
    return first, shared


def _training_text(
    model: FixedPointModel,
    inputs: Inputs,
    first: Phase1 | None,
    config: RunConfig,
    seed: int,
    seconds: dict[str, float],
) -> tuple[list[Tensor], dict[str, Any]]:
    """Return the training text's contexts for phase 2, and their effective rank.

    The rank is that of phase 1's last contexts, noise included, which the pass for phase 2
    overwrites; controls have no phase 1, and one kind of contexts.
    """
    device = inputs.table.device
    contexts: list[Tensor] = []
    with _timed(seconds, "contexts", device):
        if first is None:
            contexts = _sequential(model, inputs, config)
    with _timed(seconds, "effective_rank", device):
        last = first.contexts if first else contexts[-1]
        ranks = _effective_rank(last, config, seed, "train")
    with _timed(seconds, "contexts", device):
        if first is not None:
            product = resolve(config, device).product
            contexts = training_contexts(model.context_block, first.contexts, inputs, product)
    return contexts, ranks


def _sequential(model: FixedPointModel, inputs: Inputs, config: RunConfig) -> list[Tensor]:
    """Return the contexts of every layer by the true recurrence, each [N, D]; or zeros."""
    if config.contexts != "zero":
        return sequential_contexts(model.context_block, inputs)
    zeros = inputs.table.new_zeros(len(inputs.index), config.context_dim)
    return [zeros] * config.layers


def _settled(first: Phase1 | None) -> dict[str, Any]:
    """Return what phase 1 says about itself, as fields of SizeResult."""
    if first is None:
        return {}
    return {
        "phase1_iterations": first.iterations,
        "convergence_rate": first.trace[-1]["convergence_rate"],
        "phase1": _columns(first.trace),
    }


def _learnt(second: Phase2, val_bytes: int) -> dict[str, Any]:
    """Return what phase 2 says about itself, as fields of SizeResult."""
    return {
        "train_ppl": metrics.perplexity(second.train_loss),
        "val_ppl": metrics.perplexity(second.val.loss),
        "val_acc": second.val.accuracy,
        "bits_per_byte": metrics.bits_per_byte(sum(second.val.loss_sums), val_bytes),
        "best_epoch": second.best_epoch,
        "epochs_run": len(second.trace),
        "val_loss_sums": second.val.loss_sums,
        "val_token_counts": second.val.token_counts,
        "phase2": _columns(second.trace),
    }


def _held_out_text(
    model: FixedPointModel, held_out: tokens.HeldOut, config: RunConfig
) -> tuple[Text, Tensor]:
    """Return a held-out text with its sequential contexts, and the last layer's of all tokens."""
    ids = held_out.ids.to(model.embedding.weight.device)
    inputs = model.inputs(ids)
    contexts = _sequential(model, inputs, config)
    return Text.of(contexts, inputs, ids, held_out.conversation.to(ids.device)), contexts[-1]


def _effective_rank(
    contexts: Tensor, config: RunConfig, seed: int, split: str
) -> dict[str, float | int]:
    """Return the effective rank as a share of D, and the rows it was measured on, as fields.

    Zero contexts have no spectrum, so no rank.
    """
    if config.contexts == "zero":
        return {}
    if not math.isfinite(metrics.largest(contexts)):
        raise TrainingError(
            f"Phase 1 ended with contexts that are not finite; a phase1_lr below "
            f"{config.phase1_lr} may help."
        )
    total = len(contexts)
    count = min(config.er_rows or total, total)
    order = torch.randperm(total, generator=generator(seed, "effective rank", split))
    rows = contexts if count == total else contexts[order[:count].to(contexts.device)]
    share = metrics.effective_rank(rows) / config.context_dim
    return {f"{split}_er": share, f"{split}_er_rows": count}


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
