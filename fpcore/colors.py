"""How runs look: the colour of a run follows from its name, so it is the same in every figure."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd
import seaborn as sns

# Of seaborn's colour-blind palette what stands out from white and from the grey of references.
PALETTE = ["#029e73", "#0173b2", "#cc78bc", "#ca9161", "#fbafe4", "#d55e00", "#de8f05", "#56b4e9"]
DASHES: list[str | tuple[int, tuple[int, ...]]] = [
    "-", "--", ":", "-.", (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 4)),
]  # fmt: skip
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]


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
