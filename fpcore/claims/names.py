"""What a sentence speaks of: the names that tables give to their rows and columns, and metrics."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from fpcore.claims.document import Report, Sentence
from fpcore.claims.facts import Fact, place_label
from fpcore.claims.labels import SIZE, STEP
from fpcore.claims.quantities import Number, numbers_in
from fpcore.claims.terms import HEDGE, OTHER, TERMS, WORD, metrics_in

_OPENERS = re.compile(
    "|".join(sorted(map(re.escape, TERMS["openers"]), key=len, reverse=True)), re.IGNORECASE
)
_FEW = 1  # letters that may be left of a plain opening
MANY = 300  # facts that a sentence may speak of; of more, none is checked
LONGEST = 600  # characters of a sentence that is checked against tables
FAMILY = {"ppl": ("val_ppl", "ppl"), "er": ("val_er", "er"), "accuracy": ("accuracy",)}
_CONDITION = re.compile(
    r"\d+\s?(?:層|次元|dim|layers?|ブロック)|(?:dim|lr|学習率|層)\s*[=:]?\s*\d|seed|シード\s?\d",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Mention:
    """A name in a sentence, and its place."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Clause:
    """A sentence with what it names."""

    sentence: Sentence
    names: tuple[Mention, ...]
    metrics: tuple[tuple[str, int, int], ...]
    numbers: tuple[Number, ...]
    size: int | None
    step: int | None

    @property
    def text(self) -> str:
        """Return its text."""
        return self.sentence.text

    @cached_property
    def masked(self) -> str:
        """Return its text with the names blanked, so that they are not read as words."""
        text = self.text
        for m in self.names:
            text = text[: m.start] + "\0" * (m.end - m.start) + text[m.end :]
        return text

    @cached_property
    def loose(self) -> bool:
        """Say whether it supposes something, or speaks of something else than tables hold."""
        return bool(HEDGE.search(self.masked) or _CONDITION.search(self.text))

    def opens_plainly(self, until: int) -> bool:
        """Say whether nothing before a place, since the last comma, names a condition or cause."""
        bare = list(self.masked)
        spans = [(start, end) for _, start, end in self.metrics]
        for start, end in (*spans, *(m.span() for m in SIZE.finditer(self.text))):
            bare[start:end] = " " * (end - start)
        text = WORD.sub(" ", "".join(bare)[:until].rpartition("、")[2])
        return len(re.sub(r"[\W\d_]", "", _OPENERS.sub(" ", text))) <= _FEW

    @cached_property
    def qualifiers(self) -> frozenset[str]:
        """Return the words that make another quantity of a metric."""
        bare = list(self.text)
        for _, start, end in self.metrics:
            bare[start:end] = " " * (end - start)
        return frozenset(m[0].lower() for m in OTHER.finditer("".join(bare)))


class Index:
    """The facts of a report by metric, and the names that its tables use."""

    def __init__(self, report: Report, facts: Iterable[Fact]) -> None:
        self.report = report
        seen = {(f.key, f.number.text, f.end): f for f in reversed(list(facts)) if not f.difference}
        self.facts = list(reversed(seen.values()))
        self.by_metric: dict[str, list[Fact]] = defaultdict(list)
        self.by_name: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        self._values: dict[str, list[tuple[float, int]]] = defaultdict(list)
        for i, f in enumerate(self.facts):
            self.by_metric[f.metric].append(f)
            self._values[f.metric].append((f.number.value, i))
            for word in f.words | f.above:
                self.by_name[f.metric, word].append(f)
        for found in self._values.values():
            found.sort()
        words = {
            w for f in self.facts for w in f.words if re.search(r"[^\W\d]", w) and "=" not in w
        }
        above = {
            w for f in self.facts for w in f.above if w in words or re.fullmatch(r"[a-z]\w{0,9}", w)
        }
        self.words = words | above
        self.pattern = _trie(self.words)

    def clause(self, s: Sentence) -> Clause:
        """Return a sentence with the names, metrics and numbers in it."""
        metrics = metrics_in(s.text)
        found = []
        for m in self.pattern.finditer(s.text) if self.pattern else ():
            if not any(a <= m.start() < b for _, a, b in metrics):
                found.append(Mention(m[0].lower(), *m.span()))
        sizes = {x for m in SIZE.finditer(s.text) if (x := int(m[1].replace(",", "")))}
        step = STEP.search(s.text)
        at = int(next(filter(None, step.groups()))) if step else None
        size = sizes.pop() if len(sizes) == 1 else -1 if sizes else place_label(s.place).size
        return Clause(s, tuple(found), tuple(metrics), numbers_in(s.text), size, at)

    def values(self, c: Clause, name: str, metric: str) -> list[Fact]:
        """Return the facts of a name that a clause may speak of; none where it is not clear."""
        if c.size == -1:
            return []
        found = []
        for m in FAMILY.get(metric, (metric,)):
            for f in self.by_name.get((m, name), ()):
                if c.size is not None and f.size not in (c.size, None):
                    continue
                if f.size is None and SIZE.search(c.text):
                    continue  # a condition that the table does not have
                if (f.step if not f.end else None) == c.step:
                    found.append(f)
        if len(found) > MANY:
            return []  # it is unclear which of them is meant
        return found if not found or self._same_words(c, found) else []

    def _same_words(self, c: Clause, found: list[Fact]) -> bool:
        """Say whether the qualifiers of a clause are those of the facts."""
        return all(any(q in w for f in found for w in f.words | f.above) for q in c.qualifiers)

    def owners(self, metric: str, n: Number) -> list[Fact]:
        """Return the facts of a metric that a number may be, up to MANY."""
        values = self._values.get(metric, [])
        wide = 2 * n.half + abs(n.value) * 1e-9
        low, high = (bisect_left(values, (n.value + w, -1)) for w in (-wide, wide))
        near = (self.facts[i] for _, i in values[low : min(high, low + MANY)])
        return [f for f in near if f.number.agrees(n)]

    def printed(self, n: Number) -> bool:
        """Say whether a table prints a number, of whatever metric or none."""
        return n.text in self._cells

    @cached_property
    def _cells(self) -> frozenset[str]:
        rows = (row for grid in self.report.grids for row in grid.rows)
        return frozenset(n.text for row in rows for cell in row for n in cell.numbers)

    def alike(
        self, a: Iterable[Fact], b: Iterable[Fact], x: str, y: str
    ) -> list[tuple[Fact, Fact]]:
        """Return the pairs that differ in nothing but the names x and y."""
        others: dict[tuple[object, ...], list[Fact]] = defaultdict(list)
        for f in b:
            others[_rest(f, y)].append(f)
        pairs = ((f, g) for f in a for g in others[_rest(f, x)] if f.number.unit == g.number.unit)
        return list(islice(pairs, MANY))


def _rest(f: Fact, name: str) -> tuple[object, ...]:
    return (f.metric, (f.words | f.above) - {name}, f.size, f.step, f.window, f.end)


def _trie(words: set[str]) -> re.Pattern[str] | None:
    """Return a pattern that matches any word; common beginnings are shared, so that it is fast."""
    tree: dict[str, dict] = {}  # type: ignore[type-arg]
    for word in words:
        node = tree
        for c in word:
            node = node.setdefault(c, {})
        node[""] = {}
    if not tree:
        return None
    pattern = _branch(tree)
    return re.compile(rf"(?<![A-Za-z0-9_.-]){pattern}(?![A-Za-z0-9_])", re.IGNORECASE)


def _branch(node: dict[str, dict]) -> str:  # type: ignore[type-arg]
    parts = [re.escape(c) + _branch(n) for c, n in node.items() if c]
    if not parts:
        return ""
    joined = parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
    return f"(?:{joined})?" if "" in node else joined


def own_words(c: Clause) -> frozenset[str]:
    """Return the words of the headings above a sentence."""
    return place_label(c.sentence.place).words
