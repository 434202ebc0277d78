"""The notebooks that train or measure for long, executed as a user would."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from helpers.notebooks import papermill, ran_through, toy_knobs


@pytest.fixture
def toy(tmp_path: Path) -> dict[str, Any]:
    """The toy knobs with a corpus of 60 conversations."""
    return toy_knobs(tmp_path)


def test_the_benchmark_notebook_runs(tmp_path: Path) -> None:
    output = tmp_path / "out.ipynb"
    done = papermill(tmp_path, "notebooks/benchmark.ipynb", str(output), quick=True)
    assert done.returncode == 0, done.stderr
    assert "Phase 2 training" in (tmp_path / "reports" / "benchmark-small.md").read_text("utf-8")
    assert ran_through(nbformat.read(output, as_version=4))


def test_a_study_answers_and_resumes_where_it_was_stopped(
    tmp_path: Path, toy: dict[str, Any]
) -> None:
    """The second time only the run that is missing is trained; the report is the same."""
    base = toy | {"samples": [5, 10], "seeds": [1, 2, 3], "select_on": "dev", "name": "base"}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    study = {"title": "反復数", "question": "いくつがよいか。", "base": str(tmp_path / "base.yaml")}
    path = tmp_path / "steps.yaml"
    path.write_text(yaml.safe_dump(study | {"grid": {"max_iter": [6, 8, 10]}}, allow_unicode=True))
    words = ("--log-output", "notebooks/study.ipynb", str(tmp_path / "out.ipynb"))
    first = papermill(tmp_path, *words, study=path)
    assert first.returncode == 0, first.stderr
    report = tmp_path / "reports" / "studies" / "steps" / "report.md"
    before, runs = report.read_text("utf-8"), tmp_path / "reports" / "runs"
    shared = {
        name: json.loads((runs / f"{name}.json").read_text())["results"][0]["shared_iterations"]
        for name in ("base-max_iter6", "base", "base-max_iter10")
    }
    assert shared == {"base-max_iter6": 0, "base": 6, "base-max_iter10": 8}
    assert "max_iter 8（基準）" in before and "シード n=3" in before
    kept = (runs / "base.json").read_bytes()
    (runs / "base-max_iter10.json").unlink()
    again = papermill(tmp_path, *words, study=path)
    assert again.returncode == 0, again.stderr
    assert (runs / "base.json").read_bytes() == kept
    assert report.read_text("utf-8") == before
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    stored = json.dumps(notebook, ensure_ascii=False)
    assert ran_through(notebook)
    assert "Glyph" not in stored and "image/png" in stored
