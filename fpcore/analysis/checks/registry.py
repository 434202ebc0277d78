"""All checks, in the order of reports, and their outcomes."""

from fpcore.analysis.checks import of_data, of_pairs, of_records  # noqa: F401  (they register themselves)
from fpcore.analysis.checks.check import REGISTERED, Verdicts
from fpcore.records.record import RunRecord

CHECKS = sorted(REGISTERED, key=lambda check: check.place)


def check_alone(record: RunRecord) -> Verdicts:
    """Return the outcome of every check that says something of a single run."""
    return Verdicts(tuple(check.rule([record]) for check in CHECKS if check.alone))


def run_checks(records: list[RunRecord]) -> Verdicts:
    """Return the outcome of every check on the records, the compared pair first."""
    return Verdicts(tuple(check.rule(records) for check in CHECKS))
