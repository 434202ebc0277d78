"""The rule 順序 for superlatives and orders: 「最も低いのは竹の 31.0」, 「A > B > C の順に高い」.

A sentence is held against the tables of its own section. It is wrong only where every column that
it may mean contradicts it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from fpcore.claims.beside import Beside, parts
from fpcore.claims.finding import Finding
from fpcore.claims.names import Index, Mention
from fpcore.claims.quantities import Number
from fpcore.claims.terms import better
from fpcore.claims.values import Column

_LOW = r"最も[^、。\d]{0,14}?(?:低|小さ|短|少な)(?:い|く|かった)|最小|最低|最短|最少"
_LOW += r"|\blowest\b|\bsmallest\b|\bminimum\b"
_HIGH = r"最も[^、。\d]{0,14}?(?:高|大き|長|多)(?:い|く|かった)(?!速)|最大|最高|最長|最多"
_HIGH += r"|\bhighest\b|\blargest\b|\bmaximum\b"
_BEST = r"最も[^、。\d]{0,14}?(?:良|優れ|高速|速)(?:い|く|かった|て|る)?|最良|ベスト|\bbest\b"
_WORST = r"最も悪(?:い|く|かった)|最悪|\bworst\b"
_SUPERLATIVE = re.compile(
    rf"(?P<low>{_LOW})|(?P<high>{_HIGH})|(?P<best>{_BEST})|(?P<worst>{_WORST})", re.IGNORECASE
)
_FILLER = re.compile(
    r"この表|表|では|中で|うち|全体|結果|で|の|は|が|を|も|に|と|、|値|サイズ|手法|モデル|構成"
    r"|設定|条件|もの|した|達成|記録|示し|得|である|ある|なっ|た|だけ|だ|最も|\W|the|was|is|with|of|by|and|has|also|its?",
    re.IGNORECASE,
)
_FEW = 2
_ORDER = re.compile(r"の順に?[^、。\d]{0,16}?(?P<up>高|大き|長)?(?P<down>低|小さ|短)?(?:い|く)")
_COMMA = re.compile(r"、|;|,(?!\d)|だが|ですが|一方|\s(?:but|while|and)\s")
_WITHIN = re.compile(r"\s*(?:では|の中で|内で|の\s*(?=最|ベスト))")
_AT_LEAST = re.compile(r"は\s*最[小大低高]で")
_SETTING = re.compile(r"[A-Za-z_τσα]+\s?=\s?[\d.eE+-]+")
_RIGHT = "right"
_Row = tuple[int, Number]


@dataclass(frozen=True)
class _Slip:
    """A value that is called extreme, and the one that is."""

    column: Column
    said: _Row
    most: _Row


def extreme_slips(b: Beside, index: Index) -> Iterator[Finding]:
    """Yield the slips of superlatives and orders in a clause."""
    for part in _parts(b, index):
        yield from _superlatives(part)
    yield from _orders(b)


def _parts(b: Beside, index: Index) -> list[Beside]:
    """Return a clause, or its parts between commas where several have a superlative."""
    text = b.clause.text
    several = len(_SUPERLATIVE.findall(text)) > 1
    found = _COMMA.split(text)
    if several:
        return parts(b, index, found)
    return parts(b, index, found[:1]) if _SUPERLATIVE.search(found[0]) else [b]


def _superlatives(b: Beside) -> Iterator[Finding]:
    m = _one_superlative(b)
    if m is None:
        return
    wrong = []
    for x in _candidates(b):
        sign = {"low": -1, "high": 1, "best": better(x.metric), "worst": -better(x.metric)}
        slip = _slip(b, x, sign[str(m.lastgroup)])
        if slip == _RIGHT:
            return
        wrong += [slip] if isinstance(slip, _Slip) else []
    b.report.count(bool(wrong))
    if len(wrong) == 1 or (wrong and b.clause.metrics):
        yield _not_extreme(b, m[0], wrong[0])


def _candidates(b: Beside) -> list[Column]:
    """Return the columns that a superlative may be of."""
    if b.clause.metrics:
        return b.meant()
    named = [x for x in b.columns if not x.metric and len(x.name) > 1 and x.name in b.clause.text]
    return named or [x for x in b.columns if x.metric]


def _slip(b: Beside, x: Column, sign: int) -> "_Slip | str":
    """Return how a superlative is wrong of a column, that it is right, or nothing."""
    rows = _rows(b, x, sign)
    if not rows:
        return ""
    names = {m.name for m in b.clause.names}
    if not sign or (names and len(rows) == len(x.rows)):
        return _RIGHT
    for among in ([n for _, n in x.rows], *_conditions(b, x, rows[0])):
        most = max(among, key=lambda n: sign * n.value)
        if any(n.value == most.value or n.agrees(most) for _, n in rows):
            return _RIGHT
    return _Slip(x, rows[0], x.extreme(sign))


def _conditions(b: Beside, x: Column, said: _Row) -> Iterator[list[Number]]:
    """Yield the values of the metric in the rows that share a number of the clause with a value."""
    alike = [y for y in b.columns if y.grid is x.grid and y.metric == x.metric]
    for k in _keys(b):
        if k.value in _key_values(x, said):
            pool = [n for y in alike for r in y.rows if k.value in _key_values(y, r) for n in r[1:]]
            if len(pool) > 1:
                yield pool


def _key_values(x: Column, row: _Row) -> set[float]:
    cells = enumerate(x.grid.rows[row[0]])
    return {n.value for j, cell in cells if j != x.j for n in cell.numbers}


def _one_superlative(b: Beside) -> re.Match[str] | None:
    """Return the superlative of a clause that has but one, of one name or one number."""
    c = b.clause
    found = list(_SUPERLATIVE.finditer(c.text))
    names = {x.name for x in c.names}
    within = any(_WITHIN.match(c.text, m.end) for m in c.names) or bool(
        names and _AT_LEAST.search(c.text)
    )
    if len(found) != 1 or len(_said(b)) > 1 or len(names) > 1 or within:
        return None
    known = bool(_said(b) or names) and _bare(b, found[0])
    return found[0] if known else None


def _said(b: Beside) -> list[Number]:
    """Return the numbers of a clause that may be values: no keys, and no changes in brackets."""
    keys, units = _keys(b), {x.rows[0][1].unit for x in _candidates(b)}
    known = [n for n in b.clause.numbers if n not in keys and not _is_change(b, n)]
    return [n for n in known if n.unit in units] if b.clause.metrics else known


def _keys(b: Beside) -> list[Number]:
    """Return the numbers of a clause that tell rows apart: counted, set with =, or before で."""
    text, numbers = b.clause.text, b.clause.numbers
    last = numbers[-1] if numbers else None
    return [
        n
        for n in numbers
        if n.counter
        or re.search(r"\w\s?=\s?$", text[: n.start])
        or re.match(r"\s?では" if n is last else r"\s?(?:では|が)", text[n.end :])
    ]


def _is_change(b: Beside, n: Number) -> bool:
    inside = b.clause.text.rfind("(", 0, n.start) > b.clause.text.rfind(")", 0, n.start)
    return inside and n.signed and bool(n.unit)


def _bare(b: Beside, m: re.Match[str]) -> bool:
    """Say whether a superlative is of a whole column: nothing else limits or qualifies it."""
    c = b.clause
    bare = list(c.text)
    spans = [(x.start, x.end) for x in c.names] + [(s, e) for _, s, e in c.metrics]
    spans += [k.span() for k in _SETTING.finditer(c.text)]
    for x in _candidates(b):
        at = c.text.find(x.name) if not x.metric else -1
        spans += [(at, at + len(x.name))] if at >= 0 else []
    for start, end in (*spans, m.span(), *((n.start, n.end) for n in c.numbers)):
        bare[start:end] = " " * (end - start)
    text = re.sub(r"\([^()]*\)", " ", "".join(bare))
    return len(_FILLER.sub("", text)) <= _FEW


def _rows(b: Beside, x: Column, sign: int) -> list[_Row]:
    """Return the rows of a column that a clause calls extreme."""
    c, said = b.clause, _said(b)
    if not c.metrics and not said:
        return []
    whose = x.named(c.names[0].name) if c.names else list(x.rows)
    rows = [r for r in whose if not said or r[1].agrees(said[0])]
    if any(k.value not in _key_values(x, r) for r in rows for k in _keys(b)):
        return []  # a condition that no column of the table has
    if not rows and len(whose) == 1 and c.metrics:
        printed = [r for r in x.rows if r[1].agrees(said[0])]
        return whose if printed and printed[0] == x.extreme(sign) else printed
    return rows


def _not_extreme(b: Beside, word: str, slip: _Slip) -> Finding:
    x, said, most = slip.column, slip.said, slip.most
    lines = (x.line(said[0]), x.line(most[0]))
    title = x.grid.title(most[0])
    text = b.report.say(
        f"「{word}」とする {said[1].text}（{lines[0]} 行）より、{title} "
        f"の {most[1].text}（{lines[1]} 行）の方がそうである（{x.title}）。",
        f"'{word}' is said of {said[1].text} (line {lines[0]}), but {title} has {most[1].text} "
        f"(line {lines[1]}, {x.title}).",
    )
    return Finding("順序", (b.clause.sentence.line, *lines), text)


def _orders(b: Beside) -> Iterator[Finding]:
    """Check 「A > B > C の順に M が高い」."""
    c = b.clause
    names, word = list(c.names), _ORDER.search(c.text)
    if len(names) < 3 or not word or not (word["up"] or word["down"]) or c.numbers:
        return
    gaps = [c.text[p.end : q.start] for p, q in pairwise(names)]
    if any(not re.fullmatch(r"\s*(?:[>≥、,→]|=>|->)\s*", gap) for gap in gaps):
        return
    for x in b.meant():
        at = _misplaced(x, names, 1 if word["up"] else -1)
        if at is None:
            return
        yield _disordered(b, x, names, at)
        return


def _misplaced(x: Column, names: list[Mention], sign: int) -> int | None:
    """Return the first name that does not precede the next one; None where all do."""
    rows = [x.named(m.name) for m in names]
    if any(len(r) != 1 for r in rows):
        return None
    falls = [sign * (p[0][1].value - q[0][1].value) for p, q in pairwise(rows)]
    return next((i for i, f in enumerate(falls) if f < 0), None)


def _disordered(b: Beside, x: Column, names: list[Mention], at: int) -> Finding:
    (i, p), (_, q) = (x.named(m.name)[0] for m in names[at : at + 2])
    said = b.clause.text[names[0].start : names[-1].end]
    line = x.line(i)
    text = b.report.say(
        f"順序「{said}」は {names[at].name} の {p.text} と {names[at + 1].name} の {q.text} "
        f"に合わない（{line} 行、{x.title}）。",
        f"The order '{said}' does not fit {p.text} and {q.text} (line {line}, {x.title}).",
    )
    return Finding("順序", (b.clause.sentence.line, line), text)
