"""The published report comes back: every numeric cell of its tables, classed and counted."""

import re
from collections import Counter
from dataclasses import dataclass

import pytest

from fpcore import load_comparison
from fpcore.analysis.checks.of_records import written_report
from fpcore.paths import ROOT
from fpcore.reports.comparison import raw_data, report, sections

DOCUMENT = (ROOT / "reports" / "published" / "v5-vs-v6.md").read_text("utf-8")
NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Cell:
    """A numeric cell of the document beside ours: the numbers printed in each."""

    line: int
    title: str
    printed: list[str]
    ours: list[str]


pytestmark = pytest.mark.usefixtures("committed")


def tables(text: str) -> list[list[tuple[int, list[str]]]]:
    """The tables of a Markdown text: line number and cells of each row, the head first."""
    found: list[list[tuple[int, list[str]]]] = [[]]
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("|"):
            cells = [re.sub(r"[*`]", "", cell).strip() for cell in line.strip("|").split("|")]
            if not set("".join(cells)) <= set("-: "):
                found[-1].append((number, cells))
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def walk(document: str = DOCUMENT) -> list[Cell]:
    """Pair every cell of the document's tables that holds a number with ours, in order."""
    rendered = report.render(load_comparison("v5-published", "v6-published"))
    own = [t for t in tables(rendered) if not t[0][1][0].startswith("反復")]
    theirs = tables(document)
    assert len(own) == len(theirs)
    cells = []
    for mine, printed in zip(own, theirs, strict=True):
        assert len(mine) == len(printed)
        for (_, row), (line, cells_printed) in zip(mine[1:], printed[1:], strict=True):
            assert len(row) == len(cells_printed)
            titles = printed[0][1]
            for title, a, b in list(zip(titles, cells_printed, row, strict=True))[1:]:
                if NUMBER.search(a):
                    cells.append(Cell(line, title, NUMBER.findall(a), NUMBER.findall(b)))
    return cells


def recorded() -> set[float]:
    """Every number of the published records."""
    texts = [
        (ROOT / "reports" / "runs" / f"{name}-published.json").read_text("utf-8")
        for name in ("v4", "v5", "v6")
    ]
    return {float(number) for text in texts for number in re.findall(r"-?\d+(?:\.\d+)?", text)}


def kind(cell: Cell, known: set[float], slips: str) -> str:
    if cell.printed != cell.ours:
        return "slip" if re.search(rf"\b{cell.line}(?:、\d+)* 行", slips) else "unexplained"
    value = float(cell.printed[0].replace(",", ""))
    scales = (1, 1 / 100, 60)
    is_figure = len(cell.printed) == 1 and "差分" not in cell.title and "変更" not in cell.title
    copied = is_figure and any(
        abs(value * scale - other) < 1e-9 for scale in scales for other in known
    )
    return "copied" if copied else "derived"


def test_every_cell_is_copied_derived_or_a_slip() -> None:
    c = load_comparison("v5-published", "v6-published")
    slips = " ".join(written_report(c.records).details)
    cells, known = walk(), recorded()
    counts = Counter(kind(cell, known, slips) for cell in cells)
    print(dict(counts))
    assert counts == {"copied": 44, "derived": 26, "slip": 2}
    wrong = [cell for cell in cells if cell.printed != cell.ours]
    assert [(cell.printed, cell.ours) for cell in wrong] == [
        (["+0.021"], ["+0.022"]),
        (["+0.018"], ["+0.019"]),
    ]


def test_a_changed_cell_is_not_explained() -> None:
    """What 検証 does not list cannot pass as a slip."""
    changed = DOCUMENT.replace("| 227.0 | 234.7 |", "| 227.0 | 234.9 |")
    assert changed != DOCUMENT
    slips = " ".join(
        written_report(load_comparison("v5-published", "v6-published").records).details
    )
    kinds = Counter(kind(cell, recorded(), slips) for cell in walk(changed))
    assert kinds["unexplained"] == 1


def test_the_trace_is_the_printed_one() -> None:
    c = load_comparison("v5-published", "v6-published")
    shown = sections.convergence(c)
    for iteration, rate, loss in re.findall(r"Iter (\d+): conv=(\d+%), loss=(-[\d.]+)", DOCUMENT):
        row = next(line for line in shown.splitlines() if line.startswith(f"| {iteration} "))
        assert f" {rate} " in row and f" {loss} " in row
    assert "(50 サンプル)" in shown and "(800 サンプル)" in shown and "互いに比べられない" in shown


def test_raw_data_are_the_printed_blocks() -> None:
    c = load_comparison("v5-published", "v6-published")
    for record, name in ((c.a, "v5"), (c.b, "v6")):
        printed = DOCUMENT.split(f"### {name} 詳細結果")[1].split("```")[1]
        ours = raw_data.raw(record).split("```text")[1].split("```")[0]
        assert [line.split() for line in printed.strip().splitlines()] == [
            line.split() for line in ours.strip().splitlines()
        ]


def test_alpha_progression_is_the_printed_one() -> None:
    ours = raw_data.progression(load_comparison("v5-published", "v6-published"))
    printed = DOCUMENT.split("### Alpha Progression")[1]
    lines = [re.sub(r"(\d)-(\d)", r"\1–\2", x) for x in printed.splitlines() if x[:2] == "- "]
    assert len(lines) == 6
    for line in lines:
        assert line in ours.splitlines(), line


def test_sections_stand_in_the_published_order() -> None:
    text = report.render(load_comparison("v5-published", "v6-published"))
    order = (
        "## 実験条件の違い,**共通条件**,## 結果サマリー,### 1. Effective Rank,### 2. PPL,### 3. α,"
        "### 4. Phase 1 収束の推移,## パラメータ変更の影響分析,## 結論と推奨設定,### ER-PPL相関,"
        "### 今後の検討,## 生データ,## 検証"
    ).split(",")
    places = [text.index(title) for title in order]
    assert places == sorted(places)


def test_unknown_figures_are_dashes_never_zeros() -> None:
    c = load_comparison("v4-published", "v5-published")
    rows = {
        line.split("|")[1].strip(): line for line in sections.summary(c).splitlines() if "|" in line
    }
    for name in ("Val Acc", "Train ER", "Phase 1 収束率"):
        assert rows[name].split("|")[2].strip() == "–" and rows[name].split("|")[4].strip() == "–"
    assert "nan" not in report.render(c).lower() and "None" not in report.render(c)
