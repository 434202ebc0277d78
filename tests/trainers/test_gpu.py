"""The GPU path as far as a machine without one can prove it."""

import re

import pytest
import torch
from helpers.recorder import Cuda
from helpers.toy import Build, Toy, Tuned

from fpcore.benchmark.counted import Counts, counted
from fpcore.model.tuning import GPU, TABLE, filled, tuning
from fpcore.paths import ROOT
from fpcore.trainers.capture import Captured
from fpcore.trainers.contexts import CapturedSteps, sequential_contexts

Stages = dict[str, Counts]


@pytest.fixture(scope="module")
def stages() -> Stages:
    """The counts of the trainers at the published shapes, on a device that keeps only shapes."""
    return counted()


def places(stage: Counts) -> dict[str, int]:
    """Where host and device wait for each other, without the lines."""
    return {re.sub(r":\d+ in", "", place): n for place, n in stage.crossings.items()}


def test_an_iteration_copies_keys_once_and_is_read_once(stages: Stages) -> None:
    allowed = {"stats/draws.py noises": 1, "trainers/sweep.py read": 1}
    assert places(stages["phase 1 iteration"]) == allowed
    assert places(stages["phase 1 chunk"]) == {}


def test_no_batch_waits_and_an_epoch_is_read_twice(stages: Stages) -> None:
    assert places(stages["phase 2 batch"]) == places(stages["phase 2 evaluation piece"]) == {}
    read = {"trainers/phase2.py _train": 1, "trainers/texts.py of": 1}
    assert places(stages["phase 2 epoch"]) == read


@pytest.mark.parametrize(("stage", "most"), [
    ("phase 1 chunk", 90), ("phase 2 batch", 45), ("phase 2 evaluation piece", 60),
])  # fmt: skip
def test_launches_stay_within_their_budget(stages: Stages, stage: str, most: int) -> None:
    assert 0 < stages[stage].launches <= most


def test_products_are_as_many_as_the_formulas_say(stages: Stages) -> None:
    """Forward and weight gradient of [5000, 1085 + 768], widths filled up to 1088."""
    done = 2 * 5000 * (1088 * 1088 + 1088 * 1088 + 1088 * 768)
    assert stages["phase 1 chunk"].products == {"bfloat16": done}


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
    Cuda(monkeypatch)
    tuned(captured=True)
    for _ in range(2):  # a second text starts from zero again
        got = sequential_contexts(model.context_block, inputs)
        for one, other in zip(got, expected, strict=True):
            assert torch.equal(one, other)


def test_capture_and_replay_happen_on_the_device_that_is_worked_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `cuda:1` asked for, and `cuda:0` the current device before and after."""
    cuda, device = Cuda(monkeypatch), torch.device("cuda:1")
    total = torch.zeros(2)
    steps = Captured(lambda: total.add_(1).mul(2), device)
    assert total.tolist() == [2, 2]  # done once to warm up, and once as the recorder captures
    assert steps.replay().tolist() == [6, 6]
    assert [what for what, _ in cuda.log][-2:] == ["capture", "replay"]
    assert {where for _, where in cuda.log} == {device}
    assert cuda.current == "cuda:0"
    assert cuda.warm == cuda.captured  # libraries have set up all that is captured
