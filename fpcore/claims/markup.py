"""Tables that are written in HTML."""

from html.parser import HTMLParser

from fpcore.claims.grid import Cell


def html_tables(text: str, line: int) -> list[list[list[Cell]]]:
    """Return the tables of a piece of HTML as rows of cells; one with merged cells is left out."""
    reader = _Tables(line)
    reader.feed(text)
    return [t for t in reader.tables if len({len(row) for row in t}) == 1]


class _Tables(HTMLParser):
    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.tables: list[list[list[Cell]]] = []
        self.cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self.cell = []
            if {"colspan", "rowspan"} & {name for name, _ in attrs}:
                self.tables[-1].append([])  # rows of unequal width: not read
        elif tag in ("b", "strong") and self.cell is not None:
            self.cell.append("**")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("b", "strong") and self.cell is not None:
            self.cell.append("**")
        elif tag in ("td", "th") and self.cell is not None and self.tables[-1]:
            at = self.line + self.getpos()[0] - 1
            self.tables[-1][-1].append(Cell.read("".join(self.cell).strip(), at))
            self.cell = None

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.append(data)
