"""Figures over iterations and epochs. Each takes and returns `ax` and never saves."""

import pandas as pd
from matplotlib.axes import Axes

from fpcore.language import said, template
from fpcore.metric import METRICS
from fpcore.records.frames import epochs, frame, traces
from fpcore.records.record import RunRecord
from fpcore.reports.figures.lines import draw_lines, nothing, sized, titled
from fpcore.reports.figures.style import whole_axis
from fpcore.reports.figures.ticks import Distinct

__all__ = [
    "convergence",
    "curves",
    "phase1_by_size",
    "phase1_loss",
    "phase2_by_size",
]


def convergence(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the convergence rate by iteration (rows from `Comparison.traces`)."""
    if rows.empty:
        return nothing(ax, said("収束の推移"))
    draw_lines(sized(rows), "iteration", "convergence_rate", "label", ax)
    ax.yaxis.set_major_formatter(Distinct("%"))
    ax.set(xlabel=said("反復"), ylabel=said(METRICS["convergence_rate"].on_axis), ylim=(0, 1))
    whole_axis(ax)
    ax.set_title(titled(said("収束の推移"), rows))
    return ax


def phase1_loss(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the phase-1 loss by iteration (rows from `Comparison.traces`)."""
    return curves(rows, "iteration", "loss", template("Phase 1 損失"), ax)


def curves(rows: pd.DataFrame, x: str, column: str, label: str, ax: Axes) -> Axes:
    """Draw a column by iteration or epoch (`x`), one line per run and size, bands over seeds."""
    rows = rows.dropna(subset=[column])
    if rows.empty:
        return nothing(ax, said(label))
    draw_lines(sized(rows), x, column, "label", ax)
    whole_axis(ax)
    ax.set(xlabel=said({"iteration": "反復", "epoch": "エポック"}[x]), ylabel=said(label))
    ax.set_title(titled(said(label), rows))
    return ax


def phase1_by_size(record: RunRecord, column: str, label: str, ax: Axes) -> Axes:
    """Draw a column of the phase-1 trace of one run, one line per size."""
    rows = traces([record]).assign(size=lambda t: t["samples"].astype(str))
    draw_lines(rows, "iteration", column, "size", ax, legend_title=said("サンプル数"))
    if column == "convergence_rate":
        ax.set_ylim(0, 1)
        ax.yaxis.set_major_formatter(Distinct("%"))
    whole_axis(ax)
    title = titled(said("{name}: {label}", name=record.name, label=said(label)), rows)
    ax.set(xlabel=said("反復"), ylabel=said(label), title=title)
    return ax


def phase2_by_size(record: RunRecord, ax: Axes) -> Axes:
    """Draw a loss of one run by epoch, one line per size, best epochs marked.

    It is that of validation, or where that is read once, in the end, that of development.
    """
    rows = epochs([record]).assign(size=lambda t: t["samples"].astype(str))
    column, label, axis = ("val_loss", said("検証損失"), said("検証損失（nat）"))
    if rows[column].isna().any():
        column, label, axis = ("dev_loss", said("開発損失"), said("開発損失（nat）"))
    rows = rows.dropna(subset=[column])
    if rows.empty:
        return nothing(ax, f"{record.name}: Phase 2")
    draw_lines(rows, "epoch", column, "size", ax, legend_title=said("サンプル数"))
    best = frame([record]).merge(rows, left_on=["seed", "samples", "best_epoch"],
                                 right_on=["seed", "samples", "epoch"])  # fmt: skip
    ax.scatter(best["epoch"], best[column], s=70, facecolors="none", edgecolors="0.2", zorder=4)
    title = titled(f"{record.name}: Phase 2 {label}", rows)
    ax.set(xlabel=said("エポック"), ylabel=axis, title=title)
    whole_axis(ax)
    return ax
