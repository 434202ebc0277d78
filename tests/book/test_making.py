"""Which runs of a book follow each other, so that they share phase 1."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fpcore import RunConfig
from fpcore.book import making, site
from fpcore.book.making import Book, _chains
from fpcore.errors import run
from fpcore.runs.jobs import Job


def chains(*configs: dict[str, Any]) -> list[list[tuple[str, bool, bool]]]:
    """Name, whether it shares and whether it is the last, of every run of every chain."""
    jobs = [
        Job(f"{i}", RunConfig(**knobs, name=f"{i}").model_dump(), False, "")
        for i, knobs in enumerate(configs)
    ]
    found = _chains(jobs)
    assert all(len({job.share for job in chain}) == 1 for chain in found)
    return [[(job.name, bool(job.share), job.last) for job in chain] for chain in found]


def test_runs_that_go_the_same_way_make_a_chain_the_shortest_first() -> None:
    found = chains({"max_iter": 90}, {"max_iter": 60}, {"max_iter": 70, "epochs": 3})
    assert found == [[("1", True, False), ("2", True, False), ("0", True, True)]]


def test_a_grid_over_what_phase_1_does_not_read_is_a_chain() -> None:
    found = chains({"phase2_lr": 0.1}, {"phase2_lr": 0.2}, {"epochs": 7}, {"phase1_lr": 0.1})
    assert found == [
        [("0", True, False), ("1", True, False), ("2", True, True)],
        [("3", False, True)],
    ]


@pytest.mark.parametrize(
    "knobs",
    [
        {"dist_reg_weight": 0.5},
        {"min_converged_ratio": 0.5},
        {"seeds": [7]},
        {"samples": [25]},
        {"precision": "float64"},
    ],
    ids=str,
)
def test_a_run_of_another_phase_1_stands_alone(knobs: dict[str, Any]) -> None:
    assert chains({}, {"max_iter": 70} | knobs) == [[("0", False, True)], [("1", False, True)]]


@pytest.mark.parametrize(
    "odd",
    ["~nobody-of-this-name/y.yaml", "a\0b", "a" * 5000, "a/" * 2500, "a" * 300 + ".yaml", "", ".",
     "/dev/zero", "/", "a\nb.yaml", "\udcff.yaml", None, 7, ["v6-small"]],
    ids=lambda odd: repr(odd)[:20],
)  # fmt: skip
def test_a_config_that_is_broken_in_any_way_stops_no_other(odd: Any) -> None:
    made = Book()
    jobs = made._jobs(["v5-small", odd, "v6-small"], force=False)
    assert [*jobs] == ["v5-small", "v6-small"]
    (failure,) = made.failures
    assert " failed: " in failure and failure.isprintable() and len(failure) < 600


def test_a_pipe_for_a_config_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    made = Book()
    assert not made._jobs([str(tmp_path / "pipe.yaml")], force=False)
    assert "no readable params file" in made.failures[0]


def test_controls_have_no_phase_1_to_share() -> None:
    found = chains({"contexts": "zero"}, {"contexts": "zero", "phase2_lr": 0.1})
    assert found == [[("0", False, True)], [("1", False, True)]]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_no_encoding_of_the_terminal_ends_a_command(encoding: str) -> None:
    code = "import sys; from fpcore.errors import printable; printable(); print(sys.argv[1])"
    given = os.environ | {"PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", code, "▸ 実験 é 😀"]
    done = subprocess.run(command, env=given, capture_output=True, encoding=encoding)
    assert done.returncode == 0 and done.stdout.startswith("\\u25b8 \\u5b9f\\u9a13 ")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_the_command_prints_its_page_whatever_the_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "argv", ["book", "build"])
    monkeypatch.setattr(site, "build", lambda: Path("/実験/index.html"))
    with pytest.raises(SystemExit):
        run(making.main)
    out.seek(0)
    assert out.read() == "/\\u5b9f\\u9a13/index.html\n"
