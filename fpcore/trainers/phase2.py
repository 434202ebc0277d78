"""Phase 2: train the TokenBlock on frozen contexts to predict the next token (spec section 3)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fpcore.config.run_config import RunConfig
from fpcore.errors import TrainingError
from fpcore.model import optimiser
from fpcore.model.blocks import Inputs, TokenBlock
from fpcore.model.head import ROWS, Head, pieces
from fpcore.model.optimiser import clip, flat_gradient
from fpcore.model.precision import resolve, rounded_products
from fpcore.stats.metrics import perplexity

GRADIENT_CLIP = 1.0  # of phase 2; the knob `gradient_clip` is phase 1's


@dataclass(frozen=True)
class Text:
    """A text as phase 2 reads it: the N - 1 positions that have a next token.

    `contexts` [L][N-1, D], `inputs` of N - 1 positions, `targets` [N-1], and for held-out texts
    `group` [N-1], the number of the conversation that each target is in.
    """

    contexts: list[Tensor]
    inputs: Inputs
    targets: Tensor
    group: Tensor | None = None

    @classmethod
    def of(
        cls, contexts: list[Tensor], inputs: Inputs, ids: Tensor, group: Tensor | None = None
    ) -> "Text":
        """Pair the context and input of token i with token i + 1 as its target."""
        return cls(
            [c[:-1] for c in contexts],
            inputs.rows(slice(None, -1)),
            ids[1:],
            None if group is None else group[1:],
        )

    def rows(self, part: slice) -> tuple[list[Tensor], Tensor]:
        """Return contexts and input vectors of some positions."""
        return [c[part] for c in self.contexts], self.inputs.rows(part).vectors()


@dataclass(frozen=True)
class Evaluation:
    """Mean loss in nats, accuracy, and per conversation the loss sum and the token count."""

    loss: float
    accuracy: float
    loss_sums: list[float] = field(default_factory=list)
    token_counts: list[int] = field(default_factory=list)


@dataclass
class Phase2:
    """The result: the evaluation of validation in the best epoch, and one trace row per epoch.

    A row has `epoch`, `train_loss` (each batch before its update), `val_loss`, `val_acc`, and
    `dev_loss` where development selects.
    """

    best_epoch: int
    train_loss: float
    val: Evaluation
    trace: list[dict[str, Any]]


@dataclass
class Standing:
    """Where phase 2 stands: before token `position` of `epoch`, both counted from where it begins.

    `loss_sum` are the nats of this epoch's tokens so far, `trace` and `best` what the epochs before
    gave, `tensors` the block's parameters and Adam's moments, by name.
    """

    epoch: int = 1
    position: int = 0
    loss_sum: float = 0.0
    trace: list[dict[str, Any]] = field(default_factory=list)
    best: Phase2 | None = None
    tensors: dict[str, Tensor] = field(default_factory=dict)


Keep = Callable[[Callable[[], Standing]], None]


@torch.no_grad()
def train_tokens(
    block: TokenBlock,
    weights: Tensor,
    train: Text,
    val: Text,
    config: RunConfig,
    dev: Text | None = None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
    start: Standing | None = None,
    keep: Keep = lambda standing: None,
) -> Phase2:
    """Train `block` and return the epoch whose selecting loss is strictly the best.

    `dev` selects where it is given, `val` otherwise; validation never influences the weights.
    `start` is where an interrupted training of the same stood, and is gone on from; `keep` is
    given the way to where this one stands after every batch.

    Raises:
        TrainingError: a loss that is not finite, with the epoch.
    """
    product = resolve(config, weights.device).product
    with rounded_products(product):
        head = Head(weights, product)
        return _train(block, head, train, val, config, dev, on_epoch, start or Standing(), keep)


def _train(
    block: TokenBlock,
    head: Head,
    train: Text,
    val: Text,
    config: RunConfig,
    dev: Text | None,
    on_epoch: Callable[[dict[str, Any]], None],
    now: Standing,
    keep: Keep,
) -> Phase2:
    optimizer = torch.optim.Adam(block.parameters(), lr=config.phase2_lr, fused=True)
    optimiser.restore(block, optimizer, now.tensors)
    selecting = "val_loss" if dev is None else "dev_loss"
    while now.epoch <= config.epochs and not _impatient(now, config):
        train_loss = _train_epoch(block, optimizer, head, train, config.phase2_batch, now, keep)
        evaluation = evaluate(block, head, val)
        row = {"epoch": now.epoch, "train_loss": train_loss}
        row |= {"val_loss": evaluation.loss, "val_acc": evaluation.accuracy}
        if dev is not None:
            row["dev_loss"] = evaluate(block, head, dev).loss
        _check_finite(row, len(train.targets), config)
        now.trace.append(row)
        on_epoch(row)
        if now.best is None or row[selecting] < now.trace[now.best.best_epoch - 1][selecting]:
            now.best = Phase2(now.epoch, train_loss, evaluation, now.trace)
        now.epoch, now.position, now.loss_sum = now.epoch + 1, 0, 0.0
    assert now.best is not None  # the first epoch is the best so far
    return now.best


def _impatient(now: Standing, config: RunConfig) -> bool:
    """Whether the epochs since the best one are as many as `patience`."""
    return now.best is not None and len(now.trace) - now.best.best_epoch >= config.patience


@torch.no_grad()
def evaluate(block: TokenBlock, head: Head, text: Text) -> Evaluation:
    """Return loss and accuracy of next-token prediction on a text, forward only."""
    losses, correct = [], []
    for part in pieces(len(text.targets), ROWS):
        loss, likeliest = head.predict(block(*text.rows(part)), text.targets[part])
        losses.append(loss)
        correct.append(likeliest == text.targets[part])
    loss = torch.cat(losses).double()
    accuracy = float(torch.cat(correct).double().mean())
    if text.group is None:
        return Evaluation(float(loss.mean()), accuracy)
    counts = torch.bincount(text.group)
    sums = torch.zeros(len(counts), dtype=torch.float64, device=loss.device)
    sums.index_add_(0, text.group, loss)
    return Evaluation(float(loss.mean()), accuracy, sums.tolist(), counts.tolist())


@torch.no_grad()
def _train_epoch(
    block: TokenBlock,
    optimizer: torch.optim.Adam,
    head: Head,
    text: Text,
    batch: int,
    now: Standing,
    keep: Keep,
) -> float:
    """Run the rest of an epoch in text order; return its mean loss per token before the updates."""
    gradient = flat_gradient(block)
    total = torch.full((), now.loss_sum, dtype=torch.float64, device=gradient.device)
    standing = partial(_standing, now, total, block, optimizer)
    for part in pieces(len(text.targets), batch):
        if part.start < now.position:
            continue
        h, saved = block.step(*text.rows(part))
        loss, slope = head.cross_entropy(h, text.targets[part])
        block.backward(saved, slope)
        clip(gradient, GRADIENT_CLIP)
        optimizer.step()
        total += loss * (part.stop - part.start)
        now.position = part.stop
        keep(standing)
    return float(total) / len(text.targets)


def _standing(
    now: Standing, total: Tensor, block: TokenBlock, optimizer: torch.optim.Adam
) -> Standing:
    """Return where phase 2 stands, complete."""
    return replace(now, loss_sum=float(total), tensors=optimiser.tensors_of(block, optimizer))


def _check_finite(row: dict[str, Any], tokens: int, config: RunConfig) -> None:
    if not all(math.isfinite(perplexity(v)) for k, v in row.items() if k.endswith("loss")):
        raise TrainingError(
            f"Phase 2 on {tokens} tokens met a loss that is not finite in epoch {row['epoch']}; "
            f"a phase2_lr below {config.phase2_lr} may help."
        )
