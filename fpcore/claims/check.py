"""The checker: it reads a report and applies each rule."""

from fpcore.claims.changes import change_slips
from fpcore.claims.columns import column_slips
from fpcore.claims.comparisons import comparison_slips
from fpcore.claims.conflicts import conflicts
from fpcore.claims.document import read_report
from fpcore.claims.facts import read_facts
from fpcore.claims.finding import Finding
from fpcore.claims.names import Index
from fpcore.claims.pairs import pair_slips


def check_report(text: str) -> list[Finding]:
    """Return the slips of a report, in the order of their lines."""
    report = read_report(text)
    facts = read_facts(report)
    index = Index(report, facts)
    clauses = [index.clause(s) for s in report.sentences]
    found = [*change_slips(report, index, facts), *comparison_slips(report, index, clauses), *column_slips(report), *pair_slips(report), *conflicts(report, facts)]
    return sorted(dict.fromkeys(found), key=lambda f: f.lines)
