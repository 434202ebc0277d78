"""What all figures have in common: fonts, one size, ticks that read well, legends."""

import sys
import unicodedata
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from fpcore.language import Language, said, speak
from fpcore.reports.figures.picture import show_in
from fpcore.reports.figures.ticks import Distinct, log_axis

__all__ = [
    "axes",
    "legend",
    "panels",
    "ppl_axis",
    "set_style",
    "stacked",
    "token_axis",
    "use_style",
    "whole_axis",
]

FONT = "IPAexGothic"
# Above the first number of lines the legend stands below the axes, above the second there is none.
FEW_LINES, MOST_LINES = 5, 40
CLOSE = 0.09  # ticks nearer to each other than this share of the axis would touch
WIDTH, HEIGHT = 6.4, 4.0  # every figure of the book has this size, in inches
LETTER = 0.085, 0.19  # a letter of a legend takes this width and height, in inches


def use_style(lang: Language = "ja") -> None:
    """Set how figures look (`set_style`), and the language of all that is written from now on.

    Raises:
        ConfigError: a language other than ja or en.
    """
    speak(lang)
    set_style()


def set_style() -> None:
    """Set fonts that have Japanese, and colours for colour-blind readers."""
    import matplotlib_fontja  # noqa: F401  (registers the font)

    _show_in_notebook()
    sns.set_theme(style="whitegrid", palette="colorblind", font=FONT, font_scale=0.95)
    plt.rcParams |= {"figure.dpi": 110, "axes.unicode_minus": False, "svg.fonttype": "none"}


def _show_in_notebook() -> None:
    """Let a notebook show its figures, whatever MPLBACKEND says: containers set it to agg.

    A backend for notebooks that its user has chosen stays.
    """
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):
        return
    own = plt.get_backend()
    if not own.startswith("module://") or own.endswith("inline.backend_inline"):
        shell.enable_matplotlib("inline")
        show_in(shell)


def axes() -> Axes:
    """Return the axes of a new figure of the book's one size."""
    return plt.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")[1]


def stacked() -> tuple[Axes, Axes]:
    """Return the axes of curves, and below them those of their difference, in a new figure."""
    size, heights = (WIDTH, 1.45 * HEIGHT), {"height_ratios": [3, 2]}
    made = plt.subplots(2, 1, figsize=size, layout="constrained", sharex=True, gridspec_kw=heights)
    return tuple(made[1])


def panels(count: int) -> list[Axes]:
    """Return axes side by side in a new figure; they share what runs down the side."""
    size = (3.4 * count, HEIGHT)
    return list(plt.subplots(1, count, figsize=size, layout="constrained", sharey=True)[1])


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
    ax.xaxis.set_major_formatter(Distinct("k"))
    ax.set_xlabel(said("訓練トークン（対数）"))


def ppl_axis(ax: Axes) -> None:
    """Make perplexity logarithmic (see `ticks.log_axis`)."""
    log_axis(ax)
    ax.set_ylabel(said("Val PPL（対数）"))


def legend(ax: Axes, title: str = "", below: bool = False) -> None:
    """Name the lines in the axes; where they are many, or are to be, below the figure.

    The figure grows by what stands below it, in height alone: its width is that of a printed page.
    More than MOST_LINES are not named: nobody could tell them apart.
    """
    handles, labels = ax.get_legend_handles_labels()
    figure = ax.figure
    if not isinstance(figure, Figure) or len(labels) > MOST_LINES:
        return
    if len(labels) <= FEW_LINES and not below:
        ax.legend(title=title, fontsize="small")
        return
    for earlier in (*figure.legends, *filter(None, [ax.get_legend()])):
        earlier.remove()
    width, height = LETTER
    columns = max(1, min(3, int(WIDTH / (width * (6 + max(map(_letters, labels)))))))
    look: dict[str, Any] = {"fontsize": "small", "ncols": columns, "title": title}
    figure.legend(handles, labels, loc="outside lower center", **look)
    if len(figure.axes) == 1:
        figure.set_size_inches(WIDTH, HEIGHT + height * -(-len(labels) // columns))


def _letters(text: str) -> float:
    """Return the width of a text in Latin letters."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
