"""Figures. Each function takes and returns `ax` and never saves; labels are Japanese."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from fpcore.notation import METRICS, metrics_where
from fpcore.records.frames import epochs, frame, traces
from fpcore.records.record import RunRecord
from fpcore.reports.figures.style import (
    FEW_LINES,
    THOUSANDS,
    legend,
    line_styles,
    ppl_axis,
    run_styles,
    token_axis,
    whole_axis,
)
from fpcore.stats.scaling import fit_power_law, fit_saturating_law

__all__ = [
    "by_size",
    "convergence",
    "curves",
    "effective_rank",
    "effective_rank_splits",
    "er_ppl",
    "perplexity",
    "perplexity_log",
    "phase1_by_size",
    "phase1_loss",
    "phase2_by_size",
    "power_laws",
    "speedups",
    "study",
]

FEW_POINTS = 12  # a line of fewer points has each of them marked
BAND = "帯はシード間の最小–最大"


def by_size(records: Iterable[RunRecord], metric: str, ax: Axes) -> Axes:
    """Draw a metric against training tokens, one line per run, the band over its seeds."""
    facts = METRICS[metric]
    label = facts.on_axis
    rows = frame(records).dropna(subset=[metric, "train_tokens"])
    if rows.empty:
        return _nothing(ax, label)
    _lines(rows, "train_tokens", metric, "run", ax)
    token_axis(ax, rows["train_tokens"])
    share = facts.unit == "%"
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1) if share else THOUSANDS)
    ax.set(ylabel=label, title=_title(label, rows))
    return ax


def effective_rank(records: Iterable[RunRecord], ax: Axes) -> Axes:
    """Draw Val ER (share of D) against training tokens."""
    return by_size(records, "val_er", ax)


def perplexity(records: Iterable[RunRecord], ax: Axes) -> Axes:
    """Draw Val PPL against training tokens, with the unigram model's where it is known."""
    records = list(records)
    ax = by_size(records, "val_ppl", ax)
    unigram = frame(records).dropna(subset=["unigram_ppl"])
    if not unigram.empty:
        means = unigram.groupby("train_tokens")["unigram_ppl"].mean()
        ax.plot(means.index, means, color="0.45", ls="--", marker="x", label="unigram モデル")
        legend(ax)
    return ax


def perplexity_log(records: Iterable[RunRecord], ax: Axes) -> Axes:
    """Draw what `perplexity` does on two logarithmic axes, for models that lie far apart."""
    ax = perplexity(records, ax)
    ppl_axis(ax)
    return ax


def power_laws(records: Iterable[RunRecord], ax: Axes) -> Axes:
    """Draw Val PPL against tokens on log axes with each run's fitted power law.

    From four sizes on the saturating law stands beside it, dotted.
    """
    rows = frame(records).dropna(subset=["val_ppl", "train_tokens"])
    if rows.empty:
        return _nothing(ax, "スケーリング則")
    for name, style in run_styles(rows["run"]).items():
        own = rows[rows["run"] == name]
        tokens, color = own["train_tokens"], style.color
        points = ax.scatter(tokens, own["val_ppl"], s=28, zorder=3, c=color, marker=style.marker)
        label = f"{name}（n={len(own)}）"
        if own["train_tokens"].nunique() > 1:
            fit = fit_power_law(own["train_tokens"].tolist(), own["val_ppl"].tolist())
            grid = np.geomspace(*fit.tokens, 50)
            ax.plot(grid, [fit(x) for x in grid], ls=style.dash, color=color, lw=1.3)
            if own["train_tokens"].nunique() > 3 and own["val_ppl"].min() >= 1:
                law = fit_saturating_law(own["train_tokens"].tolist(), own["val_ppl"].tolist())
                ax.plot(grid, [law(x) for x in grid], ls=":", color=color, lw=1.3)
            label = f"{name}（α={fit.alpha:.3f}, R²={fit.r_squared:.3f}, n={fit.n}）"
        points.set_label(label)
    token_axis(ax, rows["train_tokens"])
    ppl_axis(ax)
    ax.set_title("べき乗則と飽和則（点線）")
    legend(ax)
    return ax


def convergence(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the convergence rate by iteration (rows from `Comparison.traces`)."""
    if rows.empty:
        return _nothing(ax, "収束の推移")
    rows = _sized(rows)
    _lines(rows, "iteration", "convergence_rate", "label", ax)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(xlabel="反復", ylabel=METRICS["convergence_rate"].on_axis, ylim=(0, 1))
    whole_axis(ax)
    ax.set_title(_title("収束の推移", rows))
    return ax


def phase1_loss(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the phase-1 loss by iteration (rows from `Comparison.traces`)."""
    if rows.empty:
        return _nothing(ax, "Phase 1 損失")
    rows = _sized(rows)
    _lines(rows, "iteration", "loss", "label", ax)
    ax.set(xlabel="反復", ylabel="Phase 1 損失")
    whole_axis(ax)
    ax.set_title(_title("Phase 1 損失", rows))
    return ax


def curves(rows: pd.DataFrame, x: str, column: str, label: str, ax: Axes) -> Axes:
    """Draw a column by iteration or epoch (`x`), one line per run and size, bands over seeds."""
    rows = rows.dropna(subset=[column])
    if rows.empty:
        return _nothing(ax, label)
    rows = _sized(rows)
    _lines(rows, x, column, "label", ax)
    whole_axis(ax)
    ax.set(xlabel={"iteration": "反復", "epoch": "エポック"}[x], ylabel=label)
    ax.set_title(_title(label, rows))
    return ax


def phase1_by_size(record: RunRecord, column: str, label: str, ax: Axes) -> Axes:
    """Draw a column of the phase-1 trace of one run, one line per size."""
    rows = traces([record]).assign(サンプル数=lambda t: t["samples"].astype(str))
    _lines(rows, "iteration", column, "サンプル数", ax, legend_title="サンプル数")
    if column == "convergence_rate":
        ax.set_ylim(0, 1)
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    whole_axis(ax)
    ax.set(xlabel="反復", ylabel=label, title=_title(f"{record.name}: {label}", rows))
    return ax


def effective_rank_splits(record: RunRecord, ax: Axes) -> Axes:
    """Draw train and validation ER of one run by size."""
    rows = frame([record]).rename(columns={"train_er": "Train ER", "val_er": "Val ER"})
    long = rows.melt(["train_tokens", "seed"], ["Train ER", "Val ER"], "split", "er")
    _lines(long.dropna(), "train_tokens", "er", "split", ax)
    token_axis(ax, rows["train_tokens"].dropna())
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    title = _title(f"{record.name}: Effective Rank", rows)
    ax.set(ylabel="ER（D に対する比）", title=title)
    return ax


def phase2_by_size(record: RunRecord, ax: Axes) -> Axes:
    """Draw a loss of one run by epoch, one line per size, best epochs marked.

    It is that of validation, or where that is read once, in the end, that of development.
    """
    rows = epochs([record]).assign(サンプル数=lambda t: t["samples"].astype(str))
    column, label = ("val_loss", "検証損失")
    if rows[column].isna().any():
        column, label = ("dev_loss", "開発損失")
    rows = rows.dropna(subset=[column])
    if rows.empty:
        return _nothing(ax, f"{record.name}: Phase 2")
    _lines(rows, "epoch", column, "サンプル数", ax, legend_title="サンプル数")
    best = frame([record]).merge(rows, left_on=["seed", "samples", "best_epoch"],
                                 right_on=["seed", "samples", "epoch"])  # fmt: skip
    ax.scatter(best["epoch"], best[column], s=70, facecolors="none", edgecolors="0.2", zorder=4)
    title = _title(f"{record.name}: Phase 2 {label}", rows)
    ax.set(xlabel="エポック", ylabel=f"{label}（nat）", title=title)
    whole_axis(ax)
    return ax


def er_ppl(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw Val ER against Val PPL (from `Comparison.er_ppl`); lines join the runs of one size."""
    if table.empty:
        return _nothing(ax, "ER と PPL")
    for samples, rows in table.groupby("samples"):
        ax.plot(rows["val_er"], rows["val_ppl"], color="0.75", lw=1, zorder=1)
        last = rows.sort_values("val_er").iloc[-1]
        ax.annotate(
            f"{samples}", (last["val_er"], last["val_ppl"]), (7, -3), textcoords="offset points",
            fontsize="small", color="0.35",
        )  # fmt: skip
    for name, look in run_styles(table["run"]).items():
        own = table[table["run"] == name]
        ax.scatter(own["val_er"], own["val_ppl"], s=50, c=look.color, marker=look.marker,
                   edgecolors="white", lw=0.6, zorder=3, label=name)  # fmt: skip
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ppl_axis(ax)
    n = table["run"].nunique()
    title = f"ER と PPL　実行 n={n}（数字はサンプル数、線は同じサイズ）"
    ax.set(xlabel=METRICS["val_er"].on_axis, title=title)
    ax.margins(x=0.12)
    if n > FEW_LINES:
        legend(ax)
    else:
        ax.legend(title="", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncol=3)
    return ax


def study(rows: pd.DataFrame, panels: list[Axes]) -> list[Axes]:
    """Draw the runs of a study (`Evidence.frame`), one panel for each headline metric.

    Points are seeds, the bar is the mean ± standard deviation; the base is the dashed line.
    """
    for metric, ax in zip(metrics_where(lambda m: m.headline), panels, strict=True):
        _study_panel(rows, metric, ax)
        ax.set(xlabel=METRICS[metric].on_axis, ylabel="")
        if METRICS[metric].unit == "%":
            ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    samples, n = rows["samples"].iloc[0], rows["seed"].nunique()
    title = f"{samples} サンプル、シード n={n}（点はシード、線は平均 ± 標準偏差、破線は基準）"
    panels[0].figure.suptitle(title, fontsize="medium")
    return panels


def _study_panel(rows: pd.DataFrame, metric: str, ax: Axes) -> None:
    names = rows["label"].unique().tolist()
    stats = rows.groupby("label", sort=False)[metric].agg(["mean", "std"])
    color = sns.color_palette("colorblind")[0]
    at = range(len(names))
    ax.errorbar(stats["mean"], at, xerr=stats["std"], fmt="none", color="0.3", lw=1.5, capsize=3)
    ax.scatter(rows[metric], rows["label"].map(names.index), s=22, color=color, zorder=3)
    base = next(name for name in names if name.endswith("（基準）"))
    ax.axvline(stats.loc[base, "mean"], color="0.4", ls="--", lw=1)
    ax.set_yticks(at, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)


def speedups(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Draw plain / fast by stage and precision (rows from `benchmark.measure`)."""
    sns.barplot(rows, y="stage", x="ratio", hue="precision", orient="h", ax=ax)
    for bars in ax.containers:
        ax.bar_label(bars, fmt="%.1f×", padding=3, fontsize="small")  # type: ignore[arg-type]
    ax.axvline(1, color="0.3", lw=1)
    ax.margins(x=0.15)
    ax.set(xlabel="plain の何倍速いか（中央値）", ylabel="", title="plain に対する速さ")
    ax.legend(title="精度")
    return ax


def _lines(rows: pd.DataFrame, x: str, y: str, hue: str, ax: Axes, legend_title: str = "") -> None:
    """Draw means over seeds, with a band from the smallest to the largest where there are more."""
    by_tokens = x == "train_tokens"
    groups = rows.groupby(hue, sort=False)
    for style, (name, own) in zip(line_styles(rows, hue), groups, strict=True):
        band = ("pi", 100) if own["seed"].nunique() > 1 else None
        few = "." if own[x].nunique() < FEW_POINTS else None
        sns.lineplot(
            own.astype({y: float}), x=x, y=y, errorbar=band, ax=ax, legend=False,
            color=style.color, ls=style.dash, marker=style.marker if by_tokens else few,
            mec=style.color, label=str(name),
        )  # fmt: skip
        if not by_tokens:  # identical curves hide each other; their ends do not
            end = own[own[x] == own[x].max()]
            ax.plot(end[x].iloc[:1], [end[y].mean()], "o", color=style.color, ms=5)
    legend(ax, legend_title)


def _nothing(ax: Axes, title: str) -> Axes:
    """Say that there is nothing to draw."""
    ax.text(0.5, 0.5, "値の記録がない", ha="center", va="center", transform=ax.transAxes)
    ax.set(title=title, xticks=[], yticks=[])
    return ax


def _sized(rows: pd.DataFrame) -> pd.DataFrame:
    """Name the size with each run: traces can be compared at one size only."""
    return rows.assign(label=rows["run"] + "（" + rows["samples"].astype(str) + " サンプル）")


def _title(label: str, rows: pd.DataFrame) -> str:
    seeds = rows.groupby("run")["seed"].nunique().max() if len(rows) else 0
    return f"{label}　シード n={max(1, seeds)}" + (f"、{BAND}" if seeds > 1 else "")
