"""The outcome of checks: a verdict each, the evidence, and what would settle the matter."""

from dataclasses import dataclass
from typing import Literal

from fpcore.notation import Markdown

Verdict = Literal["問題なし", "注意", "誤り"]
OK: Verdict = "問題なし"
CARE: Verdict = "注意"
WRONG: Verdict = "誤り"
ORDER = (OK, CARE, WRONG)  # the worst last


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
        text = f"- **{self.verdict}**　{self.title}: {self.evidence}。"
        text += f"解消するには: {self.settle}。" if self.settle else ""
        return "\n".join([text, *(f"    - {detail}" for detail in self.details)])


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
        return "、".join(f"{v} {verdicts.count(v)}" for v in reversed(ORDER))

    def open(self) -> list[Check]:
        """Return the checks that something would settle."""
        return [check for check in self.checks if check.verdict != OK and check.settle]
