"""The rules 算術, 方向 and 二つの値 for differences that a sentence gives of two runs.

Only in a report whose difference columns all compare the same two runs: 「Val PPL が悪化（+7.4）」,
「ER は 4.7 ポイント低下」. A difference is right where any size, window or reading bears it out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fpcore.claims.arithmetic import KINDS, fits, kinds_for, shown
from fpcore.claims.contest import Pairs, contest
from fpcore.claims.document import Report
from fpcore.claims.facts import Fact, place_label
from fpcore.claims.finding import Finding
from fpcore.claims.labels import SIZE
from fpcore.claims.names import MANY, Clause, Index
from fpcore.claims.quantities import Number
from fpcore.claims.terms import METRICS, SENSES, WORD, sign_of
from fpcore.claims.trends import APART, DENIED, trend_slips
from fpcore.claims.verdicts import contradiction

_OF_ANOTHER = re.compile(r"(?:し|さ)?(?:た|ている|ていた|せた)\s*(?=[A-Za-z一-龥ァ-ヴ])")
_SIGNED_BEFORE = re.compile(r"[^\d、。()→]{0,14}(?:[+-][\d.,]+[^\d、。()→]{0,4})?\(?\s*$")
_GAP_OF = re.compile(r"\s*の差分?\s*(?:は|が|:|=)?\s*")
_BRACKETS = re.compile(r"\s*(?:に|へ|まで)?\s*[^\d()、。]{0,6}\(\s*$")
_WORD_AFTER = re.compile(rf"\s*(?:ほど|も|だけ|程度|分)?\s*の?\s*({WORD.pattern})", re.IGNORECASE)
_BY = re.compile(rf"({WORD.pattern})(?:[^\d.,()]{{0,20}})?\s+by\s+$", re.IGNORECASE)


@dataclass(frozen=True)
class Change:
    """A difference of a metric that a sentence gives: with a sign, or with a direction word."""

    metric: str
    d: Number
    word: str


def change_slips(
    report: Report, index: Index, facts: list[Fact], clauses: list[Clause]
) -> Iterator[Finding]:
    """Yield the slips in differences that sentences give, where a report compares two runs."""
    pairs = contest(report, index, facts)
    if pairs is None:
        return
    printed = [f for f in facts if f.difference][:MANY]
    for c in clauses:
        if c.sentence.title or not c.metrics or c.loose or len(c.text) > 300:
            continue
        for change in _changes(c):
            yield from _check(report, c, change, pairs)
        yield from trend_slips(report, index, c, pairs)
        yield from _printed(report, c, printed)


def _changes(c: Clause) -> Iterator[Change]:
    """Yield the differences that a clause gives."""
    if APART.search(re.sub(r"\([^()]*\)", "", c.text)) or c.step is not None:
        return
    for n in _amounts(c.numbers):
        if n.counter or n.ranged or n.spread or n.unit == "x":
            continue
        before = [(m, end) for m, start, end in c.metrics if end <= n.start]
        if not before or (len(c.metrics) > 1 and _nearer(c, n)):
            continue
        metric, end = before[-1]
        if not c.opens_plainly(n.start):
            continue
        gap = c.text[end : n.start]
        if METRICS[metric].get("magnitude") or any(end <= m.start < n.start for m in c.names):
            continue
        word = _WORD_AFTER.match(c.text, n.end) or _BY.search(c.text[: n.start])
        if word and (DENIED.match(c.text, n.end) or _OF_ANOTHER.match(c.text, word.end())):
            continue
        own = _signed_word(gap)
        if n.signed and not METRICS[metric].get("signed") and _SIGNED_BEFORE.fullmatch(gap):
            yield Change(metric, n, word[1] if word else own)
        elif word and not n.signed and re.fullmatch(r"[^\d。()]{0,20}", gap):
            yield Change(metric, n, word[1])
        elif n.points and own and re.fullmatch(r"[^\d。、()]{0,12}\(", gap):
            yield Change(metric, n, own)
        elif not n.signed and not n.about and _GAP_OF.fullmatch(gap):
            yield Change(metric, n, "")


def _amounts(numbers: tuple[Number, ...]) -> Iterator[Number]:
    """Yield the numbers; a range is one whose interval holds both ends."""
    for a, b in zip(numbers, [*numbers[1:], None], strict=False):
        if a.ranged and b and b.ranged and b.value - a.value > 0:
            half = (b.value - a.value) / 2 + b.half
            middle = (a.value + b.value) / 2
            text = f"{a.text}-{b.text}"
            yield replace(b, value=middle, half=half, text=text, start=a.start, ranged=False)
        elif not a.ranged:
            yield a


def _nearer(c: Clause, n: Number) -> bool:
    """Say whether the words between the last metric and a number leave it unclear whose it is."""
    last = [end for _, _, end in c.metrics if end <= n.start][-1]
    return n.start - last > 14


def _signed_word(gap: str) -> str:
    found = WORD.findall(gap)
    return found[0] if len(found) == 1 and not re.search("ない|せず", gap) else ""


def _check(report: Report, c: Clause, change: Change, pairs: Pairs) -> Iterator[Finding]:
    values = pairs.of(change.metric)
    size = _size_at(c, change.d)
    if size is not None:
        values = [p for p in values if p[0].size in (size, None)] if size > 0 else []
    names = {m.name for m in c.names}
    here = place_label(c.sentence.place).words
    runs = {pairs.first, pairs.second}
    values = [p for p in values if p[0].above - runs <= here]  # of a section of their own
    if not values or not names <= {pairs.first, pairs.second} or c.qualifiers or len(names) > 1:
        return
    d, word = change.d, change.word
    near = [(x, y) for x, y in values if _fits(d, x, y, 0)]
    report.count()
    if not near:
        if not d.about and _comparable(d, values):
            yield _misfit(report, c, change, values[-1])
        return
    sign = sign_of(SENSES.get(word.lower(), ""), change.metric)
    if not sign or (names == {pairs.first} and not _rather(c)):
        return
    sign = -sign if names == {pairs.first} else sign
    told = [(x, y) for x, y in near if sign * (y.number.value - x.number.value) >= 0]
    if not told:
        yield contradiction(report, c, word, near[-1])


def _rather(c: Clause) -> bool:
    return bool(re.match(r"の(?:方|ほう)", c.text[c.names[0].end :]))


def _size_at(c: Clause, n: Number) -> int | None:
    """Return the size that the part of a sentence around a number names, else that of headings."""
    start = c.text.rfind("、", 0, n.start) + 1
    end = c.text.find("、", n.end)
    part = c.text[start : end if end > 0 else len(c.text)]
    said = SIZE.search(part)
    if said:
        return int(said[1].replace(",", ""))
    return place_label(c.sentence.place).size


def _fits(d: Number, x: Fact, y: Fact, sign: int) -> bool:
    return any(fits(d, k, x.number, y.number, sign) for k in kinds_for(d, x.number, y.number)) or (
        d.points
        and not x.number.unit
        and abs(abs(y.number.value - x.number.value) - abs(d.value)) < d.half * 3
    )


def _comparable(d: Number, values: list[tuple[Fact, Fact]]) -> bool:
    return all(kinds_for(d, x.number, y.number) for x, y in values) or d.points


def _printed(report: Report, c: Clause, facts: list[Fact]) -> Iterator[Finding]:
    """Compare 「M が a→b（+x）」 with the differences that tables print of M."""
    for a, b, d in zip(c.numbers, c.numbers[1:], c.numbers[2:], strict=False):
        arrow = re.fullmatch(r"\s*(?:→|->|⇒)\s*", c.text[a.end : b.start])
        metrics = {m for m, _, end in c.metrics if end <= a.start}
        if not arrow or len(metrics) != 1 or not d.signed or d.about or len(c.metrics) > 1:
            continue
        if not _BRACKETS.match(c.text[b.end : d.start]) or SIZE.search(c.text) or c.names:
            continue
        said = [f for f in facts if f.metric in metrics]
        same = [f for f in said if f.number.unit == d.unit and f.number.half == d.half]
        near = [f for f in same if abs(f.number.value - d.value) < 0.3 * abs(d.value)]
        if len(same) == 1 and near and near[0].number.value != d.value:
            yield _two_values(report, c, d, near[0])


def _two_values(report: Report, c: Clause, d: Number, f: Fact) -> Finding:
    name, line = METRICS[f.metric]["name"], c.sentence.line
    text = report.say(
        f"{name}の差（{f.run}）が {f.number.text}（{f.line} 行）と {d.text}（{line} 行）"
        f"の異なる値で書かれている。",
        f"The difference in {name} ({f.run}) is printed as {f.number.text} (line {f.line}) and "
        f"{d.text} (line {line}).",
    )
    return Finding("二つの値", (f.line, line), text)


def _misfit(report: Report, c: Clause, change: Change, pair: tuple[Fact, Fact]) -> Finding:
    x, y = pair
    kinds = kinds_for(change.d, x.number, y.number) or [KINDS[0]]
    kind = kinds[0] if x.number.unit == "%" or len(kinds) == 1 else kinds[-2]
    due = shown(kind, x.number, y.number, change.d)
    name = METRICS[x.metric]["name"]
    text = report.say(
        f"{name}の差「{change.d.text}」は、{x.run} の {x.number.text}（{x.line} 行）と {y.run} の "
        f"{y.number.text}（{y.line} 行）から出る {due} と合わず、ほかのサイズの差でもない。",
        f"The difference '{change.d.text}' in {name} does not follow from {x.number.text} of "
        f"{x.run} (line {x.line}) and {y.number.text} of {y.run} (line {y.line}): {due}; nor from "
        f"another size.",
    )
    return Finding("算術", (c.sentence.line, x.line, y.line), text)
