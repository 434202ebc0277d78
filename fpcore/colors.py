"""How runs look: the colour of a run follows from its name, so it is the same in every figure."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd
import seaborn as sns

# Of seaborn's colour-blind palette what stands out from white and from the grey of references.
PALETTE = ["#029e73", "#0173b2", "#cc78bc", "#ca9161", "#fbafe4", "#d55e00", "#de8f05", "#56b4e9"]
DASHES = ["-", "--", ":", "-."]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]


class Style(NamedTuple):
    """The colour, line style and marker of a line."""

    color: str
    dash: str = "-"
    marker: str = "o"


def run_color(name: str) -> str:
    """Return the colour of the run called `name`."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return PALETTE[int(digest, 16) % len(PALETTE)]


def run_styles(names: Iterable[str]) -> dict[str, Style]:
    """Return how runs look in one figure: those of one colour differ in line style and marker."""
    styles: dict[str, Style] = {}
    for name in dict.fromkeys(names):
        color = run_color(name)
        before = sum(style.color == color for style in styles.values())
        styles[name] = Style(color, DASHES[before % 4], MARKERS[before % 7])
    return styles


def line_styles(rows: pd.DataFrame, hue: str) -> list[Style]:
    """Return the look of the lines that the column `hue` tells apart, in the order of the rows.

    Lines of the column `run`, or `label`, which names a run more fully, look as their run does;
    any others, such as the sizes of one run, are shades from the first to the last.
    """
    lines = rows.drop_duplicates(hue)
    if hue in ("run", "label"):
        looks = run_styles(lines["run"])
        return [looks[name] for name in lines["run"]]
    return [Style(color) for color in sns.color_palette("crest", len(lines)).as_hex()]
