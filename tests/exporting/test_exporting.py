"""What is exported is read back by other programs, figure by figure."""

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers.records import edited, record, result, run, with_seed

from fpcore import RunConfig, load_record
from fpcore.exporting import command, main, tables
from fpcore.exporting.columns import TABLES
from fpcore.exporting.values import figures
from fpcore.records.record import Origin, RunRecord

EPOCHS = {
    "epoch": [1, 2],
    "train_loss": [6.1, 5.9],
    "val_loss": [6.25, 6.3],
    "val_acc": [0.1, None],
}


@pytest.fixture(scope="module", autouse=True)
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunRecord]]:
    """Runs of two seeds, of one, without any, and imported; some with settings that are lists."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(tmp_path_factory.mktemp("home")))
        knobs = RunConfig(name="two", samples=[25, 50]).model_dump() | {"phase2_lr": [0.1, 0.2]}
        seeded = with_seed(run("two", knobs, phase2=EPOCHS), 7, 1 / 3)
        bare = edited(record("bare", {"order": 5}), results=[result(50, seed=None, seconds={})])
        origin = Origin(file="表 = 1.md", sha256="0" * 64)
        old = edited(record("old"), source="imported", origin=origin, alpha=-0.44, seconds=60.5,
                     started="2025-11-30", label="=1+1")  # fmt: skip
        for one in (seeded, bare, old):
            one.save()
        yield [load_record(name) for name in ("bare", "old", "two")]


def export(kind: str, folder: Path, *names: str) -> None:
    assert main(["--to", kind, str(folder), *names]) == 0


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables(kind: str, tmp_path: Path, records: list[RunRecord]) -> None:
    export(kind, tmp_path)
    read: dict[str, pd.DataFrame] = {
        name: pd.read_csv(tmp_path / f"{name}.csv")
        if kind == "csv"
        else pd.read_parquet(tmp_path / f"{name}.parquet")
        for name in TABLES
    }
    for name, columns in TABLES.items():
        assert list(read[name].columns) == list(columns)
    due = [(r, one) for r in records for one in r.results]
    assert len(read["results"]) == len(due)
    for (own, one), (_, row) in zip(due, read["results"].iterrows(), strict=True):
        assert (row["run"], row["samples"]) == (own.name, one.samples)
        for field, value in figures(one).items():
            assert row[field] == value
        unknown = {*read["results"]} - {"run", "samples", "seed", *figures(one)}
        assert row[list(unknown)].isna().all()
    assert read["epochs"]["val_loss"].tolist() == [
        v for _, one in due for v in one.phase2.get("val_loss", [])
    ]
    assert read["traces"]["loss"].tolist() == [v for _, r in due for v in r.phase1.get("loss", [])]
    runs = read["runs"].set_index("run")
    assert runs.loc["old", "alpha"] == -0.44
    assert json.loads(str(runs.loc["bare", "config"]))["order"] == 5
    assert json.loads(str(runs.loc["two", "phase2_lr"])) == [0.1, 0.2]
    assert json.loads(str(runs.loc["two", "samples"])) == [25, 50]


def test_every_column_has_its_unit(tmp_path: Path) -> None:
    export("csv", tmp_path / "csv")
    export("parquet", tmp_path)
    described = pd.read_csv(tmp_path / "csv" / "columns.csv", keep_default_na=False)
    for row in described.itertuples():
        field = pq.read_schema(tmp_path / f"{row.table}.parquet").field(row.column)
        assert field.metadata[b"unit"].decode() == row.unit and field.metadata[b"meaning"]
    units = described.set_index(["table", "column"])["unit"]
    assert (
        units["results", "val_er"] == "share of 1"
        and units["epochs", "dev_loss"] == "nats per token"
    )
    assert units["results", "seconds"] == "s" and units["results", "samples"] == "conversations"


def test_tensorboard_reads_every_figure(tmp_path: Path, records: list[RunRecord]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
        whole = EventAccumulator(str(folder), {"scalars": 0, "tensors": 0}).Reload()
        tags = whole.Tags()["scalars"]
        return {tag: [(e.step, e.value) for e in whole.Scalars(tag)] for tag in tags}

    def rounded(steps: list[int], column: list[float | None]) -> list[tuple[int, Any]]:
        known = zip(steps, column, strict=True)
        return [(step, float(np.float32(value))) for step, value in known if value is not None]

    export("tensorboard", tmp_path)
    for own in records:
        for one in own.results:
            seed = "" if one.seed is None else f"seed{one.seed}-"
            found = read(tmp_path / own.name / f"{seed}samples{one.samples}")
            for field, value in figures(one).items():
                assert found.pop(f"result/{field}") == [(one.samples, float(np.float32(value)))]
            assert found == {
                f"{phase}/{name}": [
                    (step, float(np.float32(v)))
                    for step, v in zip(trace[key], column, strict=True)
                    if v is not None
                ]
                for phase, trace, key in (
                    ("phase1", one.phase1, "iteration"),
                    ("phase2", one.phase2, "epoch"),
                )
                for name, column in trace.items()
                if name != key
            }
    whole = read(tmp_path / "old")
    assert whole["run/alpha"] == [(0, float(np.float32(-0.44)))]


def test_mlflow_reads_every_figure(tmp_path: Path, records: list[RunRecord]) -> None:
    export("mlflow", tmp_path / "記録 of mine")
    from mlflow.tracking import MlflowClient

    with warnings.catch_warnings(action="ignore"):  # once per process: stores in files will end
        client = MlflowClient(tracking_uri=(tmp_path / "記録 of mine" / "mlruns").as_uri())
    experiment: Any = client.get_experiment_by_name("fpcore")
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert len(runs) == sum(1 + len(own.results) for own in records)

    def history(run: Any, name: str) -> list[tuple[int, float]]:
        return [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]

    for own in records:
        parent = runs[own.name]
        assert parent.data.params["name" if "name" in own.config else "max_iter"]
        for key, value in own.config.items():
            assert parent.data.params[key] == (
                value if isinstance(value, str) else json.dumps(value)
            )
        for one in own.results:
            seed = "" if one.seed is None else f"seed{one.seed}-"
            child = runs[f"{own.name}/{seed}samples{one.samples}"]
            assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
            for field, value in figures(one).items():
                assert history(child, field) == [(one.samples, value)]
                by_size = history(parent, f"{seed.removesuffix('-') or 'by_size'}/{field}")
                assert (one.samples, value) in by_size
            for step, loss in zip(one.phase1["iteration"], one.phase1["loss"], strict=True):
                assert (step, loss) in history(child, "phase1/loss")
            if one.phase2:
                assert history(child, "phase2/val_acc") == [(1, 0.1)]
    old = runs["old"]
    assert (old.data.metrics["alpha"], old.data.metrics["seconds"]) == (-0.44, 60.5)
    assert old.data.tags["fpcore.source"] == "imported"
    artifacts = [a.path for a in client.list_artifacts(old.info.run_id)]
    assert artifacts == ["record.json", "report.md"]
    assert old.info.start_time == 1764460800000  # 2025-11-30, in UTC


@pytest.mark.parametrize("kind", command.KINDS)
def test_exporting_twice_changes_nothing(
    kind: str, tmp_path: Path, records: list[RunRecord]
) -> None:
    export(kind, tmp_path, "old", "bare", "old")
    before = content(tmp_path)
    export(kind, tmp_path, "old", "bare")
    assert content(tmp_path) == before and before


def test_an_mlflow_run_of_an_older_record_is_replaced(
    tmp_path: Path, home: Path, records: list[RunRecord]
) -> None:
    first = records[0]
    first.save()
    export("mlflow", tmp_path)
    edited(first, started="2026-01-01").save()
    export("mlflow", tmp_path)
    from fpcore.exporting.mlflow_runs import _Store

    store = _Store(tmp_path / "mlruns")
    assert sorted(r.info.run_name for r in store.held["bare"]) == ["bare", "bare/samples50"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "xml", "out"], "Give python -m fpcore.exporting --to csv|parquet"),
        (["--to", "csv"], "DIR"),
        (
            ["--to", "csv", "out", "odl"],
            "no record reports/runs/odl.json (did you mean old?)",
        ),
        (["--to", "csv", "file/out"], "cannot be written"),
        (["--to", "mlflow", "file/out"], "cannot be written"),
        *((["--to", kind, "o" * 300], "File name too long") for kind in command.KINDS),
    ],
)
def test_refusals(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert main(arguments) == 2
    assert words in capsys.readouterr().err
    assert [*map(str, Path().iterdir())] == ["file"]


def test_nothing_to_export(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--to", "csv", str(home / "out")]) == 2
    assert "There is no record in reports/runs to export" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["mlflow", "tensorboard"])
def test_a_package_that_is_missing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name in [n for n in sys.modules if n.split(".")[0] == kind]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, f"fpcore.exporting.{command.KINDS[kind][0]}", raising=False)
    monkeypatch.setitem(sys.modules, kind, None)
    assert main(["--to", kind, str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert (
        f"--to {kind} needs the package {command.KINDS[kind][2]}" in said and said.count("\n") == 1
    )


def test_tables_are_typed(records: list[RunRecord]) -> None:
    found = tables(records)
    kinds = {name: str(found["results"][name].dtype) for name in ("seed", "val_ppl", "best_epoch")}
    assert kinds == {"seed": "Int64", "val_ppl": "float64", "best_epoch": "Int64"}
    assert str(found["runs"]["max_iter"].dtype) == "Int64"


@pytest.mark.parametrize("kind", command.KINDS)
def test_odd_names_and_times_are_exported(kind: str, tmp_path: Path, home: Path) -> None:
    """Names that a record may have in its settings, traces and stages; for some they are files."""
    names = ["a+b", "a", "a/b", "a//b", "../x", "..", ".", "é", "x" * 200, "a b:c", "con"]
    row = {"iteration": [2, 3]} | {name: [1.0, 2.0] for name in names}
    odd = result(50, phase1=row, seconds=dict.fromkeys(names, 1e9))
    config: dict[str, Any] = {name: name for name in names} | {"max_iter": 2**63 - 1}
    for own in (record("plain"), edited(record("odd", config), results=[odd])):
        edited(own, started="0001-01-01", label="<|>").save()
    export(kind, tmp_path / "out")
    assert content(tmp_path / "out")
