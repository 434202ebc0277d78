"""What figures of lines share: means over seeds with their band, titles, and a word for nothing."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from scipy.stats import gmean

from fpcore.language import said, template
from fpcore.metric import METRICS
from fpcore.reports.figures.run_style import line_styles
from fpcore.reports.figures.style import legend

HIGHEST = 1e300  # an axis of more, as of a run that has broken, has no ticks
FEW_POINTS = 12  # a line of fewer points has each of them marked


def draw_lines(
    rows: pd.DataFrame, x: str, y: str, hue: str, ax: Axes, legend_title: str = ""
) -> None:
    """Draw means over seeds, with a band from the smallest to the largest where there are more.

    The mean of a metric that is logged is the geometric one. A line is called as the
    column `title` says, where the rows have one, else as `hue` does.
    """
    rows = rows.assign(**{y: rows[y].astype(float).clip(-HIGHEST, HIGHEST)})
    few = rows[x].nunique() < FEW_POINTS
    middle = gmean if y in METRICS and METRICS[y].logged else np.mean  # as the tables' means
    groups = rows.groupby(hue, sort=False)
    for style, (name, own) in zip(line_styles(rows, hue), groups, strict=True):
        band = ("pi", 100) if own["seed"].nunique() > 1 else None
        label = own["title"].iloc[0] if "title" in own else name
        sns.lineplot(
            own, x=x, y=y, estimator=middle, errorbar=band, ax=ax, legend=False,
            color=style.color, ls=style.dash, marker=style.marker if few else None,
            mec=style.color, label=str(label),
        )  # fmt: skip
        if not few:  # identical curves hide each other; their ends do not
            end = own[own[x] == own[x].max()]
            at, mean = end[x].iloc[:1], [middle(end[y])]
            ax.plot(at, mean, marker=style.marker, color=style.color, ms=6)
    legend(ax, legend_title)


def nothing(ax: Axes, title: str, text: str = template("値の記録がない")) -> Axes:
    """Say that there is nothing to draw."""
    ax.text(0.5, 0.5, said(text), ha="center", va="center", transform=ax.transAxes)
    ax.set(title=title, xticks=[], yticks=[])
    return ax


def titled(label: str, rows: pd.DataFrame) -> str:
    """Return the title of a figure: what it shows, of how many seeds, or from how many to how many.

    Runs without any, such as n-grams, do not count.
    """
    known = [n for n in rows.groupby("run")["seed"].nunique() if n] or [1]
    fewest, most = min(known), max(known)
    n = f"{most}" if fewest == most else f"{fewest}–{most}"
    if most > 1:
        return said("{label}　シード n={n}、帯はシード間の最小–最大", label=label, n=n)
    return said("{label}　シード n={n}", label=label, n=n)


def sized(rows: pd.DataFrame) -> pd.DataFrame:
    """Name run and size as `label`, the size with each run's title: traces are of one size each."""
    names = rows["title"] if "title" in rows else rows["run"]
    titles = [said("{run}（{samples} サンプル）", run=run, samples=samples)
              for run, samples in zip(names, rows["samples"], strict=True)]  # fmt: skip
    return rows.assign(label=rows["run"] + "/" + rows["samples"].astype(str), title=titles)
