"""Phase 2: train the TokenBlock on frozen contexts to predict the next token (spec section 3)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from fpcore.config import RunConfig
from fpcore.errors import TrainingError
from fpcore.metrics import perplexity
from fpcore.model import Inputs, TokenBlock

GRADIENT_CLIP = 1.0  # of phase 2; the knob `gradient_clip` is phase 1's
LOGITS = 2**22  # elements of logits held at a time (16 MiB in float32)


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


class TiedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of h·W_eᵀ against the targets, with the gradient for h alone.

    The head is frozen, so its gradient is never formed; the softmax gradient overwrites the
    logits chunk by chunk.
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor, weights: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of h [B, E], weights [V, E], targets [B]."""
        gradient = torch.empty_like(h)
        losses = []
        for part in _parts(len(h), len(weights)):
            log_p = F.log_softmax(h[part] @ weights.T, dim=1)
            target = targets[part].unsqueeze(1)
            losses.append(-log_p.gather(1, target).sum())
            p = log_p.exp_()
            p.scatter_add_(1, target, p.new_full((1, 1), -1.0).expand_as(target))
            torch.mm(p, weights, out=gradient[part])
        ctx.save_for_backward(gradient.div_(len(h)))
        return torch.stack(losses).sum() / len(h)

    @staticmethod
    def backward(ctx: Any, output: Tensor) -> tuple[Tensor, None, None]:
        """Scale the gradient that forward has already formed."""
        (gradient,) = ctx.saved_tensors
        return gradient * output, None, None


def train_tokens(
    block: TokenBlock,
    weights: Tensor,
    train: Text,
    val: Text,
    config: RunConfig,
    dev: Text | None = None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Phase2:
    """Train `block` and return the epoch whose selecting loss is strictly the best.

    `dev` selects where it is given, `val` otherwise; validation never influences the weights.

    Raises:
        TrainingError: a loss that is not finite, with the epoch.
    """
    adam = torch.optim.Adam(block.parameters(), lr=config.phase2_lr)
    trace: list[dict[str, Any]] = []
    best: Phase2 | None = None
    best_loss = math.inf
    for epoch in range(1, config.epochs + 1):
        train_loss = _train_epoch(block, adam, weights, train, config.phase2_batch)
        evaluation = evaluate(block, weights, val)
        row = {"epoch": epoch, "train_loss": train_loss}
        row |= {"val_loss": evaluation.loss, "val_acc": evaluation.accuracy}
        if dev is not None:
            row["dev_loss"] = evaluate(block, weights, dev).loss
        _check_finite(row, len(train.targets), config)
        trace.append(row)
        on_epoch(row)
        selecting = row["val_loss" if dev is None else "dev_loss"]
        if selecting < best_loss:
            best, best_loss = Phase2(epoch, train_loss, evaluation, trace), selecting
        elif best is not None and epoch - best.best_epoch >= config.patience:
            break
    assert best is not None  # the first epoch's finite loss is below infinity
    return best


@torch.no_grad()
def evaluate(block: TokenBlock, weights: Tensor, text: Text) -> Evaluation:
    """Return loss and accuracy of next-token prediction on a text, forward only."""
    losses, correct = [], []
    for part in _parts(len(text.targets), len(weights)):
        contexts, x = text.rows(part)
        logits = block(contexts, x) @ weights.T
        correct.append(logits.argmax(1) == text.targets[part])
        losses.append(F.cross_entropy(logits, text.targets[part], reduction="none"))
    loss = torch.cat(losses).double()
    accuracy = float(torch.cat(correct).double().mean())
    if text.group is None:
        return Evaluation(float(loss.mean()), accuracy)
    counts = torch.bincount(text.group)
    sums = torch.zeros(len(counts), dtype=torch.float64, device=loss.device)
    sums.index_add_(0, text.group, loss)
    return Evaluation(float(loss.mean()), accuracy, sums.tolist(), counts.tolist())


def _train_epoch(
    block: TokenBlock, adam: torch.optim.Adam, weights: Tensor, text: Text, batch: int
) -> float:
    """Run one epoch in text order; return the token-weighted mean loss before the updates."""
    total = torch.zeros((), dtype=torch.float64, device=weights.device)
    for start in range(0, len(text.targets), batch):
        part = slice(start, min(start + batch, len(text.targets)))
        contexts, x = text.rows(part)
        loss: Tensor = TiedCrossEntropy.apply(block(contexts, x), weights, text.targets[part])
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(block.parameters(), GRADIENT_CLIP)
        adam.step()
        total += loss.detach() * (part.stop - part.start)
    return float(total) / len(text.targets)


def _check_finite(row: dict[str, Any], tokens: int, config: RunConfig) -> None:
    if not all(math.isfinite(perplexity(v)) for k, v in row.items() if k.endswith("loss")):
        raise TrainingError(
            f"Phase 2 on {tokens} tokens met a loss that is not finite in epoch {row['epoch']}; "
            f"a phase2_lr below {config.phase2_lr} may help."
        )


def _parts(rows: int, types: int) -> list[slice]:
    """Cut rows so that their logits stay within LOGITS elements."""
    size = max(1, LOGITS // types)
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
