"""Generated reports: right ones are silent; of the slips that are put in, most are found."""

from collections import Counter

import pytest
from helpers.claims_family import draw, with_slip

from fpcore.claims import check_report


def examined(seeds: range) -> tuple[list[int], Counter[str], Counter[str]]:
    """Return the seeds of right reports with findings, and the slips found and put in, by kind."""
    alarms, found, planted = [], Counter[str](), Counter[str]()
    for seed in seeds:
        report = draw(seed)
        alarms += [seed] if check_report(report.text) else []
        for kind, old, new in report.slips:
            planted[kind] += 1
            found[kind] += bool(check_report(with_slip(report, old, new)))
    return alarms, found, planted


def judge(seeds: range) -> None:
    alarms, found, planted = examined(seeds)
    assert alarms == []
    assert len(planted) >= 18
    assert found.total() >= 0.8 * planted.total()
    assert {kind: n for kind, n in planted.items() if found[kind] <= 0.6 * n} == {}


def test_a_few_reports() -> None:
    judge(range(40))


def test_more_right_reports_are_silent() -> None:
    assert [seed for seed in range(2000, 2200) if check_report(draw(seed).text)] == []


@pytest.mark.slow
def test_many_reports() -> None:
    judge(range(2000))
