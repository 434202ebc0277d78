"""One seed at one size: phase 1 → contexts → phase 2, measured."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from fpcore.config.run_config import RunConfig
from fpcore.data import tokens
from fpcore.data.dataset import Data
from fpcore.errors import TrainingError
from fpcore.model.blocks import FixedPointModel, Inputs
from fpcore.model.precision import resolve
from fpcore.records.record import SizeResult, columns
from fpcore.runs.checkpoint import Checkpoint, Reached, Trajectory
from fpcore.runs.progress import Bar, Progress, Stopwatch, timed
from fpcore.runs.states import Keeper
from fpcore.stats import metrics
from fpcore.stats.draws import generator
from fpcore.stats.metrics import unigram_loss
from fpcore.trainers.contexts import sequential_contexts, training_contexts
from fpcore.trainers.phase1 import Phase1, train_contexts
from fpcore.trainers.phase2 import Phase2, Standing, Text, train_tokens

NOTHING: tuple[Phase1 | None, float, int] = (None, 0.0, 0)


def train_size(
    config: RunConfig,
    data: Data,
    seed: int,
    samples: int,
    device: torch.device,
    progress: Progress,
    checkpoint: Checkpoint,
    share: str = "",
) -> SizeResult:
    """Train both phases on the first `samples` conversations and measure them.

    An interrupted training goes on from the states in `checkpoint`, and leaves its own there.
    """
    ids = data.training_ids(samples).to(device)
    model = FixedPointModel(data.weights, config, seed).to(device)
    inputs = model.inputs(ids)
    bar = Bar(progress, f"{config.run_name} seed {seed} size {samples}")
    seconds: dict[str, float] = {}
    first, shared = None, 0
    if config.contexts == "trained":
        path = Trajectory.of(share, config, seed, ids, model.embedding.weight) if share else None
        first, shared = _settle(model, inputs, config, seed, bar, seconds, path, checkpoint)
    contexts, ranks = _training_text(model, inputs, first, config, seed, seconds)
    with timed(seconds, "contexts", device):
        val, val_contexts = _held_out_text(model, data.val, config)
        dev = _held_out_text(model, data.dev, config)[0] if config.select_on == "dev" else None
    with timed(seconds, "effective_rank", device):
        ranks |= _effective_rank(val_contexts, config, seed, "val")
    train = Text.of(contexts, inputs, ids)
    second = _learn(model, train, val, dev, config, bar, seconds, checkpoint)
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
    bar: Bar,
    seconds: dict[str, float],
    path: Trajectory | None,
    checkpoint: Checkpoint,
) -> tuple[Phase1, int]:
    """Run phase 1 from where it has come to; return its result and the iterations shared."""
    device = inputs.table.device
    reached = _furthest(config, device, path, checkpoint)
    start, before, shared = (reached.state, reached.seconds, reached.shared) if reached else NOTHING
    seconds["phase1"], watch = before, Stopwatch(before)
    keep: Keeper[Phase1] = Keeper(
        lambda state: checkpoint.keep_phase1(Reached(state, watch.seconds(), shared))
    )
    on_iteration = bar.stage("phase 1", config.max_iter - (start.iterations if start else 1))
    with timed(seconds, "phase1", device), _fits(len(inputs.index), device):
        first = train_contexts(model.context_block, inputs, config, seed, on_iteration, start, keep)
    if path and first.iterations > shared:
        path.keep(Reached(first, seconds["phase1"]))
    return first, shared


def _furthest(
    config: RunConfig, device: torch.device, path: Trajectory | None, checkpoint: Checkpoint
) -> Reached | None:
    """Return the furthest state of phase 1: the run's own, or the one that a shorter run left."""
    found = [checkpoint.phase1(device), path and path.latest(config.max_iter, device)]
    known = [reached for reached in found if reached]
    return max(known, key=lambda reached: reached.state.iterations, default=None)


def _learn(
    model: FixedPointModel,
    train: Text,
    val: Text,
    dev: Text | None,
    config: RunConfig,
    bar: Bar,
    seconds: dict[str, float],
    checkpoint: Checkpoint,
) -> Phase2:
    """Run phase 2 from where it has come to."""
    weights = model.embedding.weight
    start, before = checkpoint.phase2(weights.device) or (Standing(), 0.0)
    seconds["phase2"], watch = before, Stopwatch(before)
    keep: Keeper[Standing] = Keeper(
        lambda standing: checkpoint.keep_phase2(standing, watch.seconds())
    )
    on_epoch = bar.stage("phase 2", config.epochs - len(start.trace))
    with timed(seconds, "phase2", weights.device):
        return train_tokens(
            model.token_block, weights, train, val, config, dev, on_epoch, start, keep
        )


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
    with timed(seconds, "contexts", device):
        if first is None:
            contexts = _sequential(model, inputs, config)
    with timed(seconds, "effective_rank", device):
        last = first.contexts if first else contexts[-1]
        ranks = _effective_rank(last, config, seed, "train")
    with timed(seconds, "contexts", device):
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
        "phase1": columns(first.trace),
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
        "phase2": columns(second.trace),
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
