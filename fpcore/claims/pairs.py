"""The rules 算術 and 方向 for sentences that print both operands beside what they say of them.

「A は B の x 倍」, 「A は B より x% 高い」, 「A と B の差は x」, 「A > B」, and chains.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from fpcore.claims.arithmetic import (
    BASE_B,
    RATIO,
    Kind,
    fits,
    kinds_for,
)
from fpcore.claims.chains import ABOUT
from fpcore.claims.document import Report, Sentence
from fpcore.claims.finding import Finding
from fpcore.claims.quantities import Number, numbers_in
from fpcore.claims.remarks import remark_slips
from fpcore.claims.terms import METRIC, WORD
from fpcore.claims.verdicts import unborne

_IS = re.compile(r"\)?\s*(?:is|was|has)\s*")
_LESS = re.compile(
    r"\s*(?:[^\d()<>=→|]{0,3}|\([^()\d]*\))?\)?\s*([<>])=?\s*(?:[^<>()=→,。、|+×*/]{0,20}[\s(:=])?"
)
_THAN = re.compile(
    rf"\)?\s*(?:の[^\d、。]{{0,12}})?(?:より|に比べて?|に対して?|と比べて?"
    rf"|と比較して)も?[、]?\s*(?:[^\d、。]{{0,12}}が\s*)?{ABOUT}"
)
_OF = re.compile(rf"\)?\s*の\s*{ABOUT}")
_GAP_IS = re.compile(
    rf"\)?\s*(?:の|との)?(?:間の)?(?:差分?|ギャップ|gap|difference)(?:は|が|:|=|\s)*{ABOUT}",
    re.IGNORECASE,
)
_EARLIER = re.compile(
    r"\s*[^\W\d]{0,5}\(\s*(?:先週|先月|昨日|前日|前回|従来|旧|before|previously|was)"
    r"[^\d()、,;]{0,10}",
    re.IGNORECASE,
)
_THEN = re.compile(r"\s*[^\W\d]{0,5}\s*[、,;]\s*")
_AND = re.compile(r"[^、。\d]*(?:と|vs\.?|対|and|、)[^、。\d]*", re.IGNORECASE)


def pair_slips(report: Report) -> Iterator[Finding]:
    """Yield the slips of sentences that print their own operands."""
    for s in report.sentences:
        numbers = numbers_in(s.text)
        if len(numbers) > 1 and len(s.text) <= 5000:
            yield from remark_slips(report, s, numbers)
            yield from _inequalities(report, s, numbers)
            yield from _comparisons(report, s, numbers)


def _inequalities(report: Report, s: Sentence, numbers: tuple[Number, ...]) -> Iterator[Finding]:
    """Check 「815 > 847」."""
    for a, b in pairwise(numbers):
        m = _LESS.fullmatch(s.text, a.end, b.start)
        if not m or a.unit != b.unit or a.ranged or b.ranged or min(a.digits, b.digits) < 2:
            continue
        if re.search(
            r"[-=<>]$|if |もし|条件|閾値|しきい値|threshold", s.text[: a.start].rstrip()[-12:]
        ):
            continue
        if s.text[m.start(1) - 1] in "-=" or (a.value - b.value) * (1 if m[1] == ">" else -1) >= 0:
            continue
        text = report.say(
            f"「{a.text} {m[1]} {b.text}」は成り立たない（{s.line} 行）。",
            f"'{a.text} {m[1]} {b.text}' does not hold (line {s.line}).",
        )
        yield Finding("方向", (s.line,), text)


def _comparisons(report: Report, s: Sentence, numbers: tuple[Number, ...]) -> Iterator[Finding]:
    """Check 「A は B の x 倍」, 「A は B より x% 高い」 and 「A と B の差は x」."""
    triples = list(zip(numbers, numbers[1:], numbers[2:], strict=False))
    triples += [(a, b, d) for a, d, b in triples if _than_english(s.text, a, d, b)]
    for a, b, d in triples:
        if any(n.ranged or n.spread for n in (a, b, d)) or a.about or b.about or a.unit != b.unit:
            continue
        if a.counter or b.counter or d.counter or a.signed != b.signed:
            continue
        kinds = _compared(s.text, a, b, d)
        report.count(bool(kinds))
        if kinds and not any(fits(d, k, x, y, 0) for k, x, y in kinds):
            k, x, y = kinds[0]
            yield unborne(report, s, d, k, (x, y))


def _than_english(text: str, a: Number, d: Number, b: Number) -> bool:
    """Say whether a text reads 「… (a) is d% lower than … (b)」."""
    behind = rf"\s*(?:{WORD.pattern})\s+than\s+[^\d.;]{{0,24}}"
    than = re.compile(behind, re.IGNORECASE).fullmatch(text, d.end, b.start)
    return bool(than and d.unit == "%" and _IS.fullmatch(text, a.end, d.start))


def _compared(text: str, a: Number, b: Number, d: Number) -> list[tuple[Kind, Number, Number]]:
    if a.end <= d.start < b.start:
        return [(k, b, a) for k in kinds_for(d, b, a) if k is not BASE_B]
    between = text[a.end : b.start]
    subject = re.fullmatch(r"\)?\s*(?:は|が|で、)[^、。\d]{0,25}", between)
    if subject and d.unit == "x" and _OF.fullmatch(text, b.end, d.start):
        return [(RATIO, b, a)]
    if _EARLIER.fullmatch(between) and _THEN.fullmatch(text, b.end, d.start) and d.signed:
        return [(k, b, a) for k in kinds_for(d, b, a) if k is not BASE_B]
    word = re.compile(rf"\s*({WORD.pattern})", re.IGNORECASE).match(text, d.end)
    if METRIC.search(text[b.end : d.start]):
        return []  # the numbers may be keys: 「0.1 は 0.2 より PPL が 5% 低い」
    if subject and word and d.unit in ("%", "", a.unit) and _THAN.fullmatch(text, b.end, d.start):
        return [(k, b, a) for k in kinds_for(d, b, a) if k is not BASE_B]
    if _AND.fullmatch(between) and _GAP_IS.fullmatch(text, b.end, d.start):
        close = re.match(
            r"\s*(?:\)|である|です|と|で|、|,|$|しか|も|に|ポイント|だっ)", text[d.end :]
        )
        return [(k, a, b) for k in kinds_for(d, a, b)] if close else []
    return []
