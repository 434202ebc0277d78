"""The examples of what must be silent and what must be found, in small reports."""

from pathlib import Path

import pytest
import yaml

from fpcore.claims import check_report

EXAMPLES = yaml.safe_load(Path(__file__).with_name("examples.yaml").read_text("utf-8"))
SILENT, FOUND = EXAMPLES["silent"], EXAMPLES["found"]


def report(block: str) -> str:
    return f"# 実験の報告\n\n## 結果\n\n{block}\n"


@pytest.mark.parametrize("block", SILENT.values(), ids=SILENT)
def test_what_is_right_is_silent(block: str) -> None:
    assert check_report(report(block)) == []


@pytest.mark.parametrize("block", FOUND.values(), ids=FOUND)
def test_a_slip_is_found_once(block: str) -> None:
    assert len(check_report(report(block))) == 1


def test_findings_are_in_the_language_of_the_report() -> None:
    (found,) = check_report("# Report\n\n- The PPL fell from 52.0 to 50.0 (-5.8%).\n")
    assert found.text.startswith("'-5.8%' does not follow from 52.0 and 50.0")
    assert found.lines == (3,)
