"""Every kind of bad input to a notebook ends with one sentence, and leaves everything as it was."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.notebooks import error_of, last_line, papermill

from fpcore.errors import FpcoreError


@pytest.fixture
def home(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a record and a damaged one; when the test ends, its files must be as before."""
    folder = tmp_path / "home"
    shutil.copytree(recorded / "reports", folder / "reports")
    (folder / "reports" / "runs" / "corrupt.json").write_text('{"name": "corrupt", ')
    monkeypatch.setenv("FPCORE_HOME", str(folder))
    before = files(folder)
    yield folder
    assert files(folder) == before


def files(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (home / "reports").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("notebook", "knobs", "sentence"),
    [
        ("run", {"max_itr": 100}, "max_itr is not a parameter of this notebook (did you mean max_"),
        ("run", {"samples": "[0]"}, "samples must be a list of different whole numbers"),
        ("run", {"context_dim": -1}, "context_dim must be a whole number of at least 2, not -1"),
        ("run", {"name": "v5-small"}, "reports/runs/v5-small.json is the record of another max_it"),
        ("run", {"corpus": "no/such.txt"}, "corpus no/such.txt is not there"),
        ("run", {"corpus": "EMPTY"}, "is empty; it needs one conversation per line or row"),
        ("run", {"corpus": "BINARY"}, "cannot be read: it is not UTF-8 text"),
        ("run", {"samples": "[99]"}, "has 60 conversations, but samples asks for 99"),
        ("book", {"configs": "[v5-smal]"}, "no readable params file params/v5-smal.yaml (did you"),
        ("book", {"configs": "v5-small"}, "configs must be a list"),
        ("compare", {"a": "v4-small"}, "There is no record reports/runs/v4-small.json"),
        ("compare", {"a": "corrupt"}, "reports/runs/corrupt.json is not a readable record"),
        ("compare", {"A": "v5-small"}, "A is not a parameter of this notebook"),
        ("baselines", {"configs": "[lstm-smal]"}, "lstm-smal.yaml (did you mean lstm-small?)"),
        ("baselines", {"runs": "[v4-small]"}, "There is no record reports/runs/v4-small.json"),
        ("baselines", {"seeds": "[1]"}, "seeds is not a parameter of this notebook"),
        ("fixed-point", {"config": "v5-smal"}, "params/v5-smal.yaml (did you mean v5-small?)"),
        ("fixed-point", {"iterations": 1}, "iterations must be a whole number of at least 2, not"),
        ("fixed-point", {"samples": "many"}, "samples must be a whole number, not 'many'"),
        ("fixed-point", {"sample": 5}, "sample is not a parameter of this notebook (did you mean"),
        ("scaling", {"runs": "[corrupt]"}, "reports/runs/corrupt.json is not a readable record"),
    ],
)
@pytest.mark.usefixtures("home")
def test_bad_input_ends_with_one_sentence(
    tmp_path: Path,
    toy: dict[str, Any],
    notebook: str,
    knobs: dict[str, Any],
    sentence: str,
) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00conversation")
    found = {"EMPTY": tmp_path / "empty.txt", "BINARY": tmp_path / "binary.txt"}
    given = {key: found.get(str(value), value) for key, value in knobs.items()}
    error = error_of(notebook, (toy | {"max_iter": 9} if notebook == "run" else {}) | given)
    assert isinstance(error, FpcoreError)
    assert sentence in str(error)
    assert "fpcore/" not in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("notebook", "knobs", "sentence"),
    [
        ("run", {"max_iter": "abc"}, "max_iter must be a whole number of at least 2"),
        ("study", {"study": "iteration"}, "no readable study params/studies/iteration.yaml (did"),
    ],
)
def test_papermill_ends_with_the_sentence_and_a_code(
    home: Path,
    tmp_path: Path,
    notebook: str,
    knobs: dict[str, Any],
    sentence: str,
) -> None:
    output = str(tmp_path / "out.ipynb")
    done = papermill(home, f"notebooks/{notebook}.ipynb", output, **knobs)
    assert done.returncode != 0
    assert sentence in last_line(done) and "fpcore/" not in last_line(done)
