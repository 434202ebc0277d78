"""The rule 方向 for what a sentence says of two runs without a number: 「M は B の方が低い」."""

import re
from collections.abc import Iterator

from fpcore.claims.contest import Pairs
from fpcore.claims.document import Report
from fpcore.claims.facts import Fact
from fpcore.claims.finding import Finding
from fpcore.claims.names import Clause, Index
from fpcore.claims.terms import SENSES, WORD, sign_of
from fpcore.claims.verdicts import contradiction

_RATHER = re.compile(
    r"\s*(?:の\s*(?:方|ほう)\s*)が|\s*が\s*(?:やや|わずかに|大幅に)?\s*(?:優位|優れ|良い|良く"
    r"|急峻|緩やか)"
)
_TREND = re.compile(r"\s*(?:では|は|で|の)")
_CHANGED = re.compile("(?:上昇|低下|増加|減少|改善|悪化|向上|劣化|下落|短縮)(?:し|する|した|$)")
APART = re.compile(
    r"[→⇒]|->|サンプル数|データ|につれ|ごと|エポック|から|を\d|\bfrom\b|差が|間の差|間で|Δ"
    r"|それぞれ|ともに|と[A-Z]|および|、.*、.*、"
)
DENIED = re.compile(r".{0,8}?(?:ない|ません|なかった|せず|\bnot\b)")


def trend_slips(report: Report, index: Index, c: Clause, pairs: Pairs) -> Iterator[Finding]:
    """Yield the words of a clause that the values of the two runs contradict."""
    yield from _trend(report, index, c, pairs)
    yield from _rank(report, c, pairs)


def _trend(report: Report, index: Index, c: Clause, pairs: Pairs) -> Iterator[Finding]:
    """Check 「B では M は上昇した」: B against A, where M does not so change within B itself."""
    words = WORD.findall(c.masked)
    own = [m for m in c.names if _TREND.match(c.text, m.end)]
    plain = not any(n for n in c.numbers) and len(c.metrics) == len(words) == len(c.names) == 1
    if not plain or not own or own[0].name != pairs.second or c.qualifiers:
        return
    changed = _CHANGED.search(c.text)
    metric, word = c.metrics[0][0], words[0]
    values = pairs.of(metric)
    sign = sign_of(SENSES[word.lower()], metric)
    if not changed or not sign or not values or DENIED.match(c.text, changed.end()):
        return
    mine = sorted(
        (y for _, y in values if y.metric == values[0][1].metric), key=lambda f: f.size or 0
    )
    grown = sign * (mine[-1].number.value - mine[0].number.value) > 0
    traced = any(f.step is not None for f in index.by_metric[mine[0].metric])
    if grown or traced or APART.search(c.text):
        return
    if all(sign * (y.number.value - x.number.value) < 0 for x, y in values):
        yield contradiction(report, c, word, values[-1])


def _rank(report: Report, c: Clause, pairs: Pairs) -> Iterator[Finding]:
    """Check 「M は B の方が低い」 and 「M は B が優位」, without a number, at every size."""
    text = re.sub(r"\([^()]*\)", "", c.masked)
    words = WORD.findall(text)
    told = [m for m in c.names if _RATHER.match(c.text, m.end)]
    metrics = {m for m, start, _ in c.metrics if start < len(text)}
    if len(told) != 1 or len(words) != 1 or len(metrics) != 1 or c.numbers or c.step:
        return
    if c.qualifiers - {"最終", "全体"} or DENIED.search(text) or not c.opens_plainly(len(text)):
        return
    metric, sense = metrics.pop(), SENSES[words[0].lower()]
    values = pairs.of(metric)
    last = max((x.size or 0 for x, _ in values), default=0)
    if "最終" in c.qualifiers:
        values = [p for p in values if p[0].size in (last, None)]
    values = [p if told[0].name == pairs.second else p[::-1] for p in values]
    known = told[0].name in (pairs.first, pairs.second) and values
    if known and all(_wrong(y, x, sense, metric) for x, y in values):
        yield contradiction(report, c, words[0], values[-1])


def _wrong(y: Fact, x: Fact, sense: str, metric: str) -> bool:
    """Say whether y against x is surely not what a word claims."""
    a, b = x.number, y.number
    slope = {"steeper": 1, "flatter": -1}.get(sense, 0)
    sign = slope or sign_of(sense, metric)
    gap = abs(b.value) - abs(a.value) if slope else b.value - a.value
    return sign * gap < -(a.half + b.half)
