"""What a careful reader would check before believing a comparison, by rule.

Each check takes records (the first two are the compared pair) and returns one `Check`: a verdict,
the evidence, and what would settle the matter. None of them knows a number of any run.
"""

from collections.abc import Callable

from fpcore.analysis.checks.check import Check, Verdicts
from fpcore.analysis.checks.of_pairs import factor_without_effect, one_factor, seeds, trace_sizes
from fpcore.analysis.checks.of_records import (
    bending,
    duplicates,
    early_stop,
    environments,
    er_and_ppl,
    same_rows,
    same_text,
    trace_ends,
    written_report,
)
from fpcore.records.record import RunRecord

CHECKS: tuple[Callable[[list[RunRecord]], Check], ...] = (
    one_factor,
    factor_without_effect,
    environments,
    duplicates,
    trace_sizes,
    trace_ends,
    er_and_ppl,
    seeds,
    early_stop,
    same_text,
    same_rows,
    bending,
    written_report,
)


def run_checks(records: list[RunRecord]) -> Verdicts:
    """Return the outcome of every check on the records, the compared pair first."""
    return Verdicts(tuple(check(records) for check in CHECKS))
