"""The tables of one run: its results, its knobs, its power law."""

from collections.abc import Iterable

import pandas as pd

from fpcore.config.run_config import RunConfig
from fpcore.language import listed, passage, said, template
from fpcore.metric import METRICS, metrics_where
from fpcore.notation import (
    Markdown,
    code,
    factor,
    knob_value,
    metric,
    number,
    table,
)
from fpcore.records.frames import curve
from fpcore.records.pairs import CUT_SHORT, cut_short
from fpcore.records.record import RunRecord
from fpcore.reports.run_summary import checked as checked
from fpcore.reports.run_summary import gist as gist
from fpcore.stats.scaling import LEAST_SIZES, PowerLaw, fit_power_law

NO_ALPHA = template("{runs} は{why}ので、α を求めない。")
COLUMNS = metrics_where(lambda m: m.column)


def runs_table(rows: pd.DataFrame) -> Markdown:
    """Return the results of runs, one row per run, seed and size (from `frames.frame`)."""
    columns: dict[str, object] = {
        "run": rows["run"],
        said("シード"): [number(v, 0) for v in rows["seed"]],
        said("サンプル数"): [number(v, 0) for v in rows["samples"]],
        said("トークン"): [number(v, 0) for v in rows["train_tokens"]],
        said("P1 反復"): [number(v, 0) for v in rows["phase1_iterations"]],
        **{said(METRICS[m].column): [metric(m, v) for v in rows[m]] for m in COLUMNS},
        said("最良/全エポック"): [
            f"{number(a, 0)}/{number(b, 0)}"
            for a, b in zip(rows["best_epoch"], rows["epochs_run"], strict=True)
        ],
        said("秒"): [number(v, 0) for v in rows["seconds"]],
    }
    return table(pd.DataFrame(columns))


def config_table(config: RunConfig) -> Markdown:
    """Return every knob of a config, its default and what it may be; changed ones are marked."""
    fields = RunConfig.model_fields
    values = config.model_dump() | {"name": config.run_name}
    rows = [
        {
            said("パラメータ"): code(knob),
            said("値"): knob_value(value),
            said("既定値"): knob_value(fields[knob].default),
            said("変更"): "★" if knob != "name" and value != fields[knob].default else "",
        }
        for knob, value in values.items()
    ]
    return table(pd.DataFrame(rows), said("パラメータ"))


def _columns(points: pd.DataFrame) -> tuple[list[float], list[float]]:
    return points["train_tokens"].tolist(), points["val_ppl"].tolist()


def fits_table(records: Iterable[RunRecord]) -> Markdown:
    """Return the power law of each run over all its sizes; dashes where there is none to tell."""
    rows, few = [], False
    short: list[str] = []
    for record in records:
        points, cut = curve(record), cut_short(record)
        enough = points["train_tokens"].nunique() >= LEAST_SIZES
        fit = fit_power_law(*_columns(points)) if enough and not cut else None
        rows.append({"run": record.name, **law_row(fit, len(points))})
        few, short = few or not enough, short + [record.name] * cut
    note = said("α はサイズが {n} 以上の実行だけで求める。", n=LEAST_SIZES) if few else ""
    told = passage(note, said(NO_ALPHA, runs=listed(short), why=said(CUT_SHORT)) if short else "")
    return Markdown(f"{table(pd.DataFrame(rows))}" + (f"\n\n{told}" if told else ""))


def law_row(fit: PowerLaw | None, n: int) -> dict[str, str]:
    """Return a power law fitted to `n` sizes as table cells; dashes where there is none."""
    return {
        "α": number(fit.alpha if fit else None, 4),
        said("標準誤差"): number(fit.stderr if fit else None, 4),
        "A": factor(fit.A if fit else None),
        "R²": number(fit.r_squared if fit else None, 4),
        "n": str(n),
    }
