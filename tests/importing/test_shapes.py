"""The same results in every shape that people keep them in."""

import csv
import io
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpcore.importing import file, making, runs_in
from fpcore.importing.found import ImportingError
from fpcore.paths import ROOT
from fpcore.records import RunRecord, SizeResult, load_record
from fpcore.records.record import Origin

from .conftest import Import

ROWS = [(50, 62_891, 0.71, 598.6, 0.178), (100, 122_795, 0.708, 406.9, 0.196)]
FIELDS = ("samples", "train_tokens", "val_er", "val_ppl", "val_acc")
SHAPES = {
    "shares.csv": """num_samples,train_tokens,val_er,V.PPL,accuracy
50,62891,0.71,598.6,0.178
100,122795,0.708,406.9,0.196
""",
    "percent.csv": """# exported on a Sunday
サンプル数,Tokens,Val ER (%),Val PPL,正解率
50,"62,891",71.0,598.6,17.8%

100,"122,795",70.8,406.9,19.6%
""",
    "european.csv": """Samples;Tokens;Val ER;V.PPL;Acc\r
50;62.891;71,0 %;598,6;17,8 %\r
100;122.795;70,8 %;406,9;19,6 %\r
""",
    "wide.tsv": """\ufeffｓａｍｐｌｅｓ\ttokens\tval_er_pct\tval perplexity\tval_accuracy
５０\t６２，８９１\t７１．０\t５９８．６\t１７．８％
１００\t１２２，７９５\t７０．８\t４０６．９\t１９．６％
""",
    "pipes.txt": """| Samples | Tokens | Val ER | V.PPL | Acc |
|---|---|---|---|---|
| 50 | 62,891 | 71.0% | **598.6** | 17.8% |
| 100 | 122,795 | 70.8% | 406.9 | 19.6% |
""",
    "aligned.txt": """Config             Samples     Tokens P1 Iter  Val ER   V.PPL    Acc
1L_1085d_1tok           50     62,891      60   71.0%   598.6  17.8%
1L_1085d_1tok          100    122,795      60   70.8%   406.9  19.6%
""",
    "rows.json": """[
  {"samples": 50, "train_tokens": 62891, "val/er": 0.71, "val/ppl": 598.6, "acc": "17.8%"},
  {"samples": 100, "train_tokens": 122795, "val/er": 0.708, "val/ppl": 406.9, "acc": "19.6 %"}
]""",
    "nested.json": """{"name": "v7", "hparams": {"max_iter": 60, "gpu": "L4"}, "results": {
  "50": {"tokens": 62891, "metrics": {"val_er": 0.71, "val_ppl": 598.6, "val_acc": 0.178}},
  "100": {"tokens": 122795, "metrics": {"val_er": 0.708, "val_ppl": 406.9, "val_acc": 0.196}}}}""",
    "columns.json": """{"samples": [50, 100], "tokens": [62891, 122795], "val_er": [0.71, 0.708],
 "val_ppl": [598.6, 406.9], "val_acc": [0.178, 0.196]}""",
    "pandas.json": """{"samples": {"0": 50, "1": 100}, "tokens": {"0": 62891, "1": 122795},
 "val_er": {"0": 0.71, "1": 0.708}, "val_ppl": {"0": 598.6, "1": 406.9},
 "val_acc": {"0": 0.178, "1": 0.196}}""",
    "split.json": """{"columns": ["samples", "tokens", "val_er", "val_ppl", "val_acc"],
 "index": [0, 1],
 "data": [[50, 62891, 0.71, 598.6, 0.178], [100, 122795, 0.708, 406.9, 0.196]]}""",
    "lines.jsonl": """
{"samples": 50, "tokens": 62891, "val_er": 0.71, "val_ppl": 598.6, "acc": 0.178}

{"samples": 100, "tokens": 122795, "val_er": 0.708, "val_ppl": 406.9, "acc": 0.196}
""",
    "training.log": """2025-11-30 10:00:01 INFO num_samples = 50
Tokens: 62,891
Val ER: 71.0%, Val PPL: 598.6
Acc = 17.8%
=== 100 samples (tokens: 122,795) ===
val_er=70.8% val_ppl=406.9 val_acc=19.6 %
""",
    "report.md": """# v7

## 結果

| サンプル数 | トークン数 | Val ER | Val PPL | Val Acc |
|---|---|---|---|---|
| 50 | 62,891 | 71.0% | 598.6 | 17.8% |
| 100 | 122,795 | 70.8% | **406.9** | 19.6% |
""",
    "wide.csv": """samples,tokens,v6 Val ER,v7 Val ER,v6_val_ppl,v7_val_ppl,v6 Acc,v7 Acc
50,62891,66.9%,71.0%,592.6,598.6,17.8%,17.8%
100,122795,66.4%,70.8%,409.8,406.9,19.4%,19.6%
""",
    "tight.md": """# v7

### v7 詳細結果

```text
      Config Seed Samples  Tokens P1 Iter Val ER V.PPL   Acc
1L_181d_1tok    –      50  62,891       –  71.0% 598.6 17.8%
1L_181d_1tok    –     100 122,795       –  70.8% 406.9 19.6%
```
""",
    "runs.md": """# v6 と v7

| 実験 | Samples | Tokens | Val ER | Val PPL | Acc |
|---|---|---|---|---|---|
| v6 | 50 | 62,891 | 66.9% | 592.6 | 17.8% |
| v7 | 50 | 62,891 | 71.0% | 598.6 | 17.8% |
| v7 | 100 | 122,795 | 70.8% | 406.9 | 19.6% |
""",
}


def rows(record: RunRecord) -> list[tuple[Any, ...]]:
    return [tuple(getattr(r, field) for field in FIELDS) for r in record.results]


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_gives_the_same_figures(name: str, take: Import) -> None:
    record = take(name, SHAPES[name], called="v7")
    assert rows(record) == ROWS
    assert record.source == "imported"
    assert record.origin and record.origin.file == name and len(record.origin.sha256) == 64
    assert record.config["samples"] == [50, 100] and not record.digests
    assert record.results[0].train_ppl is None  # what nobody tells is not made up
    assert record.config.get("max_iter") == (60 if name == "nested.json" else None)


@pytest.mark.parametrize(("number", "options"), [(4, []), (5, ["--samples", "50"]), (6, [])])
def test_the_published_records_are_imported(
    number: int, options: list[str], take: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The committed files, as reports/README.md says that they are made, but for where they lie."""
    folder = ROOT / "reports" / "published"
    known = [] if number == 4 else ["--settings", str(folder / "v5-vs-v6.yaml")]
    text = (folder / "v5-vs-v6.md").read_bytes()
    record = take("v5-vs-v6.md", text, *known, *options, called=f"v{number}-published")
    monkeypatch.setenv("FPCORE_HOME", str(ROOT))
    committed = load_record(f"v{number}-published")
    assert record.model_copy(update={"document": committed.document}) == committed


def test_logs_of_both_phases(take: Import) -> None:
    record = take(
        "train.log",
        """max_iter: 60, gradient_clip: 1.0, run on 3 machines
Training with 50 samples, seed 42
Iter 30: conv=25% loss=-0.4423
[Phase 1] Iteration 60/60 - convergence: 82.0%, loss: -0.4722 (3.2s, 120 samples/s)
Epoch 1/20 | train loss 6.12 | val loss 6.5 | acc 12.3%
Epoch 2/20
    train_loss: 5.9, val_ppl: 544.6
Epoch 3/20 | train loss 5.8 | val loss 6.4
samples=100, iter 30 conv 25% loss -0.4358
""",
    )
    first, second = record.results
    assert record.config["max_iter"] == 60 and record.config["gradient_clip"] == 1.0
    assert (first.seed, first.samples, second.seed, second.samples) == (42, 50, 42, 100)
    assert first.phase1 == {
        "iteration": [30, 60], "convergence_rate": [0.25, 0.82], "loss": [-0.4423, -0.4722]
    }  # fmt: skip
    assert (first.phase1_iterations, first.convergence_rate) == (60, 0.82)
    assert first.phase2["val_loss"] == pytest.approx([6.5, math.log(544.6), 6.4], rel=1e-8)
    assert (first.val_ppl, first.best_epoch, first.epochs_run) == (544.6, 2, 3)
    assert first.train_ppl == math.exp(5.9)
    assert second.phase1["loss"] == [-0.4358]


def test_what_python_prints_of_both_texts(take: Import) -> None:
    """A line for training and one for validation, as dicts, are one row of an epoch."""
    log = """samples: 50
{'epoch': 1, 'train_loss': 6.1}
{'epoch': 1, 'val_loss': 5.9, 'lr': 0.001}
{'epoch': 2, 'train_loss': 5.5}
{'epoch': 2, 'val_loss': 6.0, 'lr': 0.001}
"""
    (one,) = take("out.log", log).results
    assert one.phase2 == {"epoch": [1, 2], "train_loss": [6.1, 5.5], "val_loss": [5.9, 6.0]}
    assert (one.best_epoch, one.val_ppl) == (1, math.exp(5.9))


@pytest.mark.parametrize(("name", "seed"), [("v5-small", 42), ("v6-small", 42)])
def test_the_books_own_report_comes_back(
    name: str, seed: int, take: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every figure that a comparison prints of a run is the record's, as far as it is printed."""
    report = (ROOT / "reports" / "v5-small-vs-v6-small" / "report.md").read_bytes()
    record = take("report.md", report, called=name)
    monkeypatch.setenv("FPCORE_HOME", str(ROOT))
    own = load_record(name)
    assert record.alpha is not None and record.label == own.label and own.results
    assert record.config["max_iter"] == own.config["max_iter"]
    for one, due in zip(record.results, own.results, strict=True):
        assert (one.seed, one.samples, one.train_tokens) == (seed, due.samples, due.train_tokens)
        for field in ("train_er", "val_er", "val_acc"):
            assert getattr(one, field) == pytest.approx(getattr(due, field), abs=5.01e-4)
        for field in ("train_ppl", "val_ppl", "unigram_ppl"):
            assert getattr(one, field) == pytest.approx(getattr(due, field), abs=0.0501)
        assert one.train_er_clean is None  # printed beside, but not taken for another figure


def test_traces_as_tables(take: Import) -> None:
    table = "iteration,conv,loss,samples\n30,25,-0.44,50\n40,57,-0.45,50\n30,26,-0.43,100\n"
    first, second = take("trace.csv", table).results
    assert first.phase1["convergence_rate"] == [0.25, 0.57] and second.phase1["loss"] == [-0.43]
    assert (first.phase1_iterations, first.convergence_rate) == (40, 0.57)


def test_seeds_times_and_settings_of_a_table(take: Import) -> None:
    heads = "seed,samples,val_loss,time (min),max_iter,grad_clip,note"
    table = f"{heads}\n1,50,6,1.5,60,1e0,a\n2,50,5,2,60,1.0,b\n"
    record = take("t.csv", table, "--column", "note=-")
    assert [(r.seed, r.val_ppl, r.seconds) for r in record.results] == [
        (1, math.exp(6), {"total": 90.0}), (2, math.exp(5), {"total": 120.0})
    ]  # fmt: skip
    assert record.config == {"name": "old", "samples": [50], "max_iter": 60, "gradient_clip": 1.0}


def test_a_file_with_several_runs(take: Import) -> None:
    table = "run,samples,val_ppl\nv1,50,620.1\nv2,50,610.1\nv2,100,420.0\n"
    assert take("r.csv", table, called="v2-old").sizes == [50, 100]
    one = take("r.csv", table, "--run", "V1", called="first")
    assert one.results[0].val_ppl == 620.1 and one.origin and one.origin.run == "v1"


def test_the_finer_of_two_roundings(take: Import) -> None:
    table = "| Samples | Val PPL |\n|---|---|\n| 50 | {} |\n\n"
    record = take("r.md", f"# v7\n\n{table.format(598.6)}{table.format(598.63)}")
    assert record.results[0].val_ppl == 598.63


def test_a_report_of_one_run(take: Import) -> None:
    report = """# v7

**実験日**: 2025年12月3日

## 結果（800 サンプル）

| 指標 | 値 |
|---|---|
| Val PPL | 180.0 |
| α | -0.44 |
| 実行時間 | 28.3分 |

## 設定

| 項目 | 値 |
|---|---|
| phase1_max_iterations | 60 |

- dist_reg_weight: 0.9

## 推奨設定

- gradient_clip: 2.0
"""
    record = take("v7.md", report)
    assert (record.started, record.alpha) == ("2025-12-03", -0.44)
    assert record.results == [SizeResult(samples=800, val_ppl=180.0, seconds={"total": 1698.0})]
    knobs = {"max_iter": 60, "dist_reg_weight": 0.9}
    assert record.config == {"name": "old", "samples": [800]} | knobs


share = st.integers(0, 1000).map(lambda n: n / 1000)
ppl = st.integers(10, 10**7).map(lambda n: n / 10)
line = st.fixed_dictionaries(
    {"samples": st.integers(1, 10**6), "train_tokens": st.integers(1, 10**9)},
    optional={"val_ppl": ppl, "train_ppl": ppl, "val_er": share, "val_acc": share},
)
tables = st.lists(line, min_size=1, max_size=8, unique_by=lambda row: row["samples"])
SIGNS = '0123456789%.,;:=|#-{}[]"\nsamplevt_'
SHARES = ("val_er", "val_acc")


def _heads(table: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in table for name in row))


def _cell(row: dict[str, Any], head: str, comma: bool) -> str:
    value = row.get(head, "–")
    if head in SHARES and head in row:
        return f"{100 * value:.1f} %"
    return f"{value:,}" if isinstance(value, int) and not comma else str(value)


def _separated(table: list[dict[str, Any]], sign: str, comma: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=sign)
    heads = _heads(table)
    writer.writerow(heads)
    for row in table:
        texts = [_cell(row, head, comma) for head in heads]
        writer.writerow([t.replace(".", ",") if comma else t for t in texts])
    return out.getvalue()


SHAPED = {
    "t.csv": lambda table: _separated(table, ",", False),
    "t.tsv": lambda table: _separated(table, "\t", False),
    "e.csv": lambda table: _separated(table, ";", True),
    "t.json": lambda table: json.dumps(table, indent=1),
    "t.jsonl": lambda table: "\n".join(map(json.dumps, table)),
    "w.json": lambda table: json.dumps({"results": {str(r["samples"]): r for r in table}}),
    "t.log": lambda table: "\n".join(
        ", ".join(f"{key}: {value}" for key, value in row.items()) for row in table
    ),
}


@pytest.mark.parametrize("name", SHAPED)
@given(tables)
def test_a_table_in_any_shape_is_read_back(name: str, table: list[dict[str, Any]]) -> None:
    found = file.find(Path(name), SHAPED[name](table), {})
    runs_in.select(found, "old", None)
    record = making.make(found, "old", Origin(file=name, sha256="0" * 64), {}, None)
    due = sorted((SizeResult(**row) for row in table), key=lambda r: r.samples)
    assert record.results == due


KEYS = st.sampled_from(
    ["samples", "seed", "val_ppl", "val_loss", "epoch", "iteration", "loss", "columns", "data",
     "config", "results", "history", "max_iter", "layers", "run", "0", "50", "²", "9" * 400, "é"]
)  # fmt: skip
PLAIN = st.sampled_from([None, True, "", "x", "²", 0, -1, 1, 50, 0.5, 1e308, 10**30, 10**400])
ODD = st.recursive(PLAIN, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=4))


def read_odd(name: str, content: bytes) -> None:
    """Read a file: a record is made of it, or every sentence ends as one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            found = file.find(path, file.content(path)[0], {})
            making.make(found, "odd", Origin(file="odd", sha256="0" * 64), {}, 50)
        except ImportingError as error:
            assert error.lines and all(text[-1] in ".…" for text in error.lines)


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(ODD)
def test_odd_objects_are_refused_in_sentences(value: Any) -> None:
    read_odd("odd.json", json.dumps(value).encode())


@pytest.mark.parametrize("nested", ["[", '{"samples":'])
@pytest.mark.parametrize("depth", [99, 200, 900, 100_000])
def test_nested_objects_are_refused_in_sentences(nested: str, depth: int) -> None:
    closing = "]" if nested == "[" else "}"
    read_odd("odd.json", f"{nested * depth}5{closing * depth}".encode())


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400) | st.text(SIGNS, max_size=200).map(str.encode))
def test_odd_files_are_refused_in_sentences(content: bytes) -> None:
    read_odd("odd.txt", content)
