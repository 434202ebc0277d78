"""Figures of two runs: their curves, and below them b − a, which shows where the curves coincide.

Each takes and returns the two axes of `style.stacked`, and never saves.
"""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from fpcore.analysis.comparison import Comparison
from fpcore.analysis.difference import MetricDifference
from fpcore.language import said, template
from fpcore.metric import METRICS
from fpcore.records.frames import frame
from fpcore.reports.figures.lines import nothing
from fpcore.reports.figures.run_style import run_styles
from fpcore.reports.figures.sizes import by_size, perplexity
from fpcore.reports.figures.style import token_axis, whole_axis
from fpcore.reports.figures.ticks import Distinct
from fpcore.reports.figures.traces import convergence
from fpcore.stats.uncertainty import Difference, difference

__all__ = [
    "convergence_of_pair",
    "effective_rank_of_pair",
    "perplexity_of_pair",
]

Stacked = tuple[Axes, Axes]
MOST_MARKS = 25  # intervals along a trace; more would touch


def effective_rank_of_pair(c: Comparison, both: Stacked) -> Stacked:
    """Draw Val ER of both runs against training tokens, and b − a in points."""
    by_size([c.a, c.b], "val_er", both[0])
    return _with_difference(c, "val_er", both)


def perplexity_of_pair(c: Comparison, both: Stacked) -> Stacked:
    """Draw Val PPL of both runs and of the unigram model, and b − a in percent."""
    perplexity([c.a, c.b], both[0])
    return _with_difference(c, "val_ppl", both)


def convergence_of_pair(c: Comparison, both: Stacked) -> Stacked:
    """Draw the convergence rate of both runs by iteration, and b − a while both go on."""
    top, bottom = both
    convergence(c.traces, top)
    found = _by_iteration(c)
    if not found:
        nothing(bottom, "", template("比べられない"))
        return both
    points = {k: (d.difference, d.low, d.high) for k, d in found.items()}
    _marked(points, c, bottom)
    if all(d.direction == "same" for d in found.values()):
        text = said("差はない（曲線は同じ）")
        bottom.annotate(text, (0.5, 0.75), xycoords="axes fraction", ha="center")
    bottom.set(xlabel=said("反復"), ylabel=said("b − a（ポイント）"))
    whole_axis(bottom)
    top.set_xlabel("")
    seeds = max(d.seeds for d in found.values())
    bottom.set_title(_caption(c, seeds, seeds > 1))
    return both


def _with_difference(c: Comparison, metric: str, both: Stacked) -> Stacked:
    """Draw b − a of a metric by size into the lower axes: relative where the metric is logged."""
    top, bottom = both
    found = {tokens: d for tokens, d in _by_tokens(c, metric).items() if not math.isnan(d.size)}
    if not found:
        nothing(bottom, "", template("比べられない"))
        return both
    _marked({n: (d.size, *d.ends) for n, d in found.items()}, c, bottom)
    logged = METRICS[metric].logged
    bottom.set_ylabel(said("b − a（%）" if logged else "b − a（ポイント）"))
    token_axis(bottom, frame([c.a, c.b])["train_tokens"].dropna())
    top.set_xlabel("")
    seeds = max(d.seeds for d in found.values())
    known = any(not math.isnan(d.low) for d in found.values())
    bottom.set_title(_caption(c, seeds, known))
    return both


def _by_tokens(c: Comparison, metric: str) -> dict[float, MetricDifference]:
    """Return the differences of a metric by training tokens, those of the first run."""
    rows = frame([c.a]).dropna(subset=["train_tokens"])
    tokens = rows.groupby("samples")["train_tokens"].mean()
    return {float(tokens[n]): d for n, d in c.by_size(metric).items() if n in tokens.index}


def _by_iteration(c: Comparison) -> dict[float, Difference]:
    """Return the differences of the convergence rate, at some of the iterations that both ran."""
    if c.trace_sizes[0] != c.trace_sizes[1]:
        return {}
    a, b = (_by_seed(c.traces, record.name) for record in (c.a, c.b))
    shared = sorted({*a} & {*b})
    chosen = shared[:: -(-len(shared) // MOST_MARKS) or 1]
    return {k: difference(a[k], b[k], c.level) for k in chosen}


def _by_seed(rows: pd.DataFrame, run: str) -> dict[float, dict[int | None, float]]:
    own = rows[rows["run"] == run].dropna(subset=["convergence_rate"])
    return {
        float(str(k)): {None if pd.isna(s) else int(s): float(v)
                        for s, v in zip(part["seed"], part["convergence_rate"], strict=True)}
        for k, part in own.groupby("iteration")
    }  # fmt: skip


def _marked(points: dict[float, tuple[float, float, float]], c: Comparison, ax: Axes) -> None:
    """Draw differences (shares of 1) and their intervals in the look of b, and a line at 0."""
    look = run_styles([c.a.name, c.b.name])[c.b.name]
    middle, low, high = np.array([*points.values()]).T
    ax.axhline(0, color="0.35", lw=1)
    reach = np.abs(np.vstack([low, high]) - middle)
    ax.errorbar([*points], middle, yerr=reach, fmt=look.marker, ms=5, color=look.color,
                capsize=3, lw=1.4)  # fmt: skip
    whole = float(np.nanmax(np.abs(np.vstack([middle, low, high])))) or 0.01
    ax.set_ylim(-1.15 * whole, 1.15 * whole)
    ax.yaxis.set_major_formatter(Distinct("points", 1 if whole < 0.2 else 0))


def _caption(c: Comparison, seeds: int, known: bool) -> str:
    """Say what the lower axes show, of how many seeds, and what the bars are."""
    text = template("差 {b} − {a}　シード n={n}")
    if known and seeds > 1:
        text = template("差 {b} − {a}　シード n={n}\n縦線は {level} の区間")
    elif known:
        text = template("差 {b} − {a}　シード n={n}\n縦線は検証会話だけによる {level} の区間")
    digits = 0 if round(100 * c.level, 6).is_integer() else 2
    return said(text, a=c.a.name, b=c.b.name, n=seeds, level=f"{100 * c.level:.{digits}f} %")
