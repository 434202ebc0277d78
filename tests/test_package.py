"""The public names of fpcore: all are there, and reading records waits for nothing that trains."""

import subprocess
import sys

import pytest

import fpcore


def test_every_public_name_is_there() -> None:
    assert "run" in fpcore.__all__ and "watch" in fpcore.__all__
    for name in fpcore.__all__:
        assert getattr(fpcore, name) is not None


def test_torch_waits_for_those_who_train() -> None:
    code = "import sys, fpcore; fpcore.load_records; print({'torch', 'dask'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize("command", ["benchmark", "book", "claims", "protocol"])
def test_every_command_says_what_it_does_and_does_nothing(command: str) -> None:
    """`--help` ends at once; nothing is measured, built or read."""
    words = [sys.executable, "-m", f"fpcore.{command}", "--help"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith(f"usage: python -m fpcore.{command}")
    assert done.stderr == ""
