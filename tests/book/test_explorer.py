"""The explorer without a browser: what each view shows is what the records hold."""

import io
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.figure import Figure

from fpcore.analysis.comparison import load_comparison
from fpcore.book import explorer
from fpcore.book.explorer import csv, shown, svg
from fpcore.book.views import CURVES, VIEWS, Choice
from fpcore.language import said
from fpcore.metric import METRICS
from fpcore.paths import ROOT, runs
from fpcore.records.frames import frame, traces
from fpcore.records.record import load_record, load_records
from fpcore.reports import figures
from fpcore.reports.comparison import report
from fpcore.stats.scaling import fit_power_law


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    monkeypatch.setattr(explorer, "_chosen", {})
    runs().mkdir(parents=True)
    for name in ("v5-small", "v6-small", "study", "v5-published", "v6-published"):
        shutil.copy(ROOT / "reports" / "runs" / f"{name}.json", runs())
    figures.use_style()
    yield
    plt.close("all")


def choice(
    *names: str, curve: str = "Val PPL（トークン）", samples: tuple[int, ...] = ()
) -> Choice:
    records = [load_record(name) for name in names]
    sizes = samples or sorted({r.samples for record in records for r in record.results})
    window = (sizes[0], sizes[-1])
    return Choice(records, list(sizes), curve, window, names[0], names[-1],
                  every=records, filtered=names, base=names[0])  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_every_kind_of_record_is_shown(view: str) -> None:
    for names in (("study", "v5-small"), ("v5-published", "v6-published"), ("v5-small",)):
        html = shown(VIEWS[view](choice(*names)))
        assert ('download="table.csv"' in html and "<table>" in html) or "同じ" in html


@pytest.mark.parametrize("curve", CURVES)
def test_every_curve_ends_where_its_record_ends(curve: str) -> None:
    view = VIEWS["曲線"](choice("study", "v6-small", curve=curve, samples=(50, 100)))
    x, column = CURVES[curve]
    rows: list[dict[str, Any]] = view.rows.to_dict("records")  # type: ignore[assignment]
    results = [r for r in load_record("study").results if r.samples == 100]
    values: dict[str, list[Any]] = {"train_tokens": [getattr(r, column, None) for r in results]}
    values["iteration"] = [r.phase1.get(column, [None])[-1] for r in results]
    values["epoch"] = [r.phase2.get(column, [None])[-1] for r in results]
    found = [row for row in rows if (row["run"], row["samples"]) == ("study", 100)]
    if all(value is None for value in values[x]):  # a column that this record does not know
        assert found == []
        return
    (own,) = found
    longest = [r.phase2["epoch"][-1] for r in results]
    if x == "epoch":  # seeds stop early; the end is that of the longest
        values["epoch"] = [v for v, n in zip(values["epoch"], longest, strict=True)
                           if n == max(longest)]  # fmt: skip
    logged = column in METRICS and METRICS[column].logged  # as in every table
    mean = (geometric_mean if logged else fmean)(values[x])
    assert own["mean"] == pytest.approx(mean)
    assert own["min"] == min(values[x]) and own["max"] == max(values[x])


def test_curves_have_a_band_over_seeds_and_a_line_per_run_and_size() -> None:
    view = VIEWS["曲線"](choice("study", "v5-small", curve="収束率（反復）", samples=(25, 100)))
    assert view.figure is not None
    ax = view.figure.axes[0]
    assert len(ax.get_legend_handles_labels()[1]) == 4
    assert len(ax.collections) == 2  # the study has three seeds
    assert ax.lines[0].get_xdata()[0] == 2  # type: ignore[index]
    looks = {(line.get_color(), str(line.get_linestyle())) for line in ax.lines[::2]}
    assert len(looks) == 4


@pytest.mark.parametrize("view", ["曲線", "ER と PPL", "α", "結果"])
def test_runs_of_different_texts_stand_together_with_a_note_alone(view: str) -> None:
    mixed = VIEWS[view](choice("v5-small", "v6-small", "v5-published"))
    assert (
        "`v5-published` は `v5-small` と" in mixed.text
        and "`v6-small`" not in (mixed.text.split("が違う")[0])
    )
    if mixed.figure:
        assert "テキストの違う実行を含む" in mixed.figure.axes[0].get_title()
    alike = VIEWS[view](choice("v5-small", "v6-small"))
    assert "注意" not in alike.text
    assert not alike.figure or "違う" not in alike.figure.axes[0].get_title()


def test_values_are_logarithmic_where_they_can_be() -> None:
    wanted = replace(choice("v5-small", curve="Val PPL（トークン）"), log=True)
    view = VIEWS["曲線"](wanted)
    assert view.figure and view.figure.axes[0].get_yscale() == "log" and "対数" not in view.text
    ticks = [label.get_text() for label in view.figure.axes[0].get_yticklabels()]
    assert ticks and all(re.fullmatch(r"[\d,.]+", text) for text in ticks if text)
    view = VIEWS["曲線"](replace(wanted, curve="多様性の項（diversity term）（反復）"))
    assert view.figure and view.figure.axes[0].get_yscale() == "linear"
    assert "対数目盛にはできない" in view.text


def test_the_overview_is_sorted_and_has_the_differences_of_a_comparison() -> None:
    every = choice("study", "v5-small", "v6-small", "v5-published")
    view = VIEWS["一覧"](replace(every, base="v5-small", sort="val_ppl"))
    ppl = view.rows["val_ppl"].tolist()
    assert ppl == sorted(ppl) and len(ppl) == 4
    own = view.rows.set_index("run")
    c = load_comparison("v5-small", "v6-small")
    assert own.loc["v6-small", "val_ppl_difference"] == c["val_ppl"].difference
    assert own.loc["study", "samples"] == 100  # the largest that both have
    assert own.loc[["v5-small", "v5-published"], "val_ppl_difference"].isna().all()
    ranks = VIEWS["一覧"](replace(every, sort="val_er")).rows["val_er"].tolist()
    assert ranks == sorted(ranks, reverse=True)  # the best first
    gains = VIEWS["一覧"](replace(every, base="v5-small", sort="val_acc_difference")).rows
    known = gains["val_acc_difference"].dropna().tolist()
    assert known == sorted(known, reverse=True) and gains["run"].tolist()[-1] in every.filtered
    few = VIEWS["一覧"](replace(every, filtered=("study",)))
    assert few.rows["run"].tolist() == ["study"]
    assert "絞り込みに合う実行がない" in VIEWS["一覧"](replace(every, filtered=())).text


def test_the_filter_narrows_the_lists_and_keeps_what_is_chosen() -> None:
    made = explorer.Explorer(load_records())
    made.controls["runs"].value, made.controls["base"].value = ("v5-small",), "v5-small"
    made.controls["filter"].value = "PUBLISHED v6"
    assert [*made.controls["runs"].options] == ["v5-small", "v6-published"]
    assert made.controls["runs"].value == ("v5-small",)
    made.controls["view"].value = "一覧"
    assert "v6-published" in made.shown.value and "study" not in made.shown.value
    made.controls["filter"].value = ""
    assert len(made.controls["runs"].options) == 5


def test_figures_speak_english_where_that_is_chosen_and_nowhere_else() -> None:
    made = explorer.Explorer(load_records())
    saved: list[str] = []
    real = explorer.svg

    def noting(figure: Figure, hints: tuple[str, ...]) -> str:
        saved.append(figures.described(figure))
        return real(figure, hints)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explorer, "svg", noting)
        made.controls["lang"].value = "en"
    assert "validation perplexity" in saved[-1]
    assert said("反復") == "反復"


def test_settings_show_differences_only() -> None:
    rows = VIEWS["設定の違い"](choice("v5-small", "v6-small")).rows
    assert rows["パラメータ"].tolist() == ["max_iter", "gradient_clip"]
    assert rows["v6-small"].tolist() == ["100", "2.0"]
    assert "同じ" in VIEWS["設定の違い"](choice("v5-small")).text


def test_alpha_is_that_of_the_window() -> None:
    wide = choice("v5-small")
    view = VIEWS["α"](Choice(wide.records, wide.samples, wide.curve, (25, 200), "", ""))
    rows = frame(wide.records)
    own = rows[rows["samples"].between(25, 200)]
    fit = fit_power_law(own["train_tokens"].tolist(), own["val_ppl"].tolist())
    assert view.rows["alpha"].tolist() == pytest.approx([fit.alpha])
    assert f"{fit.alpha:.4f}" in view.text and view.rows[["first", "last"]].values.tolist() == [
        [25, 200]
    ]
    few = VIEWS["α"](Choice(wide.records, wide.samples, wide.curve, (50, 200), "", ""))
    assert few.rows.empty and "α はサイズが 4 以上" in few.text


def test_points_of_er_and_ppl_name_their_run() -> None:
    view = VIEWS["ER と PPL"](choice("v5-small", "study"))
    assert view.figure is not None
    drawing = svg(view.figure, view.hints)
    titles = re.findall(r"<title>(.*?)</title>", drawing, re.DOTALL)
    assert len(titles) == len(view.rows) == 7
    result = next(r for r in load_record("v5-small").results if r.samples == 200)
    assert f"v5-small、200 サンプル、n=1\nVal ER {100 * result.val_er:.1f}%、" in "".join(titles)  # type: ignore[operator]
    assert "study、25 サンプル、n=8" in "".join(titles)


def test_a_b_is_the_text_of_the_report() -> None:
    text = VIEWS["A/B 比較"](choice("v5-published", "v6-published")).text
    whole = report.render(load_comparison("v5-published", "v6-published"))
    assert text.splitlines() == [
        line for before, line in zip(["", *whole.splitlines()], whole.splitlines(), strict=False)
        if not line.startswith("![") and not before.startswith("![")
    ]  # fmt: skip
    assert "## 検証" in text and "![" not in text


def test_files_hold_what_is_shown() -> None:
    chosen = choice("v5-small", curve="Phase 1 損失（反復）", samples=(25,))
    view = VIEWS["曲線"](chosen)
    table = pd.read_csv(io.StringIO(csv(view)))
    last = traces(chosen.chosen)["loss"].iloc[-1]
    assert table["mean"].tolist() == [last] and f"{last:.4f}" in view.text
    assert view.figure is not None
    drawing = svg(view.figure)
    assert drawing.startswith("<svg") and "<text" not in drawing  # needs no font
    html = shown(view)
    names = re.findall(r'download="(.*?)" href="data:(.*?);base64,', html)
    assert names == [("table.csv", "text/csv"), ("table.md", "text/markdown"),
                     ("figure.svg", "image/svg+xml"), ("figure.png", "image/png")]  # fmt: skip
    assert not plt.get_fignums()


def test_a_control_changes_what_is_shown_and_hides_what_does_not_bear_on_it() -> None:
    made = explorer.Explorer(load_records())
    made.controls["runs"].value = ("v6-small",)
    before = made.shown.value
    made.controls["samples"].value = (100,)
    result = next(r for r in load_record("v6-small").results if r.samples == 100)
    assert f"{result.val_ppl:,.1f}" in made.shown.value != before
    assert made.controls["a"].layout.display == "none"
    made.controls["view"].value = "A/B 比較"
    assert made.controls["a"].layout.display is None
    assert made.controls["runs"].layout.display == "none"
    made.controls["a"].value, made.controls["b"].value = "v5-published", "v6-published"
    assert "検証" in made.shown.value
    (runs() / "v6-published.json").unlink()
    made.controls["a"].value = "v5-small"
    assert "There is no record reports/runs/v6-published.json" in made.shown.value


def test_the_choice_outlives_the_cell() -> None:
    first = explorer.Explorer(load_records())
    first.controls["runs"].value = ("study", "v5-small")
    first.controls["view"].value = "α"
    first.controls["window"].value = (50, 200)
    (runs() / "study.json").unlink()
    again = explorer.Explorer(load_records())
    assert again.controls["runs"].value == ("v5-small",)
    assert again.controls["view"].value == "α"
    assert again.controls["window"].value == (50, 200)


def test_nothing_chosen_is_no_error() -> None:
    made = explorer.Explorer(load_records())
    made.controls["runs"].value = ()
    for view in VIEWS:
        made.controls["view"].value = view
        assert "保存" in made.shown.value


def test_a_hundred_records_are_shown_within_three_seconds() -> None:
    record = load_record("v5-small")
    for number in range(100):
        record.model_copy(update={"name": f"run-{number:03}"}).save()
    start = time.process_time()  # of this process alone, on a machine that may be busy
    explorer.show()
    assert time.process_time() - start < 3


def test_without_records_it_says_so() -> None:
    for path in runs().glob("*.json"):
        path.unlink()
    with pytest.raises(Exception, match="There is no readable record in reports/runs yet"):
        explorer.show()
