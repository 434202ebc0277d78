"""A Markdown report as blocks: headings, tables, code and sentences, each with its line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from markdown_it import MarkdownIt
from markdown_it.token import Token

from fpcore.claims.aligned import code_tables
from fpcore.claims.grid import Cell, Grid, Place
from fpcore.claims.markup import html_tables
from fpcore.claims.quantities import plain, without_intervals
from fpcore.claims.terms import TERMS

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LABEL = re.compile(r"\s*(?:\*\*([^*]+)\*\*\s*(?:[::]|\(.*\)[::]?)?|([^|。.]{1,60})[::])\s*$")
_CJK = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_ENDS = re.compile(r"。|(?<![A-Z])(?<!vs)(?<!^\d)(?<!^\d\d)(?<=[\w)%])[.!?](?=\s+[A-Z*\"(]|\s*$)")
_QUOTED = re.compile(r"[「『“]([^「」『』“”\d、。]{1,12})[」』”]")  # a name in quotes
LONGEST = 4000  # characters of a line that is read as a sentence
_CODE = {"", "text", "txt", "log", "console", "output", "plain", "plaintext", "results", "csv"}


@dataclass(frozen=True)
class Sentence:
    """A plain sentence of prose: its line (from 1), and the headings and label above it."""

    text: str
    line: int
    place: Place
    title: bool = False


@dataclass(frozen=True)
class CodeLine:
    """A line of a code block that is no table: a trace, or anything else; `block` tells blocks."""

    text: str
    line: int
    place: Place
    block: int


@dataclass
class Report:
    """What the rules work on."""

    text: str
    grids: list[Grid] = field(default_factory=list)
    sentences: list[Sentence] = field(default_factory=list)
    code: list[CodeLine] = field(default_factory=list)
    compared: int = 0

    @cached_property
    def _by_titles(self) -> dict[tuple[str, ...], list[Grid]]:
        found: dict[tuple[str, ...], list[Grid]] = {}
        for grid in self.grids:
            found.setdefault(grid.place.titles, []).append(grid)
        return found

    def lines(self) -> Iterator[tuple[str, int]]:
        """Yield the text and line of each sentence and of each line of code outside of tables."""
        yield from ((s.text, s.line) for s in self.sentences)
        yield from ((c.text, c.line) for c in self.code)

    def grids_in(self, place: Place) -> list[Grid]:
        """Return the tables in the section of a place."""
        return self._by_titles.get(place.titles, [])

    def count(self, comparisons: int = 1) -> None:
        """Count what the rules compare, so that an unread report does not look like a right one."""
        self.compared += comparisons

    @cached_property
    def japanese(self) -> bool:
        """Say whether findings are to be in Japanese."""
        return len(_CJK.findall(self.text[:200_000])) * 20 > len(self.text[:200_000])

    def say(self, japanese: str, english: str) -> str:
        """Return a text in the language of the report."""
        return japanese if self.japanese else english


def read_report(text: str) -> Report:
    """Return the blocks of a Markdown report; comments in HTML are blanked, lines stay."""
    text = "\n".join(text.splitlines())
    text = _COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    report = Report(text)
    markdown = MarkdownIt("commonmark").enable("table")
    markdown.core.ruler.disable(["inline", "text_join"])
    _Reader(report).read(markdown.parse(text))
    return report


class _Reader:
    """Walks the tokens, and knows the headings and the label that hold for the next block."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.headings: dict[int, str] = {}
        self.label = ""
        self.blocks = 0
        self.quoted = 0

    @property
    def place(self) -> Place:
        titles = tuple(self.headings[k] for k in sorted(self.headings))
        return Place(titles, self.label)

    def read(self, tokens: list[Token]) -> None:
        i = 0
        while i < len(tokens):
            token = tokens[i]
            if token.type == "heading_open":
                self._heading(token, tokens[i + 1])
                i += 2
            elif token.type == "table_open":
                end = next(k for k in range(i, len(tokens)) if tokens[k].type == "table_close")
                self._table(tokens[i:end])
                i = end
            elif token.type == "inline":
                self._prose(token, tokens[i - 1].type == "paragraph_open" and token.level == 1)
            elif token.type in ("fence", "code_block"):
                self._code(token)
            elif token.type == "html_block":
                self._html(token)
            i += 1

    def _heading(self, token: Token, inline: Token) -> None:
        level = int(token.tag[1:])
        text = plain(inline.content[:LONGEST])
        self.label = ""
        self.headings = {k: v for k, v in self.headings.items() if k < level}
        self.headings[level] = text
        if not self.quoted or level <= self.quoted:
            self.quoted = level if text.strip() in TERMS["quoting"] else 0
        if not self.quoted:
            self._sentences(inline.content, (token.map or [0])[0] + 1, title=True)

    def _table(self, tokens: list[Token]) -> None:
        rows: list[list[Cell]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline" and token.map:
                rows[-1].append(Cell.read(token.content, token.map[0] + 1))
        self._grid(rows)

    def _grid(self, rows: list[list[Cell]], code: bool = False) -> None:
        if len(rows) > 1 and len(rows[0]) > 1 and not self.quoted:
            width = len(rows[0])
            blank = Cell("", rows[0][0].line, False)
            body = tuple(tuple((r + [blank] * width)[:width]) for r in rows[1:])
            grid = Grid(len(self.report.grids), self.place, tuple(rows[0]), body, code)
            self.report.grids.append(grid)

    def _code(self, token: Token) -> None:
        kind = token.info.strip().split(" ")[0].lower()
        if kind not in _CODE or self.quoted or token.map is None:
            return
        first = token.map[0] + (2 if token.type == "fence" else 1)
        lines = [(first + i, text) for i, text in enumerate(token.content.split("\n"))]
        self.blocks += 1
        tables, rest = code_tables(lines)
        for rows in tables:
            self._grid(rows, code=True)
        for line, text in rest:
            if text.strip() and len(text) < LONGEST:
                self.report.code.append(CodeLine(plain(text), line, self.place, self.blocks))

    def _html(self, token: Token) -> None:
        for rows in html_tables(token.content, (token.map or [0])[0] + 1):
            self._grid(rows)

    def _prose(self, token: Token, top: bool) -> None:
        line = (token.map or [0])[0] + 1
        m = _LABEL.match(token.content) if len(token.content) < LONGEST else None
        if m:
            self.label = plain(m[1] or m[2])
        elif top:
            self.label = ""
        if not self.quoted:
            self._sentences(token.content, line)

    def _sentences(self, content: str, line: int, title: bool = False) -> None:
        for start, part in _joined(content):
            if len(part) > LONGEST:
                continue
            for text in _ENDS.split(_QUOTED.sub(r"\1", without_intervals(plain(part)))):
                if text.strip():
                    self.report.sentences.append(Sentence(text, line + start, self.place, title))


def _joined(content: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a paragraph; hard-wrapped ones of a Latin script are joined."""
    lines = content.split("\n")
    start, held = 0, lines[0]
    for i, line in enumerate(lines[1:], 1):
        wrapped = len(lines[i - 1]) > 60 and not _CJK.search(content) and len(held) < 2000
        if wrapped and not held.rstrip().endswith((".", ":")):
            held += " " + line.strip()
        else:
            yield start, held
            start, held = i, line
    yield start, held
