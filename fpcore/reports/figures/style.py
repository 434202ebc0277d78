"""What all figures have in common: the colours of runs, ticks that read well, legends beside axes.

A run has one colour in the whole book, made from its name; where two runs of a figure would share
it, dash and marker tell them apart.
"""

import hashlib
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

__all__ = [
    "Style",
    "axes",
    "legend",
    "line_styles",
    "panels",
    "ppl_axis",
    "run_color",
    "run_styles",
    "token_axis",
    "use_style",
    "whole_axis",
]

FONT = "IPAexGothic"
# Of seaborn's colour-blind palette what stands out from white and from the grey of references.
PALETTE = ["#029e73", "#0173b2", "#cc78bc", "#ca9161", "#fbafe4", "#d55e00", "#de8f05", "#56b4e9"]
DASHES: list[str | tuple[int, tuple[int, ...]]] = [
    "-", "--", ":", "-.", (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 4)),
]  # fmt: skip
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")
# Above the first number of lines the legend stands beside the axes, above the second there is none.
FEW_LINES, MOST_LINES = 6, 40
MOST_PPL = 1e9  # no vocabulary is larger
CLOSE = 0.07  # ticks nearer to each other than this share of the axis would touch
WIDTH, HEIGHT = 6.4, 4.0  # every figure of the book has this size, in inches
LETTER = 0.09, 0.21  # a letter of a legend takes this width and height, in inches


def use_style() -> None:
    """Set fonts that have Japanese, and colours that colour-blind readers can tell apart."""
    import matplotlib_fontja  # noqa: F401  (registers the font)

    _show_in_notebook()
    sns.set_theme(style="whitegrid", palette="colorblind", font=FONT, font_scale=0.95)
    plt.rcParams |= {"figure.dpi": 110, "axes.unicode_minus": False, "svg.fonttype": "none"}


def _show_in_notebook() -> None:
    """Let a notebook show its figures, whatever MPLBACKEND says: containers set it to agg.

    A backend for notebooks that its user has chosen stays.
    """
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if hasattr(shell, "kernel") and not plt.get_backend().startswith("module://"):
        shell.enable_matplotlib("inline")


def axes() -> Axes:
    """Return the axes of a new figure of the book's one size."""
    return plt.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")[1]


def panels(count: int) -> list[Axes]:
    """Return axes side by side in a new figure; they share what runs down the side."""
    size = (3.4 * count, HEIGHT)
    return list(plt.subplots(1, count, figsize=size, layout="constrained", sharey=True)[1])


class Style(NamedTuple):
    """The colour, line style and marker of a line."""

    color: str
    dash: str | tuple[int, tuple[int, ...]] = "-"
    marker: str = "o"


def run_color(name: str) -> str:
    """Return the colour of the run called `name`."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return PALETTE[int(digest, 16) % len(PALETTE)]


def run_styles(names: Iterable[str]) -> dict[str, Style]:
    """Return how runs look in one figure: those of one colour differ in line style and marker."""
    return _styles({name: name for name in names})


def line_styles(rows: pd.DataFrame, hue: str) -> list[Style]:
    """Return the look of the lines that the column `hue` tells apart, in the order of the rows.

    Lines of the column `run`, or `label`, which names a run and a size, have the colour of their
    run; any others, such as the sizes of one run, are shades from the first to the last.
    """
    lines = rows.drop_duplicates(hue)
    if hue in ("run", "label"):
        return list(_styles(dict(zip(lines[hue], lines["run"], strict=True))).values())
    return [Style(color) for color in sns.color_palette("crest", len(lines)).as_hex()]


def _styles(runs: dict[str, str]) -> dict[str, Style]:
    """Return the looks of lines from the run of each."""
    styles: dict[str, Style] = {}
    for line, run in runs.items():
        color = run_color(run)
        before = sum(style.color == color for style in styles.values())
        styles[line] = Style(color, DASHES[before % 7], MARKERS[before % 7])
    return styles


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
    """Make perplexity logarithmic: numbers at 1, 2, 5, in less than a decade at every step or half.

    What is above MOST_PPL (a run that has broken) lies outside of the figure.
    """
    if ax.dataLim.y1 > MOST_PPL:
        ax.set_ylim(min(ax.dataLim.y0, MOST_PPL) / 2, MOST_PPL)
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    steps = [1.0, 2.0, 5.0]
    if high < 10 * low:
        steps = (
            [n / 2 for n in range(2, 20)] if high < 3 * low else [float(n) for n in range(1, 10)]
        )
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
