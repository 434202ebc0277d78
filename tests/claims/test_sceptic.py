"""Right reports in the styles of a sceptic are silent; of the slips put into them, most are found.

`sceptic.md` holds the reports; below each, the slips that are put in, one at a time: a kind, and
what is written for what.
"""

from collections import Counter
from pathlib import Path

import pytest

from fpcore.claims import check_report

CASES = [
    case.partition("\n-----\n")
    for case in Path(__file__).with_name("sceptic.md").read_text("utf-8").split("\n=====\n")
]
FLOOR = 0.79  # of all slips: 199 of 249 are found


@pytest.mark.parametrize("text", [c[0] for c in CASES], ids=[c[0].splitlines()[0] for c in CASES])
def test_a_right_report_is_silent(text: str) -> None:
    assert check_report(text) == []


def test_most_slips_are_found() -> None:
    found, planted = Counter[str](), Counter[str]()
    for text, _, slips in CASES:
        for line in slips.splitlines():
            kind, _, edit = line.partition(": ")
            old, new = edit.split(" ⟹ ")
            assert text.count(old) == 1 and old != new, line
            planted[kind] += 1
            found[kind] += bool(check_report(text.replace(old, new)))
    assert planted.total() >= 249
    assert found.total() >= FLOOR * planted.total(), {k: (found[k], planted[k]) for k in planted}
