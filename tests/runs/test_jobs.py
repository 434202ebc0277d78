"""Jobs and their workers, without a cluster."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from fpcore import RunConfig
from fpcore.runs import cluster, jobs, notebook
from fpcore.runs.jobs import Job, Outcome, perform
from fpcore.runs.notebook import NotebookError, execute


def test_what_dask_sets_in_its_workers_does_not_slow_the_notebook(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, str] = {}

    def follow(command: list[str], _: Any, environment: dict[str, str], gone: Any) -> None:
        seen.update(environment)
        Path(command[4]).write_text("made")

    monkeypatch.setattr(notebook, "_follow", follow)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    execute("run", home / "x.ipynb", {}, print, {"OMP_NUM_THREADS": "1"})
    assert (seen["OMP_NUM_THREADS"], seen["PATH"]) == ("1", os.environ["PATH"])
    assert "MALLOC_TRIM_THRESHOLD_" not in seen


def test_every_library_of_a_notebook_has_the_threads_of_its_job(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask gives NumPy's library one thread in its workers, which would change an embedding."""
    seen: dict[str, str] = {}

    def execute(*words: Any) -> None:
        seen.update(words[4])

    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.setattr(jobs, "execute", execute)
    config = RunConfig(name="a")
    perform(Job("a", config.model_dump(), False, "1", threads=3, home=str(home)), print, bool)
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    assert [seen[name] for name in threads] == ["3"] * 3


STRANGE = b'{"name": "b", "config": {}, "results": [{"samples": 5}]}'


@pytest.mark.parametrize("came", [b"", b"{}", STRANGE])
def test_what_is_not_the_record_of_the_run_is_not_stored(home: Path, came: bytes) -> None:
    with pytest.raises(NotebookError, match="something else"):
        Outcome(came, b"{}").store("a")
    assert not (home / "reports").exists()


@pytest.mark.parametrize(
    ("cores", "chains", "count"),
    [(2, 1, 1), (2, 2, 1), (2, 3, 2), (16, 2, 8), (16, 17, 16), (1, 1, 1)],
)
def test_cores_are_divided_among_workers(
    monkeypatch: pytest.MonkeyPatch, cores: int, chains: int, count: int
) -> None:
    monkeypatch.setattr(cluster, "CPU_COUNT", cores)
    monkeypatch.setattr(cluster, "_gpu", lambda: False)
    assert cluster._count(chains) == count
    monkeypatch.setattr(cluster, "_gpu", lambda: True)
    assert cluster._count(chains) == 1


def test_a_notebook_for_which_nobody_waits_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it has started: its worker was closed, say, as the scheduler died."""
    monkeypatch.setattr(notebook, "CHECK", 0.05)
    words = "import subprocess, time; child = subprocess.Popen(['sleep', '600']); "
    words += "print('▸', child.pid, flush=True); time.sleep(600)"
    lines: list[str] = []
    start = time.monotonic()
    with pytest.raises(NotebookError, match="nobody waits for it any more"):
        command = [sys.executable, "-c", words]
        notebook._follow(command, lines.append, {**os.environ}, lambda: bool(lines))
    assert time.monotonic() - start < 60
    (child,) = (int(line.split()[1]) for line in lines)
    left = [process for process in psutil.process_iter() if process.pid == child]
    assert psutil.wait_procs(left, 10)[1] == []
