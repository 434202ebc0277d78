"""What a GPU does besides the numbers: waits, memory, formats, and how often it compiles."""

import pytest
import torch
from helpers.cuda import CARD, needs_card, no_waits, room, set_compiled
from helpers.toy import Build, Toy
from torch import Tensor

from fpcore import RunConfig
from fpcore.config.baseline import NeuralConfig
from fpcore.data.tokens import HeldOut
from fpcore.model.blocks import FixedPointModel, Inputs
from fpcore.model.head import Head
from fpcore.model.precision import product, rounded_products
from fpcore.stats import metrics
from fpcore.stats.draws import first_contexts, hashed_contexts
from fpcore.trainers import phase1, phase2
from fpcore.trainers.network_training import train_network
from fpcore.trainers.networks import matched
from fpcore.trainers.phase1 import Phase1State, train_contexts
from fpcore.trainers.phase2 import Phase2State, evaluate
from fpcore.trainers.texts import Text, Texts

pytestmark = [
    needs_card,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # what the compiler itself imports
    pytest.mark.filterwarnings("ignore:Synchronization debug mode"),
]
TOKENS = 300


@pytest.fixture
def odd(toy: Toy) -> Toy:
    """The toy setting with a width that has to be filled up."""
    return lambda **knobs: toy(**({"context_dim": 25, "min_converged_ratio": 1.0} | knobs))


def on_card(build: Build, config: RunConfig) -> tuple[FixedPointModel, Inputs]:
    model, ids = build(config, TOKENS)
    model = model.to(CARD)
    return model, model.inputs(ids.to(CARD))


def close(got: Tensor, want: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(got, want, atol=tolerance, rtol=tolerance)


def apart(got: Tensor, want: Tensor) -> float:
    return float((got - want).norm() / want.norm())


def test_effective_rank_is_that_of_the_singular_values() -> None:
    contexts = torch.randn(5000, 25, device=CARD) * torch.linspace(0.1, 2, 25, device=CARD) + 1
    for centred in (False, True):
        rows = contexts.double().cpu()
        sigma = torch.linalg.svdvals(rows - rows.mean(0) if centred else rows)
        p = sigma / sigma.sum()
        expected = float(torch.exp(-(p * p.log()).sum()))
        assert metrics.effective_rank(contexts, centred) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_first_contexts_are_those_that_the_cpu_hashes(dtype: torch.dtype, tolerance: float) -> None:
    card = first_contexts(42, torch.empty(5000, 25, dtype=dtype, device=CARD), 0.01)
    close(card.cpu(), hashed_contexts(42, torch.empty(5000, 25, dtype=dtype), 0.01), tolerance)


@pytest.mark.parametrize("compiled", [False, True])
def test_an_iteration_waits_once(
    build: Build, odd: Toy, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    set_compiled(monkeypatch, compiled)
    config = odd(precision="bfloat16", layers=2, input_tokens=2)
    model, inputs = on_card(build, config)
    P = first_contexts(42, torch.empty(TOKENS, 25, device=CARD), 0.01)
    trainer = phase1.Trainer(model.context_block, inputs, config, 42, Phase1State(P))
    real, reads = phase1._read, []

    def read(found: Tensor) -> list[float]:
        reads.append(torch.cuda.get_sync_debug_mode())
        torch.cuda.set_sync_debug_mode("default")
        return real(found)

    monkeypatch.setattr(phase1, "_read", read)
    trainer.iterate(2)  # libraries set up what they need
    trainer._captures = False
    trainer.iterate(3)
    for iteration, captured in ((4, False), (5, True)):
        trainer._captures = captured
        with no_waits():
            trainer.iterate(iteration)
    assert reads == [0, 0, 2, 2]  # the only ones, while every other wait was an error


@pytest.mark.parametrize("compiled", [False, True])
def test_a_batch_and_a_piece_of_evaluation_wait_never(
    build: Build, odd: Toy, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    set_compiled(monkeypatch, compiled)
    config = odd(precision="bfloat16", layers=2, input_tokens=2, output_bias="unigram")
    model, inputs = on_card(build, config)
    drawn = torch.randn(TOKENS, 25, device=CARD)
    text = Text.of([drawn] * 2, inputs, build(config, TOKENS)[1].to(CARD))
    head = Head(model.embedding.weight, torch.bfloat16, model.token_block.bias)
    texts = Texts(text, text)
    trainer = phase2.Trainer(model.token_block, head, texts, config, Phase2State())
    with torch.no_grad(), rounded_products(torch.bfloat16):
        for _ in range(2):
            trainer._step(text, slice(0, 64))
            head.predict(model.token_block.step(*text.rows(slice(64)))[0], text.targets[:64])
        with no_waits():
            trainer._step(text, slice(64, 128))
            head.predict(model.token_block.step(*text.rows(slice(64)))[0], text.targets[:64])


def test_logits_that_do_not_fit_are_made_in_smaller_pieces() -> None:
    """823 MB of logits, and half of that of probabilities, where 600 MB are left."""
    h, weights = torch.randn(4096, 16, device=CARD), torch.randn(50_257, 16, device=CARD)
    targets = torch.randint(50_257, (4096,), device=CARD)
    whole = Head(weights, torch.bfloat16).cross_entropy(h, targets)
    head = Head(weights, torch.bfloat16)
    with room(600 * 10**6):
        pieces = head.cross_entropy(h, targets)
    assert 256 < head._rows < 4096
    for got, want in zip(pieces, whole, strict=True):
        close(got, want, 1e-6)


def test_formats_of_products_are_those_that_are_said() -> None:
    """float32 is exact to its rounding, TF32 has 11 bits, and bfloat16 factors are added exactly.

    The recurrent network would be computed in TF32 if nothing were said.
    """
    a, b = torch.randn(512, 2048, device=CARD), torch.randn(2048, 512, device=CARD)
    exact = a.double() @ b.double()
    with rounded_products(torch.float32):
        assert apart(a @ b, exact) < 1e-6
        network = torch.nn.LSTM(64, 64).to(CARD)
        x = torch.randn(50, 4, 64, device=CARD)
        got = network(x)[0].detach()  # 5e-6; in TF32 some 1e-4
        assert apart(got, network.double()(x.double())[0].detach()) < 2e-5
        assert torch.get_float32_matmul_precision() == "highest"
    with rounded_products(torch.bfloat16):
        assert 1e-5 < apart(a @ b, exact) < 1e-3
    small, other = a.bfloat16(), b.bfloat16()
    wide = product(small, other, torch.float32)
    assert wide.dtype == torch.float32
    assert apart(wide, small.double() @ other.double()) < 1e-5  # the result rounded: 2e-3


@pytest.mark.parametrize("model", ["lstm", "gpt"])
@pytest.mark.parametrize("own", [False, True])
def test_networks_learn_as_on_the_cpu(model: str, own: bool) -> None:
    config = NeuralConfig(
        name="toy",
        model=model,
        own_embedding=own,
        output_bias="unigram",
        embed_dim=8,
        context_dim=90,
        segment=8,
        streams=3,
        epochs=3,
    )
    source = torch.Generator().manual_seed(1)
    weights = torch.randn(20, 8, generator=source)
    ids = torch.randint(20, (200,), generator=source)
    held_out = HeldOut(ids[:50], (torch.arange(50) >= 20).long(), 50)
    found = []
    for device in (torch.device("cpu"), CARD):
        network = matched(weights, config, 1).to(device)
        texts = Texts(ids.to(device), held_out, held_out)
        found.append(train_network(network, texts, config, 0.005))
    for got, want in zip(found[1].trace, found[0].trace, strict=True):
        assert got == pytest.approx(want, rel=1e-4)
    assert found[1].val.loss_sums == pytest.approx(found[0].val.loss_sums, rel=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_a_text_gives_does_not_depend_on_the_texts_before(
    build: Build, odd: Toy, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """Lengths for which a compiler makes several kernels, and one that none of them takes."""
    config = odd(precision=precision, max_iter=4, context_dim=1085, phase1_batch=5000, layers=2)
    found: list[dict[int, Tensor]] = []
    for lengths in ([300, 5000, 5001, 4832], [4832, 5001, 5000, 300]):
        set_compiled(monkeypatch, True)
        found.append({})
        for tokens in lengths:
            model, ids = build(config, tokens)
            model = model.to(CARD)
            inputs = model.inputs(ids.to(CARD))
            found[-1][tokens] = train_contexts(model.context_block, inputs, config, 42).contexts
    for tokens, contexts in found[0].items():
        assert torch.equal(contexts, found[1][tokens]), tokens


@pytest.mark.parametrize("compiled", [False, True])
def test_many_models_are_trained_with_chains_compiled_once(
    build: Build, odd: Toy, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    """Sizes and seeds differ in rows alone: after the first, nothing compiles again."""
    set_compiled(monkeypatch, compiled)
    graphs = torch._dynamo.utils.counters["stats"]
    config, made = odd(precision="bfloat16", max_iter=3), []
    for n in range(12):
        model, ids = build(config, 300 + 40 * n, seed=n)
        model = model.to(CARD)
        result = train_contexts(model.context_block, model.inputs(ids.to(CARD)), config, n)
        evaluate(model.token_block, Head(model.embedding.weight), _text(model, ids, result))
        made.append(graphs["unique_graphs"])
    assert made[1:] == made[:1] * 11


def _text(model: FixedPointModel, ids: Tensor, result: Phase1State) -> Text:
    ids = ids.to(CARD)
    return Text.of([result.contexts], model.inputs(ids), ids)
