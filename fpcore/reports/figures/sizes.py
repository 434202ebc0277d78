"""Figures over sizes of the training text. Each takes and returns `ax` and never saves."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from fpcore.language import said
from fpcore.metric import METRICS
from fpcore.records.frames import curve, frame
from fpcore.records.pairs import cut_short
from fpcore.records.record import RunRecord
from fpcore.reports.figures.lines import draw_lines, nothing, titled
from fpcore.reports.figures.run_style import Style, called, run_styles
from fpcore.reports.figures.style import legend, ppl_axis, token_axis
from fpcore.reports.figures.ticks import Distinct
from fpcore.stats.scaling import LEAST_SIZES, fit_power_law, fit_saturating_law

__all__ = [
    "by_size",
    "effective_rank",
    "effective_rank_splits",
    "er_ppl",
    "perplexity",
    "perplexity_log",
    "power_laws",
]


def by_size(records: Iterable[RunRecord], metric: str, ax: Axes) -> Axes:
    """Draw a metric against training tokens, one line per run, the band over its seeds."""
    records, label = list(records), said(METRICS[metric].on_axis)
    rows = frame(records).dropna(subset=[metric, "train_tokens"])
    if rows.empty:
        return nothing(ax, label)
    rows = rows.assign(title=rows["run"].map(called(records)))
    draw_lines(rows, "train_tokens", metric, "run", ax)
    token_axis(ax, rows["train_tokens"])
    share = METRICS[metric].unit == "%"
    ax.yaxis.set_major_formatter(Distinct("%", 1) if share else Distinct())
    ax.set(ylabel=label, title=titled(label, rows))
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
        label = said("unigram モデル")
        ax.plot(means.index, means, color="0.45", ls="--", marker="x", label=label)
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
    records = list(records)
    rows = frame(records).dropna(subset=["val_ppl", "train_tokens"])
    if rows.empty:
        return nothing(ax, said("スケーリング則"))
    names, looks = called(records), run_styles(rows["run"])
    for record in records:
        if record.name in looks:
            _law(record, names[record.name], looks[record.name], ax)
    token_axis(ax, rows["train_tokens"])
    ppl_axis(ax)
    ax.set_title(said("べき乗則と飽和則（点線）"))
    legend(ax)
    return ax


def _law(record: RunRecord, name: str, look: Style, ax: Axes) -> None:
    """Draw the points of every seed, and the laws of their geometric means."""
    seeds = frame([record]).dropna(subset=["val_ppl", "train_tokens"])
    points = ax.scatter(
        seeds["train_tokens"], seeds["val_ppl"], s=28, zorder=3, c=look.color, marker=look.marker
    )
    means = curve(record)
    tokens, ppl = means["train_tokens"].tolist(), means["val_ppl"].tolist()
    label = said("{name}（n={n}）", name=name, n=len(means))
    if cut_short(record):
        points.set_label(said("{name}（Phase 2 が終わっていない）", name=name))
        return
    different = len({*tokens})  # two sizes can hold the same number of tokens
    if different > 1:
        fit = fit_power_law(tokens, ppl)
        grid = np.geomspace(*fit.tokens, 50)
        ax.plot(grid, [fit(x) for x in grid], ls=look.dash, color=look.color, lw=1.3)
    if different >= LEAST_SIZES:
        known = {"alpha": f"{fit.alpha:.3f}", "r_squared": f"{fit.r_squared:.3f}", "n": fit.n}
        label = said("{name}（α={alpha}, R²={r_squared}, n={n}）", name=name, **known)
    if different >= LEAST_SIZES and min(ppl) >= 1:
        law = fit_saturating_law(tokens, ppl)
        ax.plot(grid, [law(x) for x in grid], ls=":", color=look.color, lw=1.3)
    points.set_label(label)


def effective_rank_splits(record: RunRecord, ax: Axes) -> Axes:
    """Draw train and validation ER of one run by size."""
    rows = frame([record]).rename(columns={"train_er": "Train ER", "val_er": "Val ER"})
    long = rows.melt(["train_tokens", "seed"], ["Train ER", "Val ER"], "split", "er")
    draw_lines(long.dropna(), "train_tokens", "er", "split", ax)
    token_axis(ax, rows["train_tokens"].dropna())
    ax.yaxis.set_major_formatter(Distinct("%", 1))
    ax.set(ylabel=said("ER（D に対する比）"), title=titled(f"{record.name}: Effective Rank", rows))
    return ax


def er_ppl(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw Val ER against Val PPL (from `Comparison.er_ppl`); lines join the runs of one size."""
    if table.empty:
        return nothing(ax, said("ER と PPL"))
    for samples, rows in table.groupby("samples"):
        ax.plot(rows["val_er"], rows["val_ppl"], color="0.75", lw=1, zorder=1)
        last = rows.sort_values("val_er").iloc[-1]
        ax.annotate(
            f"{samples}", (last["val_er"], last["val_ppl"]), (7, -3), textcoords="offset points",
            fontsize="small", color="0.35",
        )  # fmt: skip
    for name, look in run_styles(table["run"]).items():
        own = table[table["run"] == name]
        label = own["title"].iloc[0] if "title" in own else name
        ax.scatter(own["val_er"], own["val_ppl"], s=50, c=look.color, marker=look.marker,
                   edgecolors="white", lw=0.6, zorder=3, label=label)  # fmt: skip
    ax.xaxis.set_major_formatter(Distinct("%", 1))
    ppl_axis(ax)
    n = table["run"].nunique()
    title = said("ER と PPL　実行 n={n}（数字はサンプル数、線は同じサイズ）", n=n)
    ax.set(xlabel=said(METRICS["val_er"].on_axis), title=title)
    ax.margins(x=0.12)
    legend(ax, below=True)
    return ax
