"""What the README shows is what the committed records say."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fpcore.analysis.comparison import compare_runs
from fpcore.paths import ROOT
from fpcore.records.record import load_record
from fpcore.reports.comparison import sections

README = (ROOT / "README.md").read_text(encoding="utf-8")
JAPANESE = (ROOT / "README.ja.md").read_text(encoding="utf-8")


def rows(table: str) -> dict[str, list[float]]:
    """The values of both runs by metric; times are left out, for they depend on the machine."""
    lines = [line.split("|")[1:4] for line in table.splitlines() if line.startswith("| ")][1:]
    values = {name.strip(): [re.sub("[,%]", "", cell) for cell in cells] for name, *cells in lines}
    return {name: [float(v) for v in cells] for name, cells in values.items() if "時間" not in name}


def test_the_table_is_the_summary_of_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """To 3 %: a machine that trains the records anew may round differently."""
    monkeypatch.setenv("FPCORE_HOME", str(ROOT))
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


def first_hour(text: str) -> list[str]:
    """The commands of the first hour."""
    block = re.search(r"<!-- first hour -->\n```bash\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return block.group(1).splitlines()


def test_the_first_hour_compares_a_changed_knob_with_the_default(tmp_path: Path) -> None:
    """The commands as they are written, after the install, in a folder like a fresh clone."""
    install, *commands = first_hour(README)
    assert "pip install -r requirements.txt" in install and len(commands) <= 3
    assert first_hour(JAPANESE) == [install, *commands]
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    (tmp_path / "reports" / "runs").mkdir(parents=True)
    shutil.copy(ROOT / "reports" / "runs" / "v5-small.json", tmp_path / "reports" / "runs")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=os.environ | {"FPCORE_HOME": str(tmp_path), "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
    report = (tmp_path / "reports" / "v5-small-vs-longer" / "report.md").read_text("utf-8")
    assert re.search(r"`max_iter` *\| *60 \| *100 \|", report) and "`gradient_clip` |" not in report
    index = (tmp_path / "reports" / "html" / "index.html").read_text("utf-8")
    assert 'href="v5-small-vs-longer/report.html"' in index and 'href="runs/longer.html"' in index
