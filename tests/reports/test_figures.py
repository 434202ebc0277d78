"""A run looks the same in every figure, and figures say n and units."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers.records import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.text import Text

from fpcore.analysis.comparison import Comparison, load_comparison
from fpcore.book import views
from fpcore.errors import ConfigError
from fpcore.language import said
from fpcore.paths import reports
from fpcore.records.frames import curve, epochs, frame, traces
from fpcore.records.record import load_record, load_records
from fpcore.reports import figures, page
from fpcore.reports.comparison.report import FIGURES, Drawn
from fpcore.reports.figures import run_style
from fpcore.reports.figures.lines import titled
from fpcore.reports.figures.run_style import MARKERS, line_styles, run_styles


@pytest.fixture(autouse=True)
def _style(committed: None) -> Iterator[None]:
    figures.use_style()
    yield
    plt.close("all")


def looks(ax: Axes) -> dict[str, tuple[str, str]]:
    """Colour and marker of each run in a figure, by the first word of its label."""
    handles, labels = ax.get_legend_handles_labels()
    names = [label.split("（")[0] for label in labels]
    return {n: _look(h) for n, h in zip(names, handles, strict=True) if n != "unigram モデル"}


def _look(handle: Any) -> tuple[str, str]:
    """What is seen of a line; points keep no name of their marker, so its outline stands for it."""
    if hasattr(handle, "get_offsets"):
        (color,), (path,) = handle.get_facecolor(), handle.get_paths()
        shapes = {m: MarkerStyle(m) for m in MARKERS}
        outlines = {m: s.get_path().transformed(s.get_transform()) for m, s in shapes.items()}
        alike = (m for m, o in outlines.items() if np.array_equal(o.vertices, path.vertices))
        return to_hex(color), next(alike)
    return to_hex(handle.get_color()), handle.get_marker()


@pytest.mark.parametrize("drawn", FIGURES.values(), ids=[*FIGURES])
def test_a_run_has_one_look_in_every_figure(drawn: Drawn) -> None:
    for pair in (("v5-small", "v6-small"), ("v6-small", "v5-small")):
        drawn.draw(load_comparison(*pair))
        shown = looks(plt.gcf().axes[0])
        known = run_styles(pair)
        assert {n: c for n, (c, _) in shown.items()} == {n: s.color for n, s in known.items()}
        marks = {n: m for n, (_, m) in shown.items() if m != "None"}  # long traces: at the end
        assert all(known[name].marker == mark for name, mark in marks.items())


def test_no_two_records_look_alike_and_the_colours_of_a_figure_differ() -> None:
    names = [record.name for record in load_records()]
    styles = run_styles(names)
    assert len({(s.color, s.marker) for s in styles.values()}) == len(names) > 20
    beside = [r for r in load_records() if len(r.sizes) > 1 and "model" in r.config]
    ax = figures.perplexity_log([load_record("study"), *beside], figures.axes())
    drawn = [color for color, _ in looks(ax).values()]
    assert len({*drawn}) == len(drawn)


@given(
    st.lists(st.lists(st.text("abcdefgh-", min_size=1), min_size=1, max_size=8), max_size=6),
    st.integers(0, 10**6),
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_look_once_given_never_changes(groups: list[list[str]], number: int) -> None:
    """Whatever runs are drawn later, in whatever company, by whichever process."""
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", home)
        patch.setattr(run_style, "_recorded", lambda name: True)
        given_looks: dict[str, figures.Style] = {}
        for group in groups:
            found = run_styles(group)
            if not {*found} & {*given_looks}:  # all of them new: they differ as far as can be
                assert len({s.color for s in found.values()}) == len(found)
            assert all(found[n] == given_looks[n] for n in found if n in given_looks)
            given_looks |= found
        assert len({*given_looks.values()}) == len(given_looks)
        kept = Path(home, "reports", "looks.json")
        if groups:
            text = kept.read_text()
            kept.write_text(text[: number % len(text)])  # damaged: given anew, without an error
            assert run_styles(groups[0])


def test_runs_that_have_no_record_leave_nothing_behind(committed: None) -> None:
    before = (reports() / "looks.json").read_bytes()
    assert run_styles(["no such run"]) and (reports() / "looks.json").read_bytes() == before


def test_sizes_of_a_run_have_its_colour_and_dashes_of_their_own() -> None:
    rows = pd.DataFrame({"run": ["b", "a", "b"], "label": ["b/1", "a/1", "b/2"]})
    b1, a1, b2 = line_styles(rows, "label")
    assert b1.color == b2.color != a1.color and b1.marker == b2.marker and b1.dash != b2.dash


def test_a_legend_says_the_kinds_of_models_and_the_base() -> None:
    read = [load_record(n) for n in ("study", "study-max_iter100", "gpt-small-free")]
    assert figures.called(read)["gpt-small-free"] == "GPT、自分の埋め込み（gpt-small-free）"
    assert figures.called(read)["study"] == "固定点文脈（study）"
    assert figures.called(read[:2]) == {
        "study": "study（基準）", "study-max_iter100": "study-max_iter100"
    }  # fmt: skip


@pytest.mark.parametrize("metric", ["val_ppl", "val_er"])
def test_the_lower_panel_shows_each_difference_with_its_interval(metric: str) -> None:
    c = load_comparison("study", "study-max_iter100")
    draw = {"val_ppl": figures.perplexity_of_pair, "val_er": figures.effective_rank_of_pair}
    _, below = draw[metric](c, figures.stacked())
    (bars,) = (b for b in below.containers if isinstance(b, ErrorbarContainer))
    found = c.by_size(metric).values()
    assert bars[0] is not None and bars[0].get_ydata() == pytest.approx([d.size for d in found])
    ends = [tuple(sorted(s[:, 1])) for s in bars[2][0].get_segments()]
    assert [e for pair in ends for e in pair] == pytest.approx([e for d in found for e in d.ends])
    assert "95 % の区間" in below.get_title() and f"n={c.seeds}\n" in below.get_title()


def test_coinciding_curves_are_said_to_be_equal_and_unequal_traces_are_not_compared() -> None:
    _, below = figures.convergence_of_pair(load_comparison("v5-small", "v6-small"),
                                           figures.stacked())  # fmt: skip
    assert "差はない（曲線は同じ）" in [t.get_text() for t in below.texts]
    published = load_comparison("v5-published", "v6-published")
    _, below = figures.convergence_of_pair(published, figures.stacked())
    assert "比べられない" in [t.get_text() for t in below.texts]


NUMBER = r"\d+(?:[,.]\d+)*"
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]")


def every_figure(c: Comparison) -> Iterator[Figure]:
    for drawn in FIGURES.values():
        drawn.draw(c)
        yield _drawn()
    for column in (*views.BY_ITERATION.items(), *views.BY_EPOCH.items()):
        by_epoch = column[0] in views.BY_EPOCH
        rows = (epochs if by_epoch else traces)(c.whole)
        x = "epoch" if by_epoch else "iteration"
        yield _drawn(figures.curves(rows, x, *column, figures.axes()))
    for metric in views.BY_TOKENS:
        yield _drawn(figures.by_size(c.whole, metric, figures.axes()))
    kinds = [load_record(n) for n in ("study", "gpt-small", "gpt-small-free", "kneser-ney-own")]
    yield _drawn(figures.perplexity_log(kinds, figures.axes()))
    yield _drawn(figures.phase1_by_size(c.a, "loss", "Phase 1 損失", figures.axes()))
    yield _drawn(figures.phase2_by_size(c.a, figures.axes()))
    yield _drawn(figures.effective_rank_splits(c.a, figures.axes()))
    yield _drawn(*figures.study(study_rows(), figures.panels(3)))


def _drawn(*_: Axes) -> Figure:
    """The figure that was drawn last; it is not among the open ones any more."""
    figure = plt.gcf()
    plt.close("all")
    return figure


def study_rows() -> pd.DataFrame:
    base = said("{name}（基準）", name="max_iter 60")
    names = {"study": base, "study-max_iter100": "max_iter 100"}
    rows = frame([load_record(name) for name in names])
    rows = rows[rows["samples"] == 100]
    return rows.assign(label=rows["run"].map(names), base=rows["run"] == "study")


def test_every_figure_speaks_english_on_request_with_the_same_numbers() -> None:
    c = load_comparison("v5-small", "v6-small")
    told = {}
    for lang in ("ja", "en"):
        figures.use_style(lang)
        drawn = [*every_figure(c)]
        told[lang] = [figures.described(figure) for figure in drawn]
    figures.use_style()
    texts = [text.get_text() for figure in drawn for text in figure.findobj(Text)]
    assert not [text for text in [*texts, *told["en"]] if JAPANESE.search(text)]
    for ja, en in zip(told["ja"], told["en"], strict=True):
        assert re.findall(NUMBER, ja) == re.findall(NUMBER, en)
    for figure in drawn:  # English titles are the longer ones, and are not cut off
        figure.draw_without_rendering()
        titles = [ax.title.get_window_extent() for ax in figure.axes if ax.get_title()]
        assert all(t.x0 >= 0 and t.x1 <= figure.bbox.x1 for t in titles), figures.described(figure)
    with pytest.raises(ConfigError, match="lang must be ja or en, not 'fr'"):
        figures.use_style("fr")  # type: ignore[arg-type]


def test_a_report_is_written_with_figures_in_their_language(tmp_path: Path) -> None:
    def draw() -> Axes:
        return figures.effective_rank([load_record("v5-small")], figures.axes())

    figures.use_style("en")
    page.publish(tmp_path / "en", "# a\n\n![b](er.png)\n", {"er": draw})
    figures.use_style()
    page.publish(tmp_path / "ja", "# a\n\n![b](er.png)\n", {"er": draw})
    whole = {lang: (tmp_path / lang / "report.html").read_text() for lang in ("en", "ja")}
    alt = {lang: re.findall('alt="([^"]*)"', text)[0] for lang, text in whole.items()}
    assert "training tokens" in alt["en"] and "訓練トークン" in alt["ja"]
    drawing = (tmp_path / "en" / "er.svg").read_text()
    assert "<text" not in drawing and 'width="460.8pt"' in drawing  # shapes, 6.4 inches
    page.publish(tmp_path / "again", "# a\n\n![b](er.png)\n", {"er": draw})
    for name in ("er.svg", "er.png"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "ja" / name).read_bytes()


def test_the_mean_of_a_figure_is_that_of_the_tables() -> None:
    ax = figures.perplexity([load_record("study")], figures.axes())
    means = curve(load_record("study"))
    assert ax.lines[0].get_ydata() == pytest.approx(means["val_ppl"].to_numpy(), rel=1e-12)


def test_what_is_seen_names_every_line_and_where_it_goes() -> None:
    ax = figures.perplexity([load_record("v5-small")], figures.axes())
    seen = figures.described(ax.figure)  # type: ignore[arg-type]
    results = sorted(load_record("v5-small").results, key=lambda r: r.samples)
    first, last = (f"{results[i].val_ppl:,.0f}" for i in (0, -1))
    assert f"v5-small: {first}（4k） → {last}（88k）" in seen and "unigram モデル" in seen


def test_sizes_are_shades_and_captions_give_the_seeds() -> None:
    ax = figures.phase1_by_size(load_record("study"), "loss", "損失", figures.axes())
    shades = [to_hex(line.get_color()) for line in ax.lines if len(line.get_xdata()) > 1]  # type: ignore[arg-type]
    assert len(set(shades)) == len(load_record("study").sizes) > 1
    assert (
        f"n={load_record('study').seeds}" in ax.get_title()
        and "帯はシード間の最小–最大" in ax.get_title()
    )


@given(st.lists(st.integers(0, 4), max_size=4))
def test_a_caption_gives_the_fewest_and_the_most_seeds(of_runs: list[int]) -> None:
    """Runs without seeds do not count, where there are others."""
    rows = [(f"run{i}", s) for i, n in enumerate(of_runs) for s in [*range(n)] or [None]]
    title = titled("x", pd.DataFrame(rows, columns=["run", "seed"]))
    known = [n for n in of_runs if n] or [1]
    span = f"{max(known)}" if len({*known}) == 1 else f"{min(known)}–{max(known)}"
    assert title.split("、")[0] == f"x　シード n={span}"
    assert ("帯" in title) is (max(known) > 1)


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


def test_many_runs_are_named_below_a_figure_that_stays_as_wide_as_a_page() -> None:
    ax = figures.power_laws(load_records(), figures.axes())
    figure = ax.figure
    figure.canvas.draw()
    (legend,) = figure.legends
    assert legend.get_window_extent().y1 <= ax.get_tightbbox().y0 + 1  # type: ignore[union-attr]
    assert ax.get_window_extent().height > 250 and legend.get_window_extent().x0 > 0
    assert figure.get_size_inches()[0] <= 7.2  # type: ignore[union-attr]


@given(st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 6)), min_size=2, max_size=12),
       st.sampled_from(["", "%", "k", "points"]))  # fmt: skip
def test_no_two_ticks_read_alike(places: list[float], unit: Any) -> None:
    form = figures.Distinct(unit)
    ticks = [value + 0.0 for value in {*places}]
    assert len({*form.format_ticks(ticks)}) == len(ticks)
    assert not any(re.fullmatch("-[0.,]+[%k]?", text) for text in form.format_ticks(ticks))


@given(st.floats(2, 1e5), st.floats(1.0001, 1000))
@settings(max_examples=30, deadline=None)
def test_a_log_axis_has_some_ticks_however_narrow_it_is(low: float, times: float) -> None:
    ax = figures.axes()
    ax.plot([1, 2], [low, low * times])
    figures.ppl_axis(ax)
    bottom, top = ax.get_ylim()
    assert 2 <= sum(bottom <= tick <= top for tick in ax.get_yticks()) <= 12
    plt.close("all")


@pytest.mark.parametrize("ppl", [5e-324, 1e-300, 1.0, 1e290, 1.7e308])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numbers near the largest there are
def test_a_run_that_has_broken_is_drawn(ppl: float) -> None:
    records = [run("whole"), run("broken", val_ppl=ppl, train_ppl=ppl, unigram_ppl=640.0)]
    for draw in (figures.perplexity, figures.perplexity_log, figures.power_laws):
        draw(records, figures.axes())
        plt.gcf().canvas.draw()
        plt.close("all")
