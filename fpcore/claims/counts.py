"""The rule 順序 for counts: 「3 サイズのうち 1 サイズで松が低い」, 「全サイズで低い」.

A count is held against the two columns, or the one column, that it may speak of.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fpcore.claims.beside import Beside, Opposed
from fpcore.claims.bounds import bound_at, every
from fpcore.claims.finding import Finding
from fpcore.claims.terms import SENSES, WORD
from fpcore.claims.values import Column

_COUNTS = re.compile(
    r"(\d+)\s?(?:つの)?(サイズ|件|条件|構成|モデル|手法|設定|ケース|種類|種|指標|シード|sizes|settings|cases"
    r"|models)?\s?(?:の?うち|中)の?、?\s?(\d+)\s?(?:サイズ|件|条件|構成|つ|モデル|手法|設定"
    r"|ケース)?"
    r"|\b(\d+)\s+(?:out\s+)?of\s+(?:the\s+)?(\d+)\s+(?:sizes|settings|cases|models|sample sizes)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Count:
    """「n のうち k」: the text, how many there are, how many of them, and where it ends."""

    text: str
    whole: int
    part: int
    end: int


def count_slips(b: Beside) -> Iterator[Finding]:
    """Yield the slips of the count in a clause, and of what it says of every row."""
    yield from _everywhere(b)
    m = _COUNTS.search(b.clause.text)
    if not m or not b.clause.opens_plainly(m.start()):
        return
    whole, part = (int(m[1]), int(m[3])) if m[1] else (int(m[5]), int(m[4]))
    count = Count(m[0], whole, part, m.end())
    yield from _compared(b, count) if b.clause.names else _bounded(b, count)


def _compared(b: Beside, count: Count) -> Iterator[Finding]:
    words = WORD.findall(b.clause.masked)
    if len(words) != 1 or len({x.name for x in b.clause.names}) > 2:
        return
    pairs = [o for o in b.opposed() if len(o.x.rows) == count.whole]
    b.report.count(bool(pairs))
    won = [o.won(SENSES[words[0].lower()]) for o in pairs]
    if "ない" in b.clause.text or any(w is None for w in won):
        return
    if pairs and won[0] and not any(w and w[0] <= count.part <= w[1] for w in won):
        yield _counted(b, count.text, pairs[0], won[0][0])


def _everywhere(b: Beside) -> Iterator[Finding]:
    """Check 「すべてのサイズで松が低い」."""
    m, words, pairs = every(b), WORD.findall(b.clause.masked), b.opposed()
    names = {x.name for x in b.clause.names}
    if not m or b.clause.numbers or len(names) != 1 or len(words) != 1 or len(pairs) != 1:
        return
    won = pairs[0].won(SENSES[words[0].lower()])
    if won and won[1] < len(pairs[0].x.rows):
        yield _counted(b, m[0], pairs[0], won[0])


def _counted(b: Beside, said: str, o: Opposed, won: int) -> Finding:
    line, total = o.x.grid.heads[0].line, len(o.x.rows)
    text = b.report.say(
        f"「{said}」とするが、表（{line} 行から）で {o.x.title} と {o.y.title} を比べると "
        f"{total} のうち {won} である。",
        f"'{said}', but in the table (from line {line}) {o.x.title} against {o.y.title} gives "
        f"{won} of {total}.",
    )
    return Finding("順序", (b.clause.sentence.line, line), text)


def _bounded(b: Beside, count: Count) -> Iterator[Finding]:
    """Check 「4 構成のうち 2 構成で M が x を超える」."""
    left = [n for n in b.clause.numbers if n.start >= count.end and not n.counter]
    sign = bound_at(b.clause.text, left[0].end) if len(left) == 1 else 0
    found = [x for x in b.meant() if len(x.rows) == count.whole] if sign else []
    found = [x for x in found if x.rows[0][1].unit == left[0].unit]
    if len(found) == 1:
        over = [sign * (n.value - left[0].value) for _, n in found[0].rows]
        low, high = sum(g > 0 for g in over), sum(g >= 0 for g in over)
        if not low <= count.part <= high:
            yield _miscounted(b, count, found[0], low)


def _miscounted(b: Beside, count: Count, x: Column, due: int) -> Finding:
    line = x.grid.heads[0].line
    text = b.report.say(
        f"「{count.text}」とするが、表（{line} 行から）の {x.title} では {due} である。",
        f"'{count.text}', but in the table (from line {line}) it is {due}.",
    )
    return Finding("順序", (b.clause.sentence.line, line), text)
