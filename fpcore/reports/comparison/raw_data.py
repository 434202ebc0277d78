"""The raw data of both runs, and the exponents of their windows."""

import pandas as pd

from fpcore.analysis.comparison import Comparison
from fpcore.language import said, template
from fpcore.notation import DASH, Markdown, number, percent
from fpcore.records.frames import frame
from fpcore.records.record import RunRecord
from fpcore.reports import exponents
from fpcore.reports.comparison.section import section

__all__ = ["progression", "raw"]


def raw(record: RunRecord) -> Markdown:
    """生データ: every seed and size of one run, in the columns of the original reports."""
    rows = frame([record])
    columns = {
        "Config": [record.label or DASH] * len(rows),
        "Seed": [number(v, 0) for v in rows["seed"]],
        "Samples": rows["samples"].astype(str),
        "Tokens": [number(v, 0) for v in rows["train_tokens"]],
        "P1 Iter": [number(v, 0) for v in rows["phase1_iterations"]],
        "Train ER": rows["train_er"].map(percent),
        "Val ER": rows["val_er"].map(percent),
        "T.PPL": [number(v, 1) for v in rows["train_ppl"]],
        "V.PPL": [number(v, 1) for v in rows["val_ppl"]],
        "Acc": rows["val_acc"].map(percent),
    }
    shown = pd.DataFrame(columns)
    unknown = rows["seed"].isna().all()
    text = (shown.drop(columns="Seed") if unknown else shown).to_string(index=False)
    heading = said("### {run} 詳細結果", run=record.name)
    return Markdown(f"{heading}\n\n```text\n{text}\n```")


@section(130, template("## 生データ"))
def _raw(c: Comparison) -> Markdown:
    return Markdown("\n\n".join(raw(record) for record in c.whole))


@section(140)
def progression(c: Comparison) -> Markdown:
    """Alpha Progression: α and R² of each window of both runs."""
    parts = [
        f"**{record.name}**:\n\n" + "\n".join(exponents.progression(c, record))
        for record in (c.a, c.b)
    ]
    return Markdown("\n\n".join(["### Alpha Progression", *parts]))
