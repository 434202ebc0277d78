"""The rule 方向 for 「A の方が M が低い」 where a table sets A beside one other thing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fpcore.claims.beside import Beside
from fpcore.claims.finding import Finding
from fpcore.claims.quantities import Number
from fpcore.claims.terms import SENSES, WORD, sign_of
from fpcore.claims.values import Column

_RATHER = re.compile(r"\s*の\s*(?:方|ほう)\s*(?:が|は)")
_DENIED = re.compile("ない|ません|なかっ|せず|限ら|思|だけ|のみ")
_BRACKETS = re.compile(r"\([^()]*\)")


@dataclass(frozen=True)
class _Duel:
    """The value of a name, that of the one other row or column, and their metric."""

    mine: Number
    other: Number
    column: Column
    row: int

    def against(self, sense: str) -> bool:
        """Say whether the values are surely not as a direction word says."""
        a, b = self.mine, self.other
        slope = {"steeper": 1, "flatter": -1}.get(sense, 0)
        sign = slope or sign_of(sense, self.column.metric)
        gap = abs(a.value) - abs(b.value) if slope else a.value - b.value
        return sign * gap < -(a.half + b.half)


def rank_slips(b: Beside) -> Iterator[Finding]:
    """Yield the ranks that every row of every table beside a clause contradicts."""
    told = _told(b)
    if told is None:
        return
    name, word = told
    duels = [*_columns(b), *_rows(b, name)]
    b.report.count(bool(duels))
    if duels and all(d.against(SENSES[word.lower()]) for d in duels):
        yield _finding(b, told, duels[0])


def _told(b: Beside) -> tuple[str, str] | None:
    """Return the name and the word of a clause that says nothing else."""
    c = b.clause
    words, names = WORD.findall(_BRACKETS.sub("", c.masked)), {m.name for m in c.names}
    told = [m for m in c.names if _RATHER.match(c.text, m.end)]
    plain = not [n for n in c.numbers if c.text.rfind("(", 0, n.start) < 0]
    one = len(told) == len(names) == len(words) == 1 and c.metrics and not c.qualifiers
    if not one or not plain or _DENIED.search(c.text) or not c.opens_plainly(told[0].start):
        return None
    return told[0].name, words[0]


def _columns(b: Beside) -> Iterator[_Duel]:
    for o in b.opposed():
        for (i, p), (_, q) in zip(o.x.rows, o.y.rows, strict=True):
            yield _Duel(p, q, o.x, i)


def _rows(b: Beside, name: str) -> Iterator[_Duel]:
    for x in b.meant():
        mine = x.named(name)
        if len(x.rows) == 2 and len(mine) == 1:
            other = next(r for r in x.rows if r != mine[0])
            yield _Duel(mine[0][1], other[1], x, mine[0][0])


def _finding(b: Beside, told: tuple[str, str], d: _Duel) -> Finding:
    line = d.column.line(d.row)
    text = b.report.say(
        f"「{told[0]} の方が…{told[1]}」は数値と逆である（{d.mine.text} と {d.other.text}、"
        f"{line} 行、{d.column.title}）。",
        f"'{told[1]}' of {told[0]} contradicts the table: {d.mine.text} against {d.other.text} "
        f"(line {line}, {d.column.title}).",
    )
    return Finding("方向", (b.clause.sentence.line, line), text)
