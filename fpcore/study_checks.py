"""The checks on a study: those of a pair are put to every run beside the base."""

from collections.abc import Callable

from fpcore import checks
from fpcore.evidence import Evidence
from fpcore.records import RunRecord
from fpcore.tables import Markdown
from fpcore.verdicts import OK, ORDER, Check

Rule = Callable[[list[RunRecord]], Check]
OF_A_PAIR: tuple[Rule, ...] = (
    checks.one_factor,
    checks.factor_without_effect,
    checks.trace_sizes,
    checks.seeds,
)


def study_checks(e: Evidence) -> Markdown:
    """Return the outcomes of all checks as a Markdown list, the worst first."""
    rules = [(rule, rule in OF_A_PAIR) for rule in checks.CHECKS]
    return checks.listed(
        [_of_pairs(rule, e) if paired else rule([e.base, *e.varied]) for rule, paired in rules]
    )


def _of_pairs(rule: Rule, e: Evidence) -> Check:
    """Return the worst verdict over the pairs with the base, and what was found in each."""
    found = {
        record.name: rule([e.base, record, *(r for r in e.varied if r is not record)])
        for record in e.varied
    }
    if not found:
        return rule([e.base])
    bad = {name: check for name, check in found.items() if check.verdict != OK}
    title = next(iter(found.values())).title
    if not bad:
        return Check(title, OK, f"基準との {len(found)} 個の比較のどれでも")
    settle = "、".join(dict.fromkeys(check.settle for check in bad.values()))
    return Check(
        title,
        max((check.verdict for check in bad.values()), key=ORDER.index),
        f"基準との {len(found)} 個の比較のうち {len(bad)} 個",
        settle,
        tuple(f"{name}: {check.evidence}" for name, check in bad.items()),
    )
