"""The committed summaries, executed once more: nbval finds every output as it is stored."""

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from fpcore.paths import ROOT

SUMMARIES = sorted(
    [*ROOT.glob("reports/*-vs-*/compare.ipynb"), *ROOT.glob("reports/scaling/*.ipynb")]
)


def nbval(notebook: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Execute a notebook, and compare its outputs with the stored ones."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval", str(notebook)],
        cwd=ROOT,
        env=os.environ | {"FPCORE_HOME": str(home)},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that holds the committed records and nothing else."""
    folder = tmp_path_factory.mktemp("committed")
    shutil.copytree(ROOT / "reports" / "published", folder / "reports" / "published")
    (folder / "reports" / "runs").mkdir()
    for path in (ROOT / "reports" / "runs").glob("*.json"):
        shutil.copy(path, folder / "reports" / "runs")
    return folder


def one_digit_changed(code: list[NotebookNode]) -> NotebookNode:
    """A copy of the first cell that shows a slope of -0.44, as if it had shown -0.45."""
    for cell in copy.deepcopy(code):
        for out in cell.outputs:
            shown = out.get("data", {})
            if "-0.44" in shown.get("text/markdown", ""):
                for kind in ("text/markdown", "text/plain"):
                    assert "-0.44" in shown[kind]
                    shown[kind] = shown[kind].replace("-0.44", "-0.45", 1)
                cell.id = "changed"
                return cell
    raise AssertionError("no cell shows -0.44")


@pytest.mark.parametrize("path", SUMMARIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_committed_summaries_pass_strict_nbval(path: Path, committed: Path, tmp_path: Path) -> None:
    """Once more at the end, a published table with one digit changed is the one cell that fails."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert sum(bool(cell.outputs) for cell in code) >= len(code) - 3  # parameters and imports
    changed = [one_digit_changed(code)] if "published" in str(path) else []
    notebook.cells += changed
    prepared = tmp_path / path.name
    nbformat.write(notebook, prepared)
    done = nbval(prepared, committed)
    assert f"{len(code)} passed" in done.stdout, done.stdout
    assert ("1 failed" in done.stdout, done.returncode) == (bool(changed), len(changed))
