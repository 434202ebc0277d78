"""The rule 算術 for shares of counts: 「12/40 (30%)」, 「40 件中 12 件（30%）」."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fpcore.claims.document import Report
from fpcore.claims.finding import Finding

_PERCENT = r"(?P<percent>\d+(?:\.(?P<decimals>\d+))?)\s?%"
_PART, _WHOLE = r"(?P<part>\d[\d,]*)", r"(?P<whole>\d[\d,]*)"
_THINGS = "件|個|回|問|例|サンプル|トークン"
_FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?<![\d./,-]){_PART}\s?/\s?{_WHOLE}\s?(?:{_THINGS}|タスク|実験|シード|runs?)?"
        rf"\s*[(=:,は]*\s*{_PERCENT}(?!\s*(?:CI|信頼|区間|conf))",
        rf"(?<![\d.,/]){_PART}\s+(?:out\s+)?of\s+(?:the\s+)?{_WHOLE}\s*"
        rf"[^\W\d]*(?:\s[^\W\d]+){{0,2}}\s*\(\s*{_PERCENT}\s*\)",
        rf"(?<![\d.]){_PERCENT}[^()%\d]{{0,30}}\(\s*{_PART}\s?/\s?{_WHOLE}\s*\)",
        rf"(?<![\d.]){_WHOLE}\s?(?P<thing>{_THINGS}|文|語)\s?(?:の?うち|中)の?、?\s?{_PART}"
        rf"\s?(?P=thing)?\s*\(\s*{_PERCENT}",
    )
]
_DATE = re.compile(r"\d年|月")


@dataclass(frozen=True)
class Share:
    """A part of a whole, both counts, and the percentage that is printed of them."""

    text: str
    part: float
    whole: float
    percent: float
    decimals: int

    @property
    def due(self) -> float:
        """Return the percentage that the counts give."""
        return 100 * self.part / self.whole

    @property
    def right(self) -> bool:
        """Say whether the percentage is that of the part or the rest, rounded or cut."""
        half = 10.0**-self.decimals / 2
        gap = self.due - self.percent
        cut = half if self.decimals else 2 * half
        rest = abs(100 - self.due - self.percent) <= half + 1e-9
        return -half - 1e-9 <= gap <= cut + 1e-9 or rest


def share_slips(report: Report, text: str, line: int) -> Iterator[Finding]:
    """Yield the shares of a text that their counts do not give."""
    for share in _shares(text):
        report.count()
        if not share.right:
            yield _wrong(report, share, line)


def _shares(text: str) -> Iterator[Share]:
    for m in (m for form in _FORMS for m in form.finditer(text)):
        part, whole = (float(m[k].replace(",", "")) for k in ("part", "whole"))
        if 0 <= part <= whole and whole >= 2 and not _DATE.search(text):
            yield Share(m[0].strip(), part, whole, float(m["percent"]), len(m["decimals"] or ""))


def _wrong(report: Report, share: Share, line: int) -> Finding:
    due = f"{share.part:,.0f}/{share.whole:,.0f}", f"{share.due:.{max(1, share.decimals)}f}%"
    text = report.say(
        f"「{share.text}」は {due[0]} = {due[1]} と合わない（{line} 行）。",
        f"'{share.text}': {due[0]} is {due[1]} (line {line}).",
    )
    return Finding("算術", (line,), text)
