"""The outcome of checks: a verdict each, the evidence, and what would settle the matter.

A check is a function of records, the compared pair first, with one of the decorators `of_pair` and
`of_records`; that alone puts it among those that are run.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from fpcore.analysis.comparison import Comparison
from fpcore.language import listed, passage, said, template
from fpcore.notation import Markdown
from fpcore.records.record import RunRecord

Verdict = Literal["問題なし", "注意", "誤り"]
OK: Verdict = template("問題なし")
CARE: Verdict = template("注意")
WRONG: Verdict = template("誤り")
ORDER = (OK, CARE, WRONG)  # from the best verdict to the worst


@dataclass(frozen=True)
class Check:
    """The outcome of one check; `settle` says what would turn it into 問題なし.

    `details` are single findings, where the evidence counts several.
    """

    title: str
    verdict: Verdict
    evidence: str
    settle: str = ""
    details: tuple[str, ...] = ()

    @property
    def item(self) -> str:
        """The outcome as an item of a Markdown list."""
        verdict = said(self.verdict)
        found = said("- **{verdict}**　{title}: {evidence}。",
                     verdict=verdict, title=self.title, evidence=self.evidence)  # fmt: skip
        cure = said("解消するには: {settle}。", settle=self.settle) if self.settle else ""
        return "\n".join([passage(found, cure), *(f"    - {detail}" for detail in self.details)])


def details(found: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return single findings, given by run; runs of which the same was found share one."""
    names: dict[str, list[str]] = {}
    for name, text in found:
        names.setdefault(text, []).append(name)
    return tuple(f"{listed(own)}: {text}" for text, own in names.items())


@dataclass(frozen=True)
class Verdicts:
    """The outcomes of all checks on some records."""

    checks: tuple[Check, ...]

    def listed(self) -> Markdown:
        """Return the outcomes as a Markdown list, the worst first."""
        worst = sorted(self.checks, key=lambda check: -ORDER.index(check.verdict))
        return Markdown("\n".join(check.item for check in worst))

    def counts(self) -> str:
        """Return how many checks came to each verdict, the worst first."""
        verdicts = [check.verdict for check in self.checks]
        return listed(f"{said(v)} {verdicts.count(v)}" for v in reversed(ORDER))

    def open(self) -> list[Check]:
        """Return the checks that something would settle, the worst first."""
        found = [check for check in self.checks if check.verdict != OK and check.settle]
        return sorted(found, key=lambda check: -ORDER.index(check.verdict))


Rule = Callable[..., Check]


@dataclass(frozen=True)
class Registered:
    """A check, its place in lists of checks, and whether it looks at the first two records alone.

    A check of a pair is put to every run of a study beside the base. One that `compares` takes the
    study's own comparison, too, so that it gives the verdicts of the tables beside it. One that
    tells something of a run `alone` is put to single runs, too.
    """

    place: int
    rule: Rule
    paired: bool
    compares: bool = False
    alone: bool = False

    def of(self, records: list[RunRecord], comparison: Comparison) -> Check:
        """Return the outcome on some records, of which the first two are compared."""
        return self.rule(records, comparison) if self.compares else self.rule(records)


REGISTERED: list[Registered] = []


def of_pair(place: int, compares: bool = False) -> Callable[[Rule], Rule]:
    """Register a check of the compared pair; further records are what it may look up."""
    return _registering(place, paired=True, compares=compares)


def of_records(place: int, alone: bool = False) -> Callable[[Rule], Rule]:
    """Register a check of all records; `alone`, one that says something of a single run, too."""
    return _registering(place, paired=False, alone=alone)


def _registering(place: int, **how: bool) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        REGISTERED.append(Registered(place, rule, **how))
        return rule

    return register
