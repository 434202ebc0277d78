"""The book made by one papermill command, of two runs and a config that fails."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from helpers.notebooks import last_line, papermill, ran_through

from fpcore import RunConfig
from fpcore.paths import ROOT

Home = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, toy: dict[str, Any]) -> Home:
    """A home in which `book` has made the two small runs at toy size, with a config that fails."""
    folder = tmp_path_factory.mktemp("book")
    configs = {
        "v5-small": toy,
        "bad": toy | {"samples": [1000]},
        "v6-small": toy | {"max_iter": 12, "gradient_clip": 2.0},
    }
    paths = [folder / f"{name}.yaml" for name in configs]
    for path, knobs in zip(paths, configs.values(), strict=True):
        path.write_text(yaml.safe_dump(knobs), encoding="utf-8")
    given = json.dumps([str(path) for path in paths])
    book = papermill(
        folder, "--log-output", "notebooks/book.ipynb", str(folder / "book.ipynb"), configs=given
    )
    return folder, book


def test_book_reports_the_failing_config_and_finishes_the_others(home: Home) -> None:
    folder, book = home
    assert book.returncode != 0
    assert "but samples asks for 1000" in last_line(book)
    assert last_line(book).startswith("bad failed: ")
    runs = folder / "reports" / "runs"
    made = {"v5-small.json", "v5-small.ipynb", "v6-small.json", "v6-small.ipynb"}
    assert {path.name for path in runs.iterdir()} == made
    assert (folder / "reports" / "v5-small-vs-v6-small" / "report.md").is_file()
    assert (folder / "reports" / "v5-small-vs-v6-small" / "compare.ipynb").is_file()
    assert (folder / "reports" / "scaling" / "v5-small-vs-v6-small.ipynb").is_file()


def test_book_prints_the_comparison(home: Home) -> None:
    folder, book = home
    report = (folder / "reports" / "v5-small-vs-v6-small" / "report.md").read_text("utf-8")
    row = next(line for line in report.splitlines() if line.startswith("| Val PPL "))
    assert row in book.stderr
    assert "▸ " in book.stderr  # progress in the log …
    stored = (folder / "reports" / "runs" / "v5-small.ipynb").read_text("utf-8")
    assert "▸ " not in stored and "5 sizes and seeds trained in" in stored  # … one line stays


def test_book_records_are_complete(home: Home, toy: dict[str, Any]) -> None:
    folder, _ = home
    record = json.loads((folder / "reports" / "runs" / "v6-small.json").read_text("utf-8"))
    assert record["config"] == RunConfig(**toy, name="v6-small").model_dump() | {
        "max_iter": 12,
        "gradient_clip": 2.0,
    }
    assert [r["samples"] for r in record["results"]] == toy["samples"]
    assert {r["phase1_iterations"] for r in record["results"]} == {12}


def test_executed_notebooks_show_no_error_and_no_missing_glyph(home: Home) -> None:
    folder, _ = home
    for path in (folder / "reports").rglob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
        text = json.dumps(outputs, ensure_ascii=False)
        assert outputs and "Glyph" not in text and "Warning" not in text
        assert str(ROOT) not in json.dumps(notebook)
        assert ran_through(notebook)
        assert any("image/png" in out.get("data", {}) for out in outputs)


def test_the_same_config_reuses_its_record_and_says_so(home: Home, toy: dict[str, Any]) -> None:
    folder, _ = home
    path = folder / "reports" / "runs" / "v5-small.json"
    before = path.read_bytes()
    output = str(folder / "again.ipynb")
    done = papermill(
        folder, "--log-output", "notebooks/run.ipynb", output, **toy | {"name": "v5-small"}
    )
    assert done.returncode == 0 and "its record is reused" in done.stderr
    assert path.read_bytes() == before
