"""What bfloat16 products change, and how little.

bfloat16 has 8 significant bits, so rounding a factor changes it by at most 2^-9 = 0.2 %. Rounding
errors are random, so sums over many products err by less. The tolerances below are a few times
what was seen, and far below what one more iteration or another seed changes.
"""

from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest
import torch
from helpers.toy import Build, Toy, Tuned, WriteCorpus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import fpcore
from fpcore import ConfigError, RunConfig
from fpcore.config.baseline import NeuralConfig
from fpcore.data.tokens import HeldOut
from fpcore.model import head, plain, precision
from fpcore.model.fused import Fused
from fpcore.model.precision import Precision, resolve, rounded_products
from fpcore.model.tuning import GPU
from fpcore.trainers import phase1
from fpcore.trainers.contexts import sequential_contexts, training_contexts
from fpcore.trainers.hooks import Hooks
from fpcore.trainers.network_training import train_network
from fpcore.trainers.networks import matched
from fpcore.trainers.phase1 import Phase1State, train_contexts
from fpcore.trainers.phase2 import Phase2Result, train_tokens
from fpcore.trainers.texts import Text, Texts

CPU = torch.device("cpu")
SINGLE, DOUBLE, HALF = torch.float32, torch.float64, torch.bfloat16
SHAPES = [(layers, tokens) for layers in (1, 2) for tokens in (1, 3)]


@pytest.mark.parametrize("native", [True, False])
def test_formats_of_every_precision(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: native)
    got = {name: resolve(RunConfig(precision=name), CPU) for name in ("float64", "float32")}
    assert got["float64"] == Precision("float64", DOUBLE, DOUBLE, DOUBLE)
    assert got["float32"] == Precision("float32", SINGLE, SINGLE, SINGLE)
    assert resolve(RunConfig(precision="bfloat16"), CPU) == (
        Precision("bfloat16", SINGLE, HALF, SINGLE)
    )
    name = "bfloat16" if native else "float32"
    assert resolve(RunConfig(), CPU) == resolve(RunConfig(precision=name), CPU)


def test_contexts_in_bfloat16_need_such_products(monkeypatch: pytest.MonkeyPatch) -> None:
    config = RunConfig(precision="bfloat16", bfloat16_contexts=True)
    assert resolve(config, CPU) == Precision("bfloat16", SINGLE, HALF, HALF)
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: False)
    for name, found in (("auto", "float32"), ("float32", "float32"), ("float64", "float64")):
        with pytest.raises(ConfigError) as caught:
            fpcore.run(RunConfig(precision=name, bfloat16_contexts=True, device="cpu"))
        assert str(caught.value) == (
            f"bfloat16_contexts needs bfloat16 products, but precision {name} means {found} on "
            "this cpu; set bfloat16_contexts to false."
        )


@pytest.mark.parametrize(
    ("capabilities", "native"),
    [({"amx_bf16": True}, True), ({"avx512_bf16": True, "amx_bf16": False}, True), ({}, False)],
)
def test_a_cpu_is_asked_for_its_instructions(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], native: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert precision.multiplies_bfloat16(CPU) is native


def test_rounded_products_are_a_scope() -> None:
    source = torch.Generator().manual_seed(3)
    a, b = (torch.randn(64, 64, generator=source) for _ in range(2))
    exact, rounded = a @ b, a.bfloat16().float() @ b.bfloat16().float()
    with rounded_products(torch.bfloat16):
        inside = a @ b
        with rounded_products(torch.float32):
            assert torch.equal(a @ b, exact)
    assert torch.equal(a @ b, exact)
    assert inside.dtype == torch.float32
    # Where the CPU has no bfloat16 instructions, PyTorch may keep to float32.
    assert min(float((inside - want).abs().max()) for want in (exact, rounded)) < 1e-4


def test_formats_of_products_leave_no_trace() -> None:
    """PyTorch's older getters refuse to answer where an operator's format is set alone."""
    matmul: Any = torch.backends.cuda.matmul
    rnn: Any = torch.backends.cudnn.rnn

    def getters() -> list[object]:
        return [
            matmul.allow_tf32,
            torch.backends.cudnn.allow_tf32,
            torch.get_float32_matmul_precision(),
            matmul.allow_bf16_reduced_precision_reduction,
            rnn.fp32_precision,
        ]

    before = getters()
    assert before[3:] == [True, "tf32"]  # PyTorch's defaults, neither of which a record may mean
    with pytest.raises(KeyError), rounded_products(torch.bfloat16):
        assert (matmul.fp32_precision, rnn.fp32_precision) == ("tf32", "tf32")
        assert matmul.allow_bf16_reduced_precision_reduction is False
        raise KeyError
    with rounded_products(torch.float32):
        assert (matmul.fp32_precision, rnn.fp32_precision) == ("ieee", "ieee")
        assert matmul.allow_bf16_reduced_precision_reduction is False
    assert getters() == before


def test_formats_are_those_of_the_record_while_a_trainer_works(
    build: Build, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Phase 1 has rounded what it multiplies; the others round small products, and never an LSTM's.

    No sum is rounded midway.
    """
    exact, rounded = ["ieee", "ieee", "ieee", False], ["bf16", "tf32", "tf32", False]
    found: list[list[object]] = []

    def heard(*_: Any) -> None:
        backends: Any = torch.backends
        matmul = backends.cuda.matmul
        formats = [backends.mkldnn.matmul.fp32_precision, matmul.fp32_precision]
        formats += [backends.cudnn.rnn.fp32_precision]
        found.append([*formats, matmul.allow_bf16_reduced_precision_reduction])

    config = toy(precision="bfloat16", max_iter=2, epochs=1)
    model, ids = build(config, 30)
    inputs = model.inputs(ids)
    P = train_contexts(model.context_block, inputs, config, 42, hooks=Hooks(heard)).contexts
    hook = model.context_block.norms[0].register_forward_hook(heard)
    text = Text.of(training_contexts(model.context_block, P, inputs, HALF), inputs, ids)
    hook.remove()
    weights = model.embedding.weight
    train_tokens(model.token_block, weights, Texts(text, text), config, hooks=Hooks(heard))
    given = NeuralConfig(name="toy", model="lstm", embed_dim=8, context_dim=90, epochs=1)
    held_out = HeldOut(ids, torch.zeros_like(ids), 30)
    network, texts = matched(torch.randn(40, 8), given, 1), Texts(ids, held_out, held_out)
    train_network(network, texts, given, 0.005, Hooks(heard))
    assert found == [exact, rounded, rounded, exact]


@pytest.mark.usefixtures("pieces_are_whole")
@pytest.mark.parametrize("most", [64, 15, 3])
def test_products_of_bfloat16_are_added_up_in_float32_where_a_device_has_them(
    tuned: Tuned, most: int
) -> None:
    """Results that are rounded would be off by 1e-3; a total may be less wide than its factors."""
    tuned(wide=True, transposed=most)
    source = torch.Generator().manual_seed(3)
    a, b = (torch.randn(64, 64, generator=source).bfloat16() for _ in range(2))
    exact = a.double() @ b.double()
    wide, total = precision.product(a, b, SINGLE), torch.ones(60, 59)
    precision.add_transposed(total, a.T, b)
    assert wide.dtype == SINGLE
    assert relative(wide, exact) < 1e-6
    assert relative(total, 1 + exact[:60, :59]) < 1e-6


@pytest.fixture
def pieces_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this processor be one of those on which the pieces of a product were compared."""
    monkeypatch.setattr(precision, "pieces_are_whole", lambda: True)


@pytest.mark.usefixtures("pieces_are_whole")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 90), st.integers(1, 40), st.integers(1, 40), st.integers(1, 12))
def test_transposed_products_in_pieces_are_those_of_the_formula(
    tuned: Tuned, inner: int, rows: int, columns: int, most: int
) -> None:
    """Within the formats of a run of bfloat16, factors may be rounded: by 2⁻⁸ of what they are."""
    tuned(transposed=most)
    source = torch.Generator().manual_seed(inner * rows * columns)
    a, b = (torch.randn(inner, n, generator=source) for n in (rows, columns))
    sizes = a.abs().T @ b.abs()
    for product, most_wrong in ((SINGLE, 1e-5 * sizes), (HALF, 2**-7 * sizes)):
        whole = torch.full((rows, columns + 3), 2.0)
        with rounded_products(product):
            precision.write_transposed(whole[:, :columns], a, b)
            assert bool(((whole[:, :columns] - a.T @ b).abs() <= most_wrong).all())
            precision.add_transposed(whole[:, :columns], a, b)
        assert bool(((whole[:, :columns] - 2 * (a.T @ b)).abs() <= 2 * most_wrong).all())
        assert bool((whole[:, columns:] == 2).all())


@pytest.mark.skipif(not precision.pieces_are_whole(), reason="for processors of one kind")
@pytest.mark.parametrize(("product", "factors"), [(SINGLE, SINGLE), (HALF, SINGLE), (SINGLE, HALF)])
@pytest.mark.parametrize("shape", [(128, 2000, 1085), (96, 512, 1853), (64, 300, 2500)])
def test_pieces_change_no_bit(
    product: torch.dtype, factors: torch.dtype, shape: tuple[int, int, int]
) -> None:
    """So records do not change, of which phase 1 amplifies every bit."""
    rows, inner, columns = shape
    source = torch.Generator().manual_seed(inner)
    a, b = (torch.randn(inner, n, generator=source).to(factors) for n in (rows, columns))
    whole = torch.empty(rows, columns, dtype=factors)
    with rounded_products(product):
        precision.write_transposed(whole, a, b)
        assert torch.equal(whole, a.T @ b)


@pytest.mark.parametrize(("kind", "threads", "width"), [(True, 8, 2), (True, 9, 6), (False, 8, 6)])
def test_other_processors_make_them_at_once(
    monkeypatch: pytest.MonkeyPatch, tuned: Tuned, kind: bool, threads: int, width: int
) -> None:
    tuned(transposed=2)
    monkeypatch.setattr(precision, "without_tiles", lambda: kind)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    with Columns() as columns:
        precision.write_transposed(torch.empty(4, 6), torch.ones(3, 4), torch.ones(3, 6))
    assert columns.seen == {width: 6 // width}


class Columns(TorchDispatchMode):
    """Counts the columns of products whose first factor is transposed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: Counter[int] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        if name in ("mm", "addmm_"):
            a, b = args[:2] if name == "mm" else args[1:3]
            if a.stride(0) == 1 < a.stride(1):
                self.seen[b.shape[1]] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.usefixtures("pieces_are_whole")
@pytest.mark.parametrize("name", ["float32", "bfloat16", "float64"])
def test_gradients_of_weights_are_made_in_pieces(
    build: Build, toy: Toy, tuned: Tuned, name: str
) -> None:
    """Widths are 24 of contexts and 16 of embeddings; a phase has one chunk or batch.

    In float64, a library may add up in another order for fewer columns, so records would change.
    """
    tuned(transposed=15)
    config = toy(precision=name, max_iter=2, epochs=1, context_dim=24, embed_dim=16)
    model, ids = build(config, 60)
    inputs = model.inputs(ids)
    with Columns() as phase1:
        state = train_contexts(model.context_block, inputs, config, 42)
    text = Text.of(training_contexts(model.context_block, state.contexts, inputs), inputs, ids)
    with Columns() as phase2:
        train_tokens(model.token_block, model.embedding.weight, Texts(text, text), config)
    whole = name == "float64"
    assert phase1.seen == ({24: 1, 16: 1} if whole else {12: 2, 8: 2})  # of W_c and of W_x
    assert phase2.seen == ({40: 1} if whole else {14: 2, 12: 1})


@pytest.mark.parametrize("compiled", [False, True])
def test_cross_entropy_where_a_device_adds_up_in_float32(
    tuned: Tuned, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    """Logits are not rounded, nor is the gradient; the probabilities are, once, as factors."""
    monkeypatch.setattr(Fused, "__call__", lambda chain, *given: chain._chain(*given))
    tuned(**asdict(GPU) | {"captured": False, "compiled": compiled})
    source = torch.Generator().manual_seed(5)
    h, weights = (torch.randn(n, 64, generator=source) for n in (70, 600))
    targets = torch.randint(600, (70,), generator=source)
    loss, gradient = head.Head(weights, HALF).cross_entropy(h, targets)
    exact = weights.bfloat16().double()
    logits = h.bfloat16().double() @ exact.T
    assert loss.item() == pytest.approx(F.cross_entropy(logits, targets).item(), rel=1e-6)
    expected = logits.softmax(1).bfloat16().double() @ exact
    assert relative(gradient, (expected - exact[targets]) / 70) < 1e-4


def trained(build: Build, config: RunConfig, tokens: int = 300) -> tuple[Any, Phase1State]:
    model, ids = build(config, tokens)
    return model, train_contexts(model.context_block, model.inputs(ids), config, 42)


@pytest.mark.usefixtures("row_of_tuning")
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(("layers", "tokens"), SHAPES)
def test_one_iteration_in_bfloat16(
    build: Build, toy: Toy, layers: int, tokens: int, stored: bool
) -> None:
    """Contexts within 1 % of their size, losses within 0.5 %, gradients within 6 %.

    Before the first step a context is a sum of a few rounded products. A gradient goes through
    both products of a layer, and through the ReLU, which rounding switches for a few units.
    """
    config = toy(layers=layers, input_tokens=tokens, max_iter=2, precision="bfloat16")
    config = config.model_copy(update={"bfloat16_contexts": stored})
    model, fast = trained(build, config)
    block = plain.ContextBlock(layers, 24, 16 * tokens)
    start, ids = build(config, 300)
    block.load_state_dict(start.context_block.state_dict())
    x = plain.input_vectors(model.embedding.weight, ids, tokens)
    P, rows = plain.train_contexts(block, x, config, 42)
    assert fast.contexts.dtype == (torch.bfloat16 if stored else torch.float32)
    assert relative(fast.contexts, P) < 0.01
    for key in ("loss", "fixed_point_loss", "diversity_loss"):
        assert fast.trace[0][key] == pytest.approx(rows[0][key], rel=0.005)
    pairs = zip(model.context_block.parameters(), block.parameters(), strict=True)
    for got, want in pairs:
        assert got.dtype == torch.float32
        assert relative(got.grad, want.grad) < 0.06


def relative(got: Tensor | None, want: Tensor | None) -> float:
    assert got is not None
    assert want is not None
    return float((got.double() - want.double()).norm() / want.double().norm())


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_contexts_for_phase_2(build: Build, toy: Toy, name: str) -> None:
    """float32 to 1e-5; bfloat16 within 1 % in one pass, and the recurrence stays in float32."""
    config = toy(layers=2, input_tokens=2, max_iter=4, precision=name)
    model, fast = trained(build, config)
    ids = build(config, 300)[1]
    inputs, block = model.inputs(ids), plain.ContextBlock(2, 24, 32)
    block.load_state_dict(model.context_block.state_dict())
    x = plain.input_vectors(model.embedding.weight, ids, 2)
    expected = plain.training_contexts(block, fast.contexts.clone(), x)
    product = resolve(config, CPU).product
    passed = training_contexts(model.context_block, fast.contexts, inputs, product)
    for got, want in zip(passed, expected, strict=True):
        assert relative(got, want) < (1e-5 if name == "float32" else 0.01)
    sequential = plain.sequential_contexts(block, x, 24)
    for got, want in zip(sequential_contexts(model.context_block, inputs), sequential, strict=True):
        assert relative(got, want) < 1e-5


def phase2(build: Build, config: RunConfig) -> Phase2Result:
    model, ids = build(config, 300)
    source = torch.Generator().manual_seed(1)
    contexts = [torch.randn(300, 24, generator=source) for _ in range(config.layers)]
    if config.bfloat16_contexts:
        contexts = [c.bfloat16() for c in contexts]
    train, val = (
        Text.of([c[part] for c in contexts], model.inputs(ids[part]), ids[part])
        for part in (slice(200), slice(200, 300))
    )
    return train_tokens(model.token_block, model.embedding.weight, Texts(train, val), config)


@pytest.mark.usefixtures("row_of_tuning")
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(("layers", "tokens"), SHAPES)
def test_phase_2_in_bfloat16(
    build: Build, toy: Toy, layers: int, tokens: int, stored: bool
) -> None:
    """Losses within 0.5 % of float32's over three epochs, those that PPL is made of."""
    knobs = {"layers": layers, "input_tokens": tokens, "epochs": 3, "patience": 3}
    want = phase2(build, toy(**knobs)).trace
    got = phase2(build, toy(precision="bfloat16", bfloat16_contexts=stored, **knobs)).trace
    for one, other in zip(got, want, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=0.005)
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=0.005)
    assert got != want


def test_cross_entropy_in_bfloat16() -> None:
    """The loss is exact for rounded factors; the gradient is rounded once more, as probabilities.

    A softmax of 600 types has probabilities of very different size, each rounded by 2^-9 at most.
    """
    source = torch.Generator().manual_seed(5)
    h, weights = (torch.randn(n, 64, generator=source) for n in (70, 600))
    targets = torch.randint(600, (70,), generator=source)
    rounded = h.bfloat16().float().requires_grad_()
    want = F.cross_entropy(rounded @ weights.bfloat16().float().T, targets)
    (slope,) = torch.autograd.grad(want, rounded)
    for fused in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(head, "fuses", lambda weights, fused=fused: fused)
            loss, gradient = head.Head(weights, torch.bfloat16).cross_entropy(h, targets)
        assert (loss.dtype, gradient.dtype) == (torch.float32, torch.float32)
        exact = 1e-5 if fused else 0.005  # logits rounded as well
        assert loss.item() == pytest.approx(want.item(), rel=exact)
        assert relative(gradient, slope) < 0.01


def test_a_run_in_bfloat16_ends_where_float32_does(
    toy: Toy, write_corpus: WriteCorpus, conversations: list[str]
) -> None:
    """ER within 0.3 points and training PPL within 1 % at equal seeds.

    Validation has 130 tokens here, whose PPL any disturbance moves by some percent; in the small
    setting, with 12,000, ER differs by less than 0.01 points and PPL by less than 0.06 %.
    """
    size = {"corpus": str(write_corpus(conversations)), "samples": [45], "context_dim": 64}
    size |= {"max_iter": 30, "epochs": 8, "patience": 8, "phase2_batch": 8, "er_rows": None}
    size |= {"phase2_lr": 0.001}
    records = {
        name: fpcore.run(toy(name=name, precision=name, **size)) for name in ("float32", "bfloat16")
    }
    want, got = (records[name].results[0].model_dump() for name in records)
    assert records["bfloat16"].environment["precision"] == "bfloat16"
    assert 100 * got["train_er"] == pytest.approx(100 * want["train_er"], abs=0.3)
    assert 100 * got["val_er"] == pytest.approx(100 * want["val_er"], abs=0.3)
    assert got["train_ppl"] == pytest.approx(want["train_ppl"], rel=0.01)
    assert got["val_ppl"] == pytest.approx(want["val_ppl"], rel=0.05)
    assert got["val_ppl"] != want["val_ppl"]


def test_memory_is_the_contexts_own(build: Build, toy: Toy) -> None:
    """Renewed in place, stored in bfloat16 where asked, and passed on to phase 2."""
    config = toy(precision="bfloat16", bfloat16_contexts=True, max_iter=3)
    model, ids = build(config, 300)
    inputs = model.inputs(ids)
    P = torch.zeros(300, 24, dtype=torch.bfloat16)
    place = P.data_ptr()
    trainer = phase1.Trainer(model.context_block, inputs, config, 42, Phase1State(P))
    trainer.iterate(2)
    (contexts,) = training_contexts(model.context_block, P, inputs, torch.bfloat16, out=P)
    assert contexts is P
    assert (P.data_ptr(), bool(P.any())) == (place, True)
