"""What tests of importing share: the command on a file of this test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fpcore.importing import main
from fpcore.records import RunRecord, load_record

Import = Callable[..., RunRecord]
Refuse = Callable[..., list[str]]


@pytest.fixture
def given(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file as somebody has it."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def take(home: Path, given: Callable[[str, str | bytes], Path]) -> Import:
    """Import a file and return its record."""

    def run(name: str, content: str | bytes, *options: str, called: str = "old") -> RunRecord:
        assert main([str(given(name, content)), "--name", called, *options]) == 0
        return load_record(called)

    return run


@pytest.fixture
def refuse(
    home: Path,
    given: Callable[[str, str | bytes], Path],
    capsys: pytest.CaptureFixture[str],
) -> Refuse:
    """Import a file that does not fit: its sentences, without the path; no record is left."""

    def run(name: str, content: str | bytes, *options: str) -> list[str]:
        path = given(name, content)
        assert main([str(path), "--name", "old", *options]) == 2
        assert not [*home.rglob("*.json")]
        return capsys.readouterr().err.replace(f"{path}: ", "").splitlines()

    return run
