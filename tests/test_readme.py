"""What the README shows is what the committed records say."""

import re

import pytest

from fpcore.analysis.comparison import compare_runs
from fpcore.paths import ROOT
from fpcore.records.record import load_record
from fpcore.reports.comparison import sections

README = (ROOT / "README.md").read_text(encoding="utf-8")
PARAMS = (ROOT / "params" / "README.md").read_text(encoding="utf-8")
JAPANESE = (ROOT / "README.ja.md").read_text(encoding="utf-8")


def rows(table: str) -> dict[str, list[float]]:
    """The values of both runs by metric; times are left out, for they depend on the machine."""
    lines = [line.split("|")[1:4] for line in table.splitlines() if line.startswith("| ")][1:]
    values = {name.strip(): [re.sub("[,%]", "", cell) for cell in cells] for name, *cells in lines}
    return {name: [float(v) for v in cells] for name, cells in values.items() if "時間" not in name}


@pytest.mark.usefixtures("committed")
def test_the_table_is_the_summary_of_the_records() -> None:
    """To 3 %: a machine that trains the records anew may round differently."""
    c = compare_runs(load_record("v5-small"), load_record("v6-small"))
    shown = re.search(r"<!-- summary -->\n(.*?)\n<!-- /summary -->", README, re.DOTALL)
    assert shown is not None
    want = rows(sections.summary(c).split("\n\n")[0])
    got = rows(shown.group(1))
    assert got.keys() == want.keys()
    for name, values in got.items():
        assert values == pytest.approx(want[name], rel=0.03), name


@pytest.mark.parametrize("text", [README, JAPANESE], ids=["English", "Japanese"])
def test_links_lead_somewhere(text: str) -> None:
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {"", *(heading.lower().replace(" ", "-") for heading in headings)}
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        assert (ROOT / (file or "README.md")).is_file(), target
        assert anchor in anchors, target


def test_ci_runs_the_commands_of_the_readme() -> None:
    """By their names, and no other; each is one line to copy."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    names = re.findall(r'^run "([^"]+)" "\$\(commands "\1"\)"', script, re.MULTILINE)
    assert names == ["test command", "system tests"]
    assert re.findall(r"pytest .*", script) == ['pytest -m system --last-failed"']  # once more
    for name in names:
        block = re.search(rf"<!-- {name} -->\n```bash\n(.*)\n```\n", README)
        assert block is not None and " pytest " in f" {block.group(1)}"
    for check in ("pip install -r requirements.txt", "ruff check .", "mypy", "lint-imports"):
        assert f"{check} && " in README


def findings() -> list[str]:
    """The points of what the book found, each with links to the reports that it is from.

    Among them is why the small setting's embedding is what it is.
    """
    told = re.search(r"\*\*What it found\*\*.*?\n\n(.*?)\n\n", README, re.DOTALL)
    assert told is not None
    why = re.search(r"^- (\*\*Why `ppmi-frequency`.*?)\n- ", PARAMS, re.DOTALL | re.MULTILINE)
    assert why is not None
    points = re.split(r"^- ", told.group(1), flags=re.MULTILINE)[1:]
    return [" ".join(point.split()) for point in [*points, why.group(1).replace("../", "")]]


@pytest.mark.parametrize("point", findings(), ids=lambda point: point[:30])
def test_figures_of_the_findings_stand_in_the_reports_that_they_name(point: str) -> None:
    """Rounded as the README does, and whatever their sign: "3 % worse" is +2.9 % there."""
    paths = re.findall(r"\]\((reports/[^)]+)\)", point)
    assert paths
    text = " ".join((ROOT / path).read_text("utf-8") for path in paths)
    known = [abs(float(n.replace(",", ""))) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]
    words = re.sub(r"\]\([^)]+\)", "", point)
    for figure in re.findall(r"\d+(?:\.\d+)?", words):
        assert any(rounded(n, figure) for n in known), f"{figure} in {point}"
    ends = re.findall(r"\[[-+]?([\d.]+)%?, [-+]?([\d.]+)%?\]", text)
    for low, high in re.findall(r"\[-?([\d.]+), -?([\d.]+)\]", words):
        both = [[rounded(float(a), low), rounded(float(b), high)] for a, b in ends]
        turned = [[rounded(float(b), low), rounded(float(a), high)] for a, b in ends]
        assert [True, True] in both + turned, f"[{low}, {high}] in {point}"


def rounded(value: float, figure: str) -> bool:
    """Whether a figure is a value to the digits that it has."""
    return round(value, len(figure.partition(".")[2])) == float(figure)
