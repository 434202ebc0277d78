"""Every notebook, executed by papermill as a user would, at toy size and in a home of its own."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
import yaml
from helpers.toy import conversation

from fpcore import RunConfig
from fpcore.paths import NOTEBOOKS, PARAMS, ROOT

NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
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
Home = tuple[Path, subprocess.CompletedProcess[str]]


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
    return [line for line in done.stderr.splitlines() if line.strip()][-1]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The toy knobs with a corpus of 60 conversations."""
    corpus = tmp_path_factory.mktemp("corpus") / "toy.jsonl"
    lines = [json.dumps({"text": conversation(number)}) for number in range(60)]
    corpus.write_text("\n".join(lines), encoding="utf-8")
    return TOY | {"corpus": str(corpus)}


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
        assert all(out.output_type != "error" for out in outputs)
        assert any("image/png" in out.get("data", {}) for out in outputs)


def nbval(notebook: Path, home: Path, option: str = "--nbval") -> subprocess.CompletedProcess[str]:
    """Execute a notebook; strict compares its outputs with the stored ones, lax its errors only."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", option, str(notebook)],
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


SUMMARIES = sorted(
    [*ROOT.glob("reports/*-vs-*/compare.ipynb"), *ROOT.glob("reports/scaling/*.ipynb")]
)
PUBLISHED = [path for path in SUMMARIES if "published" in str(path)]


@pytest.mark.parametrize("path", SUMMARIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_committed_summaries_pass_strict_nbval(path: Path, committed: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert sum(bool(cell.outputs) for cell in code) >= len(code) - 3  # parameters and imports
    done = nbval(path, committed)
    assert done.returncode == 0 and f"{len(code)} passed" in done.stdout, done.stdout


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_one_changed_digit_fails(path: Path, committed: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    tables = [
        out.data
        for cell in notebook.cells
        for out in cell.get("outputs", [])
        if "| 全体" in (text := out.get("data", {}).get("text/markdown", "")) or "-0.44" in text
    ]
    for kind in ("text/markdown", "text/plain"):
        assert "-0.44" in tables[0][kind]
        tables[0][kind] = tables[0][kind].replace("-0.44", "-0.45", 1)
    changed = tmp_path / "changed.ipynb"
    nbformat.write(notebook, changed)
    done = nbval(changed, committed)
    assert done.returncode == 1 and "1 failed" in done.stdout, done.stdout


def other_knobs(folder: Path, toy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What brings each notebook that has no committed summary to toy size."""
    small = toy | {"samples": [5], "name": "small", "select_on": "dev"}
    (folder / "small.yaml").write_text(yaml.safe_dump(small))
    study = {"title": "反復", "question": "いくつか。", "base": str(folder / "small.yaml")}
    (folder / "steps.yaml").write_text(yaml.safe_dump(study | {"grid": {"max_iter": [6, 8]}}))
    data = {k: toy[k] for k in ("corpus", "tokenizer", "embed_dim", "samples", "val_samples")}
    counts = data | {"model": "kneser-ney", "orders": [2]}
    (folder / "counts.yaml").write_text(yaml.safe_dump(counts))
    paths = [str(folder / f"{name}.yaml") for name in ("v5-small", "v6-small")]
    return {
        "run": toy | {"name": "v5-small"},
        "book": {"configs": json.dumps(paths)},
        "study": {"study": str(folder / "steps.yaml")},
        "baselines": {"configs": json.dumps([str(folder / "counts.yaml")]), "runs": "[v5-small]"},
        "fixed-point": {"config": str(folder / "small.yaml"), "samples": 5, "iterations": 3},
        "benchmark": {"quick": True},
    }


@pytest.mark.parametrize("name", sorted({*NAMES} - {"compare", "scaling"}))
def test_every_other_notebook_passes_lax_nbval(
    name: str, home: Home, tmp_path: Path, toy: dict[str, Any]
) -> None:
    folder = tmp_path / "home"
    shutil.copytree(home[0], folder)
    prepared = tmp_path / f"{name}.ipynb"
    knobs = other_knobs(folder, toy).get(name, {})
    made = papermill(folder, "--prepare-only", f"notebooks/{name}.ipynb", str(prepared), **knobs)
    assert made.returncode == 0, made.stderr
    cells = nbformat.read(prepared, as_version=4).cells
    done = nbval(prepared, folder, "--nbval-lax")
    count = sum(cell.cell_type == "code" for cell in cells)
    assert done.returncode == 0 and f"{count} passed" in done.stdout, done.stdout


def test_the_benchmark_notebook_runs(tmp_path: Path) -> None:
    output = tmp_path / "out.ipynb"
    done = papermill(tmp_path, "notebooks/benchmark.ipynb", str(output), quick=True)
    assert done.returncode == 0, done.stderr
    assert "Phase 2 training" in (tmp_path / "reports" / "benchmark.md").read_text("utf-8")


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
    stored = json.dumps(nbformat.read(tmp_path / "out.ipynb", as_version=4), ensure_ascii=False)
    assert "Glyph" not in stored and "image/png" in stored


def test_one_knob_from_inside_the_folder_without_an_output_path(
    tmp_path: Path, toy: dict[str, Any]
) -> None:
    """`cd notebooks && papermill run.ipynb -p max_iter 9`: the notebook goes to standard output."""
    done = papermill(tmp_path, "run.ipynb", cwd=NOTEBOOKS, **toy | {"max_iter": 9, "name": "one"})
    assert done.returncode == 0, done.stderr
    assert nbformat.reads(done.stdout, as_version=4).cells
    record = json.loads((tmp_path / "reports" / "runs" / "one.json").read_text("utf-8"))
    assert record["config"]["max_iter"] == 9
    assert record["config"]["samples"] == toy["samples"]  # given as text


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


@pytest.mark.parametrize(
    ("notebook", "knobs", "sentence"),
    [
        ("run", {"max_itr": 100}, "max_itr is not a parameter of this notebook (did you mean max_"),
        ("run", {"max_iter": "abc"}, "max_iter must be a whole number of at least 2"),
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
        (
            "study",
            {"study": "iteration"},
            "no readable study params/studies/iteration.yaml (did",
        ),
        ("fixed-point", {"config": "v5-smal"}, "params/v5-smal.yaml (did you mean v5-small?)"),
        ("fixed-point", {"iterations": 1}, "iterations must be a whole number of at least 2, not"),
        ("fixed-point", {"samples": "many"}, "samples must be a whole number, not 'many'"),
        ("fixed-point", {"sample": 5}, "sample is not a parameter of this notebook (did you mean"),
        ("scaling", {"runs": "[corrupt]"}, "reports/runs/corrupt.json is not a readable record"),
    ],
)
def test_bad_input_ends_with_one_sentence(
    home: Home,
    tmp_path: Path,
    toy: dict[str, Any],
    notebook: str,
    knobs: dict[str, Any],
    sentence: str,
) -> None:
    folder = tmp_path / "home"
    shutil.copytree(home[0] / "reports", folder / "reports")
    (folder / "reports" / "runs" / "corrupt.json").write_text('{"name": "corrupt", ')
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00conversation")
    files = {"EMPTY": tmp_path / "empty.txt", "BINARY": tmp_path / "binary.txt"}
    given = {key: files.get(str(value), value) for key, value in knobs.items()}
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    base = toy | {"max_iter": 9} if notebook == "run" else {}
    output = str(tmp_path / "out.ipynb")
    done = papermill(folder, f"notebooks/{notebook}.ipynb", output, **base | given)
    assert done.returncode != 0
    assert sentence in last_line(done) and "fpcore/" not in last_line(done)
    after = {path: path.read_bytes() for path in (folder / "reports").rglob("*") if path.is_file()}
    assert after == before


def test_baselines_stand_beside_a_run_on_the_same_tokens(
    home: Home, tmp_path: Path, toy: dict[str, Any]
) -> None:
    shutil.copytree(home[0] / "reports", tmp_path / "reports")
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
    stored = json.dumps(nbformat.read(output, as_version=4), ensure_ascii=False)
    assert "40 サンプルで `v5-small` の Val PPL は、" in stored
    assert "image/png" in stored and "Glyph" not in stored and "Warning" not in stored
    assert {"counts.json", "lstm.json"} <= {p.name for p in (tmp_path / "reports/runs").iterdir()}
    report = (tmp_path / "reports/baselines/report.md").read_text("utf-8")
    assert "40 サンプルで `v5-small` の Val PPL は、" in report


def test_the_fixed_point_notebook_writes_its_report(tmp_path: Path, toy: dict[str, Any]) -> None:
    path, output = tmp_path / "toy.yaml", tmp_path / "out.ipynb"
    path.write_text(yaml.safe_dump(toy), encoding="utf-8")
    knobs: dict[str, Any] = {"config": path, "samples": 10, "seed": 3, "iterations": 4}
    done = papermill(tmp_path, "notebooks/fixed-point.ipynb", str(output), **knobs)
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "reports" / "fixed-point" / "toy-10" / "report.md").read_text("utf-8")
    assert "シード 3）の Phase 1 を 10 サンプル" in report
    assert "固定点にいる割合（4 歩目）" in report
    stored = json.dumps(nbformat.read(output, as_version=4), ensure_ascii=False)
    assert stored.count("image/png") == 4 and "Glyph" not in stored and "Warning" not in stored


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
    defaults = RunConfig().model_dump() | {"force": False, "share": ""}
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
