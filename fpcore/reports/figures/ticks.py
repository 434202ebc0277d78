"""Ticks: labels that differ from each other, and as few of them as can be read."""

from collections.abc import Iterable
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.ticker import Formatter, LogLocator, MaxNLocator, NullFormatter

from fpcore.notation import MOST_PLAIN

__all__ = ["Distinct", "log_axis"]

SCALES = {"": 1.0, "%": 100.0, "k": 0.001, "points": 100.0}
MOST_DIGITS = 9
MOST_PPL = 1e9  # no vocabulary is larger
NARROW, WIDE = 1.5, 10.0  # how many times the lowest value the highest one is


class Distinct(Formatter):
    """Writes numbers with as many decimals as it takes that no two ticks read alike.

    Shares of 1 are written in percent (`%`) or points, numbers of tokens in thousands (`k`).
    """

    def __init__(self, unit: Literal["", "%", "k", "points"] = "", digits: int = 0) -> None:
        self._unit, self._least = unit, digits
        self._digits = digits

    def set_locs(self, locs: Any) -> None:
        """Take in where the ticks are."""
        super().set_locs(locs)
        values = sorted({float(value) for value in locs})
        self._digits = next(
            (n for n in range(self._least, MOST_DIGITS) if self._differ(values, n)), MOST_DIGITS
        )

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return a number as a tick is labelled."""
        return self._text(x, self._digits)

    def _differ(self, values: Iterable[float], digits: int) -> bool:
        texts = [self._text(value, digits) for value in values]
        return len({*texts}) == len(texts)

    def _text(self, value: float, digits: int) -> str:
        scaled = value * SCALES[self._unit]
        form = f",.{digits}f" if abs(scaled) < MOST_PLAIN else f".{digits + 1}g"
        text = f"{scaled:{form}}"
        text = text.lstrip("-") if not text.strip("-0.") else text  # no minus before 0
        return text + self._unit.removesuffix("points")


def log_axis(ax: Axes) -> None:
    """Make the values logarithmic: ticks at 1, 2, 5; in less than a decade at every step or half.

    What is above MOST_PPL (a run that has broken) lies outside of the figure.
    """
    if ax.dataLim.y1 > MOST_PPL:
        ax.set_ylim(min(ax.dataLim.y0, MOST_PPL) / 2, MOST_PPL)
    written = ax.yaxis.get_major_formatter()
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(written if isinstance(written, Distinct) else Distinct())
    low, high = ax.get_ylim()
    steps = [1.0, 2.0, 5.0]
    if high < WIDE * low:
        halves = [n / 2 for n in range(2, 20)]
        steps = halves if high < 3 * low else [float(n) for n in range(1, 10)]
    narrow = MaxNLocator(6, steps=[1, 2, 5, 10])
    ax.yaxis.set_major_locator(narrow if high < NARROW * low else LogLocator(subs=steps))
    ax.yaxis.set_minor_formatter(NullFormatter())
