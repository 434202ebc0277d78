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
    r"|設定|条件|もの|した|達成|記録|示し|得|である|ある|なっ|た|最も|\W|the|was|is|with|of|by|and",
    re.IGNORECASE,
)
_FEW = 2
_ORDER = re.compile(r"の順に?[^、。\d]{0,16}?(?P<up>高|大き|長)?(?P<down>低|小さ|短)?(?:い|く)")
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
    return parts(b, index, re.split("[、,]", text)) if several else [b]


def _superlatives(b: Beside) -> Iterator[Finding]:
    m = _one_superlative(b)
    if m is None:
        return
    wrong = []
    for x in b.meant() if b.clause.metrics else b.columns:
        sign = {"low": -1, "high": 1, "best": better(x.metric), "worst": -better(x.metric)}
        rows = _rows(b, x, sign[str(m.lastgroup)]) if x.metric else []
        if not rows:
            continue
        most = x.extreme(sign[str(m.lastgroup)])
        same = any(n.value == most[1].value or n.agrees(most[1]) for _, n in rows)
        if not sign[str(m.lastgroup)] or same or (b.clause.names and len(rows) == len(x.rows)):
            return
        wrong.append(_Slip(x, rows[0], most))
    b.report.count(bool(wrong))
    if len(wrong) == 1 or (wrong and b.clause.metrics):
        yield _not_extreme(b, m[0], wrong[0])


def _one_superlative(b: Beside) -> re.Match[str] | None:
    """Return the superlative of a clause that has but one, of one name or one number."""
    c = b.clause
    found = list(_SUPERLATIVE.finditer(c.text))
    names = {x.name for x in c.names}
    counted = any(n.counter for n in c.numbers)
    if len(found) != 1 or len(c.numbers) > 1 or len(names) > 1 or counted:
        return None
    known = bool(c.numbers or names) and _bare(b, found[0])
    return found[0] if known else None


def _bare(b: Beside, m: re.Match[str]) -> bool:
    """Say whether a superlative is of a whole column: nothing else limits or qualifies it."""
    c = b.clause
    bare = list(c.text)
    spans = [(x.start, x.end) for x in c.names] + [(s, e) for _, s, e in c.metrics]
    for start, end in (*spans, m.span(), *((n.start, n.end) for n in c.numbers)):
        bare[start:end] = " " * (end - start)
    return len(_FILLER.sub("", "".join(bare))) <= _FEW


def _rows(b: Beside, x: Column, sign: int) -> list[_Row]:
    """Return the rows of a column that a clause calls extreme."""
    c = b.clause
    if not c.metrics and not c.numbers:
        return []
    whose = x.named(c.names[0].name) if c.names else list(x.rows)
    rows = [r for r in whose if not c.numbers or r[1].agrees(c.numbers[0])]
    if not rows and len(whose) == 1 and c.metrics:
        said = [r for r in x.rows if r[1].agrees(c.numbers[0])]
        return whose if said and said[0] == x.extreme(sign) else said
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
