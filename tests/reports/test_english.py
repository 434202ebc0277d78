"""Reports in English: the same sentences by the same rules, for the same numbers."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.variety import records as varied

from fpcore.analysis.comparison import compare_runs, load_comparison
from fpcore.language import speaking
from fpcore.language.spoken import JAPANESE
from fpcore.records.frames import frame
from fpcore.records.record import RunRecord, load_records
from fpcore.reports import one_run
from fpcore.reports.comparison import report

CODE = re.compile(r"^```.*?^```|(`+).+?\1", re.DOTALL | re.MULTILINE)
NUMBER = r"\d+(?:[.,]\d+)*"
# A plural after 1, and a sentence that does not begin with a capital.
SLIPS = re.compile(r"(?<![\d.,])1 (conversation|seed|run|size|point|check)s\b|[a-z)]\. [a-z]")
PAIRS = [
    ("v5-small", "v6-small", []),
    ("v5-published", "v6-published", []),
    ("study", "study-max_iter100-dist_reg_weight0.5", ["study-max_iter100"]),
    ("lstm-small", "study", ["kneser-ney-own", "study-contextszero"]),
]
pytestmark = pytest.mark.usefixtures("committed")


def of_run(record: RunRecord) -> str:
    """What the notebook of a run says."""
    parts = [one_run.gist(record), one_run.checked(record).listed()]
    return "\n\n".join([*parts, one_run.runs_table(frame([record])), one_run.fits_table([record])])


def alike(write: Callable[[], str], own: tuple[str, ...] = ()) -> str:
    """Write a report in both languages, hold them against each other, and return the English.

    `own` are texts of the user's, which are quoted as they stand.
    """
    japanese = write()
    with speaking("en"):
        english = write()
    assert write() == japanese  # the language stays where it is spoken
    plain = CODE.sub("", english)
    for text in own:
        plain = plain.replace(text, "")
    assert [line for line in plain.splitlines() if JAPANESE.search(line)] == []
    first, second = (Counter(re.findall(NUMBER, text)) for text in (japanese, english))
    assert first == second, (first - second, second - first)
    assert not SLIPS.search(plain)
    return english


@pytest.mark.parametrize(("a", "b", "others"), PAIRS, ids=str)
def test_comparisons_of_committed_records(a: str, b: str, others: list[str]) -> None:
    alike(lambda: report.render(load_comparison(a, b, others)))


@pytest.mark.parametrize("seed", range(30))
def test_comparisons_and_runs_of_every_sort(seed: int) -> None:
    runs = varied(seed)
    alike(lambda: report.render(compare_runs(runs[0], runs[1], runs[2:])))
    alike(lambda: "\n\n".join(map(of_run, runs)))


def test_runs_of_committed_records() -> None:
    alike(lambda: "\n\n".join(map(of_run, load_records())))


def test_an_english_report_is_written_beside_the_japanese_one(home: Path) -> None:
    runs = varied(0)
    c = compare_runs(runs[0], runs[1], runs[2:])
    written = report.write(c)
    before = {path: path.read_bytes() for path in written.parent.iterdir() if path.is_file()}
    with speaking("en"):
        english = report.write(c)
    assert english == written.parent / "en" / "report.md"
    assert all(path.read_bytes() == content for path, content in before.items())
    page = english.with_suffix(".html").read_text("utf-8")
    assert '<html lang="en">' in page and "<summary>Contents</summary>" in page
    assert not JAPANESE.search(CODE.sub("", english.read_text("utf-8")))
    for path in english.parent.glob("params/*.yaml"):
        assert f"reports/{english.parent.parent.name}/en/params/{path.name}" in english.read_text()
