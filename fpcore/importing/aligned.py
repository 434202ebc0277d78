"""Tables whose columns are parted by spaces alone: `Samples  P1 Iter Train ER   V.PPL`."""

import re

from fpcore.importing.fields import ALL, named
from fpcore.importing.rows import Line, Table

Lines = list[tuple[int, str]]
RULE = re.compile(r"[\s|+:=─━┼│-]*")
NUMBER = re.compile(r"[-+]?[\d.,]+%?")
LONGEST = 3  # words of a name


def split(lines: Lines) -> tuple[list[Table], Lines]:
    """Return the tables in some lines, and the lines outside of them.

    A line is a head where its words, one to three at a time, are names of columns, as many as the
    next line has words.
    """
    tables: list[Table] = []
    rest: Lines = []
    said = [(number, text) for number, text in lines if not RULE.fullmatch(text)]
    at = 0
    while at < len(said):
        number, text = said[at]
        width = len(said[at + 1][1].split()) if at + 1 < len(said) else 0
        heads = _heads(text.split(), width) if _may_be_head(text) and width > 2 else None
        if heads is None:
            rest.append(said[at])
            at += 1
            continue
        below = [said[k] for k in range(at + 1, _end(said, at + 1, width))]
        rows = [Line(no, row.split()) for no, row in below]
        tables.append(Table(heads, number, rows, strict=False))
        at += 1 + len(rows)
    return tables, rest


def _may_be_head(text: str) -> bool:
    return "=" not in text and ":" not in text and not any(map(NUMBER.fullmatch, text.split()))


def _end(lines: Lines, start: int, width: int) -> int:
    end = start
    while end < len(lines) and len(lines[end][1].split()) == width:
        end += 1
    return end


def _heads(words: list[str], count: int) -> list[str] | None:
    """Return words as that many names of columns, from the last word on; None if they are none."""
    if not words or not count:
        return [] if not words and not count else None
    for k in range(1, LONGEST + 1):
        name = " ".join(words[-k:])
        if k <= len(words) and named(name, *ALL):
            before = _heads(words[:-k], count - 1)
            if before is not None:
                return [*before, name]
    return None
