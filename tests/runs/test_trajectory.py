"""Phase 1 shared between runs: the same numbers as alone, with fewer iterations."""

from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from helpers.toy import Build, Toy

from fpcore import RunConfig
from fpcore.data.dataset import NO_TEXT, Data
from fpcore.model.blocks import ContextBlock
from fpcore.runs.checkpoint import Reached, Trajectory
from fpcore.runs.trial import Trial
from fpcore.trainers.hooks import Hooks
from fpcore.trainers.phase1 import Phase1State, train_contexts

STOPS = (4, 6, 9)
CPU = torch.device("cpu")


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("contexts", [False, True])
def test_stops_of_one_path_equal_separate_runs(toy: Toy, build: Build, contexts: bool) -> None:
    counted = []
    for stop in STOPS:
        config = toy(max_iter=stop, precision="bfloat16", bfloat16_contexts=contexts)
        alone, alone_block = _train(config, build, None, [])
        path = _path(config, build)
        reached = path.latest(stop)
        rows: list[int] = []
        after, block = _train(config, build, reached.state if reached else None, rows)
        path.keep(Reached(after, 1.5))
        counted.append(len(rows))
        assert after.trace == alone.trace
        assert torch.equal(after.contexts, alone.contexts)
        for name, tensor in alone.tensors.items():
            assert torch.equal(after.tensors[name], tensor), name
        assert all(
            torch.equal(x, y)
            for x, y in zip(block.parameters(), alone_block.parameters(), strict=True)
        )
    assert counted == [3, 2, 3]  # 8 iterations for 3 + 5 + 8


def _path(config: RunConfig, build: Build) -> Trajectory:
    model, ids = build(config, 300)
    data = Data(Mock(), [ids], NO_TEXT, NO_TEXT, model.embedding.weight.detach(), "", "")
    return Trajectory(Trial(config, data, 42, 1, CPU), "study")


def _train(
    config: RunConfig, build: Build, start: Phase1State | None, rows: list[int]
) -> tuple[Phase1State, ContextBlock]:
    model, ids = build(config, 300)
    block = model.context_block
    result = train_contexts(
        block,
        model.inputs(ids),
        config,
        42,
        start,
        Hooks(lambda row: rows.append(row["iteration"])),
    )
    return result, block


@pytest.mark.usefixtures("shared")
def test_only_what_phase_1_reads_makes_another_path(toy: Toy, build: Build) -> None:
    base = _path(toy(), build).folder
    assert _path(toy(max_iter=3, epochs=7, phase2_lr=0.5, name="x"), build).folder == base
    for knobs in ({"gradient_clip": 2.0}, {"context_noise": 0.2}, {"phase1_batch": 100}):
        assert _path(toy(**knobs), build).folder != base


@pytest.mark.usefixtures("shared")
def test_a_settled_path_stays_where_it_is(toy: Toy, build: Build) -> None:
    config = toy(max_iter=9, convergence_threshold=1e6)
    first, _ = _train(config, build, None, [])
    assert first.iterations == 5
    rows: list[int] = []
    again, _ = _train(toy(max_iter=20, convergence_threshold=1e6), build, first, rows)
    assert rows == [] and again.iterations == 5


@pytest.mark.usefixtures("shared")
def test_of_a_damaged_state_the_one_before_is_taken(toy: Toy, build: Build) -> None:
    path = _path(toy(), build)
    assert path.latest(9) is None
    for stop in (4, 6):
        path.keep(Reached(_train(toy(max_iter=stop), build, None, [])[0], 1.0))
    (path.folder / "not-a-number.safetensors").touch()
    stored = path.latest(9)
    assert stored is not None and (stored.seconds, stored.shared) == (1.0, 6)
    assert path.latest(3) is None
    (path.folder / "6.safetensors").write_bytes(b"")
    before = path.latest(9)
    assert before is not None and before.shared == before.state.iterations == 4
    (path.folder / "4.safetensors").rename(path.folder / "5.safetensors")
    assert path.latest(9) is None  # it says another iteration than its name
