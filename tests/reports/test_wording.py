"""The Japanese of reports, notebooks and templates, as far as rules can tell it."""

import re
from pathlib import Path

import pytest
from helpers.records import edited, run, scaled
from helpers.studies import evidence
from hypothesis import given
from hypothesis import strategies as st

from fpcore import notation
from fpcore.analysis.checks.of_records import bending, duplicates
from fpcore.metric import METRICS
from fpcore.paths import ROOT
from fpcore.reports import study

# What is not to be written, and what to write instead.
WORDS = {
    r"[1-9]\d+ つ": "個, from ten on",
    r"\d 歩|歩目|歩の(後|変化)|1 歩": "ステップ",
    "スケーリング係数": "スケーリング指数",
    "基準モデル": "ベースライン",
    "作業者": "ワーカー",
    r"(?<![A-Za-z])進み(?=[\"'|（])": "進捗",
    "どこまで固定点か": "文脈はどこまで固定点に近づいたか",
    "（シード1）": "once, in 要点",
}
SOURCES = sorted(
    path
    for folder in ("fpcore/analysis", "fpcore/reports", "fpcore/book", "fpcore/runs", "notebooks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".ipynb", ".j2", ".js"}
)
# Print is somebody else's; what is executed anew with the records follows these.
WRITTEN = sorted(
    path
    for path in [*(ROOT / "reports").rglob("*.md"), ROOT / "README.md", ROOT / "README.ja.md"]
    if "published" not in path.parent.name and "html" not in path.parts
)


@pytest.mark.parametrize("path", [*SOURCES, *WRITTEN], ids=lambda p: str(p.relative_to(ROOT)))
def test_words(path: Path) -> None:
    text = path.read_text("utf-8")
    found = {m[0]: f"write {better}" for word, better in WORDS.items()
             for m in re.finditer(word, text)}  # fmt: skip
    assert not found


@given(st.integers(0, 10_000))
def test_things_are_counted_by_their_number(n: int) -> None:
    assert notation.counted(n) == (f"{n} つ" if n < 10 else f"{n} 個")


@given(st.floats(-200, 200), st.floats(-200, 200), st.integers(0, 3))
def test_an_end_of_an_interval_shows_its_side_of_zero(low: float, high: float, digits: int) -> None:
    """Whoever reads the interval sees what is said of it; no more digits than that takes."""
    shown = notation.ends(low, high, digits)
    for value, text in zip((low, high), shown, strict=True):
        if abs(value) > 1e-6:
            assert text[0] == ("+" if value > 0 else "-"), (value, text)
    if min(abs(low), abs(high)) >= 10**-digits:
        assert [len(text.partition(".")[2]) for text in shown] == [digits] * 2
    assert notation.ends(0.0, 12.34, 1) == ["±0.0", "+12.3"]
    assert notation.ends(-0.04, 12.34, 1) == ["-0.04", "+12.34"]


@given(st.lists(st.sampled_from([1.0, 1.1, 1.2]), min_size=2, max_size=8))
def test_equal_runs_are_named_once(factors: list[float]) -> None:
    """However many there are: one sign of equality between each and the next."""
    runs = [scaled(run("x"), f"r{i}", f) for i, f in enumerate(factors)]
    said = duplicates(runs)
    twice = {f: [f"r{i}" for i, g in enumerate(factors) if g == f] for f in factors}
    for names in twice.values():
        assert (" = ".join(names) in said.evidence) is (len(names) > 1)
    assert said.evidence.count(" = ") == len(factors) - len(twice)
    assert len(twice) == len(factors) or f"n={len(twice)}" in said.evidence


def test_what_changes_nothing_takes_one_line() -> None:
    """Of a clip and an interaction that do nothing, each metric need not be told."""
    e = evidence("two-factors", **{
        name: {"gap": 0.02, "val_er": 0.6}
        for name in ("study-max_iter100", "study-max_iter100-gradient_clip2.0")
    })  # fmt: skip
    rows = [line for line in study.report.effects(e).splitlines() if line.startswith("| `")]
    same = [row for row in rows if row.rstrip(" |").endswith("同じ")]
    assert [("すべての指標" in row) for row in same] == [False, True, True]
    moved = {METRICS[m].label for m in e.metrics} - {*same[0].split("|")[2].strip().split("、")}
    assert moved == {row.split("|")[2].strip() for row in rows if row not in same}
    assert {"Val PPL", "Val ER"} <= moved and len(rows) < 2 * len(e.metrics)
    table = study.report.results(e).split("\n\n")[0].splitlines()[2:]
    assert len(table) == 2 and "、" in table[0]  # four runs, two by two the same


def test_single_findings_of_equal_text_share_a_line() -> None:
    runs = [edited(scaled(run(n), n, f), results=scaled(run(n), n, f).results[:2])
            for n, f in (("a", 1.0), ("b", 1.1))]  # fmt: skip
    assert bending(runs).details == ("a、b: n=2 では、α も曲がりも調べられない",)
