"""Who may be stopped for a name: an earlier attempt at the same job, and nobody else."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fpcore.errors import HeldError, StorageError
from fpcore.runs import lock
from fpcore.runs.lock import JOB, held

HOLD = """
import sys, time
from fpcore.runs.lock import held
with held("toy"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the name `toy`, as an attempt at the job `one`."""
    monkeypatch.setattr(lock, "WAIT", 0.2)
    environment = os.environ | {"FPCORE_HOME": str(home), JOB: "one"}
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def note(home: Path, **changed: Any) -> None:
    """Write another note beside the lock."""
    path = home / ".locks" / "toy.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changed), "utf-8")


def test_an_earlier_attempt_at_the_same_job_is_stopped(
    holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WAIT", 10.0)
    monkeypatch.setenv(JOB, "one")
    with held("toy"):
        assert holder.wait(5) == -9


@pytest.mark.parametrize("process", [-1, 0, 1, True, None, "7", 10**30, os.getppid()])
def test_a_note_that_names_another_process_stops_nobody(
    home: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch, process: object
) -> None:
    note(home, process=process)
    monkeypatch.setenv(JOB, "one")
    killed: list[int] = []
    monkeypatch.setattr(psutil.Process, "kill", lambda self: killed.append(self.pid))
    with pytest.raises(HeldError, match="toy is being trained by"), held("toy"):
        pass
    assert holder.poll() is None and killed == []


def test_deleting_the_cache_leaves_the_lock(home: Path, holder: subprocess.Popen[str]) -> None:
    assert not (home / ".cache" / "locks").exists()
    with pytest.raises(HeldError), held("toy"):
        pass
    assert holder.poll() is None


@pytest.mark.parametrize("process", [None, "7", True, 0, -1, 1.5, 10**30, [1], {}])
@pytest.mark.parametrize("host", [socket.gethostname(), "elsewhere", None, 5])
def test_what_is_no_note_holds_nothing(home: Path, process: Any, host: Any) -> None:
    """Watching all runs would never end, and name a process that is none."""
    (home / ".locks").mkdir(parents=True)
    (home / ".locks" / "toy.json").write_text(json.dumps({"process": process, "host": host}))
    assert (lock.holder("toy") is None) != (process == 10**30 and host == "elsewhere")
    with held("toy"):
        assert lock.holder("toy")


def test_a_folder_in_the_place_of_the_note_is_one_sentence(home: Path) -> None:
    (home / ".locks" / "toy.json").mkdir(parents=True)
    with pytest.raises(StorageError, match="is a folder where a file belongs"), held("toy"):
        pass
    (home / ".locks" / "toy.json").rmdir()
    with held("toy"):  # it was let go
        pass
