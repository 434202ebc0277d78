"""The trainers on a GPU: beside the plain version there, beside the CPU, and without hidden waits.

Compiled chains round in another way than the operations one by one, and the noise is the less
exact the smaller its radius is; so float32 has wider tolerances here than on a CPU.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from helpers.cuda import CARD, left_uncompiled, needs_card, set_compiled
from helpers.toy import Build, Toy
from torch import Tensor

from fpcore import RunConfig
from fpcore.model import plain
from fpcore.model.blocks import FixedPointModel, Inputs
from fpcore.model.fused import spent
from fpcore.model.precision import stored_dtype
from fpcore.trainers.contexts import Steps, sequential_contexts, training_contexts
from fpcore.trainers.phase1 import train_contexts
from fpcore.trainers.phase2 import train_tokens
from fpcore.trainers.texts import Text, Texts

pytestmark = [
    needs_card,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # what the compiler itself imports
]
TOKENS = 300  # with chunks of 128: two whole ones and a shorter last one


class Way(NamedTuple):
    """How chains are done, and the shape of the model."""

    compiled: bool
    layers: int
    input_tokens: int

    def shape(self) -> dict[str, int]:
        """The knobs of the model's shape."""
        return {"layers": self.layers, "input_tokens": self.input_tokens}


class Within(NamedTuple):
    """A precision, and how far what it gives may be from the plain version in float32."""

    precision: str
    contexts: float
    losses: float
    gradients: float


WAYS = [Way(compiled, *shape) for compiled in (False, True) for shape in ((1, 1), (2, 3))]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way)))


@pytest.fixture
def odd(toy: Toy) -> Toy:
    """The toy setting with a width that has to be filled up."""
    return lambda **knobs: toy(**({"context_dim": 25, "min_converged_ratio": 1.0} | knobs))


@dataclass
class Pair:
    """The same model twice on the card, for the trainers and for the plain version."""

    model: FixedPointModel
    inputs: Inputs
    ids: Tensor
    block: plain.ContextBlock
    x: Tensor


def pair(build: Build, config: RunConfig) -> Pair:
    model, ids = build(config, TOKENS)
    model, ids = model.to(CARD), ids.to(CARD)
    width = config.embed_dim * config.input_tokens
    block = plain.ContextBlock(config.layers, config.context_dim, width)
    block = block.to(CARD, stored_dtype(config))
    block.load_state_dict(model.context_block.state_dict())
    x = plain.input_vectors(model.embedding.weight, ids, config.input_tokens)
    return Pair(model, model.inputs(ids), ids, block, x)


def close(got: Tensor, want: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(got, want, atol=tolerance, rtol=tolerance)


def apart(got: Tensor, want: Tensor) -> float:
    return float((got - want).norm() / want.norm())


@ways
def test_phase_1_equals_the_plain_version_in_float64(
    build: Build, odd: Toy, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    set_compiled(monkeypatch, way.compiled)
    knobs = {"precision": "float64", "max_iter": 20, "convergence_threshold": 0.3}
    config = odd(**knobs, **way.shape())
    both, before = pair(build, config), spent()
    fast = train_contexts(both.model.context_block, both.inputs, config, 42)
    P, rows = plain.train_contexts(both.block, both.x, config, 42)
    assert ((spent() > before), left_uncompiled()) == (way.compiled, [])
    assert len(fast.trace) == 19
    for got, want in zip(fast.trace, rows, strict=True):
        assert got == pytest.approx(want, abs=1e-9, rel=1e-9)
    close(fast.contexts, P, 1e-9)
    for name, weight in both.block.state_dict().items():
        close(both.model.context_block.state_dict()[name], weight, 1e-9)


@ways
@pytest.mark.parametrize(
    "within",
    [Within("float32", 1e-5, 1e-5, 1e-4), Within("bfloat16", 0.01, 0.005, 0.06)],
    ids=lambda within: within.precision,
)
def test_an_iteration_of_phase_1_beside_the_plain_version(
    build: Build, odd: Toy, monkeypatch: pytest.MonkeyPatch, way: Way, within: Within
) -> None:
    set_compiled(monkeypatch, way.compiled)
    config = odd(precision=within.precision, max_iter=2, **way.shape())
    both = pair(build, config)
    fast = train_contexts(both.model.context_block, both.inputs, config, 42)
    P, rows = plain.train_contexts(both.block, both.x, config, 42)
    assert left_uncompiled() == []
    assert apart(fast.contexts, P) < within.contexts
    for key in ("loss", "fixed_point_loss", "diversity_loss", "layernorm_gain"):
        assert fast.trace[0][key] == pytest.approx(rows[0][key], rel=within.losses)
    own = dict(both.model.context_block.named_parameters())
    for name, parameter in both.block.named_parameters():
        got, want = own[name].grad, parameter.grad
        assert got is not None and want is not None
        assert apart(got, want) < within.gradients, name


@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize(("layers", "tokens"), [(1, 1), (2, 3)])
def test_contexts_equal_those_of_the_plain_version(
    build: Build, odd: Toy, layers: int, tokens: int, precision: str, tolerance: float
) -> None:
    config = odd(layers=layers, input_tokens=tokens, precision=precision)
    both = pair(build, config)
    P = torch.randn(TOKENS, 25, dtype=both.x.dtype, device=CARD)
    passed = training_contexts(both.model.context_block, P, both.inputs)
    for got, want in zip(passed, plain.training_contexts(both.block, P, both.x), strict=True):
        assert apart(got, want) < tolerance
    steps = sequential_contexts(both.model.context_block, both.inputs)
    expected = plain.sequential_contexts(both.block, both.x, 25)
    for got, want in zip(steps, expected, strict=True):
        assert apart(got, want) < tolerance


@pytest.mark.parametrize("tokens", [3, 256, 300])  # less than is captured at a time, all, more
@pytest.mark.parametrize("compiled", [False, True])
@torch.no_grad()
def test_the_captured_recurrence_is_the_loop(
    build: Build, odd: Toy, monkeypatch: pytest.MonkeyPatch, compiled: bool, tokens: int
) -> None:
    set_compiled(monkeypatch, compiled)
    model, ids = build(odd(layers=2, input_tokens=2), tokens)
    model = model.to(CARD)
    inputs = model.inputs(ids.to(CARD))
    terms = model.context_block.terms(inputs.table)
    rows = [sum(term[inputs.index[:, n]] for n, term in enumerate(slots)) for slots in terms]
    loop = Steps(model.context_block).take(rows)  # type: ignore[arg-type]
    for _ in range(2):  # a second text starts from zero again
        graph = sequential_contexts(model.context_block, inputs)
        for got, want in zip(graph, loop, strict=True):
            assert apart(got, want) < (1e-4 if compiled else 1e-6)


def token_pair(build: Build, config: RunConfig) -> tuple[FixedPointModel, Text, Any, Any]:
    """A model on the card and a text, as the trainer and as the plain version take them."""
    model, ids = build(config, TOKENS)
    model, ids = model.to(CARD), ids.to(CARD)
    source = torch.Generator().manual_seed(1)
    dtype = stored_dtype(config)
    drawn = [torch.randn(TOKENS, 25, generator=source, dtype=dtype) for _ in range(config.layers)]
    contexts = [c.to(CARD) for c in drawn]
    x = plain.input_vectors(model.embedding.weight, ids, config.input_tokens)
    block = plain.TokenBlock(config.layers, 25, config.embed_dim, config.input_tokens)
    block = block.to(CARD, dtype)
    block.load_state_dict(model.token_block.state_dict(), strict=False)  # but for a bias
    return model, Text.of(contexts, model.inputs(ids), ids), block, (contexts, x, ids)


@ways
@pytest.mark.parametrize(
    "within",
    [("float64", 1e-9), ("float32", 1e-4), ("bfloat16", 0.01)],
    ids=lambda within: within[0],
)
def test_phase_2_beside_the_plain_version(
    build: Build, odd: Toy, monkeypatch: pytest.MonkeyPatch, way: Way, within: tuple[str, float]
) -> None:
    """Losses and accuracy of three epochs, and the weights where nothing is rounded."""
    set_compiled(monkeypatch, way.compiled)
    precision, tolerance = within
    config = odd(precision=precision, epochs=3, patience=3, **way.shape())
    model, text, block, seen = token_pair(build, config)
    weights = model.embedding.weight
    adam = torch.optim.Adam(block.parameters(), lr=config.rates[0])
    result = train_tokens(model.token_block, weights, Texts(text, text), config)
    assert left_uncompiled() == []
    for row in result.trace:
        loss = plain.train_epoch(block, adam, seen, weights, config.phase2_batch)
        losses, correct = plain.evaluate(block, seen, weights)
        assert row["train_loss"] == pytest.approx(loss, rel=tolerance)
        assert row["val_loss"] == pytest.approx(float(losses.mean()), rel=tolerance)
        hits = float(correct.double().mean())
        assert row["val_acc"] == pytest.approx(hits, abs=0.02 if precision == "bfloat16" else 1e-9)
    if precision == "float64":
        for name, value in block.state_dict().items():
            close(model.token_block.state_dict()[name], value, 1e-8)
