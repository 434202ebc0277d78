import sys
from itertools import pairwise
from types import SimpleNamespace

import pytest

from fpcore.runs import progress
from fpcore.runs.progress import INTERVAL, MARK, Progress, clock


class Clock:
    """A clock that a test turns."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def outside_pytest(monkeypatch: pytest.MonkeyPatch) -> tuple[Progress, Clock]:
    """Make a Progress as outside pytest, by a clock that stands still."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
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
        hands.now += INTERVAL / 10
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
    hands.now += INTERVAL
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
