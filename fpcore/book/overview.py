"""The view of many runs at once: one row each, sorted, with differences from a base."""

from math import isnan, nan

import pandas as pd

from fpcore import notation
from fpcore.analysis.comparison import compare_among
from fpcore.book.cautions import cautions
from fpcore.book.views import Choice, View, under, view
from fpcore.metric import METRICS
from fpcore.notation import DASH, Markdown
from fpcore.records.by_seed import moments, values
from fpcore.records.record import RunRecord

COLUMNS = ("val_ppl", "bits_per_byte", "val_acc", "val_er", "convergence_rate")
SORTS = {
    **{METRICS[metric].label: metric for metric in COLUMNS},
    **{f"{METRICS[metric].label} の差": f"{metric}_difference" for metric in COLUMNS},
    "名前": "run",
}


@view("一覧", "filter base sort")
def overview(choice: Choice) -> View:
    """一覧: every run that the filter leaves, at its largest size that the base has, too."""
    base = next((r for r in choice.every if r.name == choice.base), None)
    records = [record for record in choice.every if record.name in choice.filtered]
    if base is None:
        return View(Markdown("基準にする実行がない。"), pd.DataFrame())
    rows = pd.DataFrame([_row(base, record, [*choice.every]) for record in records])
    if rows.empty:
        return View(Markdown("絞り込みに合う実行がない。"), rows)
    metric = METRICS.get(choice.sort.removesuffix("_difference"))
    best_first = metric is not None and metric.better > 0
    rows = rows.sort_values(choice.sort, ascending=not best_first, kind="stable")
    said = [f"差は {notation.code(base.name)} から（同じサイズ、シードは対）。区間は報告にある。",
            f"{DASH} は、記録がないか比べられない。"]  # fmt: skip
    return View(under(["".join(said), *cautions(records)], _table(rows)), rows)


def _row(base: RunRecord, record: RunRecord, every: list[RunRecord]) -> dict[str, object]:
    """Return the metrics of a run and their differences from the base (NaN where unknown)."""
    shared = {*base.sizes} & {*record.sizes}
    size = max(shared or {*record.sizes})
    found: dict[str, object] = {"run": record.name, "samples": size, "n": record.seeds}
    c = compare_among(base, record, every) if shared and record.name != base.name else None
    for metric in COLUMNS:
        own = values(record, metric).get(size, {})
        found[metric] = moments(metric, own)[0] if own else nan
        d = c.by_size(metric).get(size) if c and metric not in c.incomparable else None
        found[f"{metric}_difference"] = d.difference if d else nan
    return found


def _table(rows: pd.DataFrame) -> Markdown:
    shown: dict[str, object] = {
        "run": rows["run"],
        "サンプル数": rows["samples"].astype(str),
        "n": rows["n"].astype(str),
    }
    for metric in COLUMNS:
        label = METRICS[metric].column or METRICS[metric].label
        shown[label] = [notation.metric(metric, v) for v in rows[metric]]
        shown[f"{label} の差"] = [_signed(metric, v) for v in rows[f"{metric}_difference"]]
    return notation.table(pd.DataFrame(shown))


def _signed(metric: str, value: float) -> str:
    return DASH if isnan(value) else notation.difference(metric, value)
