import math
import weakref
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from helpers import by_hand
from helpers.toy import Build, Toy, Tuned
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor, nn
from torch.nn import functional as F

from fpcore import RunConfig, TrainingError
from fpcore.model import head, plain
from fpcore.model.blocks import FixedPointModel
from fpcore.model.head import Head, largest
from fpcore.model.optimiser import flat_gradient, gradient_of
from fpcore.trainers import phase2
from fpcore.trainers.hooks import Hooks
from fpcore.trainers.phase2 import Phase2Result, Phase2State, evaluate, train_tokens
from fpcore.trainers.texts import Evaluation, Text, Texts

Raw = tuple[list[Tensor], Tensor, Tensor]  # contexts, x and ids, as plain takes them
SHAPES = [(layers, tokens) for layers in (1, 2) for tokens in (1, 3)]


def texts(build: Build, config: RunConfig) -> tuple[FixedPointModel, Text, Text, list[Raw]]:
    """A model, a training and a validation text, and both raw."""
    model, ids = build(config, 300)
    made, raw = [], []
    for part, seed in ((ids[:200], 1), (ids[200:], 2)):
        source = torch.Generator().manual_seed(seed)
        shape = (len(part), config.context_dim)
        draw = {"generator": source, "dtype": model.embedding.weight.dtype}
        contexts = [torch.randn(shape, **draw) for _ in range(config.layers)]
        made.append(Text.of(contexts, model.inputs(part), part))
        x = plain.input_vectors(model.embedding.weight, part, config.input_tokens)
        raw.append((contexts, x, part))
    return model, made[0], made[1], raw


@pytest.mark.usefixtures("row_of_tuning")
@pytest.mark.parametrize(("layers", "tokens"), SHAPES)
def test_training_equals_the_plain_version(
    build: Build, toy: Toy, layers: int, tokens: int
) -> None:
    knobs = {"layers": layers, "input_tokens": tokens, "epochs": 4, "patience": 4}
    config = toy(precision="float64", **knobs)
    model, train, val, (plain_train, plain_val) = texts(build, config)
    weights = model.embedding.weight
    block = plain.TokenBlock(layers, config.context_dim, 16, tokens).double()
    block.load_state_dict(model.token_block.state_dict())
    adam = torch.optim.Adam(block.parameters(), lr=config.rates[0])
    expected = []
    for _ in range(4):
        loss = plain.train_epoch(block, adam, plain_train, weights, config.phase2_batch)
        val_losses, correct = plain.evaluate(block, plain_val, weights)
        expected.append((loss, val_losses.mean().item(), correct.double().mean().item()))
    result = train_tokens(model.token_block, weights, Texts(train, val), config)
    got = [(row["train_loss"], row["val_loss"], row["val_acc"]) for row in result.trace]
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)
    for name, value in block.state_dict().items():
        torch.testing.assert_close(
            model.token_block.state_dict()[name], value, atol=1e-10, rtol=1e-10
        )


@pytest.mark.usefixtures("row_of_tuning")
@pytest.mark.parametrize(("layers", "tokens"), [(1, 1), (2, 3)])
def test_evaluation_by_hand(build: Build, toy: Toy, layers: int, tokens: int) -> None:
    config = toy(precision="float64", layers=layers, input_tokens=tokens)
    model, _, val, raw = texts(build, config)
    contexts, _, ids = raw[1]
    embedding = by_hand.array(model.embedding.weight)
    x = by_hand.inputs(embedding, ids.tolist(), tokens)
    weights = by_hand.parameters(model.token_block)
    h = by_hand.token_block(weights, [c.numpy() for c in contexts], x)[:-1]
    targets = ids.tolist()[1:]  # token i + 1 given the context and input of token i
    got = evaluate(model.token_block, Head(model.embedding.weight), val)
    assert got.loss == pytest.approx(by_hand.losses(h, embedding, targets).mean(), rel=1e-12)
    assert got.accuracy == np.mean((h @ embedding.T).argmax(1) == targets)
    assert got.loss_sums == got.token_counts == []


def test_loss_of_an_epoch_is_taken_before_each_update(build: Build, toy: Toy) -> None:
    """With one batch, the first epoch's loss is that of the initial weights."""
    config = toy(precision="float64", phase2_batch=1000, epochs=2, patience=5)
    model, train, val, _ = texts(build, config)
    initial = evaluate(model.token_block, Head(model.embedding.weight), train).loss
    after_first: list[float] = []

    def on_epoch(row: dict[str, Any]) -> None:
        after_first.append(evaluate(model.token_block, Head(model.embedding.weight), train).loss)

    trace = train_tokens(
        model.token_block,
        model.embedding.weight,
        Texts(train, val),
        config,
        hooks=Hooks(on_epoch),
    ).trace
    assert [row["train_loss"] for row in trace] == pytest.approx([initial, after_first[0]])
    assert after_first[1] < after_first[0] < initial


def test_train_loss_weighs_batches_by_their_tokens(build: Build, toy: Toy) -> None:
    """With a learning rate of almost nothing, batches of 64 and a last one of 7 mean the whole."""
    config = toy(precision="float64", phase2_lr=1e-15, phase2_batch=64, epochs=1)
    model, train, val, _ = texts(build, config)
    whole = evaluate(model.token_block, Head(model.embedding.weight), train).loss
    row = train_tokens(model.token_block, model.embedding.weight, Texts(train, val), config).trace[
        0
    ]
    assert row["train_loss"] == pytest.approx(whole, rel=1e-10)


def test_validation_never_influences_the_weights(build: Build, toy: Toy) -> None:
    config, states = toy(patience=3), []
    for held_out in (1, 2):
        model, *made, _ = texts(build, config)
        pair = Texts(made[0], made[held_out - 1])
        train_tokens(model.token_block, model.embedding.weight, pair, config)
        states.append(torch.cat([p.flatten() for p in model.token_block.parameters()]))
    assert torch.equal(*states)


def test_autograd_takes_what_a_training_leaves(build: Build, toy: Toy) -> None:
    """Tensors that were made in inference mode would be refused."""
    config = toy(epochs=2)
    model, train, val, _ = texts(build, config)
    block, kept = model.token_block, list[Phase2State]()
    listen: Hooks[Phase2State] = Hooks(keep=lambda state: kept.append(state()))
    train_tokens(block, model.embedding.weight, Texts(train, val), config, hooks=listen)
    block(train.contexts, train.inputs.vectors()).square().sum().backward()
    torch.optim.SGD(block.parameters(), 0.1).step()
    for tensor in (*kept[-1].tensors.values(), *kept[-1].best.values()):
        tensor.add_(1)


def test_gradient_norm_is_clipped_at_one(build: Build, toy: Toy) -> None:
    config = toy(precision="float64", phase2_batch=1000, epochs=1)
    model, train, val, _ = texts(build, config)
    weights = 10 * model.embedding.weight  # steep logits, so that the norm is far above 1
    train_tokens(model.token_block, weights, Texts(train, val), config)
    gradients = [p.grad for p in model.token_block.parameters() if p.grad is not None]
    assert torch.stack([g.norm() for g in gradients]).norm().item() == pytest.approx(1, rel=1e-4)


def products(seed: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors [23, 16], a head [40, 16] and targets [23]."""
    source = torch.Generator().manual_seed(seed)
    h, weights = (torch.randn(n, 16, generator=source, dtype=torch.float64) for n in (23, 40))
    return h, weights, torch.randint(40, (23,), generator=source)


@pytest.mark.usefixtures("row_of_tuning")
@pytest.mark.parametrize("types", [40, 37])
def test_a_bias_has_the_gradient_of_autograd(types: int) -> None:
    h, weights, _ = products()
    weights, targets = weights[:types], torch.arange(23) % types
    block = nn.Module()
    block.bias = nn.Parameter(torch.linspace(-3, 2, types, dtype=torch.float64))
    free = h.clone().requires_grad_()
    expected = F.cross_entropy(free @ weights.T + block.bias, targets)
    slope, of_bias = torch.autograd.grad(expected, [free, block.bias])
    flat_gradient(block).fill_(9)  # of the step before
    with torch.no_grad():
        own = Head(weights, bias=block.bias)
        loss, got = own.cross_entropy(h, targets)
        losses, likeliest = own.predict(h, targets)
    torch.testing.assert_close((loss, got), (expected.detach(), slope), atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(gradient_of(block.bias), of_bias, atol=1e-12, rtol=1e-12)
    assert losses.mean().item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.equal(likeliest, (h @ weights.T + block.bias).argmax(1))


@pytest.mark.parametrize("logits", [None, 2**22, 100, 1])  # fused; all rows at once, two, one
def test_cross_entropy_equals_autograd(tuned: Tuned, logits: int | None) -> None:
    if logits is not None:
        tuned(logits=logits, fused=False)
    h, weights, targets = products()
    expected = F.cross_entropy(h.requires_grad_() @ weights.T, targets)
    (slope,) = torch.autograd.grad(expected, h)
    own = Head(weights)
    for _ in range(2):  # the second time in the room of the first
        loss, gradient = own.cross_entropy(h.detach(), targets)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
        torch.testing.assert_close(gradient, slope, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(("format", "tiles", "fused"), [
    ("float32", False, True), ("bfloat16", False, False), ("bfloat16", True, True),
])  # fmt: skip
def test_bfloat16_is_fused_only_where_a_cpu_has_tiles(
    monkeypatch: pytest.MonkeyPatch, format: str, tiles: bool, fused: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": tiles})
    assert head.fuses(torch.zeros(2, 2, dtype=getattr(torch, format))) is fused


@pytest.mark.parametrize("found", [
    lambda *_, scale: (torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 2)), Mock(side_effect=TypeError),
])  # fmt: skip
def test_an_attention_that_is_not_what_it_was_is_not_used(
    monkeypatch: pytest.MonkeyPatch, found: Any
) -> None:
    """PyTorch's operator is private: another result or signature leaves the ordinary path."""
    h, weights, targets = products()
    assert head.fused_attention() is not None
    before = Head(weights).cross_entropy(h, targets)
    name = "_scaled_dot_product_flash_attention_for_cpu"
    with monkeypatch.context() as patch:
        patch.setattr(torch.ops.aten, name, found)
        head.fused_attention.cache_clear()
        assert head.fused_attention() is None
        after = Head(weights).cross_entropy(h, targets)
    head.fused_attention.cache_clear()
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("steep", [1000, 50])  # its probability is 0, or has few digits
@pytest.mark.parametrize("factors", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("biased", [False, True])
def test_steep_logits_stay_finite(
    monkeypatch: pytest.MonkeyPatch, steep: int, factors: torch.dtype, biased: bool
) -> None:
    """A target's probability underflows; its loss is the difference of two logits."""
    monkeypatch.setattr(head, "fuses", lambda weights: False)
    h, weights = torch.tensor([[float(steep)], [0.0]]), torch.tensor([[-1.0], [1.0], [0.5]])
    bias = nn.Parameter(torch.full((3,), 2.0)) if biased else None
    if bias is not None:
        bias.grad = torch.zeros(3)
    with torch.no_grad():
        own = Head(weights, factors, bias)
        loss, slope = own.cross_entropy(h, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx((2 * steep + math.log(3)) / 2, rel=1e-6)
    assert slope[:, 0].tolist() == pytest.approx([1, (1 / 6 - 1) / 2], rel=2**-8)


@pytest.mark.parametrize("columns", [4096, 40, 39, 7, 1])
def test_predictions_of_a_cut_vocabulary(tuned: Tuned, columns: int) -> None:
    tuned(columns=columns)
    h, weights, targets = products()
    weights[30] = weights[3]  # ties between tiles go to the first type
    losses, likeliest = Head(weights).predict(h, targets)
    logits = h @ weights.T
    expected = F.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(losses, expected, atol=1e-12, rtol=1e-12)
    assert torch.equal(likeliest, logits.argmax(1))
    assert 3 in likeliest


EQUAL = st.sampled_from([-math.inf, -1.0, 0.0, 0.5])  # so few that the largest is often not alone


@given(
    arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 40)), elements=EQUAL),
    st.integers(1, 12),
)
def test_the_largest_is_the_first_of_equals(rows: np.ndarray, run: int) -> None:
    values, places = largest(torch.from_numpy(rows), run)
    assert places.tolist() == rows.argmax(1).tolist()
    assert values.tolist() == rows.max(1).tolist()


def test_chunks_change_nothing(build: Build, toy: Toy, tuned: Tuned) -> None:
    results = []
    for rows, columns in ((1024, 4096), (3, 7)):
        tuned(rows=rows, columns=columns)
        config = toy(precision="float64", epochs=2)
        model, train, val, _ = texts(build, config)
        result = train_tokens(model.token_block, model.embedding.weight, Texts(train, val), config)
        results.append([list(row.values()) for row in result.trace])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)


def test_an_evaluation_holds_as_many_logits_as_the_table_says(
    build: Build, toy: Toy, tuned: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """99 predictions in pieces of 40 rows, and 40 types in pieces of 16."""
    model, _, val, _ = texts(build, toy(precision="float64"))
    tuned(rows=40, columns=16)
    real, held = head.Head._tile, []

    def tile(own: Head, h: Tensor, columns: slice) -> Tensor:
        logits = real(own, h, columns)
        held.append((len(h), logits.shape[1]))
        return logits

    monkeypatch.setattr(head.Head, "_tile", tile)
    evaluate(model.token_block, Head(model.embedding.weight), val)
    assert held == [(rows, types) for rows in (40, 40, 19) for types in (16, 16, 8)]


class Given(torch.nn.Module):
    """A block whose step gives the vectors it was made with."""

    def __init__(self, h: Tensor) -> None:
        super().__init__()
        self.h = h

    def step(self, joined: Tensor, further: list[Tensor]) -> tuple[Tensor, list[Any]]:
        return self.h, []


def test_sums_are_made_of_the_copy_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where conversations collide, a GPU would add in any order."""
    monkeypatch.setattr(Tensor, "cpu", lambda tensor: tensor * 2)
    group = torch.tensor([0, 0])  # doubled as well, and so it stays
    got = Evaluation.of(torch.tensor([1.0, 2.0]), torch.tensor([True, False]), group)
    assert got == Evaluation(3.0, 1.0, [6.0], [2])


def test_evaluation_per_conversation_by_hand() -> None:
    """Four predictions with probabilities 1/2, 1/2, 1/4, 3/4, in conversations 0, 0, 2, 2."""
    weights = torch.eye(2, dtype=torch.float64)
    three = math.log(3)
    h = torch.tensor([[0.0, 0.0], [0.0, 0.0], [three, 0.0], [0.0, three]], dtype=torch.float64)
    inputs = _no_inputs()
    group = torch.tensor([0, 0, 0, 2, 2])  # of the tokens; the first is not predicted
    ids = torch.tensor([1, 0, 0, 1, 1])
    text = Text.of([torch.zeros(5, 3)], inputs, ids, group)
    got = evaluate(Given(h), Head(weights), text)  # type: ignore[arg-type]
    half, quarter, most = math.log(2), math.log(4), math.log(4 / 3)
    assert got.loss_sums == pytest.approx([2 * half, 0, quarter + most])
    assert got.token_counts == [2, 0, 2]
    assert got.loss == pytest.approx((2 * half + quarter + most) / 4)
    assert got.accuracy == 3 / 4  # ties go to type 0, which the first two targets are


def _no_inputs() -> Any:
    from fpcore.model.blocks import Inputs

    return Inputs(torch.zeros(2, 1), torch.zeros(5, 1, dtype=torch.int64))


@pytest.mark.parametrize("rows", [1024, 13])
def test_conversations_add_up(build: Build, toy: Toy, tuned: Tuned, rows: int) -> None:
    tuned(rows=rows)
    model, _, _, (_, (contexts, _, ids)) = texts(build, toy(precision="float64"))
    group = torch.arange(100) // 30
    text = Text.of(contexts, model.inputs(ids), ids, group)
    got = evaluate(model.token_block, Head(model.embedding.weight), text)
    assert got.token_counts == [29, 30, 30, 10]
    assert sum(got.loss_sums) == pytest.approx(99 * got.loss, rel=1e-12)
    assert got.loss_sums[0] == pytest.approx(
        29 * evaluate(model.token_block, Head(model.embedding.weight), _cut(text, 29)).loss,
        rel=1e-12,
    )


def _cut(text: Text, rows: int) -> Text:
    part = slice(0, rows)
    return Text([c[part] for c in text.contexts], text.inputs.rows(part), text.targets[part])


def scripted(
    build: Build,
    config: RunConfig,
    monkeypatch: pytest.MonkeyPatch,
    val: list[float],
    dev: list[float] | None = None,
) -> Phase2Result:
    """Train with held-out losses that are given by epoch, and a train loss of 5 less 0.1 per epoch.

    A bias of the block counts the epochs, so that its evaluation knows where it stands.
    """
    model, train, val_text, _ = texts(build, config)
    dev_text = None if dev is None else _cut(val_text, 50)
    losses = {id(val_text): val, id(dev_text): dev or []}
    counter = next(model.token_block.parameters()).data.view(-1)[:1]
    counter.zero_()

    def given(block: Any, own: Head, text: Text) -> Evaluation:
        loss = losses[id(text)][int(counter[0]) - 1]
        return Evaluation(loss, loss / 100, [loss, loss], [1, 1])

    def one_epoch(*_: Any) -> float:
        counter.add_(1)
        return 5 - float(counter[0]) / 10

    monkeypatch.setattr(phase2, "evaluate", given)
    monkeypatch.setattr(phase2.Trainer, "_train", one_epoch)
    weights = model.embedding.weight
    return train_tokens(model.token_block, weights, Texts(train, val_text, dev_text), config)


@pytest.mark.parametrize(
    ("losses", "patience", "epochs"),  # the best one, and how many run
    [
        ([3.0, 2.0, 1.0, 1.5, 0.5], 1, (3, 4)),  # 0.5 comes too late
        ([3.0, 2.0, 2.0, 1.0], 1, (2, 3)),  # a tie keeps the first, and is no improvement
        ([3.0, 3.5, 2.9, 3.0, 3.0, 1.0], 2, (3, 5)),
        ([3.0, 3.5, 3.4, 3.3], 2, (1, 3)),  # better than the epoch before, not than the best
        ([3.0, 3.5, 2.0, 2.5, 1.0, 1.5, 1.4], 2, (5, 7)),
        ([3.0, 2.0, 1.0], 1, (3, 3)),  # the epochs run out
        ([3.0, 4.0, 5.0], 9, (1, 3)),
        ([3.0], 1, (1, 1)),
    ],
)
def test_best_epoch_and_early_stop(
    build: Build,
    toy: Toy,
    monkeypatch: pytest.MonkeyPatch,
    losses: list[float],
    patience: int,
    epochs: tuple[int, int],
) -> None:
    best, run = epochs
    config = toy(epochs=len(losses), patience=patience)
    result = scripted(build, config, monkeypatch, losses)
    assert (result.best_epoch, len(result.trace)) == (best, run)
    chosen = losses[best - 1]
    assert result.val == Evaluation(chosen, chosen / 100, [chosen, chosen], [1, 1])
    assert result.train_loss == pytest.approx(5 - best / 10)
    assert [row["epoch"] for row in result.trace] == list(range(1, run + 1))
    assert [row["val_loss"] for row in result.trace] == losses[:run]


def test_development_selects_where_it_is_given(
    build: Build, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    val, dev = [3.0, 2.0, 1.0, 0.5], [2.0, 1.0, 1.2, 0.1]
    result = scripted(build, toy(epochs=4, patience=1), monkeypatch, val, dev)
    assert (result.best_epoch, len(result.trace)) == (2, 3)
    assert result.val.loss == 2.0
    assert result.val.accuracy == 0.02
    assert [row["dev_loss"] for row in result.trace] == dev[:3]
    assert not any("val_loss" in row for row in result.trace)  # validation is read once, in the end


@pytest.mark.parametrize("loss", [math.nan, math.inf, 800.0])
def test_a_loss_that_is_not_finite_names_the_epoch(
    build: Build, toy: Toy, monkeypatch: pytest.MonkeyPatch, loss: float
) -> None:
    with pytest.raises(TrainingError, match=r"not finite in epoch 2; a phase2_lr below 0\.005 may"):
        scripted(build, toy(), monkeypatch, [3.0, loss])


def test_a_real_run_that_diverges_stops(build: Build, toy: Toy) -> None:
    config = toy(phase2_lr=1e30)
    model, train, val, _ = texts(build, config)
    with pytest.raises(TrainingError, match="not finite in epoch 1"):
        train_tokens(model.token_block, model.embedding.weight, Texts(train, val), config)


def test_chunks_that_do_not_fit_are_halved(monkeypatch: pytest.MonkeyPatch, tuned: Tuned) -> None:
    """A product that runs out of memory above 3 rows, and the results of one that never does."""
    source = torch.Generator().manual_seed(0)
    h, weights = torch.randn(20, 8, generator=source), torch.randn(30, 8, generator=source)
    targets = torch.randint(30, (20,), generator=source)
    monkeypatch.setattr(head, "fuses", lambda weights: False)
    whole = Head(weights).cross_entropy(h, targets)
    sizes: list[int] = []
    rooms: list[weakref.ref[Tensor]] = []
    real = Head._mean_of_rows

    def limited(self: Head, h: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        sizes.append(len(h))
        room = torch.empty(len(h), 30)
        assert not [old for old in rooms if old() is not None]  # what did not fit is given back
        if len(h) > 3:
            rooms.append(weakref.ref(room))
            raise torch.OutOfMemoryError
        return real(self, h, targets)

    monkeypatch.setattr(Head, "_mean_of_rows", limited)
    tuned(logits=16 * 30, fused=False)
    small = Head(weights)
    halved = small.cross_entropy(h, targets)
    assert sizes == [16, 8, 4] + [2] * 10
    assert all(torch.allclose(x, y, atol=1e-6) for x, y in zip(whole, halved, strict=True))
    small.cross_entropy(h, targets)
    assert sizes[13:] == [2] * 10  # what did not fit once is not tried again
    monkeypatch.setattr(Head, "_mean_of_rows", Mock(side_effect=torch.OutOfMemoryError))
    with pytest.raises(torch.OutOfMemoryError):
        small.cross_entropy(h, targets)
