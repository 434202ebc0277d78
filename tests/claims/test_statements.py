"""Sentences about the tables of a report: right ones are silent, and each slip is found."""

from pathlib import Path

import pytest

from fpcore.claims import check_report

HERE = Path(__file__)
REPORT = HERE.with_name("statements.md").read_text("utf-8")
# Of each line: the place of a sentence in the report, the right sentence, and one with a slip.
SENTENCES = HERE.with_name("statements.txt").read_text("utf-8").splitlines()


def report(section: str, sentence: str) -> str:
    first, second = (sentence, "") if section == "1" else ("", sentence)
    return REPORT.format(first=first, second=second)


@pytest.mark.parametrize("line", SENTENCES)
def test_a_right_sentence_is_silent_and_a_slip_is_found(line: str) -> None:
    section, right, wrong = line.split("|")
    assert check_report(report(section, f"- {right}")) == []
    found = check_report(report(section, f"- {wrong}"))
    at = report(section, f"- {wrong}").splitlines().index(f"- {wrong}") + 1
    assert found and all(at in f.lines for f in found)
