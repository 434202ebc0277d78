"""What figures have in common: ticks that read well, and legends that hide nothing."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")
FEW_LINES, MOST_LINES = 6, 40  # more are named beside the axes, and not at all
CLOSE = 0.07  # of the axis: ticks this near would touch
WIDTH, HEIGHT = 6.4, 4.0  # of the book's figures, in inches
LETTER = 0.09, 0.21  # of a legend, in inches


def whole_axis(ax: Axes) -> None:
    """Put ticks at whole numbers of iterations or epochs."""
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def token_axis(ax: Axes, tokens: pd.Series) -> None:
    """Put a tick at every size, on a logarithmic axis; of sizes that lie close at one."""
    ax.set_xscale("log")
    sizes = sorted(set(tokens.astype(int)))
    apart, ticks = (sizes[-1] / sizes[0]) ** CLOSE, sizes[:1]
    for size in sizes[1:]:
        if size >= ticks[-1] * apart:
            ticks.append(size)
    ax.set_xticks(ticks, minor=False)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1000:,.0f}k"))
    ax.set_xlabel("訓練トークン（対数）")


def ppl_axis(ax: Axes) -> None:
    """Make perplexity logarithmic: numbers at 1, 2, 5, within a decade at every step."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    steps = range(1, 10) if high < 10 * low else (1, 2, 5)
    ax.yaxis.set_major_locator(LogLocator(subs=steps))
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_ylabel("Val PPL（対数）")


def legend(ax: Axes, title: str = "") -> None:
    """Name the lines; where they are many beside the axes, in a figure that has room for it.

    More than MOST_LINES are not named: nobody could tell them apart.
    """
    labels = ax.get_legend_handles_labels()[1]
    if len(labels) <= FEW_LINES:
        ax.legend(title=title, fontsize="small")
    elif len(labels) <= MOST_LINES:
        ax.legend(title=title, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        if isinstance(ax.figure, Figure):
            width, height = LETTER
            high = max(HEIGHT, height * (len(labels) + 2))
            ax.figure.set_size_inches(WIDTH + width * max(map(len, labels)), high)
