"""A sentence and the columns of the tables beside it: those of its own section."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fpcore.claims.document import Report
from fpcore.claims.grid import Grid
from fpcore.claims.labels import read_label
from fpcore.claims.names import Clause, Index
from fpcore.claims.terms import sign_of
from fpcore.claims.values import Column, columns

_FAMILY = {"ppl": ("val_ppl", "ppl"), "er": ("val_er", "er")}
_SUPER = {"最大", "最小", "最高", "最良", "best", "max", "min"}
_MOST = 8  # tables: of more, it is unclear which one a sentence means


@dataclass(frozen=True)
class Beside:
    """A clause, and the columns of values in its section."""

    report: Report
    clause: Clause
    columns: tuple[Column, ...]

    def meant(self) -> list[Column]:
        """Return the columns of the one metric that the clause names."""
        c = self.clause
        metrics = {m for m, _, _ in c.metrics}
        if not metrics:
            return [x for x in self.columns if not x.metric and x.title in c.text]
        if len(metrics) != 1:
            return []
        wanted = metrics.pop()
        found = [x for x in self.columns if x.metric in _FAMILY.get(wanted, (wanted,))]
        words = {w for x in found for w in read_label(x.title).words}
        return found if all(any(q in w for w in words) for q in c.qualifiers - _SUPER) else []

    def opposed(self) -> list["Opposed"]:
        """Return the pairs of columns of one table: of the name in the clause, and the other."""
        names = [x.name for x in self.clause.names]
        found = []
        values = [x for x in self.columns if x.metric]
        for x in self.meant() if self.clause.metrics else values:
            others = [y for y in self.columns if y.rivals(x)]
            mine = names and names[0] in read_label(x.title).words
            if mine and len(others) == 1 and len(x.rows) == len(others[0].rows):
                found.append(Opposed(x, others[0]))
        return found


@dataclass(frozen=True)
class Opposed:
    """Two columns of one table that hold one metric of two things."""

    x: Column
    y: Column

    def won(self, sense: str) -> tuple[int, int] | None:
        """Return in how many rows x surely is, and may be, what a word says; None: no claim."""
        sign = sign_of(sense, self.x.metric)
        if not sign:
            return None
        gaps = [
            (sign * (a.value - b.value), a.half + b.half)
            for (_, a), (_, b) in zip(self.x.rows, self.y.rows, strict=True)
        ]
        return sum(g > 0 for g, _ in gaps), sum(g >= 0 for g, _ in gaps)


def tables_of(report: Report, c: Clause) -> list[Grid]:
    """Return the tables of the section of a clause; all, where its heading names nothing."""
    own = report.grids_in(c.sentence.place)
    titles = c.sentence.place.titles[1:]
    general = titles and not read_label(titles[-1], heading=True).words
    return own if own or not general else report.grids


def besides(report: Report, clauses: list[Clause]) -> Iterator[Beside]:
    """Yield the clauses that may be held against the tables of their sections."""
    known: dict[int, list[Column]] = {}
    for c in clauses:
        grids = tables_of(report, c)
        if not grids or len(grids) > _MOST or c.loose or len(c.text) > 300 or c.sentence.title:
            continue
        for grid in grids:
            if grid.index not in known:
                known[grid.index] = columns(grid)
        own = tuple(x for grid in grids for x in known[grid.index])
        if own:
            yield Beside(report, c, own)


def parts(b: Beside, index: Index, texts: list[str]) -> list[Beside]:
    """Return parts of a clause, each read as a clause of its own."""
    own = [replace(b.clause.sentence, text=t) for t in texts]
    return [replace(b, clause=index.clause(s)) for s in own]
