"""Reports in English: the same sentences by the same rules, for the same numbers."""

import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import studies
from helpers.diagnoses import diagnosis
from helpers.looks import seen
from helpers.searches import searched
from helpers.variety import records as varied

from fpcore import Study, gather, gather_search
from fpcore.analysis.comparison import compare_runs, load_comparison
from fpcore.language import speaking, spoken
from fpcore.language.spoken import JAPANESE
from fpcore.records.frames import frame
from fpcore.records.record import RunRecord, load_record, load_records
from fpcore.reports import baselines, fixed_point, look, one_run, scaling, search, study
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
    assert spoken() == "ja"
    assert english == written.parent / "en" / "report.md"
    assert all(path.read_bytes() == content for path, content in before.items())
    page = english.with_suffix(".html").read_text("utf-8")
    assert '<html lang="en">' in page and "<summary>Contents</summary>" in page
    assert not JAPANESE.search(CODE.sub("", english.read_text("utf-8")))
    for path in english.parent.glob("params/*.yaml"):
        assert f"reports/{english.parent.parent.name}/en/params/{path.name}" in english.read_text()


@pytest.mark.parametrize("name", ["contexts", "controls", "dist-reg-weight", "gradient-clip"])
def test_studies_of_committed_records(name: str) -> None:
    plan = Study.load(name)
    alike(lambda: study.render(gather(plan)), (plan.title, plan.question))


@pytest.mark.parametrize("name", ["controls", "two-factors", "gradient-clip"])
@pytest.mark.parametrize("seed", range(4))
def test_studies_of_every_sort(name: str, seed: int) -> None:
    english = alike(lambda: study.render(studies.varied(name, seed)))
    assert not re.search(r"\b(inf|nan)\b", english)


def of_scaling(records: list[RunRecord]) -> str:
    """What the notebook of scaling laws says."""
    parts = [scaling.gist, scaling.laws_table, scaling.local_table, scaling.held_out_table]
    return "\n\n".join(part(records) for part in [*parts, scaling.windows_table])


@pytest.mark.parametrize("seed", range(8))
def test_scaling_and_baselines_of_every_sort(seed: int) -> None:
    first, *others = varied(seed)
    alike(lambda: of_scaling([first, *others]))
    alike(lambda: baselines.render([first], others))
    alike(lambda: baselines.render([first, *others], []))


def test_scaling_and_baselines_of_committed_records() -> None:
    alike(lambda: scaling.coverage_table([]))
    alike(lambda: of_scaling([load_record(name) for name in ("v5-published", "v6-small")]))
    runs = [load_record(name) for name in ("study", "study-contextsuntrained")]
    others = [load_record(name) for name in ("kneser-ney-own", "lstm-small", "lstm-small-free")]
    alike(lambda: baselines.render(runs, others))


@pytest.mark.parametrize(
    "given", [(0.8, 0.1, -1.2), (1.05, 0.1, -0.5), (0.5, 1e-9, -2.0), (math.nan, 1e-12, -1.05)]
)
def test_diagnoses_of_every_sort(given: tuple[float, float, float]) -> None:
    alike(lambda: fixed_point.render(diagnosis(*given)))


@pytest.mark.parametrize("kinds", ["trained zero", "zero trained", "trained", "untrained trained"])
@pytest.mark.parametrize("gain", [0.5, 0.0, -0.5])
def test_looks_of_every_sort(kinds: str, gain: float) -> None:
    compared = len(kinds.split())
    english = alike(lambda: look.render(seen(kinds, compared, gain)))
    assert not JAPANESE.search(english)  # nor among what shows over a token


def test_a_search(home: Path, tmp_path: Path) -> None:
    plan = searched(tmp_path)
    alike(lambda: search.render(gather_search(plan)), (plan.title, plan.question))


def test_an_english_study_lies_beside_the_japanese_one(home: Path) -> None:
    paths = [study.write(studies.varied("controls", 0))]
    before = paths[0].read_bytes()
    with speaking("en"):
        paths.append(study.write(studies.varied("controls", 0)))
    assert paths[1] == paths[0].parent / "en" / "report.md" and paths[0].read_bytes() == before
    for path in paths:
        assert path.with_name("study.png").is_file() and path.with_name("report.html").is_file()
