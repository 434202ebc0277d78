from itertools import pairwise
from typing import Any
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest
import torch
from helpers import by_hand
from helpers.toy import Build, Toy, Tuned
from torch import Tensor

from fpcore import RunConfig, TrainingError
from fpcore.model import plain
from fpcore.model.blocks import FixedPointModel
from fpcore.model.precision import stored_dtype
from fpcore.stats import draws
from fpcore.stats.draws import Noise, Noises, Room, generator, hashed_contexts, noise
from fpcore.trainers import phase1
from fpcore.trainers.contexts import sequential_contexts, training_contexts
from fpcore.trainers.hooks import Hooks
from fpcore.trainers.phase1 import Phase1State, train_contexts

Trained = tuple[
    FixedPointModel, Phase1State, plain.ContextBlock, Tensor, Tensor, list[dict[str, Any]]
]
SHAPES = [(layers, tokens) for layers in (1, 2) for tokens in (1, 3)]
TOKENS = 300  # with chunks of 128: two whole ones and a shorter last one


def both_trained(build: Build, config: RunConfig, tokens: int = TOKENS) -> Trained:
    """Train the same start with fpcore's trainer and with the plain one."""
    model, ids = build(config, tokens)
    dtype = stored_dtype(config)
    width = config.embed_dim * config.input_tokens
    block = plain.ContextBlock(config.layers, config.context_dim, width).to(dtype)
    block.load_state_dict(model.context_block.state_dict())
    x = plain.input_vectors(model.embedding.weight, ids, config.input_tokens)
    fast = train_contexts(model.context_block, model.inputs(ids), config, 42)
    P, rows = plain.train_contexts(block, x, config, 42)
    return model, fast, block, x, P, rows


def close(got: Tensor, want: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(got, want, atol=tolerance, rtol=tolerance)


@pytest.mark.usefixtures("row_of_tuning")
@pytest.mark.parametrize(("layers", "tokens"), SHAPES)
def test_training_equals_the_plain_version_in_float64(
    build: Build, toy: Toy, layers: int, tokens: int
) -> None:
    knobs = {"precision": "float64", "max_iter": 20, "convergence_threshold": 0.3}
    config = toy(layers=layers, input_tokens=tokens, **knobs)
    model, fast, block, _, P, rows = both_trained(build, config)
    assert len(fast.trace) == len(rows) == 19
    for got, want in zip(fast.trace, rows, strict=True):
        assert got.keys() == want.keys()
        assert got == pytest.approx(want, abs=1e-10, rel=1e-10)
    assert 0 < fast.trace[-1]["convergence_rate"] < 1
    close(fast.contexts, P)
    for name, weight in block.state_dict().items():
        close(model.context_block.state_dict()[name], weight)


@pytest.mark.usefixtures("row_of_tuning")
@pytest.mark.parametrize(("layers", "tokens"), SHAPES)
def test_one_iteration_equals_the_plain_version_in_float32(
    build: Build, toy: Toy, layers: int, tokens: int
) -> None:
    config = toy(layers=layers, input_tokens=tokens, max_iter=2)
    model, fast, block, _, P, rows = both_trained(build, config)
    assert fast.contexts.dtype == torch.float32
    close(fast.contexts, P, 1e-5)
    for key in ("loss", "fixed_point_loss", "diversity_loss", "grad_norm", "layernorm_gain"):
        assert fast.trace[0][key] == pytest.approx(rows[0][key], rel=1e-5)
    gradients = {name: p.grad for name, p in model.context_block.named_parameters()}
    for name, parameter in block.named_parameters():
        got, want = gradients[name], parameter.grad
        assert got is not None
        assert want is not None
        assert want.norm() > 0
        assert (got - want).norm() / want.norm() < 1e-5, name


@pytest.mark.usefixtures("row_of_tuning")
@pytest.mark.parametrize(("layers", "tokens"), SHAPES)
def test_contexts_for_phase_2_equal_the_plain_version(
    build: Build, toy: Toy, layers: int, tokens: int
) -> None:
    config = toy(layers=layers, input_tokens=tokens, precision="float64", max_iter=4)
    model, fast, block, x, P, _ = both_trained(build, config)
    inputs = model.inputs(_ids(build, config))
    passed = training_contexts(model.context_block, fast.contexts, inputs, out=fast.contexts)
    assert passed[-1] is fast.contexts  # a single layer needs no second [N, D]
    for got, want in zip(passed, plain.training_contexts(block, P, x), strict=True):
        close(got, want)
    sequential = sequential_contexts(model.context_block, inputs)
    assert len(sequential) == layers
    for got, want in zip(sequential, plain.sequential_contexts(block, x, 24), strict=True):
        close(got, want)


def _ids(build: Build, config: RunConfig) -> Tensor:
    return build(config, TOKENS)[1]


@pytest.mark.parametrize("layers", [1, 2])
@torch.no_grad()
def test_sequential_contexts_are_the_literal_recurrence(
    build: Build, toy: Toy, layers: int
) -> None:
    model, ids = build(toy(layers=layers, precision="float64"), 30)
    inputs, block = model.inputs(ids), model.context_block
    outputs = sequential_contexts(block, inputs)
    terms, c = block.terms(inputs.table), torch.zeros(1, 24, dtype=torch.float64)
    weights, hand = by_hand.parameters(block), np.zeros((1, 24))
    x = by_hand.inputs(by_hand.array(model.embedding.weight), ids.tolist(), 1)
    for i in range(30):
        steps = block.forward(c, terms, inputs.index[i : i + 1])
        hand_steps = by_hand.context_block(weights, hand, x[i : i + 1])
        for output, step, hand_step in zip(outputs, steps, hand_steps, strict=True):
            close(output[i], step[0])
            np.testing.assert_allclose(output[i].numpy(), hand_step[0], atol=1e-10)
        c, hand = steps[-1], hand_steps[-1]


class ByHand:
    """A toy text, and what the formulas of the spec give for it, computed in numpy."""

    def __init__(self, build: Build, config: RunConfig, tokens: int) -> None:
        self.config = config
        self.model, ids = build(config, tokens)
        self.inputs = self.model.inputs(ids)
        embedding = by_hand.array(self.model.embedding.weight)
        self.x = by_hand.inputs(embedding, ids.tolist(), config.input_tokens)
        draw = generator(42, "contexts")
        first = torch.randn(tokens, config.context_dim, generator=draw, dtype=torch.float64)
        self.first = 0.01 * first.numpy()

    def train(self, **options: Any) -> Phase1State:
        return train_contexts(self.model.context_block, self.inputs, self.config, 42, **options)

    def shifted(self, P: by_hand.Array) -> by_hand.Array:
        return np.array([P[i - 1] for i in range(len(P))])  # P[-1] is the last token's

    def step(self, P: by_hand.Array, c: by_hand.Array | None = None) -> list[by_hand.Array]:
        weights = by_hand.parameters(self.model.context_block)
        return by_hand.context_block(weights, self.shifted(P) if c is None else c, self.x)


@pytest.mark.parametrize(("layers", "tokens"), [(1, 1), (2, 3)])
def test_each_token_takes_the_previous_context_of_the_token_before(
    build: Build, toy: Toy, layers: int, tokens: int
) -> None:
    knobs = {"layers": layers, "input_tokens": tokens, "phase1_batch": 3, "context_noise": 0}
    hand = ByHand(build, toy(max_iter=2, precision="float64", **knobs), 7)
    expected = [hand.step(hand.first)[-1]]
    after_step = hand.train().contexts.numpy()
    np.testing.assert_allclose(after_step, expected[0], atol=1e-12)

    hand = ByHand(build, toy(max_iter=4, precision="float64", **knobs), 7)
    P = hand.step(hand.first)[-1]
    seen: list[by_hand.Array] = []

    def next_iteration(row: dict[str, Any]) -> None:
        seen.append(hand.step(P if not seen else seen[-1])[-1])

    # Each call sees the weights after one more step, those that the next iteration uses.
    contexts = hand.train(hooks=Hooks(next_iteration)).contexts.numpy()
    np.testing.assert_allclose(contexts, seen[1], atol=1e-12)


def test_the_noise_is_drawn_afresh_for_every_chunk_and_scaled(build: Build, toy: Toy) -> None:
    config = toy(max_iter=2, precision="float64", phase1_batch=3, context_noise=0.25)
    hand = ByHand(build, config, 7)
    like = torch.zeros(3, 24, dtype=torch.float64)
    draws = [noise(42, 2, k, like[:rows]).numpy() for k, rows in enumerate((3, 3, 1))]
    expected = hand.step(hand.first, hand.shifted(hand.first) + 0.25 * np.concatenate(draws))[-1]
    np.testing.assert_allclose(hand.train().contexts.numpy(), expected, atol=1e-12)


def test_noise_differs_by_seed_iteration_and_chunk_and_is_standard_normal() -> None:
    like = torch.zeros(200, 50)
    draws = [noise(*which, like) for which in ((1, 2, 0), (2, 2, 0), (1, 3, 0), (1, 2, 1))]
    for draw in draws:
        assert draw.std().item() == pytest.approx(1, abs=0.03)
        assert draw.mean().item() == pytest.approx(0, abs=0.03)
    flat = torch.stack([d.flatten() for d in draws])
    correlation = torch.corrcoef(flat) - torch.eye(4)
    assert correlation.abs().max() < 0.05
    assert torch.equal(draws[0], noise(1, 2, 0, like))


def test_noise_has_the_moments_and_the_tails_of_a_normal_distribution() -> None:
    draw = noise(1, 2, 0, torch.zeros(5000, 201)).double().flatten()
    for power, (moment, variance) in {1: (0, 1), 2: (1, 2), 3: (0, 15), 4: (3, 96)}.items():
        error = (variance / len(draw)) ** 0.5
        assert float((draw**power).mean()) == pytest.approx(moment, abs=4 * error)
    for bound in (0.5, 1, 2, 3, 4):
        share = 2 * float(torch.special.ndtr(torch.tensor(-bound, dtype=torch.float64)))
        error = (share / len(draw)) ** 0.5
        assert float((draw.abs() > bound).double().mean()) == pytest.approx(share, abs=4 * error)
    assert draw.abs().max() > 4.3


@pytest.mark.parametrize("width", [64, 65])
def test_noise_of_rows_and_columns_is_independent(width: int) -> None:
    """No two columns, rows or halves go together, nor do their sizes; the rank is full."""
    draw = noise(7, 3, 1, torch.zeros(4000, width)).double()
    for matrix in (draw, draw.abs() - draw.abs().mean(), draw[:width].T):
        n, several = matrix.shape
        off = torch.corrcoef(matrix.T) - torch.eye(several)
        assert float(off.abs().max()) < 5 / n**0.5
        assert float(off.square().sum() / (several * (several - 1))) == pytest.approx(
            1 / n, rel=0.2
        )
    sigma = torch.linalg.svdvals(draw) / 4000**0.5
    edge = (width / 4000) ** 0.5  # Marchenko and Pastur
    assert float(sigma.max()) == pytest.approx(1 + edge, abs=0.03)
    assert float(sigma.min()) == pytest.approx(1 - edge, abs=0.03)


def test_noise_is_the_same_in_parts_and_in_either_precision() -> None:
    like = torch.zeros(50, 7)
    whole, noises = noise(1, 2, 3, like), Noises(1, [9, 9, 9, 50], like)
    noises.renew(2)
    draw = noises.draws[3]
    parts = [draw.draw(slice(at, at + 20), torch.empty(min(20, 50 - at), 7)) for at in (0, 20, 40)]
    assert torch.equal(torch.cat(parts), whole)
    close(noise(1, 2, 3, like.double()), whole.double(), 1e-3)  # near a radius of zero, rounding


class Same(Noise):
    """Noise of which every bit is zero, whose logarithm would be infinite."""

    def __init__(self, like: Tensor) -> None:
        super().__init__(torch.zeros(6, dtype=torch.int32), 3, Room(like))


def test_noise_of_zero_bits_is_finite() -> None:
    draw = Same(torch.zeros(3, 5)).draw(slice(0, 3), torch.empty(3, 5))
    assert bool(draw.isfinite().all())
    assert draw[0, 0] == pytest.approx(6.66, abs=0.01)


def test_keys_come_from_memory_that_no_copy_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of an iteration at once, and the CPU's."""
    noises, real, pinned = Noises(1, [5, 3], torch.empty(0, 8)), torch.empty, []
    noises.renew(2)
    expected = noises._keys
    noises._keys = MagicMock(device=torch.device("cuda:1"))
    noises._keys.__len__.return_value = len(expected)

    def empty(*shape: int, pin_memory: bool = False, **how: Any) -> Tensor:
        pinned.append(pin_memory)
        return real(*shape, **how)

    monkeypatch.setattr(torch, "empty", empty)
    noises.renew(2)
    (keys,), how = noises._keys.copy_.call_args
    assert (pinned, how) == ([True], {"non_blocking": True})
    assert torch.equal(keys, expected)


def test_phase_1_of_other_devices_begins_with_hashed_rows(
    build: Build, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "first_stream", lambda device: "hashed rows")
    hashed = hashed_contexts(42, torch.empty(7, 24), 0.01)
    assert torch.equal(draws.first_contexts(42, torch.empty(7, 24), 0.01), hashed)
    model, ids = build(toy(), 7)
    block, seen = model.context_block, Mock(side_effect=InterruptedError)
    monkeypatch.setattr(phase1, "Trainer", seen)
    with pytest.raises(InterruptedError):
        train_contexts(block, model.inputs(ids), toy(), 42)
    assert torch.equal(seen.call_args.args[-1].contexts, hashed)


def test_hashed_rows_are_the_same_in_every_format() -> None:
    """The same on every device: no generator but the CPU's, and noise of an unused iteration."""
    out = torch.empty(4100, 7)
    assert hashed_contexts(42, out, 0.01) is out
    again = [0.01 * noise(42, 1, k, torch.empty(n, 7)) for k, n in enumerate((4096, 4))]
    assert torch.equal(out, torch.cat(again))
    assert float(out.std()) == pytest.approx(0.01, rel=0.02)
    rounded = hashed_contexts(42, torch.empty(4100, 7, dtype=torch.bfloat16), 0.01)
    assert torch.equal(rounded, out.bfloat16())


@pytest.mark.parametrize(("layers", "tokens"), SHAPES)
def test_the_size_of_the_blocks_changes_nothing(
    build: Build, toy: Toy, tuned: Tuned, layers: int, tokens: int
) -> None:
    """A chunk is part of the loss, the blocks that it is computed in are not."""
    config = toy(layers=layers, input_tokens=tokens, precision="float64", max_iter=6)
    results = []
    for rows in (1000, 50, 1):
        tuned(block=24 * rows)
        results.append(train(build, config))
    for other in results[1:]:
        close(other.contexts, results[0].contexts)
        for got, want in zip(other.trace, results[0].trace, strict=True):
            assert got == pytest.approx(want, abs=1e-10, rel=1e-10)


def test_training_contexts_start_from_zero_and_are_without_noise(
    build: Build, toy: Toy, tuned: Tuned
) -> None:
    config = toy(layers=2, input_tokens=3, precision="float64", context_noise=0.5)
    hand = ByHand(build, config, 7)
    P = torch.randn(7, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    before = np.vstack([np.zeros(24), P[:-1].numpy()])
    expected = hand.step(hand.first, before)
    for rows in (3, 7, 100):
        tuned(block=24 * rows)
        contexts = training_contexts(hand.model.context_block, P, hand.inputs)
        for got, want in zip(contexts, expected, strict=True):
            np.testing.assert_allclose(got.numpy(), want, atol=1e-12)


def test_training_contexts_are_made_in_as_many_rows_as_the_table_says(
    build: Build, toy: Toy, tuned: Tuned
) -> None:
    model, ids = build(toy(), 20)
    made: list[int] = []
    model.context_block.register_forward_hook(lambda block, given, out: made.append(len(out[0])))
    for block, expected in ((24 * 8 + 5, [8, 8, 4]), (24 * 20, [20]), (1, [1] * 20)):
        tuned(block=block)
        made.clear()
        training_contexts(model.context_block, torch.zeros(20, 24), model.inputs(ids))
        assert made == expected


@pytest.mark.parametrize("w", [0.0, 0.3, 0.9, 1.0])
def test_losses_and_rate_of_an_iteration_by_hand(build: Build, toy: Toy, w: float) -> None:
    config = toy(max_iter=2, precision="float64", phase1_batch=3, context_noise=0)
    config = config.model_copy(update={"dist_reg_weight": w, "convergence_threshold": 0.95})
    hand = ByHand(build, config, 8)
    C = hand.step(hand.first)[-1]
    chunks = by_hand.chunk_losses(C, hand.first, 3, w)
    assert [rows for rows, *_ in chunks] == [3, 3, 2]
    distances = ((C - hand.first) ** 2).mean(1)
    row = hand.train().trace[0]
    assert row["fixed_point_loss"] == pytest.approx(sum(n * f for n, f, _, _ in chunks) / 8)
    assert row["diversity_loss"] == pytest.approx(sum(n * d for n, _, d, _ in chunks) / 8)
    assert row["loss"] == pytest.approx(sum(n * loss for n, _, _, loss in chunks) / 8)
    assert row["convergence_rate"] == pytest.approx(np.mean(distances < 0.95))


@pytest.mark.usefixtures("row_of_tuning")
@pytest.mark.parametrize("w", [0.0, 0.9, 1.0])
@pytest.mark.parametrize(("layers", "tokens"), [(1, 1), (2, 3)])
def test_gradients_are_finite_differences_of_the_loss_by_hand(
    build: Build, toy: Toy, w: float, layers: int, tokens: int
) -> None:
    """The gradient is that of the plain mean over chunks, the short last one weighing as much."""
    knobs = {"layers": layers, "input_tokens": tokens, "dist_reg_weight": w}
    knobs |= {"max_iter": 2, "phase1_batch": 3, "context_noise": 0, "gradient_clip": 1e9}
    hand = ByHand(build, toy(precision="float64", **knobs), 8)
    start = by_hand.parameters(hand.model.context_block)
    hand.train()

    def loss(name: str, position: tuple[int, ...], change: float) -> float:
        moved = {key: value.copy() for key, value in start.items()}
        moved[name][position] += change
        C = by_hand.context_block(moved, hand.shifted(hand.first), hand.x)[-1]
        return float(np.mean([value for *_, value in by_hand.chunk_losses(C, hand.first, 3, w)]))

    rng, step = np.random.default_rng(5), 1e-6
    for name, parameter in hand.model.context_block.named_parameters():
        assert parameter.grad is not None
        for _ in range(6):
            position = tuple(int(rng.integers(n)) for n in parameter.shape)
            slope = (loss(name, position, step) - loss(name, position, -step)) / (2 * step)
            assert parameter.grad[position].item() == pytest.approx(slope, rel=1e-4, abs=1e-8), name


def test_first_adam_step_goes_down_the_gradient_by_the_learning_rate(
    build: Build, toy: Toy
) -> None:
    model, ids = build(toy(max_iter=2, precision="float64", phase1_lr=0.005), 60)
    start = {name: value.clone() for name, value in model.context_block.state_dict().items()}
    config = toy(max_iter=2, precision="float64", phase1_lr=0.005)
    train_contexts(model.context_block, model.inputs(ids), config, 42)
    for name, parameter in model.context_block.named_parameters():
        assert parameter.grad is not None
        clear = parameter.grad.abs() > 1e-5  # far above Adam's eps of 1e-8
        assert bool(clear.any())
        moved = (parameter - start[name])[clear]
        close(moved, -0.005 * parameter.grad[clear].sign(), 1e-4)


def spread(contexts: Tensor) -> float:
    return float((contexts - contexts.mean(0)).norm())


def test_the_terms_of_the_loss_pull_the_way_they_should(build: Build, toy: Toy) -> None:
    """Against untrained weights: w = 1 spreads the contexts, w = 0 settles them."""

    def trained(w: float, lr: float) -> Phase1State:
        config = toy(dist_reg_weight=w, phase1_lr=lr, max_iter=40, min_converged_ratio=1)
        model, ids = build(config, TOKENS)
        return train_contexts(model.context_block, model.inputs(ids), config, 42)

    untrained, apart, settled = trained(0.5, 1e-12), trained(1.0, 0.002), trained(0.0, 0.002)
    assert spread(apart.contexts) > 1.05 * spread(untrained.contexts)
    assert apart.trace[-1]["diversity_loss"] < 1.05 * untrained.trace[-1]["diversity_loss"] < 0
    assert spread(settled.contexts) < 0.95 * spread(untrained.contexts)
    last = settled.trace[-1]["fixed_point_loss"]
    assert last < 0.7 * untrained.trace[-1]["fixed_point_loss"]
    assert last < apart.trace[-1]["fixed_point_loss"]


def train(build: Build, config: RunConfig, seed: int = 42) -> Phase1State:
    model, ids = build(config, TOKENS)
    return train_contexts(model.context_block, model.inputs(ids), config, seed)


def test_convergence_stops_in_iteration_5_at_the_earliest(build: Build, toy: Toy) -> None:
    result = train(build, toy(convergence_threshold=1e9, max_iter=20))
    assert [row["convergence_rate"] for row in result.trace] == [1, 1, 1, 1]
    assert [row["iteration"] for row in result.trace] == [2, 3, 4, 5]
    assert result.iterations == 5


def test_convergence_stops_at_the_ratio_and_not_before(build: Build, toy: Toy) -> None:
    knobs = {"convergence_threshold": 0.25, "max_iter": 40}
    rates = [r["convergence_rate"] for r in train(build, toy(min_converged_ratio=1, **knobs)).trace]
    ratio = next(new for old, new in pairwise(rates[4:]) if new > max(rates[:4]) and new > old)
    result = train(build, toy(min_converged_ratio=ratio, **knobs))
    assert len(result.trace) < 39
    assert result.trace[-1]["convergence_rate"] >= ratio
    assert all(row["convergence_rate"] < ratio for row in result.trace[3:-1])


def test_max_iter_counts_the_drawing_iteration(build: Build, toy: Toy) -> None:
    seen: list[dict[str, Any]] = []
    config = toy(max_iter=2)
    model, ids = build(config, TOKENS)
    result = train_contexts(
        model.context_block, model.inputs(ids), config, 42, hooks=Hooks(seen.append)
    )
    assert result.iterations == 2
    assert [row["iteration"] for row in result.trace] == [2]
    assert seen == result.trace


def test_runs_that_differ_in_max_iter_share_their_first_iterations(build: Build, toy: Toy) -> None:
    short, long = train(build, toy(max_iter=6)), train(build, toy(max_iter=9))
    assert len(long.trace) == 8
    assert long.trace[:5] == short.trace


def test_another_seed_gives_another_trace(build: Build, toy: Toy) -> None:
    traces = [train(build, toy(max_iter=3), seed).trace for seed in (42, 42, 43)]
    assert traces[0] == traces[1] != traces[2]


def test_a_clip_that_is_never_reached_changes_nothing(build: Build, toy: Toy) -> None:
    one, two = train(build, toy(gradient_clip=1.0)), train(build, toy(gradient_clip=2.0))
    assert max(row["grad_norm"] for row in one.trace) < 1
    assert not any(row["clipped"] for row in one.trace)
    assert one.trace == two.trace
    assert torch.equal(one.contexts, two.contexts)


def test_a_tiny_clip_is_reported_and_changes_what_follows(build: Build, toy: Toy) -> None:
    free, config = train(build, toy()), toy(gradient_clip=1e-9)
    model, ids = build(config, TOKENS)
    tight = train_contexts(model.context_block, model.inputs(ids), config, 42)
    assert all(row["clipped"] is True for row in tight.trace)
    assert tight.trace[0] == free.trace[0] | {"clipped": True}  # the norm is that before clipping
    for got, other in zip(tight.trace[1:], free.trace[1:], strict=True):
        assert got["loss"] != other["loss"]
    gradients = [p.grad for p in model.context_block.parameters() if p.grad is not None]
    norm = torch.stack([g.norm() for g in gradients]).norm().item()
    assert norm == pytest.approx(1e-9, rel=1e-2)


def test_the_size_of_the_chunks_is_part_of_the_loss(build: Build, toy: Toy) -> None:
    """‖C - mean‖ / |B| falls with |B|: chunks of a quarter double it."""
    rows = [train(build, toy(max_iter=2, phase1_batch=size)).trace[0] for size in (300, 75)]
    ratio = rows[1]["diversity_loss"] / rows[0]["diversity_loss"]
    assert ratio == pytest.approx(2, rel=0.1)
    assert rows[0]["fixed_point_loss"] == pytest.approx(rows[1]["fixed_point_loss"], rel=0.05)


def test_a_chunk_of_one_token_has_no_spread_and_no_gradient_of_it(build: Build, toy: Toy) -> None:
    config = toy(max_iter=3, phase1_batch=2, precision="float64", dist_reg_weight=1)
    _, fast, _, _, P, rows = both_trained(build, config, tokens=3)
    for got, want in zip(fast.trace, rows, strict=True):
        assert got == pytest.approx(want, rel=1e-10)
    close(fast.contexts, P)


def test_a_loss_that_is_not_finite_names_the_iteration(build: Build, toy: Toy) -> None:
    with pytest.raises(TrainingError, match=r"300 tokens .* iteration 3; a phase1_lr below 1e\+30"):
        train(build, toy(phase1_lr=1e30))
