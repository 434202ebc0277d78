"""The rule 順序 for bounds and ranges: 「どのサイズでも 40 を下回る」, 「35 から 50 の範囲」."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fpcore.claims.beside import Beside
from fpcore.claims.finding import Finding
from fpcore.claims.quantities import Number
from fpcore.claims.values import Column

_EVERY = re.compile(
    r"(?:どの|すべての|全ての|全|いずれの|あらゆる)(?:サンプル)?(?:サイズ|設定|条件|構成|手法"
    r"|モデル|方式|シード"
    r"|ケース)(?:で|において)|\b(?:at|for|in) (?:every|all|each) (?:sample )?(?:sizes?|settings?"
    r"|cases?)",
    re.IGNORECASE,
)
_BOUND = re.compile(r"\s*を?\s*(?P<under>下回|未満|以下)|\s*を?\s*(?P<over>上回|超え|以上)")
_BOUND_EN = re.compile(
    r"(?P<under>below|under|less than)|(?P<over>above|over|more than)", re.IGNORECASE
)
_RANGE_OF = re.compile(r"\s*(?:の(?:範囲|間|幅)|に(?:収ま|分布)|まで(?:の範囲|分布))|\s*の範囲")
_RANGE_IS = re.compile(r"の範囲(?:は|が)\s*$|\branges? (?:is|from)\s*$", re.IGNORECASE)
_EXCEPT = re.compile("ない|限ら|除")
_Row = tuple[int, Number]


@dataclass(frozen=True)
class Limit:
    """A number that all values are said to lie below (sign -1) or above (sign +1)."""

    n: Number
    sign: int

    def broken(self, rows: list[_Row]) -> list[_Row]:
        """Return the rows that surely lie on the other side."""
        return [r for r in rows if self.sign * (r[1].value - self.n.value) < -r[1].half]


def bound_at(text: str, at: int) -> int:
    """Return -1 for 「を下回る」, +1 for 「を超える」 at a place of a text, else 0."""
    m = _BOUND.match(text, at)
    return 0 if not m else -1 if m.lastgroup == "under" else 1


def bound_slips(b: Beside) -> Iterator[Finding]:
    """Yield the slips of what a clause says of every row, with a limit."""
    names = {x.name for x in b.clause.names}
    limit = _limit(b)
    if every(b) and len(names) < 2 and limit:
        yield from _limited(b, "".join(names), limit)


def every(b: Beside) -> re.Match[str] | None:
    """Return the words of a clause that say that it holds of every row, without exception."""
    m = _EVERY.search(b.clause.text)
    plain = m and b.clause.opens_plainly(m.start()) and not _EXCEPT.search(b.clause.text)
    return m if plain else None


def _limit(b: Beside) -> Limit | None:
    c = b.clause
    if len(c.numbers) != 1 or c.numbers[0].counter:
        return None
    n = c.numbers[0]
    english = _BOUND_EN.search(c.text[: n.start])
    sign = bound_at(c.text, n.end)
    if not sign and english:
        sign = -1 if english.lastgroup == "under" else 1
    return Limit(n, sign) if sign else None


def _limited(b: Beside, name: str, limit: Limit) -> Iterator[Finding]:
    broken = []
    for x in b.meant() if b.clause.metrics else b.columns:
        rows = x.named(name) if name else list(x.rows)
        if not x.metric or not rows or x.rows[0][1].unit != limit.n.unit:
            continue
        over = limit.broken(rows)
        if not over or len(over) * 2 > len(rows):
            return
        broken.append((x, over[0]))
    if len(broken) == 1 and (b.clause.metrics or len(b.columns) <= 2):
        yield _breach(b, limit, *broken[0])


def _breach(b: Beside, limit: Limit, x: Column, row: _Row) -> Finding:
    line = x.line(row[0])
    text = b.report.say(
        f"「{limit.n.text}」の限りを {x.grid.rows[row[0]][0].text} の {row[1].text}（{line} 行、"
        f"{x.title}）が破る。",
        f"The bound {limit.n.text} is broken by {row[1].text} in line {line} ({x.title}).",
    )
    return Finding("順序", (b.clause.sentence.line, line), text)


def range_slips(b: Beside) -> Iterator[Finding]:
    """Check 「35.0 から 50.0 の範囲」: one end is that of a column, and the other is not."""
    for low, high in _ranges(b):
        ends = [_Ends(_unsigned(x), low, high) for x in b.meant()]
        if any(all(e.fit) or len(e.x.rows) < 3 for e in ends):
            continue
        wrong = [e for e in ends if any(e.fit) and e.alike]
        if len(wrong) == 1 and not (b.clause.names or b.clause.size or b.clause.step):
            yield _misranged(b, wrong[0])


def _ranges(b: Beside) -> Iterator[tuple[Number, Number]]:
    c = b.clause
    for p, q in zip(c.numbers, c.numbers[1:], strict=False):
        link = re.fullmatch(r"\s*(?:から|~|-|–|to|〜)\s*", c.text[p.end : q.start])
        told = _RANGE_OF.match(c.text, q.end) or _RANGE_IS.search(c.text[: p.start])
        if link and told and p.value < q.value and not p.counter:
            yield p, q


@dataclass(frozen=True)
class _Ends:
    """A column, and the lowest and highest value that a clause gives it."""

    x: Column
    low: Number
    high: Number

    @property
    def fit(self) -> tuple[bool, bool]:
        low, high = self.x.extreme(-1)[1], self.x.extreme(1)[1]
        return _is(low, self.low), _is(high, self.high)

    @property
    def alike(self) -> bool:
        low, high = self.x.extreme(-1)[1], self.x.extreme(1)[1]
        return self.low.half == low.half and self.high.half == high.half


def _is(n: Number, said: Number) -> bool:
    return n.agrees(said) or abs(n.value - said.value) <= said.half * (1 + 1e-9)


def _misranged(b: Beside, ends: _Ends) -> Finding:
    x, lower = ends.x, not ends.fit[0]
    i, n = x.extreme(-1 if lower else 1)
    said = ends.low if lower else ends.high
    line = x.line(i)
    text = b.report.say(
        f"範囲の端を {said.text} とするが、{x.title} の端は {n.text}（{line} 行）である。",
        f"The range is said to end at {said.text}, but {x.title} ends at {n.text} (line {line}).",
    )
    return Finding("順序", (b.clause.sentence.line, line), text)


def _unsigned(x: Column) -> Column:
    """Return a column of changes without their sign, as a range of them is printed."""
    if x.metric:
        return x
    return replace(x, rows=tuple((i, replace(n, value=abs(n.value))) for i, n in x.rows))
