"""What every notebook and params file looks like, without being executed."""

import ast
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
import yaml

from fpcore import RunConfig
from fpcore.paths import NOTEBOOKS, PARAMS

NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("name", NAMES)
def test_pairs_are_in_sync_and_without_outputs(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    script = jupytext.read(NOTEBOOKS / f"{name}.py")
    assert [(c.cell_type, c.source) for c in notebook.cells] == [
        (c.cell_type, c.source) for c in script.cells
    ]
    assert not any(cell.get("outputs") for cell in notebook.cells)
    tags = [cell.metadata.get("tags") for cell in notebook.cells]
    assert tags.count(["parameters"]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_tables_of_contents(name: str) -> None:
    for cell in jupytext.read(NOTEBOOKS / f"{name}.py").cells:
        if cell.cell_type == "code":
            kinds = {type(node) for node in ast.walk(ast.parse(cell.source))}
            assert not kinds & {ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If}
            if "parameters" not in cell.metadata.get("tags", []):
                assert len(cell.source.splitlines()) <= 10


def test_the_parameters_of_run_are_the_defaults_of_the_config() -> None:
    cells = jupytext.read(NOTEBOOKS / "run.py").cells
    source = next(c.source for c in cells if c.metadata.get("tags") == ["parameters"])
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    del namespace["__builtins__"]
    defaults = RunConfig().model_dump() | {"force": False, "share": "", "lang": "ja"}
    assert namespace == {name: defaults[name] for name in namespace}
    assert {"force", "share"} < namespace.keys()
    assert RunConfig.load("v5-small").knobs() == RunConfig().knobs()


@pytest.mark.parametrize("path", sorted(PARAMS.glob("*.yaml")), ids=lambda path: path.stem)
def test_params_files_hold_only_what_differs(path: Path) -> None:
    config = RunConfig.load(path.stem)
    assert config.name == path.stem
    given = yaml.safe_load(path.read_text("utf-8"))
    defaults = RunConfig().model_dump()
    assert all(value != defaults[key] for key, value in given.items())
