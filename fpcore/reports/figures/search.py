"""Figures of a search. Each takes and returns `ax` and never saves."""

from itertools import accumulate

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fpcore.language import said, template
from fpcore.records.searches import SearchRecord

__all__ = ["search"]

MARKS = {
    "complete": ("o", template("最後まで")),
    "pruned": ("x", template("途中で打ち切り")),
}


def search(record: SearchRecord, ax: Axes) -> Axes:
    """Draw the development perplexity of every trial, and the best one so far, by trial."""
    colors = sns.color_palette("colorblind")
    for (state, (mark, label)), color in zip(MARKS.items(), (colors[0], "0.5"), strict=True):
        own = [t for t in record.trials if t.state == state and t.losses]
        ppl = np.exp([min(t.losses.values()) for t in own])
        ax.plot([t.number for t in own], ppl, mark, color=color, label=said(label), ls="none")
    done = [t for t in record.trials if t.loss is not None]
    best = list(accumulate((float(np.exp(t.loss or 0.0)) for t in done), min))
    numbers = [t.number for t in done]
    ax.step(numbers, best, where="post", color=colors[1], lw=1.4, label=said("それまでの最良"))
    ax.axhline(np.exp(record.base.loss or 0.0), color="0.35", ls=":", label=said("基準"))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel=said("試行（0 から）"), ylabel=said("開発テキストの PPL（最良のエポック）"))
    ax.set_title(said("{run}: 試行と最良", run=record.name))
    ax.legend(fontsize="small")
    return ax
