"""Reports of many styles in which nothing is wrong, and those that the book itself writes."""

import random
import subprocess
from itertools import permutations
from pathlib import Path

import pytest

from fpcore.analysis.comparison import compare_runs
from fpcore.claims import check_report
from fpcore.errors import FpcoreError
from fpcore.paths import ROOT
from fpcore.records.record import load_record
from fpcore.reports.comparison import report

SILENT = Path(__file__).with_name("silent.md").read_text("utf-8").split("\n=====\n")
REPORTS = sorted((ROOT / "reports").glob("**/report.md"))


@pytest.mark.parametrize("text", SILENT, ids=[t.splitlines()[0] for t in SILENT])
def test_a_right_report_of_any_style_is_silent(text: str) -> None:
    assert check_report(text) == []


@pytest.mark.parametrize("path", REPORTS, ids=[str(p.parent.relative_to(ROOT)) for p in REPORTS])
def test_what_the_book_writes_passes_its_own_checker(path: Path) -> None:
    assert check_report(path.read_text("utf-8")) == []


@pytest.mark.usefixtures("committed")
def test_a_comparison_of_any_two_records_passes() -> None:
    names = sorted(path.stem for path in (ROOT / "reports" / "runs").glob("*.json"))
    pairs = [*permutations(names, 2)]
    random.Random(0).shuffle(pairs)
    written = {}
    for a, b in pairs[:60]:
        try:
            written[a, b] = report.render(compare_runs(load_record(a), load_record(b)))
        except FpcoreError:  # they have no size in common
            continue
    assert len(written) > 20
    assert {pair: found for pair, text in written.items() if (found := check_report(text))} == {}


def test_no_committed_report_is_left_out() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "reports/**/report.md"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("this is no checkout")
    assert {ROOT / line for line in listed.stdout.split()} <= set(REPORTS)
