"""Notebooks executed by papermill as a user would, and their cells run in this process."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib.pyplot as plt
from IPython.core.interactiveshell import InteractiveShell
from nbformat import NotebookNode
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from fpcore.paths import NOTEBOOKS, ROOT
from helpers.toy import conversation, written

TOY: dict[str, Any] = {
    "tokenizer": "bpe-300",
    "embed_dim": 16,
    "context_dim": 24,
    "samples": [5, 10, 20, 30, 40],
    "val_samples": 5,
    "max_iter": 8,
    "phase1_batch": 128,
    "epochs": 2,
    "device": "cpu",
}


def toy_knobs(folder: Path) -> dict[str, Any]:
    """The toy knobs with a corpus of 60 conversations in a folder."""
    texts = [conversation(number) for number in range(60)]
    return TOY | {"corpus": str(written(folder / "toy.jsonl", texts))}


def papermill(
    home: Path, *words: str, cwd: Path = ROOT, **knobs: Any
) -> subprocess.CompletedProcess[str]:
    """Run papermill with a home; standard input is closed, as in a job."""
    command = [sys.executable, "-m", "papermill", *words]
    for name, value in knobs.items():
        command += ["-p", name, str(value)]
    environment = os.environ | {"FPCORE_HOME": str(home)}
    environment.pop("PYTEST_CURRENT_TEST", None)  # so that progress shows as it does for users
    return subprocess.run(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The last line of standard error that is not empty."""
    return [line for line in done.stderr.splitlines() if line.strip()][-1]


def ran_through(notebook: NotebookNode) -> bool:
    """Whether every code cell was executed once, in order, and none ended with an error."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [out for cell in code for out in cell.outputs]
    counts = [cell.execution_count for cell in code]
    return counts == [*range(1, len(code) + 1)] and all(o.output_type != "error" for o in outputs)


def error_of(notebook: str, knobs: dict[str, Any]) -> BaseException | None:
    """The error that ends a notebook, if any, its cells run one by one in a shell of this process.

    The parameters are injected by papermill, as text where its command line takes them as text.
    """
    given = {k: v if isinstance(v, int | float) else str(v) for k, v in knobs.items()}
    path = NOTEBOOKS / f"{notebook}.ipynb"
    cells = parameterize_notebook(load_notebook_node(str(path)), given).cells
    shell = InteractiveShell.instance(
        config=Config({"HistoryManager": {"enabled": False}}), user_module=ModuleType("notebook")
    )
    try:
        with plt.rc_context():
            for cell in cells:
                if cell.cell_type == "code":
                    done = shell.run_cell(cell.source, store_history=True)
                    if not done.success:
                        error: BaseException = done.error_in_exec or done.error_before_exec
                        return error
        return None
    finally:
        InteractiveShell.clear_instance()
        plt.close("all")
