"""LSTM, GPT and their training loop, at toy size: sizes, causality, streams and selection."""

import math
from typing import Any

import pytest
import torch
from helpers.toy import Toy
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from fpcore import ConfigError, TrainingError
from fpcore.config.baseline import NeuralConfig
from fpcore.data.tokens import HeldOut
from fpcore.model.blocks import FixedPointModel
from fpcore.trainers.network_training import (
    IGNORED,
    evaluate,
    streams,
    train_network,
)
from fpcore.trainers.networks import (
    TOLERANCE,
    Gpt,
    TiedModel,
    fixed_point_parameters,
    matched,
    sinusoids,
)
from fpcore.trainers.texts import Evaluation, Texts

KINDS = [(model, own) for model in ("lstm", "gpt") for own in (False, True)]


def config(model: str, own: bool = False, **knobs: Any) -> NeuralConfig:
    small: dict[str, Any] = {
        "embed_dim": 8,
        "context_dim": 90,
        "segment": 8,
        "streams": 3,
        "epochs": 4,
    }
    named: dict[str, Any] = {"name": "toy", "model": model, "own_embedding": own}
    return NeuralConfig(**named | small | knobs)


def weights(types: int = 20, width: int = 8) -> torch.Tensor:
    return torch.randn(types, width, generator=torch.Generator().manual_seed(1))


def text(length: int, period: int = 5) -> HeldOut:
    """A text that repeats, cut into two conversations."""
    ids = torch.arange(length) % period
    return HeldOut(ids, (torch.arange(length) >= length // 3).long(), length)


@pytest.mark.parametrize(("model", "own"), KINDS)
def test_sizes_match_the_fixed_point_model_of_the_small_setting(model: str, own: bool) -> None:
    given = NeuralConfig(name="small", model=model, own_embedding=own)
    W = weights(4096, given.embed_dim)
    fixed = FixedPointModel(W, given.fixed_point(), 42)
    counts = fixed.parameter_counts()
    target = counts["context_block"] + counts["token_block"]
    assert target == (181 + 128) * 181 + 3 * 181 + (181 + 128) * 128 + 3 * 128  # spec section 1
    assert fixed_point_parameters(W, given) == target
    made = matched(W, given, 42)
    trained = sum(p.numel() for p in made.parameters() if p.requires_grad)
    assert made.trained_parameters() == trained
    assert abs(trained - target) <= 0.1 * target
    assert made.weights.requires_grad == own
    if not own:
        assert torch.equal(made.weights, W)


def test_a_network_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"one of lstm, gpt, not 'gtp' \(did you mean gpt\?\)"):
        matched(weights(), config("gtp"), 1)


def test_a_size_that_no_width_reaches_is_refused() -> None:
    """Own embeddings of 4,096 types alone are larger than a tiny fixed-point model."""
    with pytest.raises(ConfigError, match=f"within {TOLERANCE:.0%} of the"):
        matched(weights(4096), config("lstm", own=True, context_dim=4), 1)


@pytest.mark.parametrize(("model", "own"), KINDS)
def test_nothing_sees_the_future(model: str, own: bool) -> None:
    made = matched(weights(), config(model, own), 1)
    ids = text(41).ids
    changed = ids.clone()
    changed[25:] = 7
    same = (made.read(ids) == made.read(changed)).all(1)
    assert same[:25].all()
    assert not same[25]


@pytest.mark.parametrize("model", ["lstm", "gpt"])
def test_a_seed_decides_the_weights(model: str) -> None:
    first, again, other = (matched(weights(), config(model, True), s) for s in (1, 1, 2))
    pairs = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(first.weights, other.weights)


def test_reading_carries_the_state_of_an_lstm() -> None:
    """Segments with the state handed on give what the whole text gives."""
    made = matched(weights(), config("lstm"), 1)
    ids, state, parts = text(30).ids, None, []
    for part in ids.split(7):
        h, state = made(part[None], state)
        parts.append(h[0])
    torch.testing.assert_close(torch.cat(parts), made.read(ids))


@pytest.mark.parametrize("length", [1, 3, 8, 9, 12, 16, 31])
def test_windows_of_a_gpt_give_every_position_once(length: int) -> None:
    """Position i is what the window of its half gives: windows start at 0, 4, 8, … of 8 tokens."""
    gpt = Gpt(8, 8, 8)
    x = torch.randn(length, 8, generator=torch.Generator().manual_seed(2))
    got = gpt.read(x)
    assert got.shape == (length, 8)
    for i in range(length):
        start = max(0, i // 4 * 4 - 4)
        with torch.no_grad():
            want = gpt(x[None, start : i + 1])[0][0, -1]
        torch.testing.assert_close(got[i], want)
        assert i < 4 or i - start >= 4


def test_sinusoids_by_hand() -> None:
    assert sinusoids(2, 4)[0].tolist() == [0, 0, 1, 1]
    want = [math.sin(1), math.sin(0.01), math.cos(1), math.cos(0.01)]
    assert sinusoids(2, 4)[1].tolist() == pytest.approx(want)


def test_streams_by_hand() -> None:
    inputs, targets = streams(torch.arange(10, 18), 3)  # 7 predictions in 3 stretches of 3
    assert inputs.tolist() == [[10, 11, 12], [13, 14, 15], [16, 0, 0]]
    assert targets.tolist() == [[11, 12, 13], [14, 15, 16], [17, IGNORED, IGNORED]]


@given(st.integers(2, 60), st.integers(1, 9))
def test_streams_predict_every_token_once_from_the_one_before(length: int, count: int) -> None:
    inputs, targets = streams(torch.arange(length), count)
    kept = targets != IGNORED
    assert sorted(targets[kept].tolist()) == list(range(1, length))
    assert torch.equal(inputs[kept] + 1, targets[kept])
    assert kept[0].all()


@pytest.mark.parametrize("model", ["lstm", "gpt"])
def test_evaluation_is_the_cross_entropy_of_all_tokens_but_the_first(model: str) -> None:
    made, held = matched(weights(), config(model), 1), text(30)
    got = evaluate(made, held)
    logits = made.read(held.ids)[:-1] @ made.weights.T
    losses = F.cross_entropy(logits, held.ids[1:], reduction="none").double()
    assert got.loss == pytest.approx(float(losses.mean()), rel=1e-5)
    assert got.token_counts == [9, 20]  # 10 and 20 tokens, the first of which nothing predicts
    assert got.loss_sums == pytest.approx([float(losses[:9].sum()), float(losses[9:].sum())])
    assert got.accuracy == pytest.approx(float((logits.argmax(1) == held.ids[1:]).double().mean()))


def test_losses_by_conversation_by_hand() -> None:
    losses, hits = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([True, False, True])
    got = Evaluation.of(losses, hits, torch.tensor([0, 2, 2]))
    assert (got.loss_sums, got.token_counts) == ([1.0, 0.0, 6.0], [1, 0, 2])
    assert (got.loss, got.accuracy) == pytest.approx((7 / 3, 2 / 3))


@pytest.mark.parametrize(("model", "own"), KINDS)
def test_training_learns_a_pattern_and_leaves_a_frozen_embedding_alone(
    model: str, own: bool
) -> None:
    W, given = weights(), config(model, own, epochs=12, patience=12)
    made, before = matched(W, given, 1), matched(W, given, 1).weights.clone()
    got = train_network(made, Texts(text(400).ids, text(60), text(50)), given, 0.01)
    assert got.val.loss < 0.5 < got.trace[0]["train_loss"]
    assert torch.equal(made.weights, before) != own


def test_the_epoch_that_development_chose_is_evaluated_with_its_own_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Development ends by rising; the weights that validation reads are those of the best epoch."""
    given = config("lstm", epochs=6, patience=2)
    told = iter([3.0, 2.0, 2.5, 2.2, 9.0])
    seen: list[torch.Tensor] = []

    def pretend(model: TiedModel, held: HeldOut) -> Any:
        seen.append(model.norm.weight.detach().clone())
        return Evaluation(next(told), 1.0)

    monkeypatch.setattr("fpcore.trainers.network_training.evaluate", pretend)
    texts = Texts(text(60).ids, text(9), text(9))
    got = train_network(matched(weights(), given, 1), texts, given, 0.01)
    assert (got.best_epoch, len(got.trace), got.dev_loss, got.val.loss) == (2, 4, 2.0, 9.0)
    assert got.train_loss == got.trace[1]["train_loss"]
    assert torch.equal(seen[-1], seen[1])
    assert not torch.equal(seen[-1], seen[3])


def test_a_first_batch_is_the_plain_gradient_step() -> None:
    """One segment, one step of Adam on the clipped gradient: against the loop written out."""
    given = config("lstm", epochs=1, streams=1, segment=100)
    made, plain = matched(weights(), given, 1), matched(weights(), given, 1)
    ids = text(40).ids
    got = train_network(made, Texts(ids, text(9), text(9)), given, 0.01)
    adam = torch.optim.Adam([p for p in plain.parameters() if p.requires_grad], 0.01)
    loss = F.cross_entropy(plain(ids[None, :-1])[0][0] @ plain.weights.T, ids[1:])
    loss.backward()
    torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
    adam.step()
    assert got.train_loss == pytest.approx(loss.item(), rel=1e-6)
    for a, b in zip(made.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_loss_that_is_not_finite_is_named() -> None:
    given = config("lstm")
    with pytest.raises(TrainingError, match="not finite in epoch 1 at learning rate"):
        texts = Texts(text(60).ids, text(9), text(9))
        train_network(matched(weights() * math.inf, given, 1), texts, given, 0.1)


def test_the_toy_fixture_is_a_fixed_point_config(toy: Toy) -> None:
    """A baseline asks for the data of a fixed-point run with the same knobs."""
    run = toy(embed_dim=8, context_dim=90)
    mine = config("gpt", tokenizer="bpe-300", samples=[10, 20], val_samples=5).fixed_point()
    for knob in ("corpus", "tokenizer", "embedding", "embed_dim", "samples", "val_samples"):
        assert getattr(run, knob) == getattr(mine, knob)
