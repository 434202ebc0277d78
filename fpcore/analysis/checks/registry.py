"""All checks in the order of reports, and their outcomes."""

from collections.abc import Mapping, Sequence

from fpcore.analysis.checks import of_data, of_pairs, of_records  # noqa: F401  (they register themselves)
from fpcore.analysis.checks.check import (
    OK,
    ORDER,
    REGISTERED,
    Check,
    Registered,
    Verdicts,
    details,
)
from fpcore.analysis.comparison import Comparison
from fpcore.language import listed, said
from fpcore.records.record import RunRecord

CHECKS = sorted(REGISTERED, key=lambda check: check.place)


def check_alone(*records: RunRecord) -> Verdicts:
    """Return the outcome of every check that says something of single runs."""
    return Verdicts(tuple(check.rule([*records]) for check in CHECKS if check.alone))


def run_checks(records: list[RunRecord]) -> Verdicts:
    """Return the outcome of every check on the records, the compared pair first."""
    return Verdicts(tuple(check.rule(records) for check in CHECKS))


def beside_base(
    base: RunRecord, varied: Sequence[RunRecord], comparisons: Mapping[str, Comparison]
) -> Verdicts:
    """Return the outcome of every check on a base and what differs from it.

    Those of a pair are put to every run beside the base; `comparisons` are with it, by run.
    """
    own = [base, *varied]
    return Verdicts(
        tuple(
            _of_pairs(check, own, comparisons) if check.paired else check.rule(own)
            for check in CHECKS
        )
    )


def _of_pairs(
    check: Registered, own: list[RunRecord], comparisons: Mapping[str, Comparison]
) -> Check:
    """Return the worst verdict over the pairs with the base, and what was found in each."""
    base, *varied = own
    found = {
        name: check.of([base, c.whole[1], *(r for r in varied if r.name != name)], c)
        for name, c in comparisons.items()
    }
    if not found:
        return check.rule([base])
    bad = {name: check for name, check in found.items() if check.verdict != OK}
    title = next(iter(found.values())).title
    if not bad:
        return Check(title, OK, said("基準との {n} 個の比較のどれでも", n=len(found)))
    settle = listed(dict.fromkeys(check.settle for check in bad.values()))
    return Check(
        title,
        max((check.verdict for check in bad.values()), key=ORDER.index),
        said("基準との {n} 個の比較のうち {bad} 個", n=len(found), bad=len(bad)),
        settle,
        details((name, check.evidence) for name, check in bad.items()),
    )
