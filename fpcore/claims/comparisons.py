"""The rules 算術, 方向 and 二つの値 for sentences about what tables hold.

A sentence is checked against the facts of the names and the metric in it, all that it may mean:
it is wrong only where no pair of values that are alike in all else bears it out. A sentence that
supposes, plans, recalls, or that has a condition which no table has, is not checked.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from fpcore.claims.arithmetic import (
    BASE_B,
    INVERSE,
    RATIO,
    fits,
    kinds_for,
)
from fpcore.claims.document import Report
from fpcore.claims.facts import Fact
from fpcore.claims.finding import Finding
from fpcore.claims.labels import read_label
from fpcore.claims.names import LONGEST, Clause, Index, Mention, own_words
from fpcore.claims.quantities import EPS, Number
from fpcore.claims.terms import METRICS, SENSES, TERMS, WORD, any_of, sign_of
from fpcore.claims.verdicts import Pair, contradiction, misfit

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


def comparison_slips(report: Report, index: Index, clauses: list[Clause]) -> Iterator[Finding]:
    """Yield the slips of sentences that compare what tables name."""
    for c in clauses:
        if c.names and not c.loose and len(c.text) < LONGEST:
            for part in _metric_parts(index, c):
                yield from _against_facts(report, index, part)


def _metric_parts(index: Index, c: Clause) -> list[Clause]:
    """Return a sentence, or its parts by 、 where these are of several metrics.

    A part without a name is of the names of the first part: 「A は B より M が低く、N が高い」.
    """
    first, *rest = c.text.split("、")
    if len({m for m, _, _ in c.metrics}) < 2 or not rest:
        return [c]
    head = index.clause(replace(c.sentence, text=first))
    subject = first[: head.metrics[0][1]] if head.metrics and head.names else ""
    parts = [index.clause(replace(c.sentence, text=t)) for t in rest]
    carried = [p for p in parts if subject and len(p.metrics) == 1 and not p.names]
    texts = [p.text[p.metrics[0][1] :] for p in carried if p.opens_plainly(p.metrics[0][1])]
    return [head, *(index.clause(replace(c.sentence, text=subject + t)) for t in texts)]


def _against_facts(report: Report, index: Index, c: Clause) -> Iterator[Finding]:
    """Check 「A の M は B の x 倍」, 「A は B より M が x% 高い」 and 「A は B より M が低い」."""
    roles = _roles(c)
    if roles is None or not c.opens_plainly(min(m.start for m in roles)):
        return
    pairs = _pairs(report, index, c, roles)
    amounts = [n for n in c.numbers if _amount(c, n, roles[1])]
    others = [n for n in c.numbers if n not in amounts and not n.counter]
    if not pairs or others or len(amounts) > 1 or _VARIES.search(c.text):
        return
    words = [w[0] for w in WORD.finditer(c.masked) if not _DENIED.match(c.text, w.end())]
    report.count(bool(amounts) or len(words) == 1)
    slip = _amounts(report, c, amounts[0], pairs) if amounts else None
    if slip:
        yield slip
    elif len(words) == 1 and not list(_denied(c)):
        borne = [(f, g) for f, g in pairs if amounts and _borne(amounts[0], f, g)]
        yield from _words(report, c, words[0], borne or pairs)


def _pairs(report: Report, index: Index, c: Clause, roles: tuple[Mention, Mention]) -> list[Pair]:
    """Return the values of subject and reference that a clause may compare, alike in all else."""
    metrics = {m for m, _, _ in c.metrics} or _only_metric(report, c)
    if len(metrics) != 1 or any(METRICS[m].get("magnitude") for m in metrics):
        return []
    a, b = (index.values(c, m.name, next(iter(metrics))) for m in roles)
    pairs = index.alike(a, b, roles[0].name, roles[1].name)
    if own_words(c) or report.grids_in(c.sentence.place):
        pairs = [p for p in pairs if _of_place(c, *p)]
    return pairs


def _of_place(c: Clause, f: Fact, g: Fact) -> bool:
    """Say whether a sentence speaks of facts: of no other section, unless it names that."""
    text = c.text.lower()
    return all(word in text for word in (f.above | g.above) - own_words(c))


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


def _amounts(report: Report, c: Clause, d: Number, pairs: list[Pair]) -> Finding | None:
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
    return misfit(report, c, d, kind, (g, f))


def _words(report: Report, c: Clause, word: str, pairs: list[Pair]) -> Iterator[Finding]:
    sign = sign_of(SENSES[word.lower()], pairs[0][0].metric)
    if not sign or not all(surely_not(f, g, sign) for f, g in pairs):
        return
    yield contradiction(report, c, word, pairs[-1])


def surely_not(f: Fact, g: Fact, sign: int) -> bool:
    """Say whether f − g surely has the other sign."""
    return sign * (f.number.value - g.number.value) < -(f.number.half + g.number.half) + EPS
