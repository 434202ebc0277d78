"""The rule 方向: a direction word claims the opposite of the numbers beside it."""

import re
from collections.abc import Iterator
from dataclasses import replace

from fpcore.facts import EPS, RUN, Fact, Finding, Number, Report
from fpcore.statements import (
    NEGATED,
    OWN,
    Pair,
    Sentence,
    changes,
    pair_before,
    signed,
    varies,
)
from fpcore.terms import (
    ALIASES,
    CONDITION,
    HEDGE,
    LAST,
    METRIC,
    METRICS,
    SENSES,
    SIZE,
    TERMS,
    WORD,
    family,
    mention,
    sign_of,
)

_TOPIC = re.compile(r"([^\s、,;::()「」がはをもにでの]+)\s*[がはも][^がはもを、]*$")
_JOIN = re.compile(r"\s*\)?\s*(?:に|へ|と|まで)?の?\s*")


def directions(s: Sentence, report: Report, facts: list[Fact]) -> Iterator[Finding]:
    """Compare each direction word with the order of the pair, or with the sign, beside it."""
    for printed in s.pairs:
        metric = s.metric(printed.ends[0])
        units = {f.number.unit for f in facts if metric and f.metric in family(metric)}
        if units and printed.second.unit not in units:
            continue  # of another quantity than the one named before it
        word = direction_word(s, *printed.ends)
        pair = _subject_first(printed, s, metric, facts)
        change = (pair.second.value - pair.first.value) * (1 if pair.arrow else -1)
        if word and change * sign_of(word[1], metric) < 0:
            yield _contradiction(s, word[0], metric, pair, facts)
    for n in signed(s, report):
        metric, word = s.metric(n), direction_word(s, n, n)
        if word and n.value * sign_of(word[1], metric) < 0 and not pair_before(s, n):
            name = METRICS[metric or ""]["name"]
            yield Finding(
                "方向",
                s.line.no,
                f"{s.line.no} 行: {name}の「{word[0]}」は、そばの {n.text} の符号と合わない。",
            )


def _subject_first(pair: Pair, s: Sentence, metric: str | None, facts: list[Fact]) -> Pair:
    """Put the subject's number first: whose each number is, tables know better than the order."""
    if pair.arrow or not metric or not s.subject:
        return pair
    known = s.known(facts, metric, at=pair.first)
    a, b = ({f.run for f in known if f.number.agrees(n)} for n in (pair.first, pair.second))
    swapped = s.subject in b and s.subject not in a and a
    return replace(pair, first=pair.second, second=pair.first) if swapped else pair


def _contradiction(
    s: Sentence, word: str, metric: str | None, pair: Pair, facts: list[Fact]
) -> Finding:
    relation = "大きい" if pair.first.value > pair.second.value else "小さい"
    known = s.known(facts, metric, at=pair.first) if metric else []
    whose = [
        f"{n.text} は {f.run} の値（{f.line} 行）"
        for n in (pair.first, pair.second)
        for f in [f for f in known if f.number.agrees(n)][:1]
    ]
    what = f"{METRICS[metric]['name']}の" if metric else ""
    text = (
        f"{s.line.no} 行: {what}「{word}」は数値と逆である（{pair.text}: "
        f"{pair.first.text} は {pair.second.text} より{relation}）"
    )
    return Finding("方向", s.line.no, text + "".join(f"。{w}" for w in whose) + "。")


def direction_word(s: Sentence, first: Number, last: Number) -> tuple[str, str] | None:
    """Return the direction word of a number or pair and its sense; None if denied or missing."""
    text, opened = s.text, s.text.rfind("(", 0, first.start)
    ends = [p.second.end for p in s.pairs]
    inside = opened > text.rfind(")", 0, first.start)
    anchor = opened if inside else first.start
    left = max([text.rfind("、", 0, anchor) + 1, *(end for end in ends if end <= anchor)])
    stops = [text.find("、", last.end), *(m.start() for m in METRIC.finditer(text, last.end))]
    right = min((i for i in stops if i >= 0), default=len(text))
    before = list(WORD.finditer(text, left, anchor))[-1:]
    after = list(WORD.finditer(text, last.end, right))[:1]
    found = (before or after) if inside else (after or before)
    if not found or NEGATED.match(text, found[0].end()):
        return None
    start, end = found[0].span()
    between = text[last.end : start] if start >= last.end else text[end:anchor]
    if not s.metric(first) and not (_JOIN.fullmatch(between) or re.fullmatch("す?る?", between)):
        return None
    topic = text[last.end if start >= last.end else left : start]
    return None if _of_another(topic) else (found[0][0], SENSES[found[0][0].lower()])


def _of_another(text: str) -> bool:
    """Say whether the word behind a text tells of something that is no metric: 「効果が大きい」."""
    text = WORD.sub(lambda m: " " * len(m[0]), text)
    m = _TOPIC.search(text)
    own = m and (OWN.search(m[1]) or any(x.end() > m.start(1) for x in METRIC.finditer(text)))
    return bool(m and not own)


def comparisons(s: Sentence, report: Report, facts: list[Fact]) -> Iterator[Finding]:
    """Check 「A の方が低い」 and 「B は悪化した」 without numbers: what every value contradicts."""
    text = re.sub(r"\([^()]*\)", "", s.text)
    loose = HEDGE.search(text) or CONDITION.search(text) or varies(s)
    numbers = any(changes(s)) or signed(s, report) or any(s.metric(p.ends[0]) for p in s.pairs)
    if loose or numbers:
        return
    for part in [text] if len(METRIC.findall(text)) == 1 else re.split("、", text):
        yield from _comparison(part, s, report, facts)


def _comparison(part: str, s: Sentence, report: Report, facts: list[Fact]) -> Iterator[Finding]:
    metrics, words = METRIC.findall(part), list(WORD.finditer(part))
    if len(metrics) != 1 or len(words) != 1 or "ない" in part:
        return
    metric, word = ALIASES[metrics[0].lower()], words[0][0]
    sign, known = sign_of(SENSES[word.lower()], metric), s.known(facts, metric)
    if not _compares(part, word, s, report, sign, known):
        return
    values = _versus(part, s, known)
    if values and all(_against(x, y, sign) for x, y in values):
        x, y = max(values, key=lambda v: v[0].size or 0)
        text = f"{s.line.no} 行: {METRICS[x.metric]['name']}の「{word}」は {x.run} に言えない"
        at = [f"{f.run} は {f.number.text}（{f.line} 行）" for f in (x, y)]
        yield Finding("方向", s.line.no, f"{text}（{'、'.join(at)}）。")


def _against(x: Fact, y: Fact, sign: int) -> bool:
    """Say whether x − y surely has the other sign."""
    gap = sign * (x.number.value - y.number.value)
    return gap < -(x.number.half + y.number.half) + EPS


def _compares(
    part: str, word: str, s: Sentence, report: Report, sign: int, known: list[Fact]
) -> bool:
    """Say whether a text sets its subject against another run, or tells how the new one changed."""
    better = SENSES[word.lower()] in ("better", "worse")
    marks = r"\s*の?\s*(?:方|ほう)[がは]" + (rf"|\s*が\s*{re.escape(word)}" if better else "")
    own = sorted((f for f in known if f.run == s.subject), key=lambda f: (f.size or 0, f.step or 0))
    own = [f for f in own if f.metric == known[0].metric]
    grown = own and _against(own[0], own[-1], sign)
    changed = s.subject == report.runs[1] and word in TERMS["changes"] and not grown
    return (
        changed
        or bool(s.reference)
        or any(re.match(marks, part[m.end() :]) for m in RUN.finditer(part))
    )


def _versus(part: str, s: Sentence, known: list[Fact]) -> list[tuple[Fact, Fact]]:
    """Return the values of the subject with those of the other runs, all that may be meant."""
    if s.step is None and any(f.step is not None for f in known) and varies(s, "step"):
        return []
    sizes = {f.size for f in known if f.size is not None}
    size = mention(SIZE, s.text) or s.line.size
    if sizes and LAST.search(part):
        size = max(sizes)
    own = [f for f in known if f.run == s.subject and f.step == s.step]
    return [
        (x, y)
        for x in own
        for y in known
        if x.alike(y) and s.reference in (None, y.run) and size in (None, x.size or size)
    ]
