"""Commands end in one sentence, whatever becomes of what they print."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fpcore.paths import ROOT

TALKS = [sys.executable, "-c", "from fpcore.errors import run; run(lambda: print('x\\n' * 99999))"]
COMMANDS = [TALKS, [sys.executable, "-m", "fpcore.models", "list"]]


@pytest.mark.parametrize("command", COMMANDS, ids=["-c", "models"])
def test_an_output_that_cannot_be_written_is_one_sentence(command: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, text=True)
    assert done.returncode == 2
    assert done.stderr == "The output cannot be written: No space left on device.\n"


def test_an_output_that_nobody_reads_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(TALKS, stdout=write, stderr=subprocess.PIPE, cwd=ROOT)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        ("return 0", 0, ""),
        ("return 1", 1, ""),
        ("sys.exit('A sentence.')", 2, "A sentence.\n"),
        ("sys.exit(3)", 3, ""),
        ("return None", 0, ""),
    ],
)
def test_the_exit_status_is_that_of_the_command(end: str, status: int, said: str) -> None:
    text = f"import sys\nfrom fpcore.errors import run\ndef main():\n  {end}\nrun(main)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, cwd=ROOT, text=True)
    assert (done.returncode, done.stderr) == (status, said)
