"""The rule 算術 for tables: differences, ratios and relative changes in columns and rows.

The operands and the sign are found from the rows: the columns before, columns that the head
names, a base row, the row above. Most rows decide; a row against them is a slip. Where the rows
do not agree on a convention, nothing is said.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import combinations

from fpcore.claims.arithmetic import (
    BASE_B,
    DIFFERENCE,
    kinds_for,
    shown,
)
from fpcore.claims.bases import ABOVE, FORMULA, is_base, named_in
from fpcore.claims.conventions import GROUPS, Convention, Item, Scheme, Score, is_arrow
from fpcore.claims.document import Report
from fpcore.claims.facts import is_difference
from fpcore.claims.finding import Finding
from fpcore.claims.grid import Grid
from fpcore.claims.hidden import HiddenBase, hidden_base
from fpcore.claims.labels import read_label
from fpcore.claims.terms import TERMS, any_of, better, column

_RATIO, _EXACT = any_of(TERMS["ratios"]), any_of(TERMS["exact"])
_MINUS = re.compile(r"\s*(?:-|−|引く|minus)\s*", re.IGNORECASE)
_OVER = re.compile(r"\s*[/÷]\s*")
_SAMPLE = 40  # rows that choose the convention of a long table
_OPAQUE = re.compile(r"→|⇒|->|\bvs\b|[×x/=<>]\s*\d", re.IGNORECASE)


def column_slips(report: Report) -> Iterator[Finding]:
    """Yield the slips in difference columns and rows of all tables."""
    for grid in report.grids:
        table = _Table(report, grid)
        if any(table.is_change(j) for j in range(1, len(grid.heads))):
            yield from table.slips()
        elif len(grid.rows) < 60 and any(
            is_difference(r[0].text) or FORMULA.search(r[0].text) for r in grid.rows
        ):
            yield from _Table(report, grid.turn).slips()


class _Table:
    def __init__(self, report: Report, grid: Grid) -> None:
        self.report, self.grid = report, grid

    @cached_property
    def numeric(self) -> list[int]:
        """Return the columns that hold operands."""
        found = []
        for j, head in enumerate(self.grid.heads):
            kind = column(head.text)
            numbers = sum(row[j].number is not None for row in self.grid.rows[:_SAMPLE])
            if not self.is_change(j) and kind not in ("position", "layer") and numbers:
                found.append(j)
        return found

    def slips(self) -> Iterator[Finding]:
        for j, head in enumerate(self.grid.heads):
            if j and self.is_change(j) and column(head.text) != "note":
                for part in (0, 1):
                    yield from self._column(j, part)

    def _items(self, j: int, part: int) -> list[Item]:
        items = []
        for i, row in enumerate(self.grid.rows):
            cell = row[j]
            numbers = cell.numbers
            plain_cell = numbers and len(numbers) < 3 and not _OPAQUE.search(cell.text)
            if not plain_cell or len(numbers) <= part or is_difference(row[0].text):
                continue
            n = numbers[part]
            near = part or n.start < 4
            if near and not (n.about or n.ranged or n.spread or n.counter):
                label = read_label(row[0].text).metric or read_label(self.grid.heads[j].text).metric
                items.append(Item(i, n, label or self._metric_before(j)))
        return items

    def _metric_before(self, j: int) -> str:
        found = [read_label(self.grid.heads[k].text).metric for k in self.numeric if k < j]
        return found[-1] if found else ""

    def _column(self, j: int, part: int) -> Iterator[Finding]:
        items = self._items(j, part)
        if not items:
            return
        head = self.grid.heads[j].text
        ratio = bool(_RATIO.search(head)) or head.endswith("比") or "/" in self.formula(j)
        exact = bool(_EXACT.search(head))
        canonical, explicit = self._canonical(j)
        sample = items[:_SAMPLE]
        scores: list[Score] = []
        for c in (c for s in canonical for c in self._conventions(s, items, explicit)):
            score = self._score(c, sample, ratio, exact)
            scores += [score] if score.right + len(score.wrong) else []
            if score.right and not score.wrong:
                break
        best = max(scores, key=lambda s: (s.right - len(s.wrong), s.right), default=None)
        base = hidden_base(self.grid, [k for k in self.numeric if k < j], items[:_SAMPLE])
        if base and (best is None or best.right < base.right):
            yield self._off_base(base, j)
            return
        if best is None:
            return
        whole = best if len(items) <= _SAMPLE else self._score(best.convention, items, ratio, exact)
        self.report.count(whole.right + len(whole.wrong))
        for item in self._slips(whole, j, ratio, exact, bool(explicit)):
            yield self._finding(whole.convention, item, j, ratio)

    def _score(self, c: Convention, items: list[Item], ratio: bool, exact: bool) -> Score:
        fit = [(item, c.fit(self.grid, item, ratio, exact)) for item in items]
        fine = [x.d for x, f in fit if f is True and x.d.value != 0]
        strong = sum(d.digits > 1 for d in fine)
        weak = sum(d.digits == 1 and d.signed for d in fine)
        return Score(c, strong + weak // 2, tuple(x for x, f in fit if f is False))

    def _conventions(self, s: Scheme, items: list[Item], sign: int) -> Iterator[Convention]:
        signed = any(x.d.signed for x in items)
        gains = [2] if any(better(x.metric) for x in items) else []
        signs = ([sign] if sign else [1, -1, *gains]) if signed else [0]
        for kinds in GROUPS:
            for one in signs:
                yield Convention(s, kinds, one)

    def _canonical(self, j: int) -> tuple[list[Scheme], int]:
        """Return the schemes that a column may follow, and the sign that its head dictates."""
        named = self._named(j)
        if named:
            return named
        before = [k for k in self.numeric if k < j]
        arrows = [k for k in before if any(is_arrow(r[k]) for r in self.grid.rows[:_SAMPLE])]
        if arrows:
            return [Scheme(k, k) for k in arrows], 0
        found = [Scheme(before[-2], before[-1])] if len(before) > 1 else []
        if len(before) > 2 and not self.grid.turned:
            found += [Scheme(p, q) for p, q in combinations(before[-5:], 2)]
        if self.grid.turned:
            found += [Scheme(before[0], before[1])] if len(before) == 3 else []
        else:
            found += self._bases(j, before)
        return list(dict.fromkeys(found)), 0

    def _named(self, j: int) -> tuple[list[Scheme], int] | None:
        """Read 「差（松 − 竹）」: the head names two columns, so operands and sign are fixed."""
        text = self.grid.heads[j].text.lower()
        own = {k: self._name(k) for k in self.numeric if k != j}
        places = {k: text.find(name) for k, name in own.items() if name and name in text}
        if len(places) != 2 or len(set(own.values())) < 2:
            return None
        first, second = sorted(places, key=lambda k: places[k])
        between = text[places[first] + len(own[first]) : places[second]]
        if _MINUS.fullmatch(between):
            return [Scheme(second, first)], 1
        if _OVER.fullmatch(between):
            return [Scheme(second, first)], 0
        return [Scheme(first, second)], 0

    def is_change(self, j: int) -> bool:
        """Say whether a column is of differences, by a word or a formula in its head."""
        return is_difference(self.grid.heads[j].text) or bool(self.formula(j))

    def formula(self, j: int) -> str:
        """Return 「旧 - 新」 or 「B/A」 where a head consists of it, with names of two columns."""
        m = FORMULA.search(self.grid.heads[j].text.lower())
        names = {self._name(k) for k in range(len(self.grid.heads)) if k != j} if m else set()
        return m[0] if m and m[1] in names and m[2] in names and m[1] != m[2] else ""

    def _name(self, k: int) -> str:
        words = read_label(self.grid.heads[k].text).words
        return next(iter(words)) if len(words) == 1 else ""

    def _bases(self, j: int, before: list[int]) -> list[Scheme]:
        """Return the base rows: first, last, above, one without a difference, one that is named."""
        rows = self.grid.rows
        empty = [
            i for i, r in enumerate(rows) if r[j].empty or not r[j].numbers or is_base(r[j].numbers)
        ]
        title = self.grid.heads[j].text
        named = [i for i, r in enumerate(rows) if named_in(r[0].text, title)]
        found = []
        likely = [*named, *(empty if len(empty) == 1 else [])]
        for q in (k for k in reversed(before) if k):
            for base in dict.fromkeys([*likely, *empty[:1], 0, len(rows) - 1, -1]):
                above = base == -1 and bool(ABOVE.search(title))
                found.append(Scheme(q, q, base, base in likely or above))
        return found[:16]

    def _slips(
        self, score: Score, j: int, ratio: bool, exact: bool, explicit: bool
    ) -> Iterator[Item]:
        right, wrong = score.right, score.wrong
        tight = score.convention.scheme.base is None or score.convention.scheme.likely
        sure = right >= 2 * len(wrong) and right >= 2 if tight else right >= max(3, 3 * len(wrong))
        scheme = score.convention.scheme
        pair = scheme.base is None and (explicit or self._parallel(scheme, j))
        maybe = pair and len(wrong) <= max(right, 1) and len(wrong) < 3
        maybe = maybe or (
            scheme.likely and len(wrong) == 1 and (right >= 1 or self._sole(scheme, j))
        )
        for item in wrong[:_SAMPLE] if sure or maybe else ():
            if item.d.digits < 2 and not sure:
                continue
            if self._other(item, score, sure, ratio, exact):
                continue
            if sure or explicit or not self._flipped(item, score.convention, ratio, exact):
                yield item

    def _sole(self, s: Scheme, j: int) -> bool:
        """Say whether a head names the base row, and only one column can be meant."""
        before = [k for k in self.numeric if 0 < k < j]
        named = s.base is not None and s.base >= 0
        return (
            named
            and before == [s.q]
            and named_in(self.grid.rows[s.base or 0][0].text, self.grid.heads[j].text)
        )

    def _parallel(self, s: Scheme, j: int) -> bool:
        """Say whether two columns before a difference are of one kind: values of two things."""
        if s.arrow:
            return True
        if s.q != j - 1 or s.p != j - 2:
            return False
        kinds = {column(self.grid.heads[k].text) for k in (s.p, s.q)}
        labels = [read_label(self.grid.heads[k].text) for k in (s.p, s.q)]
        values = not kinds & {"size", "step", "seed"} and "tokens" not in [x.metric for x in labels]
        same = labels[0].metric == labels[1].metric or self.grid.turned
        return values and same and (labels[0].words != labels[1].words or self.grid.turned)

    def _flipped(self, item: Item, c: Convention, ratio: bool, exact: bool) -> bool:
        """Say whether an item has but another sign than the convention."""
        return bool(Convention(c.scheme, c.kinds, 0).fit(self.grid, item, ratio, exact))

    def _other(self, item: Item, score: Score, sure: bool, ratio: bool, exact: bool) -> bool:
        """Say whether another reading explains an item: of its own operands, or of any."""
        c, right = score.convention, score.right
        if sure and self._flipped(item, c, ratio, exact):
            return False
        schemes = [c.scheme]
        if not sure or (len(self.numeric) > 2 and len(self.grid.rows) < 4):
            schemes += [Scheme(p, q) for p, q in combinations(self.numeric[:8], 2)]
            bases = [-1, 0, len(self.grid.rows) - 1]
            bases = bases if not sure or c.scheme.base is not None else []
            schemes += [Scheme(q, q, base) for q in self.numeric[:8] for base in bases]
        groups = GROUPS[:1] if sure else GROUPS
        found = [
            Convention(s, kinds, 0)
            for s in dict.fromkeys(schemes)
            for kinds in groups
            if not (item.d.signed and kinds in GROUPS[2:])
            if s != c.scheme or kinds != (BASE_B,) or c.kinds != GROUPS[0] or not right
        ]
        return any(x.fit(self.grid, item, ratio or not sure, exact) for x in found)

    def _off_base(self, base: HiddenBase, j: int) -> Finding:
        item, line = base.item, self.grid.rows[base.item.i][j].line
        what = f"{self.grid.title(item.i)} / {self.grid.heads[j].text}"
        text = self.report.say(
            f"「{what}」の {item.d.text} は、ほかの {base.right} 行の差が示す基準 {base.value:.5g} "
            f"と {base.operand.text} の差 {base.due:+.4g} と合わない。",
            f"'{what}': {item.d.text} is not {base.operand.text} less {base.value:.5g} "
            f"({base.due:+.4g}), the base that {base.right} other rows give.",
        )
        return Finding("算術", (line,), text)

    def _finding(self, c: Convention, item: Item, j: int, ratio: bool) -> Finding:
        a, b = c.scheme.operands(self.grid, item.i) or (item.d, item.d)
        known = kinds_for(item.d, a, b, ratio) or list(c.kinds)
        kind = next((k for k in known if k in c.kinds), known[0])
        if c.sign == -1 or (c.sign == 2 and better(item.metric) < 0):
            a, b = (b, a) if kind is DIFFERENCE else (a, b)
        lines = c.scheme.line(self.grid, item.i)
        cell = self.grid.rows[item.i][j]
        what = f"{self.grid.title(item.i)} / {self.grid.heads[j].text}"
        due = shown(kind, a, b, item.d)
        where = "、".join(dict.fromkeys(str(x) for x in lines))
        text = self.report.say(
            f"「{what}」の {item.d.text} は、{a.text} から {b.text} への変化（{where} 行、"
            f"{kind.formula} = {due}）と合わない。",
            f"'{what}': {item.d.text} does not follow from {a.text} and {b.text} (line {where}, "
            f"{kind.formula} = {due}).",
        )
        return Finding("算術", tuple(dict.fromkeys((cell.line, *lines))), text)
