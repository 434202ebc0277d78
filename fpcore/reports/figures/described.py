"""What is seen in a figure, in words: for readers who cannot see it, and for searches."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PathCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fpcore.language import said, template
from fpcore.notation import CONTROL
from fpcore.reports.figures.ticks import Distinct

__all__ = ["described"]

Array = NDArray[np.float64]
MOST_LINES = 12  # more are counted, not told


def described(figure: Figure) -> str:
    """Return what a figure shows: of each axes title and labels, and where its lines go."""
    parts = [getattr(figure, "get_suptitle", lambda: "")(), *map(_axes, figure.axes)]
    return CONTROL.sub(" ", said("。").join(part for part in parts if part))


def _axes(ax: Axes) -> str:
    handles, labels = ax.get_legend_handles_labels()
    words = ((template("横 {label}"), ax.get_xlabel()), (template("縦 {label}"), ax.get_ylabel()))
    over = said("、").join(said(word, label=label) for word, label in words if label)
    named = zip(handles, labels, strict=True)
    told = [_line(ax, handle, label) for handle, label in named] or _marks(ax)
    told = told if len(told) <= MOST_LINES else [f"n={len(told)}"]
    return said("。").join(part for part in (ax.get_title(), over, said("、").join(told)) if part)


def _line(ax: Axes, handle: Any, label: str) -> str:
    """Say where a line, or the points of a run, begin and end, as the axes print numbers."""
    x, y = _points(handle)
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return label
    order = np.argsort(x[known], kind="stable")
    x, y = x[known][order], y[known][order]
    ends = [0] if len(x) == 1 else [0, -1]
    told = {i: said("{y}（{x}）", y=_y(ax, y[i]), x=_x(ax, x[i])) for i in ends}
    return f"{label}: " + " → ".join(told[i] for i in ends)


def _points(handle: Any) -> tuple[Array, Array]:
    """Return x and y of a line, of points, or of the ends of error bars."""
    if isinstance(handle, PathCollection):
        x, y = np.asarray(handle.get_offsets(), float).T
        return x, y
    line = handle[0] if isinstance(handle, ErrorbarContainer) else handle
    if hasattr(line, "get_xdata"):
        return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
    return np.array([]), np.array([])


def _marks(ax: Axes) -> list[str]:
    """Say what is marked in axes that name no line: each mean of a study, b − a at every size."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    told: list[str] = []
    for bars in (c for c in ax.containers if isinstance(c, ErrorbarContainer)):
        x, y = _points(bars)
        told += [f"{_x(ax, a)}: {_y(ax, b)}" for a, b in zip(x, y, strict=True)]
        if bars[0] is None:  # the bars of a study lie, and have no points of their own
            ends = (np.asarray(s) for col in bars[2] for s in col.get_segments())
            means = [(s[:, 0].mean(), int(s[0, 1])) for s in ends if len(s)]
            told += [f"{names[row]} {_x(ax, mean)}" for mean, row in means if row < len(names)]
    return told


def _x(ax: Axes, value: float) -> str:
    return _number(ax.xaxis, value)


def _y(ax: Axes, value: float) -> str:
    return _number(ax.yaxis, value)


def _number(axis: Axis, value: float) -> str:
    """Return a number as its axis prints them, where that does not depend on the other ticks."""
    form = axis.get_major_formatter()
    return form(value) if isinstance(form, Distinct) else f"{value:.4g}"
