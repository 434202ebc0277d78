"""The rules 算術, 方向 and 二つの値 for sentences about what tables hold.

A sentence is checked against the facts of the names and the metric in it, all that it may mean:
it is wrong only where no pair of values that are alike in all else bears it out. A sentence that
supposes, plans, recalls, or that has a condition which no table has, is not checked.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from fpcore.claims.arithmetic import (
    BASE_B,
    INVERSE,
    RATIO,
    Kind,
    fits,
    kinds_for,
    shown,
)
from fpcore.claims.document import Report
from fpcore.claims.facts import Fact
from fpcore.claims.finding import Finding
from fpcore.claims.labels import read_label
from fpcore.claims.names import FAMILY, Clause, Index, Mention, own_words
from fpcore.claims.quantities import EPS, Number, mistyped
from fpcore.claims.terms import METRICS, SENSES, TERMS, WORD, any_of, metrics_in, sign_of

_Pair = tuple[Fact, Fact]
_REFERRED = re.compile(
    r"\s*(?:の[^、。はがを]{0,14})?(?:より|に比べ|と比べ|に対し|を[^、。]{0,16}?(?:上回|下回)"
    r"|と比較して)"
)
_TIMES = re.compile(r"\s*(?:の[^、。はがを\d]{0,14})?の\s*(?:約|およそ|ほぼ)?\s*$")
_AGAINST = re.compile(
    r"\b(?:than|over|compared (?:to|with))\s+(?:that of\s+|the\s+)?$|\btimes\s+(?:that of\s+)?$",
    re.I,
)
_DENIED = re.compile(r".{0,8}?(?:ない|ません|なかった|せず|\bnot\b|限らない|言えない)")
_SUBJECT = re.compile(
    r"\s*(?:の\s*(?:方|ほう)\s*)?(?:は|が|の|も)|\s*(?:の方|のほう)|\s*'s|\s+(?:has|is|was|had"
    r"|shows|achieves|reaches|gets)\b"
)
_VARIES = any_of(TERMS["varies"])
_ENDS = re.compile(
    r"\s*(?:で(?:ある|あっ|、|,|$)|だ|です|と(?:なり|なっ|、)|、|,|$|\)|\(|に(?:達|な|とど)|まで)"
)


def comparison_slips(report: Report, index: Index, clauses: list[Clause]) -> Iterator[Finding]:
    """Yield the slips of sentences that compare what tables name."""
    for c in clauses:
        if c.loose or len(c.text) > 600:
            continue
        yield from _misprints(report, index, c)
        if not c.names:
            continue
        yield from _against_facts(report, index, _first_part(index, c))
        yield from _attributions(report, index, c)
        yield from _levels(report, index, c)


def _first_part(index: Index, c: Clause) -> Clause:
    """Return a sentence up to its first comma, where what follows is of another metric."""
    part, _, rest = c.text.partition("、")
    several = len({m for m, _, _ in c.metrics}) > 1 and rest
    return index.clause(replace(c.sentence, text=part)) if several else c


def _against_facts(report: Report, index: Index, c: Clause) -> Iterator[Finding]:
    """Check 「A の M は B の x 倍」, 「A は B より M が x% 高い」 and 「A は B より M が低い」."""
    roles = _roles(c)
    metrics = {m for m, _, _ in c.metrics} or _only_metric(report, c)
    if roles is None or len(metrics) != 1:
        return
    subject, reference = roles
    if not c.opens_plainly(min(subject.start, reference.start)):
        return
    metric = metrics.pop()
    a, b = (index.values(c, m.name, metric) for m in (subject, reference))
    pairs = index.alike(a, b, subject.name, reference.name)
    if not pairs or METRICS[metric].get("magnitude"):
        return
    amounts = [n for n in c.numbers if _amount(c, n, reference)]
    others = [n for n in c.numbers if n not in amounts and not n.counter]
    words = [w for w in WORD.finditer(c.masked) if not _DENIED.match(c.text, w.end())]
    if others or len(amounts) > 1 or _VARIES.search(c.text):
        return
    report.count(bool(amounts) or len(words) == 1)
    if amounts:
        misfit = _amounts(report, c, amounts[0], pairs, metric)
        if misfit:
            yield misfit
            return
        d = amounts[0]
        pairs = [(f, g) for f, g in pairs if _borne(d, f, g)] or pairs
    if len(words) == 1 and not list(_denied(c)):
        yield from _words(report, c, words[0][0], pairs, metric)


def _only_metric(report: Report, c: Clause) -> set[str]:
    """Return the one metric of all tables in the section of a sentence that names none."""
    grids = [g for g in report.grids_in(c.sentence.place)[:9] if not g.code]
    if len(grids) > 8:
        return set()
    found = {read_label(h.text).metric for g in grids for h in g.heads} - {"", "tokens"}
    rows = {read_label(row[0].text).metric for g in grids for row in g.rows} - {""}
    senses = {SENSES[w.lower()] for w in WORD.findall(c.masked)}
    return found if len(found) == 1 and not rows and senses <= {"up", "down"} and senses else set()


def _denied(c: Clause) -> Iterator[str]:
    for w in WORD.finditer(c.masked):
        if _DENIED.match(c.text, w.end()):
            yield w[0]


def _roles(c: Clause) -> tuple[Mention, Mention] | None:
    """Return the subject and what it is compared with, where a sentence names just these two."""
    names = list({m.name: m for m in reversed(c.names)}.values())
    if len(names) != 2 or len(c.names) > 3:
        return None
    reference = [m for m in c.names if _REFERRED.match(c.text, m.end) or _times(c, m)]
    reference += [m for m in c.names if _AGAINST.search(c.text[: m.start])]
    referred = {m.name for m in reference}
    if len(referred) != 1:
        return None
    subject = [m for m in names if m.name not in referred]
    own = [m for m in subject if _SUBJECT.match(c.text, m.end) or c.text[: m.start].strip() == ""]
    return (own[0], reference[0]) if own else None


def _times(c: Clause, m: Mention) -> bool:
    return any(
        (n.unit == "x" or _part(c, n)) and _TIMES.fullmatch(c.text, m.end, n.start)
        for n in c.numbers
    )


def _part(c: Clause, n: Number) -> bool:
    """Say whether a number is a share of the reference: 「B の 83.6% の PPL」."""
    return n.unit == "%" and bool(re.match(r"\s*(?:の|に|で(?!ある)|まで|$)", c.text[n.end :]))


def _amount(c: Clause, n: Number, reference: Mention) -> bool:
    """Say whether a number is the amount of the comparison."""
    if n.ranged or n.spread or n.counter:
        return False
    word = re.compile(rf"\s*(?:ほど|も|だけ|程度)?\s*(?:{WORD.pattern})", re.I).match(c.text, n.end)
    if n.unit == "x" or (_part(c, n) and _TIMES.fullmatch(c.text, reference.end, n.start)):
        return n.start >= reference.end
    return bool(word) and n.unit in ("%", "", "s")


def _borne(d: Number, f: Fact, g: Fact) -> bool:
    return any(fits(d, k, g.number, f.number, 0) for k in kinds_for(d, g.number, f.number))


def _amounts(
    report: Report, c: Clause, d: Number, pairs: list[_Pair], metric: str
) -> Finding | None:
    checked = []
    for f, g in pairs:  # g is the reference
        kinds = kinds_for(d, g.number, f.number)
        fast = d.unit == "x" and re.search("速|遅|fast|slow|短|長", c.text)
        kinds = [k for k in kinds if k is not BASE_B and (fast or k is not INVERSE)]
        if d.unit == "x" and re.search("改善|低|減|小さ|better|lower|less", c.text):
            kinds = [RATIO, INVERSE]
        if _part(c, d):
            kinds = [RATIO]
        if not kinds or any(fits(d, k, g.number, f.number, 0) for k in kinds):
            return None
        checked.append((kinds[-1] if d.unit == "%" else kinds[0], f, g))
    kind, f, g = checked[-1]
    return _misfit(report, c, d, kind, f, g, metric)


def _misfit(
    report: Report, c: Clause, d: Number, kind: Kind, f: Fact, g: Fact, metric: str
) -> Finding:
    due = shown(kind, g.number, f.number, d)
    name = METRICS[metric]["name"]
    at = c.sentence.line
    text = report.say(
        f"{name}の「{d.text}」は、{f.run} の {f.number.text}（{f.line} 行）と {g.run} の "
        f"{g.number.text}（{g.line} 行）から出る {due} と合わない。",
        f"'{d.text}' of {name} does not follow from {f.number.text} of {f.run} (line {f.line}) "
        f"and {g.number.text} of {g.run} (line {g.line}): {due}.",
    )
    return Finding("算術", (at, f.line, g.line), text)


def _words(
    report: Report, c: Clause, word: str, pairs: list[_Pair], metric: str
) -> Iterator[Finding]:
    sign = sign_of(SENSES[word.lower()], metric)
    if not sign or not all(_against(f, g, sign) for f, g in pairs):
        return
    f, g = pairs[-1]
    yield _contradiction(report, c, word, f, g)


def _against(f: Fact, g: Fact, sign: int) -> bool:
    """Say whether f − g surely has the other sign."""
    return sign * (f.number.value - g.number.value) < -(f.number.half + g.number.half) + EPS


def _contradiction(report: Report, c: Clause, word: str, f: Fact, g: Fact) -> Finding:
    name, at = METRICS[f.metric]["name"], c.sentence.line
    text = report.say(
        f"{name}の「{word}」は数値と逆である（{f.run} は {f.number.text}、{f.line} 行。{g.run} は "
        f"{g.number.text}、{g.line} 行）。",
        f"'{word}' contradicts {name}: {f.run} has {f.number.text} (line {f.line}), {g.run} "
        f"{g.number.text} (line {g.line}).",
    )
    return Finding("方向", (at, f.line, g.line), text)


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
            yield from _versus(report, index, c, subject, metric, x, y)
        elif re.fullmatch(r"\s*(?:→|->|⇒)\s*", between):
            yield from _foreign(report, index, c, subject, metric, x, y)


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


def _versus(
    report: Report, index: Index, c: Clause, subject: str, metric: str, x: Number, y: Number
) -> Iterator[Finding]:
    words = WORD.findall(c.masked[: x.start])
    owners = [index.owners(metric, n) for n in (x, y)]
    mine = [[subject in f.words | f.above for f in found] for found in owners]
    if len(words) != 1 or not all(mine) or METRICS[metric].get("magnitude"):
        return
    if re.search("ない|同", c.text[: x.start]) or any(len(set(m)) > 1 for m in mine):
        return
    if mine[0][0] == mine[1][0]:
        return
    f, g = (owners[0][0], owners[1][0]) if mine[0][0] else (owners[1][0], owners[0][0])
    sign = sign_of(SENSES[words[0].lower()], metric)
    if sign and _against(f, g, sign):
        yield _contradiction(report, c, words[0], f, g)


def _foreign(
    report: Report, index: Index, c: Clause, subject: str, metric: str, x: Number, y: Number
) -> Iterator[Finding]:
    """Find an end of 「A は x→y」 that is a value of another name only."""
    owned = {n: index.owners(metric, n) for n in (x, y)}
    mine = {n: [f for f in fs if subject in f.words | f.above] for n, fs in owned.items()}
    if not owned[x] or not owned[y] or not (bool(mine[x]) ^ bool(mine[y])):
        return
    wrong = x if not mine[x] else y
    other = owned[wrong][0]
    same = index.by_name[metric, subject][:1000]
    at = [f for f in same if f.step == other.step and f.size == other.size]
    if not at or not other.words | other.above:
        return
    name, line = METRICS[metric]["name"], c.sentence.line
    text = report.say(
        f"{subject} の{name}を「{x.text}→{y.text}」とするが、{wrong.text} は {other.run} "
        f"の値（{other.line} 行）で、{subject} では {at[0].number.text}（{at[0].line} 行）である。",
        f"{name} of {subject} is said to go '{x.text}→{y.text}', but {wrong.text} is of "
        f"{other.run} (line {other.line}); {subject} has {at[0].number.text} (line {at[0].line}).",
    )
    yield Finding("二つの値", (line, other.line, at[0].line), text)


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
            yield from _level(report, index, c, name.name, metric, n)


def _level(
    report: Report, index: Index, c: Clause, name: str, metric: str, n: Number
) -> Iterator[Finding]:
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
