"""The rules 二つの値 and 方向 for values that a sentence gives to what tables name.

「A の M は x」, 「A は x→y」, 「A の方が低い（x vs y）」, and numbers that look like mistyped ones.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from fpcore.claims.comparisons import surely_not
from fpcore.claims.document import Report
from fpcore.claims.facts import Fact
from fpcore.claims.finding import Finding
from fpcore.claims.labels import STEP, read_label
from fpcore.claims.names import FAMILY, LONGEST, Clause, Index, own_words
from fpcore.claims.quantities import Number, mistyped
from fpcore.claims.terms import METRIC, METRICS, SENSES, WORD, metrics_in, sign_of
from fpcore.claims.verdicts import contradiction

_ENDS = re.compile(
    r"\s*(?:で(?:ある|あっ|、|,|$)|だ|です|と(?:なり|なっ|、)|、|,|$|\)|\(|に(?:達|な|とど)|まで)"
)


@dataclass(frozen=True)
class Couple:
    """Two values of a metric in 「x→y」 or 「x vs y」, and the one name of their sentence."""

    subject: str
    metric: str
    x: Number
    y: Number


@dataclass(frozen=True)
class Value:
    """A number that a sentence gives to a metric."""

    metric: str
    n: Number


def statement_slips(report: Report, index: Index, clauses: list[Clause]) -> Iterator[Finding]:
    """Yield the slips of sentences that state values of tables."""
    for c in clauses:
        if c.loose or len(c.text) > LONGEST:
            continue
        yield from _misprints(report, index, c)
        yield from _listed(report, index, c)
        if c.names:
            yield from _attributions(report, index, c)
            yield from _levels(report, index, c)


def _attributions(report: Report, index: Index, c: Clause) -> Iterator[Finding]:
    """Check whose the two numbers of 「A の方が低い（x vs y）」 and of 「A は x→y」 are."""
    subjects = {m.name for m in c.names}
    if len(c.numbers) < 2 or len(subjects) != 1:
        return
    subject = subjects.pop()
    for x, y in zip(c.numbers, c.numbers[1:], strict=False):
        between = c.text[x.end : y.start]
        before = [m for m, _, _ in metrics_in(c.text[: x.start])]
        if not before or x.unit != y.unit or min(x.digits, y.digits) < 3 or x.ranged or y.ranged:
            continue
        metric = before[-1]
        if re.fullmatch(r"\s*(?:vs\.?|対)\s*", between, re.I):
            yield from _versus(report, index, c, Couple(subject, metric, x, y))
        elif re.fullmatch(r"\s*(?:→|->|⇒)\s*", between):
            yield from _foreign(report, index, c, Couple(subject, metric, x, y))


def _versus(report: Report, index: Index, c: Clause, of: Couple) -> Iterator[Finding]:
    words = WORD.findall(c.masked[: of.x.start])
    owners = [index.owners(of.metric, n) for n in (of.x, of.y)]
    mine = [[of.subject in f.words | f.above for f in found] for found in owners]
    if len(words) != 1 or not all(mine) or METRICS[of.metric].get("magnitude"):
        return
    if re.search("ない|同", c.text[: of.x.start]) or any(len(set(m)) > 1 for m in mine):
        return
    if mine[0][0] == mine[1][0]:
        return
    f, g = (owners[0][0], owners[1][0]) if mine[0][0] else (owners[1][0], owners[0][0])
    sign = sign_of(SENSES[words[0].lower()], of.metric)
    if sign and surely_not(f, g, sign):
        yield contradiction(report, c, words[0], (f, g))


def _foreign(report: Report, index: Index, c: Clause, of: Couple) -> Iterator[Finding]:
    """Find an end of 「A は x→y」 that is a value of another name only."""
    owned = {n: index.owners(of.metric, n) for n in (of.x, of.y)}
    mine = {n: [f for f in fs if of.subject in f.words | f.above] for n, fs in owned.items()}
    if not owned[of.x] or not owned[of.y] or not (bool(mine[of.x]) ^ bool(mine[of.y])):
        return
    wrong = of.x if not mine[of.x] else of.y
    other = owned[wrong][0]
    same = index.by_name[of.metric, of.subject][:1000]
    at = [f for f in same if f.step == other.step and f.size == other.size]
    end = of.y if wrong is of.x else of.x
    if not at or not other.words | other.above or at[0].number.agrees(end):
        return  # 「A にすると x→y」: from the value of another name to that of A
    name, line = METRICS[of.metric]["name"], c.sentence.line
    here, there = at[0].number.text, at[0].line
    text = report.say(
        f"{of.subject} の{name}を「{of.x.text}→{of.y.text}」とするが、{wrong.text} は {other.run} "
        f"の値（{other.line} 行）で、{of.subject} では {here}（{there} 行）である。",
        f"{name} of {of.subject} is said to go '{of.x.text}→{of.y.text}', but {wrong.text} is of "
        f"{other.run} (line {other.line}); {of.subject} has {here} (line {there}).",
    )
    yield Finding("二つの値", (line, other.line, at[0].line), text)


def _misprints(report: Report, index: Index, c: Clause) -> Iterator[Finding]:
    """Check 「M が x→y」 and 「x vs y」: one is a value of a table, the other is one mistyped."""
    for x, y in pairwise(c.numbers):
        link = re.fullmatch(r"\s*(?:→|->|⇒|vs\.?|対)\s*", c.text[x.end : y.start], re.I)
        metrics = {m for m, _, end in c.metrics if end <= x.start}
        if not link or len(metrics) != 1 or x.counter or y.counter or c.qualifiers:
            continue
        metric = metrics.pop()
        family = [m for m in index.by_metric if m == metric or m in FAMILY.get(metric, ())]
        owned = [[f for m in family for f in index.owners(m, n)] for n in (x, y)]
        if bool(owned[0]) == bool(owned[1]):
            continue
        n = y if owned[0] else x
        at = {f.source for f in owned[0] or owned[1]}
        near = [
            f for m in family for f in index.by_metric[m][:1000] if f.source in at and f.source >= 0
        ]
        like = [f for f in near if mistyped(f.number, n) and f.number.unit == n.unit]
        if len({f.number.value for f in like}) == 1 and not index.printed(n):
            yield _misprint(report, c, metric, n, like[0])


def _misprint(report: Report, c: Clause, metric: str, n: Number, f: Fact) -> Finding:
    name = METRICS[metric]["name"]
    text = report.say(
        f"{name}の {n.text} はどの表にもなく、{f.run} の {f.number.text}（{f.line} 行）"
        f"の誤記に見える。",
        f"{name} {n.text} is in no table and looks like {f.number.text} of {f.run} (line {f.line})"
        f".",
    )
    return Finding("二つの値", (c.sentence.line, f.line), text)


def _levels(report: Report, index: Index, c: Clause) -> Iterator[Finding]:
    """Check 「A の M は x」: the one value that the tables give to this name and metric."""
    if c.qualifiers or len({m.name for m in c.names}) != 1:
        return
    name = c.names[0]
    if not c.opens_plainly(name.start):
        return
    for metric, start, end in c.metrics:
        said = re.compile(r"\s*(?:の|'s|:|は|\()?\s*").fullmatch(c.text, name.end, start)
        for n in (n for n in c.numbers if n.start >= end):
            is_value = re.compile(r"\s*(?:は|が|=|:|is|was|)\s*").fullmatch(c.text, end, n.start)
            if not said or not is_value or not _ENDS.match(c.text, n.end) or n.counter:
                continue
            if (n.signed and not METRICS[metric].get("signed")) or n.about or n.ranged or n.points:
                continue
            yield from _level(report, index, c, name.name, Value(metric, n))


def _listed(report: Report, index: Index, c: Clause) -> Iterator[Finding]:
    """Check 「A: x」 in a list under a heading or label that names one metric."""
    title = c.sentence.place.label or (c.sentence.place.titles or ("",))[-1]
    metrics = {m for m, _, _ in metrics_in(title)}
    names = [m for m in c.names if not c.text[: m.start].strip()]
    if len(metrics) != 1 or not names or not c.numbers or c.metrics or c.qualifiers:
        return
    label = read_label(METRIC.sub(" ", title), heading=True)
    if label.words or label.notes or STEP.search(title):
        return  # the list is of one case
    n, name = c.numbers[0], names[0]
    plain_value = not (n.counter or n.about or n.ranged or n.points or n.signed)
    if plain_value and re.fullmatch(r"\s*[:=は]\s*", c.text[name.end : n.start]):
        yield from _level(report, index, c, name.name, Value(metrics.pop(), n))


def _level(report: Report, index: Index, c: Clause, name: str, said: Value) -> Iterator[Finding]:
    metric, n = said.metric, said.n
    known = [f for f in index.values(c, name, metric) if f.number.unit == n.unit]
    known = [f for f in known if f.line != c.sentence.line]
    near = [f for f in known if abs(f.number.value - n.value) < 0.3 * abs(f.number.value)]
    words = own_words(c)
    near = [f for f in near if f.words | f.above in ({name}, words | {name})]
    if any(f.number.agrees(n) for f in known) or not near:
        return
    if n.digits < 2:
        return
    f = min(near, key=lambda f: abs(f.number.value - n.value))
    what = METRICS[metric]["name"]
    text = report.say(
        f"{name} の{what}を {n.text} とするが、表では {f.number.text}（{f.line} 行）である。",
        f"{what} of {name} is said to be {n.text}, but is {f.number.text} in line {f.line}.",
    )
    yield Finding("二つの値", (c.sentence.line, f.line), text)
