"""The sentences of a report: their numbers, arrows and comparisons, subjects and words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from fpcore.facts import Fact, Line, Number, Report, numbers_in
from fpcore.terms import (
    METRIC,
    METRICS,
    SENSES,
    SIZE,
    STEP,
    TERMS,
    WORD,
    alternatives,
    family,
    mention,
    metric_in,
    window_in,
)

ARROW = re.compile(r"\s*(?:(→|⇒|->|=>|から)|vs\.?|対)\s*", re.IGNORECASE)
LEVEL_ENDS = re.compile(r"\s*(?:$|[)、,;とがは]|で(?!の)|に(?!比)|まで|へ|だ)")
NEGATED = re.compile(r".{0,5}?(?:ない|ません|なかった|せず|\bnot\b)")
_WINDOWS = re.compile(alternatives(TERMS["columns"]["window"]))
REFERRED = re.compile(r"\s*(?:の[^、]{0,20})?(?:より|に比|と比|に対)")


@dataclass(frozen=True)
class Pair:
    """「A→B」 (arrow), or two numbers that are compared, that of the subject first."""

    first: Number
    second: Number
    arrow: bool

    @property
    def ends(self) -> list[Number]:
        """Return the two numbers in the order in which they are printed."""
        return sorted((self.first, self.second), key=lambda n: n.start)

    @property
    def text(self) -> str:
        """Return the pair as findings quote it."""
        return f"{self.first.text}{'→' if self.arrow else ' vs '}{self.second.text}"


@dataclass(frozen=True)
class Sentence:
    """A sentence, its pairs and its other numbers, and the run that is its subject."""

    line: Line
    text: str
    pairs: list[Pair]
    singles: list[Number]
    subject: str | None

    @property
    def size(self) -> int | None:
        """Return the size that it names, or else the headings above it."""
        return mention(SIZE, self.text) or self.line.size

    @property
    def step(self) -> int | None:
        """Return the iteration that it names."""
        return mention(STEP, self.text)

    def metric(self, number: Number) -> str | None:
        """Return the metric that is named last before a number, or else first behind it."""
        return metric_in(self.text[: number.start], -1) or metric_in(self.text[number.end :])

    def known(self, facts: list[Fact], metric: str, run: str | None = None) -> list[Fact]:
        """Return the facts that it may speak of: of its metric, size, iteration and window."""
        window = window_in(self.text) if _WINDOWS.search(self.text) else None
        return [
            f
            for f in facts
            if f.metric in family(metric)
            and run in (None, f.run)
            and (self.size is None or f.size in (None, self.size))
            and self.step in (None, f.step)
            and window in (None, f.window)
        ]

    def fact(self, metric: str, run: str, number: Number) -> Fact:
        """Return what it says of a run, as a fact of its size and iteration."""
        return Fact(metric, run, number, self.line.no, self.size, self.step)


def sentences(report: Report) -> Iterator[Sentence]:
    """Yield the sentences of text lines and headings, with what they compare."""
    for line in report.lines:
        for text in line.text.split("。") if line.kind in ("text", "heading") else []:
            masked = report.run.sub(lambda m: "＊" * len(m[0]), text)
            numbers = numbers_in(masked)
            pairs = [
                Pair(replace(a, unit=a.unit or b.unit), b, bool(m[1]))
                for a, b in pairwise(numbers)
                if (m := ARROW.fullmatch(masked, a.end, b.start))
            ]
            paired = {n.start for p in pairs for n in (p.first, p.second)}
            singles = [n for n in numbers if n.start not in paired]
            names = {m[0] for m in report.run.finditer(text) if not REFERRED.match(text, m.end())}
            subject = names.pop() if len(names) == 1 else None
            yield Sentence(line, text, pairs + _compared(text, singles), singles, subject)


def _compared(text: str, singles: list[Number]) -> list[Pair]:
    """Read 「A は B より…」 and 「B より A の方が…」: two values, one of them the reference."""
    ends = [n for n in singles if LEVEL_ENDS.match(text, n.end) or REFERRED.match(text, n.end)]
    levels = {n.start: METRICS.get(metric_in(text[: n.start], -1) or "", {}) for n in ends}
    found = [n for n in ends if n.text[0] not in "+-±" or levels[n.start].get("signed")]
    reference = [n for n in found if REFERRED.match(text, n.end)]
    if len(found) != 2 or len(reference) != 1 or found[0].unit != found[1].unit:
        return []
    return [Pair(next(n for n in found if n not in reference), reference[0], False)]


def direction_word(s: Sentence, first: Number, last: Number) -> tuple[str, str] | None:
    """Return the direction word of a number or pair and its sense; None if denied or missing."""
    text, opened = s.text, s.text.rfind("(", 0, first.start)
    ends = [p.second.end for p in s.pairs]
    inside = opened > text.rfind(")", 0, first.start)
    anchor = opened if inside else first.start
    left = max([text.rfind("、", 0, anchor) + 1, *(end for end in ends if end <= anchor)])
    stops = [text.find("、", last.end), *(m.start() for m in METRIC.finditer(text, last.end))]
    right = min((i for i in stops if i >= 0), default=len(text))
    before = list(WORD.finditer(text, left, anchor))[-1:]
    after = list(WORD.finditer(text, last.end, right))[:1]
    found = (before or after) if inside else (after or before)
    if not found or NEGATED.match(text, found[0].end()):
        return None
    return found[0][0], SENSES[found[0][0].lower()]


def pair_before(s: Sentence, n: Number) -> Pair | None:
    """Return the arrow pair that a difference belongs to: the last one before it, if near."""
    for pair in reversed([p for p in s.pairs if p.arrow and p.second.end <= n.start]):
        between = s.text[pair.second.end : n.start]
        return None if METRIC.search(between) or "、" in between.split("(")[0] else pair
    return None


def signed(s: Sentence, report: Report) -> list[Number]:
    """Return the differences of a sentence between the runs, told by their sign."""
    found = []
    for n in s.singles:
        metric = s.metric(n)
        level = n.text[0] == "-" and METRICS.get(metric or "", {}).get("signed")
        rate = s.text[n.end : n.end + 1] == "/"
        delta = "Δ" in s.text[: n.start] or s.subject == report.runs[0]
        if metric and n.text[0] in "+-" and not (level or rate or delta):
            found.append(n)
    return found


def across(pair: Pair, s: Sentence, report: Report, facts: list[Fact], metric: str) -> bool:
    """Say whether 「A→B」 leads from the first run to the second, by their values at the end."""
    known = s.known(facts, metric)
    for run, n in zip(report.runs[:2], (pair.first, pair.second), strict=True):
        owners = [f for f in known if f.number.agrees(n)]
        if owners and not any(f.run == run and f.step is None for f in owners):
            return False
    return True
