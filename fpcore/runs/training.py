"""One trial at work: phase 1 → contexts → phase 2, measured."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fpcore.data import tokens
from fpcore.errors import TrainingError
from fpcore.model import fused
from fpcore.model.blocks import FixedPointModel, Inputs
from fpcore.records.record import columns
from fpcore.records.result import SizeResult
from fpcore.runs.checkpoint import Checkpoint, Reached, Trajectory
from fpcore.runs.progress import Bar, Progress, Stopwatch, timed
from fpcore.runs.ranks import effective_rank
from fpcore.runs.states import Keeper
from fpcore.runs.trial import Trial
from fpcore.stats import metrics
from fpcore.stats.metrics import unigram_logs, unigram_loss
from fpcore.trainers.contexts import sequential_contexts, training_contexts
from fpcore.trainers.hooks import Hooks, Row
from fpcore.trainers.phase1 import Phase1State, train_contexts
from fpcore.trainers.phase2 import Phase2Result, Phase2State, train_tokens
from fpcore.trainers.texts import Text, Texts

OnRow = Callable[[Row], None]

# What a stage is called, and what to lower where the memory of the device is too small for it.
STAGES = {
    "phase1": (
        "Phase 1",
        "set bfloat16_contexts to true, or lower samples, context_dim or phase1_batch (the last is "
        "part of the loss)",
    ),
    "contexts": (
        "The pass that makes contexts",
        "set bfloat16_contexts to true, or lower samples, val_samples, context_dim or layers",
    ),
    "effective_rank": ("Effective rank", "lower er_rows, samples or context_dim"),
    "phase2": ("Phase 2", "lower phase2_batch, samples or context_dim"),
}


class Training:
    """A trial at work: the model, its training text, and what was measured so far.

    `model` is trained once there is a result; its token block is that of the best epoch.
    An interrupted training goes on from the states of its checkpoint, and leaves its own there.
    `share` names what runs share their phase 1 under (`Trajectory`). One that is not `resumable`
    stores nothing and goes on from nothing, as its times would count what was done before.
    """

    def __init__(
        self, trial: Trial, progress: Progress, share: str = "", resumable: bool = True
    ) -> None:
        self.trial, self._config = trial, trial.config
        self._checkpoint = Checkpoint(trial) if resumable else None
        shared = share and trial.config.contexts == "trained"
        self._path = Trajectory(trial, share) if shared else None
        self.model = FixedPointModel(trial.data.weights, trial.config, trial.seed).to(trial.device)
        self._inputs = self.model.inputs(trial.ids)
        self._bar = Bar(progress, trial.title)
        self._seconds: dict[str, float] = {}
        self._shared = 0

    def result(self) -> SizeResult:
        """Train both phases, measure them, and return the result.

        Raises:
            StorageError: a state cannot be stored.
            TrainingError: a loss that is not finite, or no room in the memory of the device.
        """
        trial, data = self.trial, self.trial.data
        first = self._settle() if self._config.contexts == "trained" else None
        contexts, ranks = self._contexts(first)
        val, val_contexts = self._held_out(data.val)
        dev = self._held_out(data.dev)[0] if self._config.select_on == "dev" else None
        ranks |= self._effective_rank(val_contexts, "val")
        with self._timed("contexts"):
            train = Text.of(contexts, self._inputs, trial.ids)
        second = self._learn(Texts(train, val, dev))
        unigram = unigram_loss(trial.ids.cpu(), data.val.ids, len(data.weights))
        return SizeResult(
            seed=trial.seed,
            samples=trial.samples,
            train_tokens=len(trial.ids),
            val_tokens=len(data.val.ids),
            val_bytes=data.val.bytes,
            unigram_ppl=metrics.perplexity(unigram),
            seconds=self._seconds,
            shared_iterations=self._shared,
            **ranks,
            **_settled(first),
            **self._chosen(second),
        )

    def _settle(self) -> Phase1State:
        """Run phase 1 from where it has come to."""
        trial, config = self.trial, self._config
        reached = self._furthest()
        start, before = (reached.state, reached.seconds) if reached else (None, 0.0)
        self._shared = reached.shared if reached else 0
        self._seconds["phase1"], watch = before, Stopwatch(before)
        on_row = self._bar.stage("phase 1", config.max_iter - (start.iterations if start else 1))
        hooks, block = self._first_hooks(on_row, watch), self.model.context_block
        with self._timed("phase1"):
            first = train_contexts(block, self._inputs, config, trial.seed, start, hooks)
        if self._path and first.iterations > self._shared:
            self._path.keep(Reached(first, self._seconds["phase1"]))
        return first

    def _furthest(self) -> Reached[Phase1State] | None:
        """Return the furthest state of phase 1: its own, or the one that a shorter run left."""
        left = self._path and self._path.latest(self._config.max_iter)
        own = self._checkpoint and self._checkpoint.phase1()
        known = [reached for reached in (own, left) if reached]
        return max(known, key=lambda reached: reached.state.iterations, default=None)

    def _contexts(self, first: Phase1State | None) -> tuple[list[Tensor], dict[str, Any]]:
        """Return the training text's contexts for phase 2 [L][N, D], and their effective rank.

        Phase 1's last contexts include noise, and the pass for phase 2 overwrites them; controls
        have no phase 1, and one kind of contexts.
        """
        if first is None:
            with self._timed("contexts"):
                contexts = self._sequential(self._inputs)
            return contexts, self._effective_rank(contexts[-1], "train")
        ranks, block = self._effective_rank(first.contexts, "train"), self.model.context_block
        product, P = self.trial.precision.product, first.contexts
        with self._timed("contexts"):
            contexts = training_contexts(block, P, self._inputs, product, out=P)
        clean = self._effective_rank(contexts[-1], "train")
        return contexts, ranks | {"train_er_clean": clean["train_er"]}

    def _held_out(self, held_out: tokens.HeldOut) -> tuple[Text, Tensor]:
        """Return a held-out text, and the last layer's sequential contexts of all its tokens."""
        device = self.trial.device
        with self._timed("contexts"):
            ids = held_out.ids.to(device)
            inputs = self.model.inputs(ids)
            contexts = self._sequential(inputs)
            text = Text.of(contexts, inputs, ids, held_out.conversation)
        return text, contexts[-1]

    def _sequential(self, inputs: Inputs) -> list[Tensor]:
        """Return the contexts of every layer by the true recurrence, each [N, D]; or zeros."""
        if self._config.contexts != "zero":
            return sequential_contexts(self.model.context_block, inputs)
        zeros = inputs.table.new_zeros(len(inputs.index), self._config.context_dim)
        return [zeros] * self._config.layers

    def _effective_rank(self, contexts: Tensor, split: str) -> dict[str, float | int]:
        with self._timed("effective_rank"):
            return effective_rank(contexts, self._config, self.trial.seed, split)

    def _learn(self, texts: Texts[Text, Text]) -> dict[float, Phase2Result]:
        """Run phase 2 with every learning rate, each from the same weights; one may diverge.

        The block is left as the best rate made it.
        """
        block, trial = self.model.token_block, self.trial
        if block.bias is not None:
            block.bias.data.copy_(unigram_logs(trial.ids.cpu(), len(trial.data.weights)))
        drawn = copy.deepcopy(block.state_dict())
        found: dict[float, Phase2Result] = {}
        learnt: dict[float, dict[str, Tensor]] = {}
        for rate in trial.rates:
            block.load_state_dict(drawn)
            try:
                found[rate] = self._learn_at(rate, texts)
                learnt[rate] = copy.deepcopy(block.state_dict())
            except TrainingError:
                if not found and rate == trial.rates[-1]:
                    raise
        block.load_state_dict(learnt[_best(found)])
        return found

    def _learn_at(self, rate: float, texts: Texts[Text, Text]) -> Phase2Result:
        """Run phase 2 with a learning rate, from where it has come to."""
        config = self._config.model_copy(update={"phase2_lr": rate})
        kept = self._checkpoint and self._checkpoint.phase2(rate)
        reached = kept or Reached(Phase2State())
        before, watch = self._seconds.get("phase2", 0.0), Stopwatch(reached.seconds)
        self._seconds["phase2"] = before + reached.seconds
        on_row = self._bar.stage("phase 2", config.epochs - len(reached.state.trace))
        hooks = self._second_hooks(rate, on_row, watch)
        weights, block = self.model.embedding.weight, self.model.token_block
        with self._timed("phase2"):
            return train_tokens(block, weights, texts, config, reached.state, hooks)

    def _chosen(self, found: dict[float, Phase2Result]) -> dict[str, Any]:
        """Return what the best learning rate gave, as fields of SizeResult."""
        losses, best = {rate: one.selecting_loss for rate, one in found.items()}, _best(found)
        learnt = _learnt(found[best], self.trial.data.val.bytes)
        if len(self._config.rates) > 1:
            learnt["chosen"] = best
        if len(self.trial.rates) > 1:
            learnt["candidates"] = {str(rate): loss for rate, loss in losses.items()}
        return learnt

    def _first_hooks(self, on_row: OnRow, watch: Stopwatch) -> Hooks[Phase1State]:
        """Return the hooks of phase 1, which store its states where the training is resumable."""
        if not self._checkpoint:
            return Hooks(on_row)
        store, formats = self._checkpoint.keep_phase1, self.trial.precision
        size = len(self.trial.ids) * self._config.context_dim * formats.contexts.itemsize
        keep: Keeper[Phase1State] = Keeper(
            lambda state: store(Reached(state, watch.seconds(), self._shared)),
            size + _bytes(self.model.context_block),
        )
        return Hooks(on_row, keep)

    def _second_hooks(self, rate: float, on_row: OnRow, watch: Stopwatch) -> Hooks[Phase2State]:
        """Return the hooks of phase 2 at a learning rate, as `_first_hooks`."""
        if not self._checkpoint:
            return Hooks(on_row)
        store, size = self._checkpoint.keep_phase2, _bytes(self.model.token_block)
        keep: Keeper[Phase2State] = Keeper(
            lambda state: store(rate, Reached(state, watch.seconds())), size
        )
        return Hooks(on_row, keep)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        before = fused.spent()
        with _fits(stage, self.trial), timed(self._seconds, stage, self.trial.device):
            yield
        if compiling := round(fused.spent() - before, 3):  # counted apart
            self._seconds[stage] = round(self._seconds[stage] - compiling, 3)
            self._seconds["compiling"] = self._seconds.get("compiling", 0.0) + compiling


def _best(found: dict[float, Phase2Result]) -> float:
    """Return the learning rate of the least selecting loss, the first of equals."""
    return min(found, key=lambda rate: found[rate].selecting_loss)


def _settled(first: Phase1State | None) -> dict[str, Any]:
    """Return what phase 1 says about itself, as fields of SizeResult."""
    if first is None:
        return {}
    return {
        "phase1_iterations": first.iterations,
        "convergence_rate": first.trace[-1]["convergence_rate"],
        "phase1": columns(first.trace),
    }


def _learnt(second: Phase2Result, val_bytes: int) -> dict[str, Any]:
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


def _bytes(block: nn.Module) -> int:
    """Return the bytes of a block's parameters and of Adam's two moments."""
    return 3 * sum(p.numel() * p.element_size() for p in block.parameters())


@contextmanager
def _fits(stage: str, trial: Trial) -> Iterator[None]:
    """Name what to lower where a stage does not fit into the memory of the device.

    Raises:
        TrainingError: in place of the error that PyTorch raises.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        title, advice = STAGES[stage]
        raise TrainingError(
            f"{title} on {len(trial.ids)} tokens does not fit into the memory of {trial.device}; "
            f"{advice}."
        ) from None
