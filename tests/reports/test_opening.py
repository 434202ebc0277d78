"""Every report opens with three lines: what was changed, what can be said, what to do next."""

import re
from typing import Any

import pytest
from bs4 import BeautifulSoup
from helpers.records import record, result, run, scaled, seeded
from helpers.studies import evidence
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcore import compare_runs
from fpcore.book import index
from fpcore.book.pages import record_page, report_page
from fpcore.paths import reports
from fpcore.records.record import RunRecord
from fpcore.reports import baselines, comparison, one_run, scaling, study
from fpcore.reports.study import answers

ONE_SEED = "確からしさは判定できない"


def three(text: str) -> list[str]:
    """The lines of the opening, by their texts; several points of a line stand below it."""
    lines = re.findall(r"^- \*\*.+(?:\n  - .+)*", text, re.MULTILINE)[:3]
    labels = [re.match(r"(?s)- \*\*([^*]+)\*\*:\s+(.+)。$", line) for line in lines]
    assert len(labels) == 3 and all(labels)
    assert [m[1] for m in labels if m][1:] == ["言えること", "次にすること"]
    return [m[2] for m in labels if m]


def texts() -> dict[str, str]:
    """A report of every kind."""
    a, b = run("a"), scaled(run("b", {"max_iter": 100}), "b", 1.1)
    return {
        "comparison": comparison.render(compare_runs(a, b)),
        "study": study.render(evidence("iterations", **{"study-max_iter100": {"gap": 0.02}})),
        "controls": study.render(evidence("controls")),
        "clips": study.render(evidence("gradient-clip")),
        "baselines": baselines.render([a], [b]),
    }


@pytest.mark.parametrize("kind", [*texts()])
def test_a_report_opens_with_three_lines(kind: str) -> None:
    text = texts()[kind]
    title, heading, lines, *_ = text.split("\n\n")
    assert title.startswith("# ") and heading == "## 要点"
    assert len([line for line in lines.splitlines() if not line.startswith("  - ")]) == 3
    three(lines)


def test_several_answers_are_a_list_below_their_line() -> None:
    lines = texts()["clips"].split("\n\n")[2].splitlines()
    assert [line[:4] for line in lines] == ["- **", "- **", "  - ", "  - ", "- **"]
    assert lines[1].endswith("**:") and "`gradient_clip`" in lines[2] and "収束率" in lines[3]


def test_tables_of_a_single_kind_open_so_too() -> None:
    for own in (run("a"), record("b", seed=None), seeded(run("c"), "c", {1: 0.0, 2: 1.0})):
        three(one_run.gist(own))
    three(scaling.gist([run("a"), record("b", val_ppl=None)]))


@settings(max_examples=30)
@given(st.integers(1, 3), st.floats(0.8, 1.25), st.sampled_from([0.7, 0.6]))
def test_one_seed_is_said_once_and_several_with_intervals(n: int, factor: float, er: float) -> None:
    shifts = {seed: float(seed) for seed in range(n)}
    a = seeded(run("a"), "a", shifts)
    b = seeded(scaled(run("b", {"max_iter": 100}, val_er=er), "b", factor), "b", shifts)
    text = comparison.render(compare_runs(a, b))
    said = three(text)[1]
    assert (text.count(ONE_SEED), ONE_SEED in said) == ((1, True) if n == 1 else (0, False))
    assert ("95 % 区間" in said) is (n > 1)


def test_what_is_wrong_is_done_first() -> None:
    short = run("b", {"max_iter": 100}, best_epoch=20, val_er=0.6)
    assert three(comparison.render(compare_runs(run("a"), short)))[2].startswith("`epochs` を増や")
    e = evidence("iterations", **{"study-max_iter100": {"best_epoch": 10_000}})
    what, said, following = three(study.render(e))
    assert "**答えない。**" in said and "`epochs` を増や" in following and "`max_iter`" in what


@given(st.lists(st.sampled_from([-0.1, 0.0, 0.1]), min_size=5, max_size=5))
def test_a_verdict_holds_for_the_sizes_that_it_names(gaps: list[float]) -> None:
    """A control may help at one size and harm at another: the answer says so of every size."""
    sizes = (25, 50, 100, 200, 400)
    e = evidence("controls", **{"study-contextszero": {"gap": dict(zip(sizes, gaps, strict=True))}})
    said = answers.in_short(e).split("zero に対して")[1]
    words = {0.1: "役に立つと言える", -0.1: "害になると言える", 0.0: "まったく同じ"}
    for gap, word in words.items():
        own = [n for n, g in zip(sizes, gaps, strict=True) if g == gap]
        named = "全 5 サイズ" if len(own) == 5 else f"{', '.join(map(str, own))} サンプル"
        assert (f"{named}で{word}" in said) is bool(own), said
        assert (word in said) is bool(own)


@given(st.integers(1, 6))
def test_no_exponent_from_fewer_than_four_sizes(n: int) -> None:
    """Neither its value nor a direction; from four on both, with an interval."""
    sizes = [25, 50, 100, 200, 400, 800][:n]
    a, b = (cut(name, sizes, slope) for name, slope in (("a", -0.3), ("b", -0.2)))
    c = compare_runs(a, b)
    said, row = comparison.alpha(c), one_run.fits_table([a]).splitlines()[2]
    assert bool(re.search("急峻|緩やか", said)) is (n > 3)
    assert ("-0.3000" in row) is (n > 3) and ("± 0.000" in one_run.gist(a)) is (n > 3)
    assert ("| α（" in comparison.summary(c)) is (n > 3)
    assert ("α = " in comparison.progression(c)) is (n > 3)
    assert ("α（" in index._run(a)) is (n > 3)


def cut(name: str, sizes: list[int], slope: float) -> RunRecord:
    """A run whose PPL is an exact power law at some sizes."""
    own = [result(n, val_ppl=1e4 * (450 * n) ** slope, train_tokens=450 * n) for n in sizes]
    return run(name, {} if name == "a" else {"max_iter": 100}).model_copy(update={"results": own})


def test_cards_show_the_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    for name, text in texts().items():
        path = reports() / name / "report.md"
        path.parent.mkdir(parents=True)
        path.write_text(text, "utf-8")
        card = BeautifulSoup(index._card_of(report_page(path), {}), "html.parser").get_text()
        said = re.sub(r"[-`*\s]", "", three(text)[1])
        assert re.sub(r"[-\s]", "", card).startswith(said[:40])
    assert "サンプルで Val PPL" in index._answer(record_page(run("a")))
