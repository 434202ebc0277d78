"""The commands of the README's first hour, as they are written."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from fpcore.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
JAPANESE = (ROOT / "README.ja.md").read_text(encoding="utf-8")


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
