"""A report written by hand, against itself and against the records that were taken from it."""

from collections.abc import Iterator

import pandas as pd

from fpcore.claims import check_report
from fpcore.compare import Comparison, compare_runs
from fpcore.differences import column_differences, difference_name
from fpcore.facts import EPS, Fact, read_report
from fpcore.paths import reports
from fpcore.records import RunRecord
from fpcore.tables import number
from fpcore.terms import METRICS

FIELDS = {  # of records, by the metric names of `terms.yaml`
    "val_ppl": "val_ppl",
    "val_er": "val_er",
    "train_er": "train_er",
    "accuracy": "val_acc",
    "convergence": "convergence_rate",
    "alpha": "alpha",
    "seconds": "seconds",
}


def slips(c: Comparison) -> list[str]:
    """Return what is wrong in the document that both records name; empty where it is not there."""
    path = reports() / str(c.a.document)
    if not path.is_file():
        return []
    text = path.read_text("utf-8")
    found = [f"[{f.rule}] {f.text}" for f in check_report(text)]
    for a, b in ((c.a, c.b), (c.b, c.a)):
        found += _rounded(text, compare_runs(a, b))
    return found


def printed_name(record: RunRecord) -> str:
    """Return what the document calls the run."""
    return record.name.removesuffix("-published")


def _rounded(text: str, c: Comparison) -> Iterator[str]:
    """Yield the printed differences that fit the printed values but not the records."""
    between = difference_name(printed_name(c.a), printed_name(c.b))
    for fact in column_differences(read_report(text))[1]:
        due = _due(fact, c) if fact.run == between else None
        if due is not None and abs(fact.number.value - due) > fact.number.half + EPS:
            window = f"（ウィンドウ {fact.window}）" if fact.window else ""
            yield (
                f"[算術] {fact.line} 行: {METRICS[fact.metric]['name']}{window}の差 "
                f"{fact.number.text} は印刷された値どうしの差で、記録から丸める前に計算した "
                f"{number(due, 4, signed=True)} と合わない。"
            )


def _due(fact: Fact, c: Comparison) -> float | None:
    """Return the difference that the records give, in the unit of the fact."""
    field = FIELDS.get(fact.metric, "")
    rows: pd.DataFrame | None
    if field == "alpha":
        names = [
            (str(i), f"{row.first}-{row.last}") for i, row in enumerate(c.alpha.itertuples(), 1)
        ]
        rows = c.alpha[[fact.window is None or fact.window in name for name in names]].iloc[-1:]
    elif field in c.summary["metric"].tolist() and fact.size in (None, c.samples[-1]):
        rows = c.summary[c.summary["metric"] == field]
    else:
        sizes = c.samples if field and field != "seconds" else []
        rows = c.by_size(field)[[n == fact.size for n in sizes]] if fact.size in sizes else None
    if rows is None or rows.empty:
        return None
    scale = 100 if fact.number.unit in ("%", "%rel") else 1
    column = "relative" if fact.number.unit == "%rel" else "difference"
    return float(rows[column].iloc[0]) * scale
