"""The rule 順序: superlatives, counts, bounds and ranges against the table beside them.

A sentence is held against the tables of its own section: 「最も低いのは竹の 31.0」,
「3 サイズのうち 1 サイズで松が低い」, 「竹はどのサイズでも 40 を下回る」,
「35.0 から 50.0 の範囲」. It is wrong only where every column that it may mean contradicts it.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from fpcore.claims.document import Report
from fpcore.claims.finding import Finding
from fpcore.claims.labels import read_label
from fpcore.claims.names import Clause, Index
from fpcore.claims.quantities import Number
from fpcore.claims.terms import SENSES, WORD, better, sign_of
from fpcore.claims.values import Column, columns

_LOW = r"最も[^、。\d]{0,14}?(?:低|小さ|短|少な)(?:い|く|かった)|最小|最低|最短|最少"
_LOW += r"|\blowest\b|\bsmallest\b|\bminimum\b"
_HIGH = r"最も[^、。\d]{0,14}?(?:高|大き|長|多)(?:い|く|かった)(?!速)|最大|最高|最長|最多"
_HIGH += r"|\bhighest\b|\blargest\b|\bmaximum\b"
_BEST = r"最も[^、。\d]{0,14}?(?:良|優れ|高速|速)(?:い|く|かった|て|る)?|最良|ベスト|\bbest\b"
_WORST = r"最も悪(?:い|く|かった)|最悪|\bworst\b"
_SUPERLATIVE = re.compile(
    rf"(?P<low>{_LOW})|(?P<high>{_HIGH})|(?P<best>{_BEST})|(?P<worst>{_WORST})", re.IGNORECASE
)
_COUNTS = re.compile(
    r"(\d+)\s?(?:つの)?(サイズ|件|条件|構成|モデル|手法|設定|ケース|sizes|settings|cases"
    r"|models)?\s?(?:の?うち|中)の?、?\s?(\d+)\s?(?:サイズ|件|条件|構成|つ|モデル|手法|設定"
    r"|ケース)?"
    r"|\b(\d+)\s+(?:out\s+)?of\s+(?:the\s+)?(\d+)\s+(?:sizes|settings|cases|models|sample sizes)",
    re.IGNORECASE,
)
_EVERY = re.compile(
    r"(?:どの|すべての|全ての|全|いずれの|あらゆる)(?:サンプル)?(?:サイズ|設定|条件|構成"
    r"|ケース)(?:で|において)|\b(?:at|for|in) (?:every|all|each) (?:sample )?(?:sizes?|settings?"
    r"|cases?)",
    re.IGNORECASE,
)
_BOUND = re.compile(r"を?\s*(?P<under>下回|未満|以下)|を?\s*(?P<over>上回|超え|以上)")
_BOUND_EN = re.compile(
    r"(?P<under>below|under|less than)|(?P<over>above|over|more than)", re.IGNORECASE
)
_RANGE_OF = re.compile(r"\s*(?:の(?:範囲|間|幅)|に(?:収ま|分布)|まで(?:の範囲|分布))|\s*の範囲")
_FILLER = re.compile(
    r"この表|表|では|中で|うち|全体|結果|で|の|は|が|を|も|に|と|、|値|サイズ|手法|モデル|構成"
    r"|設定|条件|もの|した|達成|記録|示し|得|である|ある|なっ|た|最も|\W|the|was|is|with|of|by|and",
    re.IGNORECASE,
)
_FEW = 2


def extreme_slips(report: Report, index: Index, clauses: list[Clause]) -> Iterator[Finding]:
    """Yield the slips of superlatives, counts, bounds and ranges."""
    known: dict[int, list[Column]] = {}
    for c in clauses:
        grids = report.grids_in(c.sentence.place)
        if not grids or len(grids) > 8 or c.loose or len(c.text) > 300 or c.sentence.title:
            continue
        for grid in grids:
            if grid.index not in known:
                known[grid.index] = columns(grid)
        own = [x for grid in grids for x in known[grid.index]]
        if own:
            for part in _parts(c, index):
                yield from _superlatives(report, part, own)
            yield from _orders(report, c, own)
            yield from _counts(report, c, own)
            yield from _bounds(report, c, own)
            yield from _ranges(report, c, own)


def _parts(c: Clause, index: Index) -> list[Clause]:
    """Return a sentence, or its parts between commas where several have a superlative."""
    if len(_SUPERLATIVE.findall(c.text)) < 2:
        return [c]
    parts = [replace(c.sentence, text=t) for t in re.split("[、,]", c.text)]
    return [index.clause(s) for s in parts]


def _meant(c: Clause, own: list[Column]) -> list[Column]:
    """Return the columns of the one metric that a clause names."""
    metrics = {m for m, _, _ in c.metrics}
    if not metrics:
        return [x for x in own if not x.metric and x.grid.heads[x.j].text in c.text]
    if len(metrics) != 1:
        return []
    wanted = metrics.pop()
    family = {"ppl": ("val_ppl", "ppl"), "er": ("val_er", "er")}.get(wanted, (wanted,))
    found = [x for x in own if x.metric in family]
    words = {w for x in found for w in read_label(x.grid.heads[x.j].text).words}
    return found if all(any(q in w for w in words) for q in c.qualifiers - _SUPER) else []


_SUPER = {"最大", "最小", "最高", "最良", "best", "max", "min"}


def _superlatives(report: Report, c: Clause, own: list[Column]) -> Iterator[Finding]:
    m = _SUPERLATIVE.search(c.text)
    numbers = [n for n in c.numbers if not n.counter]
    names = {x.name for x in c.names}
    if not m or len(numbers) > 1 or len(names) > 1 or len(_SUPERLATIVE.findall(c.text)) > 1:
        return
    if (not numbers and not names) or len(numbers) != len(c.numbers) or not _bare(c, m, numbers):
        return
    wrong = []
    for x in _meant(c, own) if c.metrics else own:
        if not x.metric:
            continue
        sign = {"low": -1, "high": 1, "best": better(x.metric), "worst": -better(x.metric)}[
            str(m.lastgroup)
        ]
        whose = x.named(next(iter(names))) if names else list(x.rows)
        rows = [r for r in whose if not numbers or r[1].agrees(numbers[0])]
        if not rows and len(whose) == 1 and c.metrics:
            rows = [r for r in x.rows if r[1].agrees(numbers[0])]
            rows = whose if rows and rows[0] == x.extreme(sign) else rows
        if not rows or (not c.metrics and not numbers):
            continue
        i, most = x.extreme(sign)
        if not sign or any(n.value == most.value or n.agrees(most) for _, n in rows):
            return
        if names and len(rows) == len(x.rows):
            return
        wrong.append((x, rows[0], (i, most)))
    report.count(bool(wrong))
    if len(wrong) == 1 or (wrong and c.metrics):
        yield _not_extreme(report, c, m[0], *wrong[0])


def _bare(c: Clause, m: re.Match[str], numbers: list[Number]) -> bool:
    """Say whether a superlative is of a whole column: nothing else limits or qualifies it."""
    bare = list(c.text)
    spans = [(x.start, x.end) for x in c.names] + [(s, e) for _, s, e in c.metrics]
    for start, end in (*spans, m.span(), *((n.start, n.end) for n in numbers)):
        bare[start:end] = " " * (end - start)
    rest = _FILLER.sub("", "".join(bare))
    return len(rest) <= _FEW


def _not_extreme(
    report: Report,
    c: Clause,
    word: str,
    x: Column,
    said: tuple[int, Number],
    most: tuple[int, Number],
) -> Finding:
    lines = [x.grid.rows[i][x.j].line for i, _ in (said, most)]
    title = x.grid.title(most[0])
    text = report.say(
        f"「{word}」とする {said[1].text}（{lines[0]} 行）より、{title} "
        f"の {most[1].text}（{lines[1]} 行）の方がそうである（{x.grid.heads[x.j].text}）。",
        f"'{word}' is said of {said[1].text} (line {lines[0]}), but {title} has {most[1].text} "
        f"(line {lines[1]}, {x.grid.heads[x.j].text}).",
    )
    return Finding("順序", (c.sentence.line, *lines), text)


def _opposed(c: Clause, own: list[Column]) -> list[tuple[Column, Column]]:
    """Return the pairs of columns of one table: that of the name in a clause, and the other one."""
    names = [x.name for x in c.names]
    found = []
    for x in _meant(c, own):
        others = [y for y in own if y.grid is x.grid and y.metric == x.metric and y.j != x.j]
        mine = names and names[0] in read_label(x.grid.heads[x.j].text).words
        if mine and len(others) == 1 and len(x.rows) == len(others[0].rows):
            found.append((x, others[0]))
    return found


def _won(x: Column, y: Column, sign: int) -> tuple[int, int]:
    """Return in how many rows x surely, and in how many it may, lie on a side of y."""
    gaps = [
        (sign * (a.value - b.value), a.half + b.half)
        for (_, a), (_, b) in zip(x.rows, y.rows, strict=True)
    ]
    return sum(g > 0 for g, _ in gaps), sum(g >= 0 for g, _ in gaps)


def _counts(report: Report, c: Clause, own: list[Column]) -> Iterator[Finding]:
    m, words = _COUNTS.search(c.text), WORD.findall(c.masked)
    if not m or not c.opens_plainly(m.start()):
        return
    whole, part = (int(m[1]), int(m[3])) if m[1] else (int(m[5]), int(m[4]))
    if not c.names:
        yield from _counted_bound(report, c, m, (whole, part), own)
    if len(words) != 1 or len({x.name for x in c.names}) not in (1, 2):
        return
    pairs = [(x, y) for x, y in _opposed(c, own) if len(x.rows) == whole]
    report.count(bool(pairs))
    for x, y in pairs:
        sign = sign_of(SENSES[words[0].lower()], x.metric)
        if not sign or "ない" in c.text:
            return
        low, high = _won(x, y, sign)
        if low <= part <= high:
            return
    if pairs:
        x, y = pairs[0]
        won = _won(x, y, sign_of(SENSES[words[0].lower()], x.metric))[0]
        yield _counted(report, c, m[0], x, y, won)


def _counted_bound(
    report: Report, c: Clause, m: re.Match[str], said: tuple[int, int], own: list[Column]
) -> Iterator[Finding]:
    """Check 「4 構成のうち 2 構成で M が x を超える」."""
    left = [n for n in c.numbers if n.start >= m.end() and not n.counter]
    bound = _BOUND.match(c.text, left[0].end) if len(left) == 1 else None
    found = (
        [x for x in _meant(c, own) if len(x.rows) == said[0] and x.rows[0][1].unit == left[0].unit]
        if bound
        else []
    )
    if len(found) != 1 or bound is None:
        return
    sign = -1 if bound.lastgroup == "under" else 1
    over = [sign * (n.value - left[0].value) for _, n in found[0].rows]
    low, high = sum(g > 0 for g in over), sum(g >= 0 for g in over)
    if not low <= said[1] <= high:
        line = found[0].grid.heads[0].line
        text = report.say(
            f"「{m[0]}」とするが、表（{line} 行から）の {found[0].grid.heads[found[0].j].text} "
            f"では {low} である。",
            f"'{m[0]}', but in the table (from line {line}) it is {low}.",
        )
        yield Finding("順序", (c.sentence.line, line), text)


def _orders(report: Report, c: Clause, own: list[Column]) -> Iterator[Finding]:
    """Check 「A > B > C の順に M が高い」."""
    names = list(c.names)
    gaps = [c.text[a.end : b.start] for a, b in pairwise(names)]
    word = re.search(
        r"の順に?[^、。\d]{0,16}?(?P<up>高|大き|長)?(?P<down>低|小さ|短)?(?:い|く)", c.text
    )
    if len(names) < 3 or not word or not (word["up"] or word["down"]) or c.numbers:
        return
    if any(not re.fullmatch(r"\s*(?:[>≥、,→]|=>|->)\s*", gap) for gap in gaps):
        return
    sign = 1 if word["up"] else -1
    for x in _meant(c, own):
        rows = [x.named(m.name) for m in names]
        if any(len(r) != 1 for r in rows):
            return
        falls = [sign * (a[0][1].value - b[0][1].value) for a, b in pairwise(rows)]
        if all(f >= 0 for f in falls):
            return
        at = next(i for i, f in enumerate(falls) if f < 0)
        line = x.grid.rows[rows[at][0][0]][x.j].line
        text = report.say(
            f"順序「{c.text[names[0].start : names[-1].end]}」は {names[at].name} の "
            f"{rows[at][0][1].text} と {names[at + 1].name} の {rows[at + 1][0][1].text} "
            f"に合わない（{line} 行、{x.grid.heads[x.j].text}）。",
            f"The order '{c.text[names[0].start : names[-1].end]}' does not fit "
            f"{rows[at][0][1].text} and {rows[at + 1][0][1].text} (line {line}, "
            f"{x.grid.heads[x.j].text}).",
        )
        yield Finding("順序", (c.sentence.line, line), text)
        return


def _counted(report: Report, c: Clause, said: str, x: Column, y: Column, won: int) -> Finding:
    heads = [k.grid.heads[k.j].text for k in (x, y)]
    line = x.grid.heads[0].line
    text = report.say(
        f"「{said}」とするが、表（{line} 行から）で {heads[0]} と {heads[1]} を比べると "
        f"{len(x.rows)} のうち {won} である。",
        f"'{said}', but in the table (from line {line}) {heads[0]} against {heads[1]} gives {won} "
        f"of {len(x.rows)}.",
    )
    return Finding("順序", (c.sentence.line, line), text)


def _bounds(report: Report, c: Clause, own: list[Column]) -> Iterator[Finding]:
    m = _EVERY.search(c.text)
    names = list(dict.fromkeys(x.name for x in c.names))
    if (
        not m
        or not c.opens_plainly(m.start())
        or len(names) > 1
        or "ない" in c.text
        or "限ら" in c.text
        or "除" in c.text
    ):
        return
    bound = _bound(c)
    if bound:
        limit, sign = bound
        yield from _limited(report, c, "".join(names), limit, sign, own)
    elif not c.numbers and names:
        words = WORD.findall(c.masked)
        for x, y in _opposed(c, own) if len(words) == 1 else []:
            sign = sign_of(SENSES[words[0].lower()], x.metric)
            high = _won(x, y, sign)[1]
            if sign and high < len(x.rows) and len(_opposed(c, own)) == 1:
                yield _counted(report, c, m[0], x, y, _won(x, y, sign)[0])


def _bound(c: Clause) -> tuple[Number, int] | None:
    if len(c.numbers) != 1 or c.numbers[0].counter:
        return None
    n = c.numbers[0]
    m = _BOUND.match(c.text, n.end) or _BOUND_EN.search(c.text[: n.start])
    return (n, -1 if m.lastgroup == "under" else 1) if m else None


def _rows(x: Column, name: str) -> list[tuple[int, Number]]:
    return x.named(name) if name else list(x.rows)


def _limited(
    report: Report, c: Clause, name: str, n: Number, sign: int, own: list[Column]
) -> Iterator[Finding]:
    found = [x for x in (_meant(c, own) if c.metrics else own) if x.metric and _rows(x, name)]
    found = [x for x in found if x.rows[0][1].unit == n.unit]
    broken = []
    for x in found:
        over = [(i, v) for i, v in _rows(x, name) if sign * (v.value - n.value) < -v.half]
        if not over or len(over) * 2 > len(_rows(x, name)):
            return
        broken.append((x, over[0]))
    if len(broken) == 1 and (c.metrics or len(own) <= 2):
        x, (i, v) = broken[0]
        line = x.grid.rows[i][x.j].line
        text = report.say(
            f"「{n.text}」の限りを {x.grid.rows[i][0].text} の {v.text}（{line} 行、"
            f"{x.grid.heads[x.j].text}）が破る。",
            f"The bound {n.text} is broken by {v.text} in line {line} ({x.grid.heads[x.j].text}).",
        )
        yield Finding("順序", (c.sentence.line, line), text)


def _ranges(report: Report, c: Clause, own: list[Column]) -> Iterator[Finding]:
    """Check 「35.0 から 50.0 の範囲」: one end is that of a column, and the other is not."""
    for a, b in zip(c.numbers, c.numbers[1:], strict=False):
        link = re.fullmatch(r"\s*(?:から|~|-|–|to|〜)\s*", c.text[a.end : b.start])
        if not link or not _RANGE_OF.match(c.text, b.end) or a.value >= b.value or a.counter:
            continue
        wrong = []
        for x in map(_unsigned, _meant(c, own)):
            low, high = x.extreme(-1), x.extreme(1)
            fit = [low[1].agrees(a) or _rounds(low[1], a), high[1].agrees(b) or _rounds(high[1], b)]
            if all(fit) or len(x.rows) < 3:
                return
            if any(fit) and a.half == low[1].half and b.half == high[1].half:
                wrong.append((x, (high if fit[0] else low), b if fit[0] else a))
        if len(wrong) == 1 and not (c.names or c.size or c.step):
            x, (i, n), said = wrong[0]
            line = x.grid.rows[i][x.j].line
            text = report.say(
                f"範囲の端を {said.text} とするが、{x.grid.heads[x.j].text} "
                f"の端は {n.text}（{line} 行）である。",
                f"The range is said to end at {said.text}, but {x.grid.heads[x.j].text} ends at "
                f"{n.text} (line {line}).",
            )
            yield Finding("順序", (c.sentence.line, line), text)


def _unsigned(x: Column) -> Column:
    """Return a column of changes without their sign, as a range of them is printed."""
    if x.metric:
        return x
    return replace(x, rows=tuple((i, replace(n, value=abs(n.value))) for i, n in x.rows))


def _rounds(n: Number, to: Number) -> bool:
    return abs(n.value - to.value) <= to.half * (1 + 1e-9)
