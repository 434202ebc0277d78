"""Figures of a look at trained models. Each takes and returns `ax` and never saves."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from fpcore.analysis.token_classes import changes, gaps
from fpcore.language import said, template
from fpcore.reports.figures.run_style import run_styles
from fpcore.reports.figures.style import legend, whole_axis

if TYPE_CHECKING:  # it loads torch
    from fpcore.runs.looks import Look

__all__ = [
    "far_back",
    "token_classes",
]

LABELS = {
    "copied": template("会話に {name}"), "frequency": template("訓練で {name} 回"),
    "position": template("位置 {name}"), "length": template("長さ {name}"),
}  # fmt: skip
COPIED = {"yes": template("既出"), "no": template("初出")}


def token_classes(seen: "Look", ax: Axes) -> Axes:
    """Draw the difference of two runs by class of token with intervals; of one, its losses."""
    a, b = seen.readings[0], seen.readings[seen.compared - 1]
    rows = gaps(seen.tokens, a.losses, b.losses)
    at = np.arange(len(rows))[::-1]
    if a is b:
        ax.plot(rows["a"], at, "o", color="0.2")
        title = said("{run}: 損失（n={n:,} トークン）", run=a.name, n=len(seen.tokens))
        ax.set(xlabel=said("損失（nats）"), title=title)
    else:
        ends = [rows["difference"] - rows["low"], rows["high"] - rows["difference"]]
        ax.errorbar(rows["difference"], at, xerr=ends, fmt="o", color="0.2", capsize=2, ms=4)
        ax.axvline(0, color="0.5", lw=1)
        ax.set(xlabel=said("損失の差 {b} − {a}（nats）", a=a.name, b=b.name))
        ax.set_title(said("差と同時 95 % 区間（n={n:,} トークン）", n=len(seen.tokens)))
    names = [_called(row) for row in rows.to_dict("records")]
    ax.set_yticks(at, names, fontsize="x-small")
    return ax


def _called(row: dict[Any, Any]) -> str:
    """Return a short name of a class of tokens."""
    name = said(COPIED.get(row["class"], row["class"]))
    return said(LABELS[row["grouping"]], name=name)


def far_back(seen: "Look", ax: Axes) -> Axes:
    """Draw by run how much of the next token's distribution moves with the k-th last token."""
    rows = changes(seen.changes)
    styles = run_styles(reading.name for reading in seen.readings)
    for run, own in rows.groupby("run", sort=False):
        style = styles[str(run)]
        shown = own[own["mean"] > 0]
        ax.plot(shown["back"], shown["mean"], ls=style.dash, color=style.color, marker=style.marker,
                ms=4, label=f"{run}")  # fmt: skip
        low = shown["low"].clip(lower=1e-5)
        ax.fill_between(shown["back"], low, shown["high"], color=style.color, alpha=0.15, lw=0)
    if len(rows):
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=[1, 2, 5]))
        ax.yaxis.set_major_formatter(PercentFormatter(1))
        ax.yaxis.set_minor_formatter(NullFormatter())
        legend(ax)
    whole_axis(ax)
    places = int(rows["places"].iloc[0]) if len(rows) else 0
    ax.set(xlabel=said("替えたトークン（最後から k 番目）"))
    ax.set(ylabel=said("次のトークンの分布の変化（対数）"))
    text = template("どこまで覚えているか（n={n} か所、帯は 95 % 区間、0 は描かない）")
    ax.set_title(said(text, n=places))
    return ax
