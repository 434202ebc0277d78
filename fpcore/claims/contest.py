"""The two runs that a report compares, where all its difference columns are of the same two."""

from dataclasses import dataclass

from fpcore.claims.document import Report
from fpcore.claims.facts import Fact
from fpcore.claims.names import Index

KIN = {"ppl": ("val_ppl", "train_ppl", "ppl"), "er": ("val_er", "train_er", "er")}


@dataclass(frozen=True)
class Pairs:
    """The values of the two runs, alike in all else, by metric; and the runs in their order."""

    first: str
    second: str
    values: dict[str, list[tuple[Fact, Fact]]]

    def of(self, metric: str) -> list[tuple[Fact, Fact]]:
        """Return the pairs of a metric, and of those that its name may stand for."""
        return [p for m in KIN.get(metric, (metric,)) for p in self.values.get(m, [])]


def contest(report: Report, index: Index, facts: list[Fact]) -> Pairs | None:
    """Return the values of the two runs; None where a report does not compare just two."""
    runs = _two(report, facts)
    return Pairs(*runs, _values(index, *runs)) if runs else None


def _two(report: Report, facts: list[Fact]) -> tuple[str, str] | None:
    """Return the two runs, where all differences between values of known metrics are of them."""
    found = {f.words for f in facts if f.difference and len(f.words) == 2}
    if len(found) != 1:
        return None
    names = found.pop()
    source = next(f.source for f in facts if f.difference and f.words == names)
    heads = " ".join(h.text.lower() for h in report.grids[source].heads)
    a, b = sorted(names, key=heads.find)
    return a, b


def _values(index: Index, a: str, b: str) -> dict[str, list[tuple[Fact, Fact]]]:
    found = {}
    for metric, facts in index.by_metric.items():
        one = [f for f in facts if f.words | (f.above & {a}) == {a} and f.step is None]
        two = [f for f in facts if f.words | (f.above & {b}) == {b} and f.step is None]
        found[metric] = index.alike(one, two, a, b)
    return found
