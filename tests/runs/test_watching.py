"""A run seen from another notebook: what it has finished, and where it stands."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers.toy import Toy

import fpcore
from fpcore import RunConfig, RunRecord
from fpcore.errors import HeldError, RecordError
from fpcore.reports import watching
from fpcore.runs import lock, states
from fpcore.runs.lock import held, holder


@pytest.fixture
def config(trial: Toy, every_state: None) -> Iterator[RunConfig]:
    yield trial()
    plt.close("all")


def seen_after(stored: int, config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Watch the run from within, after it has stored some states."""
    seen: list[str] = []
    real, left = states.write, [stored]

    def write(*args: Any) -> None:
        real(*args)
        left[0] -= "checkpoints" in args[0].parts
        if left[0] == 0:
            seen.append(fpcore.watch("toy"))

    monkeypatch.setattr(states, "write", write)
    fpcore.run(config)
    return seen


@pytest.mark.parametrize(
    ("stored", "row"),
    [
        (1, "| 42       |           10 |  Phase 1 反復 2 |"),
        (7, "| 42       |           10 |  Phase 1 反復 8 |"),
        (8, "| 42       |           10 | Phase 2 エポック 1 |"),
    ],
)
def test_where_a_run_stands(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, stored: int, row: str
) -> None:
    (text,) = seen_after(stored, config, monkeypatch)
    assert "`toy` は実行中（process " in text
    assert row.replace(" ", "") in text.replace(" ", "")
    assert text.count("\n") == 4  # a sentence, and a table of one row


def test_finished_sizes_stand_with_their_results_and_curves(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: RunRecord = fpcore.run(config.model_copy(update={"name": "whole"}))
    ends = 7 + 3 * -(-(whole.results[0].train_tokens or 0) // config.phase2_batch)
    (text,) = seen_after(ends + 4, config, monkeypatch)
    first, second = (line.split("|") for line in text.splitlines()[-2:])
    assert [cell.strip() for cell in first[1:4]] == ["42", "10", "完了"]
    assert first[5].strip() == f"{whole.results[0].val_ppl:,.1f}"
    assert [cell.strip() for cell in second[1:4]] == ["42", "20", "Phase 1 反復 5"]
    drawn = plt.figure(plt.get_fignums()[0]).axes[0]
    assert {4, 7} <= {np.size(line.get_xdata()) for line in drawn.get_lines()}


def test_nothing_to_watch(config: RunConfig) -> None:
    with pytest.raises(RecordError, match="No run called toy is in work or interrupted here"):
        fpcore.watch("toy")
    fpcore.run(config)
    with pytest.raises(RecordError, match=r"its record is reports/runs/toy\.json"):
        fpcore.watch("toy")
    with pytest.raises(RecordError, match="cannot be the name of a run"):
        fpcore.watch("../toy")


def test_a_name_has_one_holder(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fpcore.runs.lock.WAIT", 0.2)
    with held("toy"):
        assert holder("toy") is not None and holder("other") is None
        with pytest.raises(HeldError, match="toy is being trained by process"), held("toy"):
            raise AssertionError("held twice")
        with held("other"):
            pass
    assert holder("toy") is None
    with held("toy"):
        pass


def test_a_holder_that_is_gone_holds_nothing(config: RunConfig, tmp_path: Path) -> None:
    with held("toy"):
        path = tmp_path / "home" / ".locks" / "toy.json"
        told = path.read_text()
    path.write_text(told.replace(f'"process": {_pid(told)}', '"process": 4194303'))
    assert holder("toy") is None
    for content in ("", "[]", '{"host": 3}'):
        path.write_text(content)
        with held("toy"):
            assert holder("toy") is not None


def _pid(told: str) -> int:
    return int(json.loads(told)["process"])


def test_without_a_name_all_runs_are_shown_anew_until_none_is_in_work(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run is in work in another process (as its lock says), another was interrupted."""
    assert "いま訓練している実行も、中断している実行もない" in fpcore.watch()
    interrupt(config.model_copy(update={"name": "left"}), 4, monkeypatch)
    interrupt(config, 12, monkeypatch)
    looks: list[float] = []
    monkeypatch.setattr("fpcore.reports.watching.time.sleep", looks.append)
    monkeypatch.setattr(lock, "holder", lambda name: (
        {"process": 7, "host": "h"} if name == "toy" and len(looks) < 3 else None
    ))  # fmt: skip
    last = fpcore.watch()
    shown = capsys.readouterr().out
    assert looks == [watching.REFRESH] * 3
    assert shown.count("実行中（process 7、h）") == 3 and shown.count("Phase 2 エポック") == 3
    assert "実行中" not in last and last.count("中断している") == 2
    assert "Phase 1 反復 5" in last.split("`left`")[1].split("\n")[0]
    by_iteration, by_epoch = (plt.figure(n).axes[0] for n in plt.get_fignums()[-2:])
    labels = by_iteration.get_legend_handles_labels()[1]
    assert [label.split("（")[0] for label in labels] == ["left", "toy"]
    assert by_epoch.get_xlabel() == "エポック"


def test_watching_ends_when_it_is_interrupted(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fpcore.reports.watching.time.sleep", stop)
    with held("toy"):
        assert "`toy`" in fpcore.watch()


def interrupt(config: RunConfig, stored: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train a run until it has stored some states, and no further."""
    real, left = states.write, [stored]

    def write(*args: Any) -> None:
        real(*args)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(states, "write", write)
        fpcore.run(config)
