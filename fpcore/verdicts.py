"""The outcome of a check: a verdict, the evidence, and what would settle the matter."""

from dataclasses import dataclass
from typing import Literal

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
