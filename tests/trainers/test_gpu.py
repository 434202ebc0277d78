"""The GPU path as far as a machine without one can prove it."""

import math
import re
from dataclasses import asdict
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from helpers.cuda import CHAINS
from helpers.recorder import Cuda
from helpers.toy import Build, Toy, Tuned

from fpcore.benchmark.counted import counted
from fpcore.benchmark.counts import Counts
from fpcore.model.fused import Fused, add_noise, normalise, spent
from fpcore.model.head import Head
from fpcore.model.tuning import GPU, TABLE, compiles, filled, tuning
from fpcore.paths import ROOT
from fpcore.stats.draws import Noises
from fpcore.trainers.capture import Captured
from fpcore.trainers.contexts import CapturedSteps, sequential_contexts
from fpcore.trainers.phase1 import train_contexts

Stages = dict[str, Counts]


@pytest.fixture(scope="module")
def stages() -> Stages:
    """The counts of the trainers at the published shapes, on a device that keeps only shapes."""
    return counted()


def places(stage: Counts) -> dict[str, int]:
    """Where host and device wait for each other, without the lines."""
    return {re.sub(r":\d+ in", "", place): n for place, n in stage.crossings.items()}


def test_an_iteration_copies_keys_once_and_is_read_once(stages: Stages) -> None:
    allowed = {"stats/draws.py renew": 1, "trainers/phase1.py _read": 1}
    assert places(stages["phase 1 iteration"]) == allowed
    assert places(stages["phase 1 chunk"]) == {}


def test_no_batch_waits_and_an_epoch_is_read_twice(stages: Stages) -> None:
    for stage in ("phase 2 batch", "phase 2 batch with a bias", "phase 2 evaluation piece"):
        assert places(stages[stage]) == {}
    read = {"trainers/phase2.py _train": 1, "trainers/texts.py of": 2}  # the best epoch's once more
    assert places(stages["phase 2 epoch"]) == read


@pytest.mark.parametrize(("stage", "most"), [
    ("phase 1 chunk", 90), ("phase 2 batch", 45), ("phase 2 batch with a bias", 52),
    ("phase 2 evaluation piece", 60),
])  # fmt: skip
def test_launches_stay_within_their_budget(stages: Stages, stage: str, most: int) -> None:
    assert 0 < stages[stage].launches <= most


def test_products_are_as_many_as_the_formulas_say(stages: Stages) -> None:
    """1085 columns are filled up to 1088, [c ; x] from 1853 to 1856, and 50,257 types to 50,264.

    A chunk has two products with W_c, and one of every row with its own input; a batch two with
    the block's weights, and two with the head, of which an evaluation has one each.
    """
    done = 2 * 5000 * (1088 * 1088 + 1088 * 1088 + 1088 * 768)
    assert stages["phase 1 chunk"].products == {"bfloat16": done}
    block, head = 2 * 768 * 1856, 2 * 768 * 50_264
    batch = {"float32": 4096 * 2 * block, "bfloat16": 4096 * 2 * head}
    assert stages["phase 2 batch"].products == stages["phase 2 batch with a bias"].products == batch
    assert stages["phase 2 evaluation piece"].products == {"float32": 8192 * (block + head)}


def test_the_plain_version_runs_where_its_tensors_are(stages: Stages) -> None:
    assert stages["plain phase 1"].launches > 0


def test_only_the_table_tells_devices_apart() -> None:
    """`precision` asks a device what it multiplies; everything else reads the table."""
    words = re.compile(r"is_cuda|device\.type|LOGITS_CPU")
    paths = [p for room in ("model", "trainers") for p in (ROOT / "fpcore" / room).glob("*.py")]
    found = {path.name for path in paths if words.search(path.read_text("utf-8"))}
    assert found == {"tuning.py", "precision.py"}


def test_a_device_of_another_kind_is_taken_for_a_gpu() -> None:
    assert tuning(torch.device("cuda:1")) is tuning(torch.device("meta")) is GPU
    assert tuning(torch.device("cpu")) is TABLE["cpu"]
    assert GPU.block // 1085 >= 5000  # one block for a chunk of the published run
    assert (GPU.rows, GPU.captured) == (8192, True)
    assert GPU.columns >= 50_257


def test_widths_are_filled_up() -> None:
    assert (filled(1085, 8), filled(1088, 8), filled(5, 1)) == (1088, 1088, 5)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("tokens", [3, 8, 21])
def test_replayed_steps_are_those_of_the_loop(
    build: Build, toy: Toy, tuned: Tuned, monkeypatch: pytest.MonkeyPatch, layers: int, tokens: int
) -> None:
    model, ids = build(toy(layers=layers, input_tokens=2, precision="float64"), tokens)
    inputs = model.inputs(ids)
    expected = sequential_contexts(model.context_block, inputs)
    monkeypatch.setattr(CapturedSteps, "size", 8)
    cuda = Cuda(monkeypatch)
    tuned(captured=True)
    for _ in range(2):  # a second text starts from zero again
        got = sequential_contexts(model.context_block, inputs)
        for one, other in zip(got, expected, strict=True):
            assert torch.equal(one, other)
    assert [what for what, _ in cuda.log].count("replay") == 2 * -(-tokens // 8)
    assert {where for _, where in cuda.log} == {inputs.table.device}
    assert cuda.warm == cuda.captured


def test_every_captured_step_reads_a_row_that_needs_no_copy(
    build: Build, toy: Toy, tuned: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiled kernel reads 16 bytes at a time, and copies what does not begin there."""
    Cuda(monkeypatch)
    tuned(captured=True, multiple=GPU.multiple)
    model, ids = build(toy(context_dim=25), 5)
    read: list[int] = []
    real = CapturedSteps._step

    def step(steps: CapturedSteps, c: Any, row: torch.Tensor, *given: Any) -> torch.Tensor:
        read.append(row.data_ptr() % 16)
        return real(steps, c, row, *given)

    monkeypatch.setattr(CapturedSteps, "_step", step)
    sequential_contexts(model.context_block, model.inputs(ids))
    assert read and not any(read)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("row", [{}, asdict(GPU) | {"multiple": 7, "compiled": False}])
def test_replayed_iterations_are_those_that_are_not_captured(
    build: Build,
    toy: Toy,
    tuned: Tuned,
    monkeypatch: pytest.MonkeyPatch,
    row: dict[str, Any],
    precision: str,
) -> None:
    """Three chunks, of which the last is shorter; new noise in every iteration, and new weights."""
    config = toy(layers=2, input_tokens=3, max_iter=5, min_converged_ratio=1.0, precision=precision)
    found, cuda = [], Cuda(monkeypatch)
    for captured in (False, True):
        tuned(**row | {"captured": captured})
        model, ids = build(config, 300)
        found.append(train_contexts(model.context_block, model.inputs(ids), config, 42))
    assert found[0].trace == found[1].trace
    assert torch.equal(found[0].contexts, found[1].contexts)
    for name, tensor in found[0].tensors.items():
        assert torch.equal(tensor, found[1].tensors[name]), name
    assert [what for what, _ in cuda.log][-4:] == ["capture", "replay", "replay", "replay"]
    assert {where for _, where in cuda.log} == {ids.device}
    assert cuda.warm == cuda.captured


def test_capture_and_replay_happen_on_the_device_that_is_worked_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `cuda:1` asked for, and `cuda:0` the current device before and after."""
    cuda, device = Cuda(monkeypatch), torch.device("cuda:1")
    total = torch.zeros(2)
    steps = Captured(lambda: total.add_(1).mul(2), device)
    assert total.tolist() == [1, 1]  # done once to warm up; a capture does nothing
    assert steps.first.tolist() == [2, 2]
    assert steps.replay().tolist() == [4, 4]
    assert [what for what, _ in cuda.log][-2:] == ["capture", "replay"]
    assert {where for _, where in cuda.log} == {device}
    assert cuda.current == "cuda:0"
    assert cuda.warm == cuda.captured  # libraries have set up all that is captured


@pytest.mark.parametrize("width", [24, 25])
def test_the_chain_for_compilers_gives_the_noise(width: int) -> None:
    """Input contexts from the keys of rows 2 to 5, in float64 to rounding."""
    source = torch.Generator().manual_seed(0)
    old = torch.randn(3, width, generator=source, dtype=torch.float64)
    before, out = torch.ones(width, dtype=torch.float64), torch.empty_like(old)
    noises, part = Noises(1, [9], old), slice(2, 5)
    noises.renew(2)
    draw, rounded = noises.draws[0], torch.empty(3, width, dtype=torch.bfloat16)
    add_noise(*draw.keys(part), before, old, old.new_tensor([0.5]), (out, rounded))
    shifted = torch.cat([before[None], old[:-1]])
    expected = shifted + 0.5 * draw.draw(part, torch.empty_like(old))
    torch.testing.assert_close(out, expected, atol=1e-12, rtol=1e-12)
    assert torch.equal(rounded, out.bfloat16())


def test_what_does_not_compile_is_done_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(*_: object, **__: object) -> Mock:
        return Mock(side_effect=RuntimeError("no compiler"))

    monkeypatch.setattr("torch.compile", no_compiler)
    total, chain = torch.zeros(2), Fused(lambda x: x.add_(1))
    before = spent()
    with pytest.warns(UserWarning, match="no compiler"):
        chain(total)
    chain(total)
    assert total.tolist() == [2, 2]
    assert spent() > before


def test_a_compiler_is_asked_where_the_device_profits(
    monkeypatch: pytest.MonkeyPatch, tuned: Tuned
) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda:1")
    for triton in (True, False):
        monkeypatch.setattr("fpcore.model.tuning.has_triton", lambda triton=triton: triton)
        assert (compiles(cpu), compiles(gpu)) == (False, triton)
    tuned(compiled=True)
    assert compiles(cpu)


def test_every_chain_is_asked_of_a_compiler(
    build: Build, toy: Toy, tuned: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By both phases and the recurrence on a device that compiles, and by none on another."""
    asked: list[str] = []

    def uncompiled(chain: Fused, *given: Any) -> None:
        asked.append(chain._chain.__name__)
        chain._chain(*given)

    monkeypatch.setattr(Fused, "__call__", uncompiled)
    Cuda(monkeypatch)
    config = toy(layers=2, max_iter=3, precision="bfloat16")
    for compiled in (False, True):
        tuned(**asdict(GPU) | {"captured": compiled, "compiled": compiled})
        model, ids = build(config, 50)
        inputs = model.inputs(ids)
        train_contexts(model.context_block, inputs, config, 42)
        sequential_contexts(model.context_block, inputs)
        Head(model.embedding.weight, torch.bfloat16).cross_entropy(torch.ones(50, 16), ids)
        names = {chain._chain.__name__ for chain in CHAINS}
        assert {*asked} == (names if compiled else set())


@pytest.mark.system
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what the compiler itself imports
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_compiled_training_is_that_of_the_eager_path(
    build: Build, toy: Toy, tuned: Tuned, precision: str
) -> None:
    """After three iterations, with two shapes of chunks: to 1e-4, or to a rounding of a factor."""
    config = toy(layers=2, max_iter=4, min_converged_ratio=1.0, precision=precision)
    found = []
    for compiled in (False, True):
        tuned(compiled=compiled)
        model, ids = build(config, 300)
        found.append(train_contexts(model.context_block, model.inputs(ids), config, 42))
    assert spent() > 0
    for one, other in zip(found[0].trace, found[1].trace, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    most = {"float32": 1e-4, "bfloat16": torch.finfo(torch.bfloat16).eps}[precision]
    torch.testing.assert_close(found[0].contexts, found[1].contexts, atol=most, rtol=most)


@pytest.mark.system
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("factors", [torch.float32, torch.bfloat16])
def test_compiled_loss_is_that_of_the_eager_path(tuned: Tuned, factors: torch.dtype) -> None:
    """To 1e-6 where nothing is rounded, and to bfloat16's rounding of probabilities elsewhere."""
    source = torch.Generator().manual_seed(0)
    h, weights = (torch.randn(n, 16, generator=source) for n in (23, 41))
    targets = torch.randint(41, (23,), generator=source)
    found = []
    for compiled in (False, True):
        tuned(**asdict(GPU) | {"captured": False, "compiled": compiled})
        found.append(Head(weights, factors).cross_entropy(h, targets))
    tolerance = 1e-6 if factors == torch.float32 else 1e-3
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


def test_chain_of_the_softmax_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0, -torch.inf], [1000.0, 1000.0, 1000.0]], dtype=torch.float64)
    p, log_sum = torch.empty_like(logits), torch.empty(2, 1, dtype=torch.float64)
    normalise(logits, p, log_sum)
    assert p.tolist() == [[0.5, 0.5, 0.0], pytest.approx([1 / 3] * 3)]
    assert log_sum.flatten().tolist() == pytest.approx([math.log(2), 1000 + math.log(3)])
