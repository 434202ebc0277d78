import copy
import errno
import functools
import json
import math
import os
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fpcore import (
    RecordError,
    RunConfig,
    RunRecord,
    StorageError,
    epochs,
    frame,
    load_record,
    load_records,
    traces,
)
from fpcore.records.record import VOLATILE, _pretty, read_shelf, record_path
from fpcore.records.result import SizeResult
from fpcore.stats.metrics import effective_rank


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this test's records."""
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    return tmp_path / "reports" / "runs"


def result(**fields: Any) -> SizeResult:
    figures: dict[str, Any] = {"train_tokens": 1100, "val_tokens": 90, "val_bytes": 400}
    figures |= {"phase1_iterations": 3, "convergence_rate": 0.1 + 0.2, "train_er": 1 / 3}
    figures |= {"val_er": 0.7, "train_ppl": 50.5, "val_ppl": 600.25, "val_acc": 0.178}
    figures |= {"best_epoch": 1, "epochs_run": 2, "val_loss_sums": [1.5, 2.5]}
    figures |= {"val_token_counts": [40, 49], "seconds": {"phase1": 1.5, "phase2": 2.25}}
    figures["phase1"] = {"iteration": [2, 3], "loss": [0.1, -0.4], "clipped": [False, True]}
    figures["phase2"] = {"epoch": [1, 2], "train_loss": [5.0, 4.5], "val_loss": [6.0, 6.5]}
    return SizeResult(**({"seed": 42, "samples": 10} | figures | fields))


def record(name: str = "toy", *results: SizeResult, **fields: Any) -> RunRecord:
    config = RunConfig(name=name, phase1_lr=1e-5, er_rows=None).model_dump()
    made = {"label": "1L_181d_1tok", "config": config, "digests": {"code/model.py": "ab12"}}
    made |= {"environment": {"python": "3", "cpu": "日本"}, "started": "2026-01-02T03:04:05+00:00"}
    return RunRecord(name=name, results=list(results) or [result()], **(made | fields))


def published(name: str = "printed") -> RunRecord:
    return record(name, SizeResult(samples=50, val_ppl=598.6), source="imported", config={})


def test_a_record_comes_back_exactly(folder: Path) -> None:
    made = record("toy", result(), result(samples=20, val_ppl=0.1 + 0.7))
    assert made.path == folder / "toy.json"
    made.save()
    assert load_record("toy") == made
    assert load_record("toy").model_dump() == made.model_dump()
    assert [path.name for path in folder.iterdir()] == ["toy.json"]


def test_a_record_without_most_of_its_figures_comes_back(folder: Path) -> None:
    published().save()
    assert load_record("printed") == published()


def test_a_record_is_written_for_reading_in_a_diff() -> None:
    record().save()
    text = record().path.read_text(encoding="utf-8")
    assert json.loads(text) == record().model_dump()
    assert '\n    "loss": [0.1, -0.4],\n' in text
    assert '\n  "cpu": "日本"\n' in text
    assert text.endswith("\n}\n")


def test_saving_replaces_the_earlier_record() -> None:
    record("toy", result(val_ppl=1)).save()
    record("toy", result(val_ppl=2)).save()
    assert load_record("toy").results[0].val_ppl == 2


def test_records_come_in_the_order_of_their_names() -> None:
    assert load_records() == []
    for name in ("b", "a", "c"):
        record(name).save()
    assert [r.name for r in load_records()] == ["a", "b", "c"]


def test_a_missing_record_comes_with_a_suggestion() -> None:
    with pytest.raises(RecordError) as caught:
        load_record("v5-smal")
    assert str(caught.value) == (
        "There is no record reports/runs/v5-smal.json; run its config first."
    )
    record("v5-small").save()
    with pytest.raises(RecordError, match=r"v5-smal\.json \(did you mean v5-small\?\); run its"):
        load_record("v5-smal")


def damaged(**change: Any) -> str:
    return json.dumps(record().model_dump() | change)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        "not json",
        damaged()[:-40],
        damaged(schema_version=0),
        damaged(unknown=1),
        damaged(results=[{"samples": "ten"}]),
        damaged(results=[{"seed": 1}]),
        damaged(source="guessed"),
        damaged(results=[]),
        damaged(results=[{"samples": 5, "phase1": {"loss": [0.5]}}]),
        damaged(results=[{"samples": 5, "phase2": {"val_loss": [0.5]}}]),
        damaged(started="2024-13-45"),
        damaged(started="0000-01-01"),
        damaged(started="2024-01-01T25:00"),
    ],
)
def test_a_damaged_record_is_named(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "toy.json").write_text(content, encoding="utf-8")
    with pytest.raises(RecordError) as caught:
        load_record("toy")
    assert str(caught.value).startswith("reports/runs/toy.json is not a readable record (")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("; restore it, or delete it and run its config again.")
    record("good").save()
    assert [r.name for r in read_shelf().records] == ["good"]
    assert read_shelf().unreadable == {"reports/runs/toy.json": str(caught.value)}


@given(
    schema=st.integers(2, 10**6),
    fields=st.dictionaries(st.sampled_from(["new", "results", "name", "config"]), st.text()),
)
def test_a_record_of_a_newer_schema_says_so(
    tmp_path_factory: pytest.TempPathFactory, schema: int, fields: dict[str, str]
) -> None:
    home = tmp_path_factory.mktemp("newer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(home))
        record("good").save()
        (home / "reports/runs/toy.json").write_text(damaged(schema_version=schema, **fields))
        said = (
            "reports/runs/toy.json was made by a newer fpcore "
            f"(schema {schema}, here 1); update fpcore."
        )
        with pytest.raises(RecordError, match=f"^{re.escape(said)}$"):
            load_record("toy")
        assert [r.name for r in read_shelf().records] == ["good"]


WHOLE: Any = json.loads(damaged())
WHOLE["config"]["nested"] = WHOLE["environment"]["nested"] = [{"number": 1}]
WHOLE["data"] = {"vocabulary": 5, "validation": [1, 2], "repeated": {"validation": 1}}
WHOLE["results"][0] |= {"phase2": {"epoch": [1], "val_loss": [0.5]}, "chosen": 0.5}


def numbers(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every number of a record."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        if isinstance(item, dict | list):
            yield from numbers(item, (*way, key))
        elif type(item) in (int, float):
            yield (*way, key)


@given(
    st.sampled_from(sorted(numbers(WHOLE), key=str)),
    st.sampled_from([2**53, 2**63 - 1, 2**63, 2**64, 10**30, 10**308, 10**400, 10**5000]),
    st.booleans(),
)
def test_a_number_that_is_too_large_takes_no_other_record_down(
    tmp_path_factory: pytest.TempPathFactory, way: tuple[Any, ...], number: int, below: bool
) -> None:
    """What is taken can be written again, and tables can hold it."""
    changed = copy.deepcopy(WHOLE)
    functools.reduce(lambda inner, key: inner[key], way[:-1], changed)[way[-1]] = "?"
    sys.set_int_max_str_digits(0)
    text = json.dumps(changed).replace('"?"', f"{'-' * below}{number}", 1)
    sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(tmp_path_factory.mktemp("large")))
        record("good").save()
        record_path("toy").write_text(text)
        shelf = read_shelf()
        assert [r.name for r in shelf.records if r.name != "toy"] == ["good"]
        assert len(shelf.records) + len(shelf.unreadable) == 2
        for one in shelf.records:
            one.save()
            frame([one]), traces([one]), epochs([one])


def test_one_line_names_what_is_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record("good").save()
    for name in ("._good.json", "good (1).json", "zwei\nzeilen.json", ".good.json.json"):
        (folder / name).write_bytes((folder / "good.json").read_bytes())
    (folder / "folder.json").mkdir()
    (folder / "lost.json").symlink_to(folder / "nowhere")
    assert [r.name for r in load_records()] == ["good"]
    assert capsys.readouterr().err == (
        "Left out, as they cannot be read: reports/runs/folder.json, reports/runs/good (1).json, "
        "reports/runs/nowhere, reports/runs/zwei\ufffdzeilen.json.\n"
    )


def test_a_record_that_is_not_text_is_named(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "toy.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError, match="is not a readable record"):
        load_record("toy")


def test_a_byte_order_mark_is_no_part_of_a_record(folder: Path) -> None:
    record("toy").save()
    (folder / "toy.json").write_bytes(BOM_UTF8 + (folder / "toy.json").read_bytes())
    assert load_record("toy") == record("toy")


def test_a_record_of_another_name_is_refused(folder: Path) -> None:
    record("one").save()
    (folder / "one.json").rename(folder / "two.json")
    with pytest.raises(RecordError, match=r"two\.json holds a record called 'one'; rename one"):
        load_record("two")


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", "..", ".hidden", "", "a b", "a\n", "a\\b"])
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(RecordError, match="cannot be the name of a run"):
        load_record(name)
    with pytest.raises(RecordError, match="cannot be the name of a run"):
        record(name="x").model_copy(update={"name": name}).save()


@pytest.mark.parametrize("earlier", [True, False])
def test_nothing_is_left_behind_when_writing_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch, earlier: bool
) -> None:
    if earlier:
        record("toy", result(val_ppl=1)).save()

    def fail(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StorageError, match=r"runs/toy\.json cannot be written: No space left on"):
        record("toy", result(val_ppl=2)).save()
    assert [path.name for path in folder.iterdir()] == ["toy.json"] * earlier
    if earlier:
        assert load_record("toy").results[0].val_ppl == 1


def test_a_figure_that_is_not_finite_is_not_written(folder: Path) -> None:
    with pytest.raises(ValueError, match="finite number"):
        record("toy", result(val_ppl=math.nan)).save()
    assert not folder.exists()


def test_the_figures_of_a_perfect_model_can_be_saved_and_read() -> None:
    """Losses of nothing and ratios of one, by rounding on the other side of what is possible."""
    spectrum = effective_rank(2 * torch.eye(5, dtype=torch.float64).repeat(3, 1)) / 5
    assert spectrum > 1
    tiny: dict[str, Any] = {
        "bits_per_byte": -1e-12,
        "val_loss_sums": [-1e-6, 0.0],
        "val_er": spectrum,
    }
    whole: dict[str, Any] = {"bits_per_byte": 0.0, "val_loss_sums": [0.0, 0.0], "val_er": 1.0}
    for figures in (tiny, whole):
        made = record("perfect", result(val_ppl=1.0, train_ppl=1.0, val_acc=1.0, **figures))
        made.save()
        assert load_record("perfect") == made
    for figures in ({"bits_per_byte": -0.1}, {"val_er": 1.1}, {"val_loss_sums": [-1.0, 1.0]}):
        with pytest.raises(ValueError):
            result(**figures)


@pytest.mark.parametrize("name", ["a b", "<b>", "x:y", "_x", "-x", "a" * 81, "", "a/b", "a\n"])
def test_a_record_has_a_name_of_the_pattern_of_names(name: str) -> None:
    with pytest.raises(ValueError, match="should match pattern"):
        RunRecord(**record().model_dump() | {"name": name})


@pytest.mark.parametrize("stem", ["<img src=x>", "javascript:alert(1)", "a b", "_x", "a" * 81])
def test_a_file_that_is_called_as_no_run_is_listed(folder: Path, stem: str) -> None:
    record("good").save()
    whole = json.loads((folder / "good.json").read_text()) | {"name": stem}
    (folder / f"{stem}.json").write_text(json.dumps(whole))
    os.mkfifo(folder / "pipe.json")
    shelf = read_shelf()
    assert [r.name for r in shelf.records] == ["good"]
    assert "is called as no run can be; rename it." in shelf.unreadable[f"reports/runs/{stem}.json"]
    assert "no ordinary file" in shelf.unreadable["reports/runs/pipe.json"]


def test_the_longest_allowed_name_can_be_saved() -> None:
    name = RunConfig(name="a" * 80).run_name
    record(name).save()
    assert load_record(name).name == name


def test_frame_has_a_row_per_run_seed_and_size() -> None:
    one = record("one", result(), result(seed=43, samples=20, train_tokens=2200, seconds={}))
    table = frame([one, published()])
    assert table[["run", "seed", "samples"]].astype(object).values.tolist()[:2] == [
        ["one", 42, 10],
        ["one", 43, 20],
    ]
    first = table.iloc[0].to_dict()
    expected = {"train_tokens": 1100, "val_tokens": 90, "phase1_iterations": 3, "val_er": 0.7}
    expected |= {"convergence_rate": 0.1 + 0.2, "train_er": 1 / 3, "train_ppl": 50.5}
    expected |= {"val_ppl": 600.25, "val_acc": 0.178, "best_epoch": 1, "epochs_run": 2}
    expected |= {"seconds": 3.75}
    assert {key: first[key] for key in expected} == expected
    more = {"bits_per_byte", "unigram_ppl", "train_er_rows", "val_er_rows", "val_bytes"}
    more |= {"trained_parameters", "chosen"}
    more |= {"train_er_centred", "val_er_centred", "train_er_clean"}
    assert set(table) == set(expected) | {"run", "seed", "samples"} | more
    assert pd.isna(table["seconds"][1])


def test_frame_of_a_published_record_knows_little() -> None:
    row = frame([published()]).iloc[0].dropna().to_dict()
    assert row == {"run": "printed", "samples": 50, "val_ppl": 598.6}


def test_results_of_a_size_and_a_part_of_a_record() -> None:
    one = record("one", result(), result(seed=43, samples=20), result(seed=43))
    assert (one.sizes, one.largest) == ([10, 20], 20)
    assert [r.seed for r in one.at(10)] == [42, 43] and one.at(30) == []
    part = one.where(lambda r: r.seed == 43)
    assert [(r.seed, r.samples) for r in part.results] == [(43, 20), (43, 10)]
    assert (part.name, part.config) == (one.name, one.config)


def test_frame_of_nothing_has_its_columns() -> None:
    assert len(frame([])) == 0
    assert list(frame([])) == list(frame([record()]))


def test_traces_have_a_row_per_iteration() -> None:
    table = traces([record("one", result(), result(seed=7)), published(), record("two")])
    names = "run seed samples iteration convergence_rate loss fixed_point_loss diversity_loss"
    assert list(table) == [*names.split(), "grad_norm", "clipped", "layernorm_gain"]
    rows = table[["run", "seed", "samples", "iteration", "loss", "clipped"]].values.tolist()
    assert rows == [
        ["one", 42, 10, 2, 0.1, False],
        ["one", 42, 10, 3, -0.4, True],
        ["one", 7, 10, 2, 0.1, False],
        ["one", 7, 10, 3, -0.4, True],
        ["two", 42, 10, 2, 0.1, False],
        ["two", 42, 10, 3, -0.4, True],
    ]


def test_epochs_have_a_row_per_epoch() -> None:
    chosen = result(phase2={"epoch": [1], "train_loss": [4.0], "val_loss": [5], "dev_loss": [3.0]})
    table = epochs([record("one"), record("two", chosen)])
    names = "run seed samples epoch train_loss val_loss val_acc dev_loss dev_acc"
    assert list(table) == names.split()
    assert table["run"].tolist() == ["one", "one", "two"]
    assert table["val_loss"].tolist() == [6.0, 6.5, 5.0]
    assert table["dev_loss"].isna().tolist() == [True, True, False]


@pytest.mark.parametrize("tabulate", [traces, epochs])
def test_tables_of_nothing_have_their_columns(tabulate: Any) -> None:
    for nothing in ([], [published()]):
        assert list(tabulate(nothing)) == list(tabulate([record()]))
        assert len(tabulate(nothing)) == 0


def test_what_may_differ_between_two_runs_is_a_field() -> None:
    fields = RunRecord.model_fields.keys() | SizeResult.model_fields.keys()
    assert set(VOLATILE) <= fields


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
NESTED = st.recursive(
    PLAIN | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(NESTED)
def test_what_is_written_reads_back(data: Any) -> None:
    assert json.loads(_pretty(data, "")) == data


def test_a_knob_that_is_null_is_refused_but_for_er_rows() -> None:
    knobs = RunConfig().model_dump()
    RunRecord(name="a", config=knobs | {"er_rows": None}, results=[result()])
    with pytest.raises(ValueError, match=r"config\.seeds is of another kind"):
        RunRecord(name="a", config=knobs | {"seeds": None}, results=[result()])
