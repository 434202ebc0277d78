"""What the tables of a published report print of the differences between runs."""

from collections.abc import Iterator
from dataclasses import replace

from fpcore.claims.arithmetic import RELATIVE, fits, kinds_for
from fpcore.claims.document import Report
from fpcore.claims.facts import Fact, grid_facts
from fpcore.claims.labels import read_label


def difference_name(a: str, b: str) -> str:
    """Return what stands for the run of a difference b − a."""
    return f"{b} − {a}"


def column_differences(report: Report) -> Iterator[Fact]:
    """Yield the differences that follow from the two columns before them, as facts of b − a.

    A relative one has the unit ``%rel``.
    """
    for grid in report.grids:
        facts = list(grid_facts(grid))
        for d in (f for f in facts if f.difference):
            values = [f for f in facts if not f.difference and _of_row(f, d)]
            if len(values) != 2:
                continue
            a, b = values
            heads = [read_label(h.text).words for h in grid.heads]
            runs = sorted(values, key=lambda f: next(i for i, w in enumerate(heads) if f.words & w))
            for kind in kinds_for(d.number, a.number, b.number):
                if fits(d.number, kind, runs[0].number, runs[1].number):
                    unit = "%rel" if kind is RELATIVE else a.number.unit
                    name = difference_name(runs[0].run, runs[1].run)
                    yield replace(d, words=frozenset({name}), number=replace(d.number, unit=unit))
                    break


def _of_row(f: Fact, d: Fact) -> bool:
    same = (f.metric, f.size, f.step, f.window) == (d.metric, d.size, d.step, d.window)
    return same and f.line == d.line and f.words <= d.words
