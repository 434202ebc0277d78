"""Texts as trainers read them, and what an evaluation of one gives."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor

from fpcore.model.blocks import Inputs, join
from fpcore.model.tuning import tuning

Read = TypeVar("Read")  # what a trainer trains on
Held = TypeVar("Held")  # what it evaluates
NARROW = 512  # columns: with 309 of them a step gains from what is laid out, with 1,853 it does not
ALIGNED = 64  # bytes; of rows that begin elsewhere, a library may add up in another order


@dataclass(frozen=True)
class Text:
    """A text as phase 2 reads it: the N - 1 positions that have a next token.

    `contexts` [L][N-1, D], `inputs` of N - 1 positions, `targets` [N-1], and for held-out texts
    `group` [N-1], the number of the conversation that each target is in. `joined` [N-1, D+E·T] is
    what `join` makes of the first layer's contexts and the input vectors, where it is worth the
    room: every epoch reads it.
    """

    contexts: list[Tensor]
    inputs: Inputs
    targets: Tensor
    group: Tensor | None = None
    joined: Tensor | None = None

    @classmethod
    def of(
        cls, contexts: list[Tensor], inputs: Inputs, ids: Tensor, group: Tensor | None = None
    ) -> "Text":
        """Pair the context and input of token i with token i + 1 as its target.

        `contexts` [L][N, D], `inputs` of N positions, `ids` [N] and `group` [N].
        """
        contexts, inputs = [c[:-1] for c in contexts], inputs.rows(slice(None, -1))
        others = None if group is None else group[1:]
        return cls(contexts, inputs, ids[1:], others, _laid_out(contexts[0], inputs))

    def rows(self, part: slice) -> tuple[Tensor, list[Tensor]]:
        """Return what `TokenBlock.step` reads of some positions: [B, D+E·T] and [L-1][B, D]."""
        further = [c[part] for c in self.contexts[1:]]
        if self.joined is not None:
            rows = self.joined[part]
            if rows.data_ptr() % ALIGNED == 0:
                return rows, further
        return join(self.contexts[0][part], self.inputs.rows(part).vectors()), further


def _laid_out(c: Tensor, inputs: Inputs) -> Tensor | None:
    """Return [c ; x] of all positions, where it is narrow and small enough for the device."""
    width = c.shape[1] + inputs.table.shape[1] * inputs.index.shape[1]
    if width > NARROW or len(c) * width > tuning(c.device).joined:
        return None
    return join(c, inputs.vectors())


@dataclass(frozen=True)
class Texts(Generic[Read, Held]):
    """What a trainer reads: it trains on one text, and evaluates one or two others.

    The best epoch is chosen on `dev` where it is given, on `val` otherwise.
    """

    train: Read
    val: Held
    dev: Held | None = None


@dataclass(frozen=True)
class Evaluation:
    """Mean loss in nats, accuracy, and per conversation the loss sum and the token count."""

    loss: float
    accuracy: float
    loss_sums: list[float] = field(default_factory=list)
    token_counts: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, losses: Tensor, hits: Tensor, group: Tensor | None) -> "Evaluation":
        """Sum up losses [M] in nats and hits [M] by `group` [M], the conversation of each.

        It is done on the CPU, whose order of additions is always the same.
        """
        loss, hit = torch.stack([losses.double(), hits.double()]).cpu()
        accuracy = float(hit.mean())
        if group is None:
            return cls(float(loss.mean()), accuracy)
        group = group.cpu()
        counts = torch.bincount(group)
        sums = torch.zeros(len(counts), dtype=torch.float64)
        sums.index_add_(0, group, loss)
        return cls(float(loss.mean()), accuracy, sums.tolist(), counts.tolist())
