"""Check a Markdown report against itself: `check_report`, or `python -m fpcore.claims FILE`.

Three rules, each in its room:

- 算術 (`differences`): a printed difference follows from the two numbers that it compares;
- 方向 (`directions`): a direction word agrees with the order, or the sign, of its numbers;
- 二つの値 (`conflicts`): a quantity has one value, and a value belongs to the run it is said of.

They know words (`terms.yaml`) but no number: a printed number stands for the interval that its
rounding allows, and a finding is only what no reading of the report allows.
"""

import sys
from pathlib import Path

from fpcore.conflicts import attributions, conflicts, levels
from fpcore.differences import (
    column_differences,
    stated_differences,
    statement_differences,
    window_differences,
)
from fpcore.directions import comparisons, directions
from fpcore.errors import FpcoreError
from fpcore.facts import Fact, Finding, read_facts, read_report
from fpcore.statements import sentences

__all__ = ["ClaimsError", "Finding", "check_report", "main"]


class ClaimsError(FpcoreError):
    """A report cannot be read."""


def check_report(text: str) -> list[Finding]:
    """Return the slips of a report, in the order of their lines."""
    report = read_report(text)
    facts = read_facts(report)
    findings, differences = column_differences(report)
    findings += window_differences(report, facts)
    said: list[Fact] = []
    for s in sentences(report):
        for check in (statement_differences, attributions):
            found, values = check(s, report, facts)
            findings, said = findings + found, said + values
        for rule in (directions, stated_differences, comparisons, levels):
            findings += rule(s, report, facts)
    findings += conflicts(facts + differences + said)
    first = {f: f.line if isinstance(f.line, int) else f.line[0] for f in findings}
    return sorted(first, key=lambda f: first[f])


def main(arguments: list[str]) -> int:
    """Print the findings on one file; 0: none, 1: some, 2: the file cannot be read."""
    try:
        findings = check_report(_read(arguments))
    except ClaimsError as error:
        print(error, file=sys.stderr)
        return 2
    for f in findings:
        line = f.line if isinstance(f.line, int) else ",".join(map(str, f.line))
        print(f"{arguments[0]}:{line}: [{f.rule}] {f.text}")
    print(f"指摘 {len(findings)} 件")
    return 1 if findings else 0


def _read(arguments: list[str]) -> str:
    if len(arguments) != 1:
        raise ClaimsError("Give one Markdown file: python -m fpcore.claims FILE.")
    try:
        return Path(arguments[0]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimsError(f"Cannot read the report {arguments[0]}: {error}.") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
