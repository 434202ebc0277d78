"""Figures of studies and of the benchmark: points and bars beside a base."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from fpcore.language import said
from fpcore.metric import METRICS, metrics_where
from fpcore.reports.figures.style import legend
from fpcore.reports.figures.ticks import Distinct

__all__ = [
    "speedups",
    "study",
]


def study(rows: pd.DataFrame, panels: list[Axes]) -> list[Axes]:
    """Draw the runs of a study (`Evidence.frame`), one panel for each headline metric.

    Points are seeds, the bar is the mean ± standard deviation; the base is the dashed line.
    """
    for metric, ax in zip(metrics_where(lambda m: m.headline), panels, strict=True):
        _panel(rows, metric, ax)
        ax.set(xlabel=said(METRICS[metric].on_axis), ylabel="")
        if METRICS[metric].unit == "%":
            ax.xaxis.set_major_formatter(Distinct("%"))
    samples, n = rows["samples"].iloc[0], rows["seed"].nunique()
    title = said(
        "{samples} サンプル、シード n={n}（点はシード、線は平均 ± 標準偏差、破線は基準）",
        samples=samples, n=n,
    )  # fmt: skip
    panels[0].figure.suptitle(title, fontsize="medium")
    return panels


def _panel(rows: pd.DataFrame, metric: str, ax: Axes) -> None:
    names = rows["label"].unique().tolist()
    stats = rows.groupby("label", sort=False)[metric].agg(["mean", "std"])
    color = sns.color_palette("colorblind")[0]
    at = range(len(names))
    ax.errorbar(stats["mean"], at, xerr=stats["std"], fmt="none", color="0.3", lw=1.5, capsize=3)
    ax.scatter(rows[metric], rows["label"].map(names.index), s=22, color=color, zorder=3)
    base = rows.loc[rows["base"], "label"].iloc[0]
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
    ax.set(xlabel=said("plain の何倍速いか（中央値）"), ylabel="", title=said("plain に対する速さ"))
    legend(ax, said("精度"), below=True)
    return ax
