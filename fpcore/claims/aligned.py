"""Tables in code blocks: with pipes, or with columns that are aligned by spaces."""

import re
from itertools import pairwise

from fpcore.claims.grid import Cell

Lines = list[tuple[int, str]]
_RULE = re.compile(r"[\s|+:=─━┼│-]*")
_PIPES = re.compile(r"\s*[|│](.*?)[|│]?\s*$")


def code_tables(lines: Lines) -> tuple[list[list[list[Cell]]], Lines]:
    """Return the tables of a code block as rows of cells, and the lines outside of them."""
    tables: list[list[list[Cell]]] = []
    rest: Lines = []
    block: Lines = []
    for line, text in [*lines, (0, "")]:
        if text.strip():
            if not _RULE.fullmatch(text):
                block.append((line, text))
            continue
        rows = _pipes(block) or _columns(block)
        if rows:
            tables.append(rows)
            used = {row[0].line for row in rows}
            block = [(no, t) for no, t in block if no not in used]
        rest += block
        block = []
    return tables, rest


def _pipes(block: Lines) -> list[list[Cell]]:
    rows = [(no, m[1]) for no, t in block if (m := _PIPES.match(t)) and m[1].count("|") > 0]
    cells = [[Cell.read(c, no) for c in re.split(r"[|│]", t)] for no, t in rows]
    return cells if len(cells) > 1 and len(cells) == len(block) else []


def _columns(block: Lines) -> list[list[Cell]]:
    """Read a head and the rows under it that have as many words as it has columns."""
    for at in range(min(len(block) - 1, 4)):
        no, head = block[at]
        spans = [_spans(t) for _, t in block[at + 1 :]]
        width = len(spans[0])
        same = [i for i, s in enumerate(spans) if len(s) == width]
        if width < 2 or "=" in head or re.search(r"\w:\s", head) or len(same) < len(spans) * 0.7:
            continue
        titles = _titles(head, spans[same[0]])
        if titles and any(re.search(r"[^\W\d]", t) for t in titles[1:]):
            rows = [[Cell.read(t, no) for t in titles]]
            for i in same:
                line, text = block[at + 1 + i]
                rows.append([Cell.read(text[a:b], line) for a, b in spans[i]])
            return rows if _numeric(rows) else []
    return []


def _numeric(rows: list[list[Cell]]) -> bool:
    return all(any(c.number for c in row[1:]) for row in rows[1:])


def _spans(text: str) -> list[tuple[int, int]]:
    wide = [m.span() for m in re.finditer(r"\S+(?: \S+)*", text)]
    return wide if len(wide) > 2 else [m.span() for m in re.finditer(r"\S+", text)]


def _titles(head: str, spans: list[tuple[int, int]]) -> list[str]:
    """Cut a head into the titles of columns, by wide gaps or by where the columns end or begin."""
    for pattern in (r"\S+(?: \S+)*", r"\S+"):
        words = re.findall(pattern, head)
        if len(words) == len(spans):
            return words
    ends = [0, *(end for _, end in spans[:-1]), max(len(head), spans[-1][1])]
    right = [head[a:b] for a, b in pairwise(ends)]
    begins = [*(start for start, _ in spans), len(head) + 1]
    left = [head[a:b] for a, b in pairwise(begins)]
    for parts, edges in ((right, ends[1:-1]), (left, begins[1:-1])):
        whole = all(not (head[e - 1 : e + 1].strip() == head[e - 1 : e + 1] != "") for e in edges)
        if whole and all(p.strip() for p in parts):
            return [p.strip() for p in parts]
    return []
