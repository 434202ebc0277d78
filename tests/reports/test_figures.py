"""A run looks the same in every figure, and figures say n and units."""

from collections.abc import Callable, Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers.records import run
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from fpcore.analysis.comparison import load_comparison
from fpcore.records.record import load_record, load_records
from fpcore.reports import figures
from fpcore.reports.comparison.report import FIGURES
from fpcore.reports.figures.runs import BAND
from fpcore.reports.figures.style import line_styles, run_color, run_styles


@pytest.fixture(autouse=True)
def _style(committed: None) -> Iterator[None]:
    figures.use_style()
    yield
    plt.close("all")


def colors(ax: Axes) -> dict[str, str]:
    """The colour of each run in a figure, by the first word of its label."""
    handles, labels = ax.get_legend_handles_labels()
    names = [label.split("（")[0] for label in labels]
    shown = [
        h.get_facecolor()[0] if hasattr(h, "get_offsets") else h.get_color()  # type: ignore[attr-defined]
        for h in handles
    ]
    return {n: to_hex(c) for n, c in zip(names, shown, strict=True) if n != "unigram モデル"}


@pytest.mark.parametrize("draw", [drawn.draw for drawn in FIGURES.values()], ids=[*FIGURES])
def test_a_run_has_one_colour_in_every_figure(draw: Callable[..., Axes]) -> None:
    for pair in (("v5-small", "v6-small"), ("v6-small", "v5-small")):
        shown = colors(draw(load_comparison(*pair), figures.axes()))
        assert shown == {name: run_color(name) for name in pair}
    assert run_color("v5-small") != run_color("v6-small")
    assert run_color("v5-published") != run_color("v6-published")


def test_runs_of_one_colour_differ_in_line_style_and_marker() -> None:
    names = [record.name for record in load_records()]
    styles = run_styles(names)
    assert len(set(styles.values())) == len(names) > 8
    assert all(style.color == run_color(name) for name, style in styles.items())
    rows = pd.DataFrame({"run": ["b", "a", "b"], "label": ["b（1）", "a（1）", "b（2）"]})
    assert [s.color for s in line_styles(rows, "label")] == [*map(run_color, "bab")]


def test_sizes_are_shades_and_captions_give_the_seeds() -> None:
    ax = figures.phase1_by_size(load_record("study"), "loss", "損失", figures.axes())
    shades = [to_hex(line.get_color()) for line in ax.lines if len(line.get_xdata()) > 1]  # type: ignore[arg-type]
    assert len(set(shades)) == len(load_record("study").sizes) > 1
    assert "n=3" in ax.get_title() and BAND in ax.get_title()


@pytest.mark.parametrize(("known", "label"), [("val", "検証損失"), ("dev", "開発損失")])
def test_epochs_are_drawn_of_the_text_that_chose_them(known: str, label: str) -> None:
    """Validation may be read once, at the best epoch: then its traces know development alone."""
    losses = {"epoch": [1, 2, 3], "train_loss": [4.0, 3.0, 2.0], f"{known}_loss": [5.0, 4.0, 4.5]}
    ax = figures.phase2_by_size(run("x", phase2=losses, best_epoch=2), figures.axes())
    assert ax.get_ylabel() == f"{label}（nat）" and label in ax.get_title()
    (marks,) = ax.collections
    assert {tuple(point) for point in np.asarray(marks.get_offsets()).tolist()} == {(2.0, 4.0)}
    nothing = figures.phase2_by_size(run("x"), figures.axes())
    assert "値の記録がない" in [t.get_text() for t in nothing.texts]


@pytest.mark.parametrize(("a", "b"), [("v5-small", "v6-small"), ("v5-published", "v6-published")])
def test_log_axes_have_a_few_whole_ticks(a: str, b: str) -> None:
    ax = figures.power_laws(load_comparison(a, b).whole, figures.axes())
    ax.figure.canvas.draw()
    low, high = ax.get_ylim()
    shown = [t.get_text() for y, t in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
             if low <= y <= high]  # fmt: skip
    assert 3 <= len(shown) <= 9 and all(text.replace(",", "").isdigit() for text in shown)
    assert not any(t.get_text() for t in ax.get_yticklabels(minor=True))
    assert [t.get_text()[-1] for t in ax.get_xticklabels()] == ["k"] * 5


def test_many_runs_are_named_beside_the_axes() -> None:
    ax = figures.power_laws(load_records(), figures.axes())
    ax.figure.canvas.draw()
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_window_extent().x0 >= ax.get_window_extent().x1 - 1
    assert ax.get_window_extent().width > 300
