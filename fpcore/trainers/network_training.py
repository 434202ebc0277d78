"""The one training loop of the neural baselines: truncated backpropagation through one text."""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fpcore.config.baseline import NeuralConfig
from fpcore.data.tokens import HeldOut
from fpcore.errors import TrainingError
from fpcore.model.head import Head
from fpcore.model.precision import rounded_products
from fpcore.model.tuning import pieces
from fpcore.trainers.hooks import SILENT, Hooks, Row
from fpcore.trainers.networks import TiedModel
from fpcore.trainers.texts import Evaluation, Texts

GRADIENT_CLIP = 1.0  # as in phase 2
IGNORED = -100  # the target of positions that only fill up the last segment


@dataclass
class NetworkResult:
    """The epoch that development chose: its losses in nats, and the evaluation of validation.

    A row of `trace` has `epoch`, `train_loss` (each batch before its update) and `dev_loss`.
    """

    best_epoch: int
    train_loss: float
    dev_loss: float
    val: Evaluation
    trace: list[Row]


@rounded_products(torch.float32)
def train_network(
    model: TiedModel,
    texts: Texts[Tensor, HeldOut],
    config: NeuralConfig,
    learning_rate: float,
    hooks: Hooks[None] = SILENT,
) -> NetworkResult:
    """Train on the tokens `texts.train` [N] and evaluate the best epoch's weights on validation.

    The text is one sequence, cut into `streams` stretches that are read side by side, `segment`
    tokens at a time; an LSTM's state is carried from segment to segment, its gradient is not. Adam,
    the gradient's norm clipped as in phase 2. Development (`texts.dev`, which must be there)
    chooses the epoch; validation is read once, in the end.

    Raises:
        TrainingError: a loss that is not finite, with the epoch.
    """
    assert texts.dev is not None
    adam = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], learning_rate, fused=True
    )
    pair = streams(texts.train, config.streams)
    trace: list[Row] = []
    best, state = 0, copy.deepcopy(model.state_dict())
    for epoch in range(1, config.epochs + 1):
        train_loss = _train_epoch(model, adam, pair, config.segment)
        row = {"epoch": epoch, "train_loss": train_loss}
        row["dev_loss"] = evaluate(model, texts.dev).loss
        _check_finite(row, config, len(texts.train), learning_rate)
        trace.append(row)
        hooks.on_row(row)
        if not best or row["dev_loss"] < trace[best - 1]["dev_loss"]:
            best, state = epoch, copy.deepcopy(model.state_dict())
        elif epoch - best >= config.patience:
            break
    model.load_state_dict(state)
    chosen, val = trace[best - 1], evaluate(model, texts.val)
    return NetworkResult(best, chosen["train_loss"], chosen["dev_loss"], val, trace)


def streams(ids: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Cut a text [N] into `count` streams: inputs and next tokens, both [count, ⌈(N-1)/count⌉].

    The end is filled up with targets that are IGNORED, so that every token is predicted once.
    """
    length = -(-(len(ids) - 1) // count)
    fill = (0, length * count - (len(ids) - 1))
    inputs, targets = F.pad(ids[:-1], fill), F.pad(ids[1:], fill, value=IGNORED)
    return inputs.view(count, length), targets.view(count, length)


def evaluate(model: TiedModel, text: HeldOut) -> Evaluation:
    """Return the evaluation of a text, read as one from its start, without its first token."""
    device = model.weights.device
    ids, group = text.ids.to(device), text.conversation.to(device)
    with torch.no_grad():
        h, head = model.read(ids[:-1]), Head(model.weights, bias=model.bias)
        parts = [
            (loss, likeliest == ids[1:][part])
            for part in head.tiles(len(h))
            for loss, likeliest in [head.predict(h[part], ids[1:][part])]
        ]
    losses, hits = (torch.cat(column) for column in zip(*parts, strict=True))
    return Evaluation.of(losses, hits, group[1:])


def _check_finite(row: Row, config: NeuralConfig, tokens: int, learning_rate: float) -> None:
    if not math.isfinite(row["train_loss"] + row["dev_loss"]):
        raise TrainingError(
            f"{config.name} on {tokens} tokens met a loss that is not finite in epoch "
            f"{row['epoch']} at learning rate {learning_rate}; lower learning_rates may help."
        )


def _train_epoch(
    model: TiedModel, adam: torch.optim.Adam, pair: tuple[Tensor, Tensor], segment: int
) -> float:
    """Run one epoch in text order; return the token-weighted mean loss before the updates.

    `pair` are the inputs and the targets, each [streams, M].
    """
    inputs, targets = pair
    total, state = torch.zeros((), dtype=torch.float64, device=inputs.device), None
    for part in pieces(inputs.shape[1], segment):
        h, state = model(inputs[:, part], state)
        logits, expected = F.linear(h.flatten(0, 1), model.weights, model.bias), targets[:, part]
        expected = expected.flatten()
        loss = F.cross_entropy(logits, expected, ignore_index=IGNORED)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_CLIP)
        adam.step()
        total += loss.detach() * (expected != IGNORED).sum()
    return float(total) / int((targets != IGNORED).sum())
