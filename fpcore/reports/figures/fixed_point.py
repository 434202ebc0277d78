"""Figures of the fixed-point diagnosis. Each takes and returns `ax` and never saves."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fpcore.language import said, template
from fpcore.reports.figures.style import legend
from fpcore.reports.figures.ticks import Distinct

if TYPE_CHECKING:  # it loads torch
    from fpcore.runs.diagnosis import Diagnosis

__all__ = [
    "gain",
    "loss_terms",
    "residuals",
    "spectra",
]

QUANTILES = {"median": template("中央値"), "q90": "90 %", "q99": "99 %", "max": template("最大")}
SPREADS = {
    "er": "ER", "er_centered": template("ER（中心化）"),
    "pr": "PR", "pr_centered": template("PR（中心化）"),
}  # fmt: skip


def residuals(d: "Diagnosis", ax: Axes) -> Axes:
    """Draw quantiles of the relative residual of the training text by iteration."""
    from fpcore.stats.fixed_point import TOLERANCE

    trace = d.train.settling
    for (column, label), color in zip(
        QUANTILES.items(), sns.color_palette("colorblind"), strict=False
    ):
        ax.plot(trace["step"], trace[column].replace(0, np.nan), color=color, label=said(label))
    ax.axhline(d.threshold, color="0.35", ls=":", lw=1.4, label=said("訓練の閾値に相当"))
    ax.axhline(
        TOLERANCE,
        color="0.35",
        ls="--",
        lw=1.2,
        label=said("固定点（{tolerance}）", tolerance=f"{TOLERANCE:g}"),
    )
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(_whole_ticks())
    ax.set(xlabel=said("雑音なしの反復"), ylabel=said("相対残差（対数）"))
    text = template("{title}: 相対残差（n={n} トークン）")
    ax.set_title(said(text, title=d.title, n=f"{d.train.tokens:,}"))
    legend(ax, below=True)
    return ax


def spectra(d: "Diagnosis", ax: Axes) -> Axes:
    """Draw effective rank and participation ratio by iteration, of both texts."""
    colors = sns.color_palette("colorblind")
    texts = (d.train, said("訓練"), colors[0]), (d.val, said("検証"), colors[1])
    for text, name, color in texts:
        for column, label in SPREADS.items():
            centered = column.endswith("centered")  # a ring around the other's point
            ax.plot(
                text.spectra["step"],
                text.spectra[column],
                ls="--" if centered else "-",
                marker="o" if column.startswith("er") else "s",
                ms=8 if centered else 4,
                mfc="none" if centered else color,
                color=color,
                label=f"{name} {said(label)}",
            )
    ax.set_xscale("symlog", linthresh=1)
    ticks = d.train.spectra["step"].tolist()
    ax.set_xticks(ticks, [str(t) for t in ticks], minor=False)
    ax.yaxis.set_major_formatter(Distinct("%"))
    ax.set(
        xlabel=said("雑音なしの反復（対数、0 は開始）"), ylabel=said("D に対する比"), ylim=(0, 1.03)
    )
    title = template("{title}: 文脈の広がり（各 {n} 行）")
    ax.set_title(said(title, title=d.title, n=f"{d.rows:,}"))
    legend(ax, below=True)
    return ax


def loss_terms(d: "Diagnosis", ax: Axes) -> Axes:
    """Draw both terms of the phase-1 loss, before their weights, by training iteration."""
    trace = d.phase1
    terms = {
        said("固定点の項"): trace["fixed_point_loss"],
        said("多様性の項 × (−1)"): -trace["diversity_loss"],
    }
    for (label, values), color in zip(terms.items(), sns.color_palette("colorblind"), strict=False):
        ax.plot(trace["iteration"], values, color=color, label=label)
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(_whole_ticks())
    ax.set(xlabel=said("訓練の反復"), ylabel=said("損失の項（重みの前、対数）"))
    ax.set_title(said("{title}: Phase 1 損失の 2 つの項", title=d.title))
    ax.legend()
    return ax


def gain(d: "Diagnosis", ax: Axes) -> Axes:
    """Draw the diversity term, the LayerNorm gain and their quotient, relative to the first."""
    trace = d.phase1
    lines = pd.DataFrame(
        {
            said("多様性の項（大きさ）"): trace["diversity_loss"],
            said("LayerNorm の利得"): trace["layernorm_gain"],
            said("大きさ ÷ 利得"): trace["diversity_loss"] / trace["layernorm_gain"],
        }
    )
    for label, color in zip(lines, sns.color_palette("colorblind"), strict=False):
        relative = lines[label] / lines[label].iloc[0] - 1
        ax.plot(trace["iteration"], relative, color=color, label=label)
    ax.yaxis.set_major_formatter(Distinct("%", 1))
    ax.xaxis.set_major_locator(_whole_ticks())
    since = said("反復 {first} からの変化", first=trace["iteration"].iloc[0])
    ax.set(xlabel=said("訓練の反復"), ylabel=since)
    ax.set_title(said("{title}: 多様性の項と LayerNorm の利得", title=d.title))
    ax.legend()
    return ax


def _whole_ticks() -> MaxNLocator:
    return MaxNLocator(integer=True, steps=[1, 2, 5, 10])
