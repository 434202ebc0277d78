"""The checker: it reads a report and applies each rule."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass

from fpcore.claims.beside import Beside, besides
from fpcore.claims.bold import bold_slips
from fpcore.claims.bounds import bound_slips, range_slips
from fpcore.claims.changes import change_slips
from fpcore.claims.columns import column_slips
from fpcore.claims.comparisons import comparison_slips
from fpcore.claims.conflicts import conflicts, unequal_columns
from fpcore.claims.counts import count_slips
from fpcore.claims.document import Report, read_report
from fpcore.claims.entries import entry_slips
from fpcore.claims.equations import equation_slips
from fpcore.claims.extremes import extreme_slips
from fpcore.claims.facts import Fact, read_facts
from fpcore.claims.finding import Finding
from fpcore.claims.names import Index
from fpcore.claims.pairs import pair_slips
from fpcore.claims.ranks import rank_slips
from fpcore.claims.statements import statement_slips
from fpcore.claims.totals import total_slips
from fpcore.claims.windows import window_slips


@dataclass(frozen=True)
class Examination:
    """What was found in a report, and what was read of it."""

    findings: list[Finding]
    report: Report
    facts: list[Fact]


def examine(text: str) -> Examination:
    """Read a report and apply all rules; findings are in the order of their lines.

    Python's search for unreachable cycles is off meanwhile: there are none, and on a long report
    it takes half of the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _examined(text)
    finally:
        if collecting:
            gc.enable()


def _examined(text: str) -> Examination:
    report = read_report(text)
    facts = read_facts(report)
    index = Index(report, facts)
    clauses = [index.clause(s) for s in report.sentences]
    found = [
        *column_slips(report),
        *total_slips(report),
        *equation_slips(report),
        *pair_slips(report),
        *conflicts(report, facts),
        *unequal_columns(report),
        *window_slips(report, facts),
        *change_slips(report, index, facts, clauses),
        *comparison_slips(report, index, clauses),
        *entry_slips(report, clauses),
        *statement_slips(report, index, clauses),
        *(f for b in besides(report, clauses) for f in _beside(b, index)),
        *bold_slips(report),
    ]
    return Examination(sorted(dict.fromkeys(found), key=lambda f: f.lines), report, facts)


def _beside(b: Beside, index: Index) -> Iterator[Finding]:
    yield from extreme_slips(b, index)
    yield from count_slips(b)
    yield from rank_slips(b)
    yield from bound_slips(b)
    yield from range_slips(b)


def check_report(text: str) -> list[Finding]:
    """Return the slips of a Markdown report, in the order of their lines."""
    return examine(text).findings
