"""The sentences of a report: their numbers, arrows and comparisons, subjects and words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from fpcore.facts import RUN, UNIT, Fact, Line, Number, Report, numbers_in
from fpcore.terms import (
    ALIASES,
    EVERY,
    GAP,
    METRIC,
    METRICS,
    SENSES,
    SETTING,
    SIZE,
    STEP,
    TERMS,
    VARIABLES,
    WORD,
    alternatives,
    family,
    mention,
    metric_in,
    number_words,
    window_in,
)

ARROW = re.compile(r"\s*(?:(→|⇒|->|=>|から|\bto\b)|vs\.?|対)\s*", re.IGNORECASE)
LEVEL_ENDS = re.compile(r"\s*(?:$|[)、,;とがは]|で(?!の)|に(?!比)|まで|へ|だ)")
NEGATED = re.compile(r".{0,5}?(?:ない|ません|なかった|せず|\bnot\b)")
REFERRED = re.compile(
    r"\s*(?:(?:の[^、はが\ue000-\uf8ff]{0,20})?(?:より|に比|と比|に対)|(?:から|→|->)|を[^、]*?(?:上回|下回))"
)
_AGAINST = re.compile(
    r"\b(?:than|to|with|against|over|from)\s+(?:that of\s+|the\s+)?$", re.IGNORECASE
)
_WINDOWS = re.compile(alternatives(TERMS["columns"]["window"]))
_ENDS = re.compile(r"。|(?<!vs)\.(?=\s|$)", re.IGNORECASE)
_COUNTED = re.compile(rf"\s*{number_words(TERMS['counted'])}", re.IGNORECASE)
_NAMED = rf"(?:{SETTING.pattern}|[A-Za-z]\w*_\w+)(?:\s*(?:の?値|数))?"
_SETTING = re.compile(rf"{_NAMED}(?:[をがはの=:(,]|\s)*$", re.IGNORECASE)
_NOUN = re.compile(
    r"([^\s、,;::()「」がはをもにでと]+)\s*[をがは]\s*$|([ァ-ヴー]{2,}|[一-龥]{2,})\s*$"
)
OWN = re.compile(rf"(?:{alternatives(TERMS['values'])}|{RUN.pattern})$")
_SEVERAL = re.compile(rf"\d\s*(?:[,、・/~-]|と|から|→)\s*(?:{SIZE.pattern})", re.IGNORECASE)


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
    reference: str | None = None

    @property
    def step(self) -> int | None:
        """Return the iteration that it names."""
        return mention(STEP, self.text)

    def size(self, number: Number) -> int | None:
        """Return the size named beside a number, else that of the headings; None where unclear."""
        part = part_of(self.text, number.start)
        if _SEVERAL.search(self.text) or (not SIZE.search(part) and SIZE.search(self.text)):
            return None
        return mention(SIZE, part) or self.line.size

    def metric(self, number: Number) -> str | None:
        """Return the metric that a number is said of: named before it, or joined to its end."""
        pair = next((p for p in self.pairs if number in (p.first, p.second)), None)
        first, last = pair.ends if pair else (number, number)
        before = list(METRIC.finditer(self.text, 0, first.start))
        if _COUNTED.match(self.text, last.end):
            return None
        joined = len(before) > 1 and self.text[before[-2].end() : before[-1].start()].strip()
        if joined in TERMS["joiners"]:
            return None
        if before:
            owned = foreign(self.text[before[-1].end() : first.start])
            return None if owned else ALIASES[before[-1][0].lower()]
        m = re.compile(rf"\s*(?:の|という|in|of)\s*({METRIC.pattern})", re.IGNORECASE)
        behind = m.match(self.text, last.end)
        return ALIASES[behind[1].lower()] if behind else None

    def known(
        self, facts: list[Fact], metric: str, run: str | None = None, at: Number | None = None
    ) -> list[Fact]:
        """Return the facts that it may speak of: of its metric, size, iteration and window."""
        window = window_in(self.text) if _WINDOWS.search(self.text) else None
        size = self.size(at) if at else None
        part = part_of(self.text, at.start) if at else self.text
        step = mention(STEP, part)
        return [
            f
            for f in facts
            if f.metric in family(metric)
            and run in (None, f.run)
            and (size is None or f.size in (None, size))
            and step in (None, f.step)
            and window in (None, f.window)
        ]

    def fact(self, metric: str, run: str, number: Number) -> Fact:
        """Return what it says of a run, as a fact of its size and iteration."""
        window = window_in(self.text) if _WINDOWS.search(self.text) else None
        return Fact(metric, run, number, self.line.no, self.size(number), self.step, window)

    def order(self, report: Report) -> list[str]:
        """Return the two runs from which, and to which, it leads."""
        named = [self.reference, self.subject]
        return [run for run in named if run] if all(named) else report.runs[:2]


def part_of(text: str, at: int) -> str:
    """Return the part of a sentence, between commas or brackets, that holds a place."""
    start = max(text.rfind(c, 0, at) for c in "、()") + 1
    ends = [i for c in "、()" if (i := text.find(c, at)) >= 0]
    return text[start : min(ends, default=len(text))]


def foreign(gap: str) -> bool:
    """Say whether what stands between a metric and a number gives the number to another thing."""
    if _SETTING.search(gap):
        return True
    m = _NOUN.search(gap)
    noun = (m[1] or m[2]) if m else ""
    known = OWN.search(noun) or WORD.search(noun) or noun.lstrip("の") in TERMS["differences"]
    return bool(noun) and noun not in TERMS["counters"] and not known


def sentences(report: Report) -> Iterator[Sentence]:
    """Yield the sentences of text lines and headings, with what they compare."""
    for line in report.lines:
        for text in _ENDS.split(line.text) if line.kind in ("text", "heading") else []:
            numbers = numbers_in(text)
            pairs = [
                Pair(replace(a, unit=a.unit or b.unit), b, bool(m[1]))
                for a, b in pairwise(numbers)
                if (m := ARROW.fullmatch(text, a.end, b.start)) and not _span(text, a, b)
            ]
            paired = {n.start for p in pairs for n in (p.first, p.second)}
            singles = [n for n in numbers if n.start not in paired]
            yield Sentence(
                line, text, pairs + _compared(text, singles), singles, *_roles(text, report)
            )


def _span(text: str, a: Number, b: Number) -> bool:
    """Say whether 「A から B」 is a range of differences."""
    close = re.search(r"から|to", text[a.end : b.start]) and change_word(text, b)
    return bool(a.text[0] in "+±" or b.text[0] in "+±" or is_difference(text, a) or close)


def _roles(text: str, report: Report) -> tuple[str | None, str | None]:
    """Return the run that is the subject, and the one that it is compared with."""
    roles: dict[bool, set[str]] = {False: set(), True: set()}
    for m in RUN.finditer(text):
        referred = REFERRED.match(text, m.end()) or _AGAINST.search(text, 0, m.start())
        roles[bool(referred)].add(report.names(m[0])[0])
    subject, reference = (names.pop() if len(names) == 1 else None for names in roles.values())
    return subject, reference


def _compared(text: str, singles: list[Number]) -> list[Pair]:
    """Read 「A は B より…」 and 「B より A の方が…」: two values, one of them the reference."""
    ends = [n for n in singles if LEVEL_ENDS.match(text, n.end) or REFERRED.match(text, n.end)]
    ends = [n for n in ends if not is_difference(text, n)]
    levels = {n.start: METRICS.get(metric_in(text[: n.start], -1) or "", {}) for n in ends}
    found = [n for n in ends if n.text[0] not in "+-±" or levels[n.start].get("signed")]
    reference = [n for n in found if REFERRED.match(text, n.end)]
    if len(found) != 2 or len(reference) != 1 or found[0].unit != found[1].unit:
        return []
    return [Pair(next(n for n in found if n not in reference), reference[0], False)]


@dataclass(frozen=True)
class Change:
    """A difference without a sign (「3 低い」, 「3-4% 低下」), as a number that spans its range."""

    number: Number
    word: str
    sense: str


_ANY = 1e12  # the interval of a size that is not told exactly
_ABOUT = alternatives(TERMS["approximate"])
_VAGUE = re.compile(rf"\s*(?:{_ABOUT})", re.IGNORECASE)
_GAP = re.compile(rf"\s*(?:{_ABOUT}|も|だけ|分)?\s*(の)?\s*(?:大幅な|大幅に|大きく)?\s*")
_BY = re.compile(
    rf"({WORD.pattern})(?:\s+(?:{METRIC.pattern}))?\s+by\s+(?:{_ABOUT})?\s*$", re.IGNORECASE
)
_BRACKET = re.compile(rf"({WORD.pattern})[しすたる]*\(\s*$", re.IGNORECASE)
_DIFFERENCE = re.compile(rf"(?:{GAP})\s*(?:[はが::=で(]|of|is)?\s*(?:{_ABOUT})?\s*$", re.IGNORECASE)
_OF_OTHERS = re.compile("Δ|間|[一-龥]差")
_RANGE = re.compile(
    rf"(?<![A-Za-z0-9_.])(?<![\d%ト][-~])(\d+(?:\.(\d+))?){UNIT}[-~](\d+(?:\.\d+)?){UNIT}(?![A-Za-z_]|\.?\d|[-~]\d)"
)


def is_difference(text: str, n: Number) -> bool:
    """Say whether a text calls a number a difference: 「差 3」, 「3 の差」."""
    return bool(_DIFFERENCE.search(text[: n.start]) or re.match(r"\s*の差", text[n.end :]))


def change_word(text: str, n: Number) -> str | None:
    """Return the direction word that a number is joined to, so that it is no level."""
    gap = _GAP.match(text, n.end)
    word = WORD.match(text, gap.end()) if gap else None
    level = gap and word and gap[1] and word[0][-1] in "いく"  # 「1% の高い値」
    if word and not level and not NEGATED.match(text, word.end()):
        return word[0]
    by = _BY.search(text[: n.start]) or (n.points and _BRACKET.search(text[: n.start]))
    return by[1] if by else None


def _ranges(text: str) -> Iterator[Number]:
    """Yield 「3-4%」 as numbers whose interval holds both ends."""
    for m in _RANGE.finditer(text):
        factor, unit = TERMS["units"].get(m[5] or m[3], (1, ""))
        low, high = float(m[1]), float(m[4])
        half = (high - low + 10 ** -len(m[2] or "")) / 2
        if low < high:
            value = (low + high) / 2 * factor
            yield Number(value, half * factor, unit, m[0].strip(), *m.span(), factor)


def changes(s: Sentence) -> Iterator[Change]:
    """Yield the differences that a sentence gives without a sign."""
    for n in [*s.singles, *_ranges(s.text)]:
        word = change_word(s.text, n) if n.text[0] not in "+-±" else None
        vague = re.search(rf"(?:{_ABOUT})\s*$", s.text[: n.start]) or _VAGUE.match(s.text, n.end)
        size = replace(n, value=_ANY, half=_ANY) if vague else replace(n, value=abs(n.value))
        if word:
            yield Change(size, word, SENSES[word.lower()])
        elif is_difference(s.text, n) and not _OF_OTHERS.search(s.text[: n.start]):
            yield Change(replace(size, text=n.text.lstrip("+-±")), "", "")


def is_setting(s: Sentence, pair: Pair) -> bool:
    """Say whether a pair is of a setting, or counts something."""
    start, end = pair.ends[0].start, pair.ends[1].end
    return bool(_COUNTED.match(s.text, end)) or (
        not s.metric(pair.ends[0]) and foreign(s.text[:start])
    )


def varies(s: Sentence, kind: str = "size") -> bool:
    """Say whether a sentence tells what becomes of a run with more data, or more training."""
    words = VARIABLES[kind].search(re.sub(r"\d", " ", EVERY.sub("", s.text)))
    several = max(len(found.findall(s.text)) for found in (SIZE, _WINDOWS))
    return bool(words or _SEVERAL.search(s.text) or several > 1)


def pair_before(s: Sentence, n: Number) -> Pair | None:
    """Return the arrow pair that a difference belongs to: the last one before it, if near."""
    for pair in reversed([p for p in s.pairs if p.arrow and p.second.end <= n.start]):
        between = s.text[pair.second.end : n.start]
        if is_setting(s, pair):
            continue
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
