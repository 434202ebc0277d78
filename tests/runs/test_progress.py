import re
import sys
from itertools import pairwise, product
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpcore.runs import progress
from fpcore.runs.progress import KEPT, LIVE, MARK, Bar, Progress, clock, planned, timed


class Clock:
    """A clock that a test turns."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def outside_pytest(monkeypatch: pytest.MonkeyPatch) -> tuple[Progress, Clock]:
    """Make a Progress as outside pytest, by a clock that stands still."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    hands = Clock()
    monkeypatch.setattr(progress, "time", hands)
    return Progress(), hands


def test_silent_under_pytest(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Progress()
    shown.update("10 %")
    shown.finish("done")
    assert capsys.readouterr() == ("", "")


def test_at_most_one_line_per_interval_and_always_the_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown, hands = outside_pytest(monkeypatch)
    for step in range(100):
        shown.update(f"{step} %")
        hands.now += KEPT / 10
    shown.finish("done")
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[-1] == "done"
    steps = [int(line.removeprefix(MARK).removesuffix(" %")) for line in lines[:-1]]
    assert all(line.startswith(MARK) for line in lines[:-1])
    assert steps[0] == 0
    assert all(10 <= new - old <= 11 for old, new in pairwise(steps))
    assert steps[-1] > 85


def test_the_last_line_does_not_wait(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown, _ = outside_pytest(monkeypatch)
    shown.update("1 %")
    shown.update("2 %")
    shown.finish("done")
    assert capsys.readouterr().err == f"{MARK}1 %\ndone\n"


def test_a_terminal_line_renews_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown, hands = outside_pytest(monkeypatch)
    shown.update("1 %")
    hands.now += LIVE
    shown.update("2 %")
    shown.finish("done")
    again = "\r\x1b[K"
    assert capsys.readouterr().err == f"{again}{MARK}1 %{again}{MARK}2 %{again}done\n"


def test_a_notebook_keeps_the_last_line_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cleared: list[bool] = []
    monkeypatch.setattr("IPython.display.clear_output", lambda wait: cleared.append(wait))
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(kernel=1))
    shown, _ = outside_pytest(monkeypatch)
    shown.update("1 %")
    shown.finish("done")
    assert cleared == [True, True]
    assert capsys.readouterr() == (f"{MARK}1 %\ndone\n", "")


@pytest.mark.parametrize(("command", "seconds"), [("jupyter-lab", LIVE), ("papermill a b", KEPT)])
def test_papermill_keeps_what_a_notebook_shows_so_it_is_shown_less_often(
    monkeypatch: pytest.MonkeyPatch, command: str, seconds: float
) -> None:
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    parent = SimpleNamespace(cmdline=command.split)
    process = SimpleNamespace(parent=lambda: parent)
    monkeypatch.setattr("fpcore.runs.progress.psutil.Process", lambda: process)
    shown, hands = outside_pytest(monkeypatch)
    told: list[str] = []
    monkeypatch.setattr(shown, "_show", told.append)
    for step in range(8 * 60 + 1):
        shown.update(str(step))
        hands.now += 1 / 8
    assert len(told) == 1 + 60 // seconds


def test_a_line_is_cut_to_the_width_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    shown, _ = outside_pytest(monkeypatch)
    shown.update("長い行" * 30)
    line = capsys.readouterr().err.removeprefix("\r\x1b[K")
    assert 30 < sum(2 if ord(c) > 255 else 1 for c in line) <= 40


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=5, unique=True),
    st.integers(1, 3),
    st.tuples(st.integers(2, 80), st.integers(1, 80)),
    st.integers(0, 70),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_bar_says_which_size_how_far_and_how_long(
    samples: list[int], seeds: int, totals: tuple[int, int], before: int
) -> None:
    """Of work whose time grows as its conversations, both of whose phases take as long."""
    before = min(before, totals[0] - 2)  # iterations that an interrupted run has done
    with pytest.MonkeyPatch.context() as patch:
        shown, hands = outside_pytest(patch)
        lines: list[str] = []
        patch.setattr(shown, "update", lines.append)
        with planned("x", range(seeds), samples):
            whole = 2 * seeds * sum(samples)
            parts = list(product(range(seeds), samples))
            for place, (seed, size) in enumerate(parts, 1):
                bar = Bar(shown, f"x seed {seed} size {size}")
                begun = before if place == 1 else 0
                on_row = bar.stage("phase 1", totals[0] - 1 - begun)
                for k in range(begun + 2, totals[0] + 1):
                    hands.now += size / (totals[0] - 1 - begun)
                    on_row({"iteration": k, "convergence_rate": 0.25, "loss": 1.0})
                assert f"size {size} ({place}/{len(parts)}) phase 1 |" in lines[-1]
                assert f"| {totals[0]}/{totals[0]}, convergence 25%, 0:00 left" in lines[-1]
                on_row = bar.stage("phase 2", totals[1])
                for k in range(1, totals[1] + 1):
                    hands.now += size / totals[1]
                    on_row({"epoch": k, "train_loss": 5.0, "dev_loss": 4.5})
                assert f"| {totals[1]}/{totals[1]}, loss 4.500, 0:00 left" in lines[-1]
                left = whole - (hands.now - Clock.now)
                told = re.search(r"about (\d+):(\d+) in all$", lines[-1])
                assert told
                assert 60 * int(told[1]) + int(told[2]) == pytest.approx(left, abs=1.01)
    assert len({line.count("█") + line.count("·") for line in lines}) == 1


def test_a_bar_without_a_plan_says_its_stage_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, _ = outside_pytest(monkeypatch)
    lines: list[str] = []
    monkeypatch.setattr(shown, "update", lines.append)
    Bar(shown, "x seed 1 size 2").stage("rate 0.1", 4)({"loss": 2.0})
    assert lines == [f"x seed 1 size 2 rate 0.1 |{'█' * 5}{'·' * 15}| 1/4, loss 2.0000, 0:00 left"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (60, "1:00"), (3725, "62:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_a_note_stays_above_lines_that_clear_a_cell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A notebook clears all of a cell's output with every line; the next run has its own note."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.clear_output", lambda wait: None)
    for text in ("first", "second"):
        progress.note(text)
        capsys.readouterr()
        progress.Progress(0.0).update("at 1")
        assert capsys.readouterr().out == f"{text}\n▸ at 1\n"
        progress.Progress(0.0).finish("done")
        assert capsys.readouterr().out == f"{text}\ndone\n" and not progress.NOTES


def test_a_stage_lasts_until_its_device_has_done_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card that is worked on, which need not be the current one."""
    now, waited = [0.0], []

    def wait(device: torch.device) -> None:
        waited.append(device)
        now[0] += 2.0

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    monkeypatch.setattr("torch.cuda.synchronize", wait)
    seconds = {"phase1": 1.0}
    with timed(seconds, "phase1", torch.device("cuda:1")):
        now[0] += 4.0
    assert (seconds, waited) == ({"phase1": 7.0}, [torch.device("cuda:1")])
