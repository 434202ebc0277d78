"""Every other notebook, executed once as a user would, at toy size and in a home of its own."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from helpers.notebooks import error_of, papermill, ran_through
from PIL import Image

import fpcore
from fpcore.paths import NOTEBOOKS, ROOT
from fpcore.runs import cluster
from fpcore.runs.jobs import Job


def test_one_knob_from_inside_the_folder_without_an_output_path(
    tmp_path: Path, toy: dict[str, Any]
) -> None:
    """`cd notebooks && papermill run.ipynb -p max_iter 9`: the notebook goes to standard output."""
    done = papermill(tmp_path, "run.ipynb", cwd=NOTEBOOKS, **toy | {"max_iter": 9, "name": "one"})
    assert done.returncode == 0, done.stderr
    notebook = nbformat.reads(done.stdout, as_version=4)
    assert notebook.cells and ran_through(notebook)
    record = json.loads((tmp_path / "reports" / "runs" / "one.json").read_text("utf-8"))
    assert record["config"]["max_iter"] == 9
    assert record["config"]["samples"] == toy["samples"]  # given as text


def test_baselines_stand_beside_a_run_on_the_same_tokens(
    recorded: Path, tmp_path: Path, toy: dict[str, Any]
) -> None:
    shutil.copytree(recorded / "reports", tmp_path / "reports")
    data = {k: toy[k] for k in ("corpus", "tokenizer", "embed_dim", "samples", "val_samples")}
    models: dict[str, dict[str, Any]] = {
        "counts": {"model": "kneser-ney", "orders": [2, 3]},
        "lstm": {"model": "lstm", "context_dim": 90, "epochs": 1, "learning_rates": [0.01]},
    }
    paths = [tmp_path / f"{name}.yaml" for name in models]
    for path, knobs in zip(paths, models.values(), strict=True):
        path.write_text(yaml.safe_dump(data | knobs), encoding="utf-8")
    given, output = json.dumps([str(path) for path in paths]), tmp_path / "out.ipynb"
    words = ("notebooks/baselines.ipynb", str(output))
    done = papermill(tmp_path, *words, configs=given, runs="[v5-small]")
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(output, as_version=4)
    stored = json.dumps(notebook, ensure_ascii=False)
    assert ran_through(notebook)
    # So few epochs are cut short, and then nothing is said of perplexity.
    assert "`counts` と `v5-small`: v5-small は最良エポックが" in stored
    assert "image/png" in stored and "Glyph" not in stored and "Warning" not in stored
    assert {"counts.json", "lstm.json"} <= {p.name for p in (tmp_path / "reports/runs").iterdir()}
    report = (tmp_path / "reports/baselines/report.md").read_text("utf-8")
    assert "全訓練会話で作った tokenizer: `counts`" in report


def test_the_fixed_point_notebook_writes_its_report(
    tmp_path: Path, toy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its figures, although the environment asks for a backend that shows none."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    path, output = tmp_path / "toy.yaml", tmp_path / "out.ipynb"
    path.write_text(yaml.safe_dump(toy), encoding="utf-8")
    knobs: dict[str, Any] = {"config": path, "samples": 10, "seed": 3, "iterations": 4}
    done = papermill(tmp_path, "notebooks/fixed-point.ipynb", str(output), **knobs)
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "reports" / "fixed-point" / "toy-10" / "report.md").read_text("utf-8")
    assert "シード 3）の Phase 1 を 10 サンプル" in report
    assert "固定点にいる割合（4 ステップ目）" in report
    notebook = nbformat.read(output, as_version=4)
    stored = json.dumps(notebook, ensure_ascii=False)
    assert ran_through(notebook)
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    shown = [o for o in outputs if "image/png" in o.get("data", {})]
    pictures = [Image.open(io.BytesIO(base64.b64decode(o.data["image/png"]))) for o in shown]
    seen = [(picture.mode, picture.info["Description"]) for picture in pictures]
    assert seen == [("P", o.metadata["image/png"]["alt"]) for o in shown] and len(seen) == 4
    assert "Glyph" not in stored and "Warning" not in stored


@pytest.mark.parametrize("name", ["explore", "tutorial"])
def test_what_has_no_parameters_passes_lax_nbval(name: str, recorded: Path, tmp_path: Path) -> None:
    shutil.copytree(recorded / "reports", tmp_path / "reports")
    path = NOTEBOOKS / f"{name}.ipynb"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval-lax", str(path)],
        cwd=ROOT,
        env=os.environ | {"FPCORE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    count = sum(c.cell_type == "code" for c in nbformat.read(path, as_version=4).cells)
    assert done.returncode == 0 and f"{count} passed" in done.stdout, done.stdout


def test_a_study_is_answered(
    tmp_path: Path, toy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cell by cell in this process, its runs trained here instead of by workers."""

    def train(chains: list[list[Job]], *_: Any) -> tuple[list[str], dict[str, str]]:
        jobs = [job for chain in chains for job in chain]
        return [fpcore.run(job.config, share=job.share).name for job in jobs], {}

    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    monkeypatch.setattr(cluster, "train", train)
    base = toy | {"samples": [5], "select_on": "dev", "name": "base"}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    study = {"title": "反復", "question": "いくつか。", "base": str(tmp_path / "base.yaml")}
    path = tmp_path / "steps.yaml"
    path.write_text(yaml.safe_dump(study | {"grid": {"max_iter": [6, 8]}}))
    assert error_of("study", {"study": path}) is None
    runs = tmp_path / "reports" / "runs"
    assert {path.stem for path in runs.glob("*.json")} == {"base", "base-max_iter6"}
    report = (tmp_path / "reports" / "studies" / "steps" / "report.md").read_text("utf-8")
    assert "いくつか。" in report and "max_iter 8（基準）" in report


def test_a_search_is_answered(
    tmp_path: Path, toy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cell by cell in this process."""
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    base = toy | {"samples": [5], "select_on": "dev", "name": "base"}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    given = {"title": "探す", "question": "いくつか。", "base": str(tmp_path / "base.yaml")}
    ranges = {"phase2_lr": {"log": [0.001, 0.1]}}
    path = tmp_path / "rates.yaml"
    path.write_text(yaml.safe_dump(given | {"ranges": ranges, "trials": 3, "seeds": [1, 2]}))
    assert error_of("search", {"search": path}) is None
    folder = tmp_path / "reports" / "searches" / "rates"
    names = {"trials.json", "trial0.json", "trial1.json", "trial2.json"}
    assert names <= {path.name for path in folder.iterdir()}
    assert "いくつか。" in (folder / "report.md").read_text("utf-8")
    assert not (tmp_path / "reports" / "runs").exists()
