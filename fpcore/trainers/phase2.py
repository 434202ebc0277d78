"""Phase 2: train the TokenBlock on frozen contexts to predict the next token (spec section 3)."""

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from fpcore.config.run_config import RunConfig
from fpcore.errors import TrainingError
from fpcore.model.blocks import TokenBlock
from fpcore.model.head import Head
from fpcore.model.optimiser import Optimiser, clip, flat_gradient
from fpcore.model.precision import resolve, rounded_products
from fpcore.model.tuning import pieces
from fpcore.stats.metrics import perplexity
from fpcore.trainers.hooks import SILENT, Hooks, Row
from fpcore.trainers.texts import Evaluation, Text, Texts

GRADIENT_CLIP = 1.0  # the largest gradient norm in phase 2; the knob is phase 1's


@dataclass
class Phase2Result:
    """The evaluation of validation in the best epoch, and one trace row per epoch.

    A row has `epoch`, `train_loss` (each batch before its update), and loss and accuracy of the
    text that selects, `dev_loss` and `dev_acc`, or `val_loss` and `val_acc`; losses are means in
    nats.
    """

    best_epoch: int
    val: Evaluation
    trace: list[Row]

    @property
    def train_loss(self) -> float:
        """The training loss of the best epoch."""
        return float(self.trace[self.best_epoch - 1]["train_loss"])

    @property
    def selecting_loss(self) -> float:
        """The loss by which the best epoch was chosen."""
        best = self.trace[self.best_epoch - 1]
        return float(best["dev_loss"] if "dev_loss" in best else best["val_loss"])


@dataclass
class Phase2State:
    """Where phase 2 stands: before token `position` of `epoch`, both counted from where it begins.

    `loss_sum` are the nats of this epoch's tokens so far, `trace` and `best_epoch` what the epochs
    before gave (0 before the first is done), `tensors` the block's parameters and Adam's moments,
    by name, and `best` the parameters after the best epoch.
    """

    epoch: int = 1
    position: int = 0
    loss_sum: float = 0.0
    trace: list[Row] = field(default_factory=list)
    best_epoch: int = 0
    tensors: dict[str, Tensor] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)


@torch.no_grad()
def train_tokens(
    block: TokenBlock,
    weights: Tensor,
    texts: Texts[Text, Text],
    config: RunConfig,
    start: Phase2State | None = None,
    hooks: Hooks[Phase2State] = SILENT,
) -> Phase2Result:
    """Train `block`, and return what its best epoch gives: the least loss, the first of equals.

    The block is left as it was after that epoch. `weights` is the head W_e, [V, E]. Where
    development selects, validation is read once, in the end. `start` is where an interrupted
    training of the same stood; training continues from it. `hooks` are called with the row of every
    epoch, and with the state after every batch.

    Raises:
        TrainingError: a loss that is not finite, with the epoch.
    """
    product = resolve(config, weights.device).product
    with rounded_products(product):
        head = Head(weights, product, block.bias)
        trainer = Trainer(block, head, texts, config, start or Phase2State())
        while not trainer.done():
            hooks.on_row(trainer.epoch(hooks))
        return trainer.result()


class Trainer:
    """Trains the block an epoch at a time, and keeps the best of them."""

    def __init__(
        self,
        block: TokenBlock,
        head: Head,
        texts: Texts[Text, Text],
        config: RunConfig,
        state: Phase2State,
    ) -> None:
        self._block, self._head, self._texts, self._config = block, head, texts, config
        self._optimiser = Optimiser(block, one_rate(config))
        self._optimiser.restore(state.tensors)
        self._gradient = flat_gradient(block)
        self._now = state
        self._total = self._gradient.new_zeros((), dtype=torch.float64)

    def done(self) -> bool:
        """Whether the epochs have run out, or none has been better for `patience` epochs."""
        now, config = self._now, self._config
        late = now.best_epoch > 0 and len(now.trace) - now.best_epoch >= config.patience
        return now.epoch > config.epochs or late

    def result(self) -> Phase2Result:
        """Return to the best epoch, and evaluate it."""
        for name, parameter in self._block.named_parameters():
            parameter.copy_(self._now.best[name])
        val = evaluate(self._block, self._head, self._texts.val)
        return Phase2Result(self._now.best_epoch, val, self._now.trace)

    def epoch(self, hooks: Hooks[Phase2State]) -> Row:
        """Run the rest of an epoch, evaluate it, and return its row of the trace."""
        now, texts = self._now, self._texts
        train_loss = self._train(hooks)
        split, text = ("val", texts.val) if texts.dev is None else ("dev", texts.dev)
        found = evaluate(self._block, self._head, text)
        row: Row = {"epoch": now.epoch, "train_loss": train_loss}
        row |= {f"{split}_loss": found.loss, f"{split}_acc": found.accuracy}
        _check_finite(row, len(texts.train.targets), self._config)
        now.trace.append(row)
        if not now.best_epoch or found.loss < now.trace[now.best_epoch - 1][f"{split}_loss"]:
            parameters = self._block.named_parameters()
            now.best_epoch, now.best = now.epoch, {name: p.clone() for name, p in parameters}
        now.epoch, now.position, now.loss_sum = now.epoch + 1, 0, 0.0
        return row

    # What a batch makes never meets autograd, which PyTorch otherwise provides for at every
    # operation. What stays (parameters, moments, the best of them) is made outside.
    @torch.inference_mode()
    def _train(self, hooks: Hooks[Phase2State]) -> float:
        """Run the rest of an epoch in text order; return its mean loss before the updates."""
        text, now = self._texts.train, self._now
        self._total.fill_(now.loss_sum)
        for part in pieces(len(text.targets), self._config.phase2_batch):
            if part.start < now.position:
                continue
            self._total += self._step(text, part) * (part.stop - part.start)
            now.position = part.stop
            hooks.keep(self._standing)
        return float(self._total) / len(text.targets)

    def _step(self, text: Text, part: slice) -> Tensor:
        """Take one step on a batch; return its mean loss before the step."""
        h, saved = self._block.step(*text.rows(part))
        loss, slope = self._head.cross_entropy(h, text.targets[part])
        self._block.backward(saved, slope)
        clip(self._gradient, GRADIENT_CLIP)
        self._optimiser.step()
        return loss

    def _standing(self) -> Phase2State:
        """Return where phase 2 stands, complete."""
        tensors = self._optimiser.tensors()
        return replace(self._now, loss_sum=float(self._total), tensors=tensors)


@torch.no_grad()
def evaluate(block: TokenBlock, head: Head, text: Text) -> Evaluation:
    """Return loss and accuracy of next-token prediction on a text, forward only."""
    losses, hits = [], []
    for part in head.tiles(len(text.targets)):
        h, _ = block.step(*text.rows(part))
        loss, likeliest = head.predict(h, text.targets[part])
        losses.append(loss)
        hits.append(likeliest == text.targets[part])
    return Evaluation.of(torch.cat(losses), torch.cat(hits), text.group)


def _check_finite(row: Row, tokens: int, config: RunConfig) -> None:
    if not all(math.isfinite(perplexity(v)) for k, v in row.items() if k.endswith("loss")):
        raise TrainingError(
            f"Phase 2 on {tokens} tokens met a loss that is not finite in epoch {row['epoch']}; "
            f"a phase2_lr below {one_rate(config)} may help."
        )


def one_rate(config: RunConfig) -> float:
    """Return the learning rate of a config that gives one.

    Raises:
        ValueError: it gives several, of which the caller has to choose.
    """
    (rate,) = config.rates
    return rate
