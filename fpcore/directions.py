"""The rule 方向: a direction word claims the opposite of the numbers beside it."""

from collections.abc import Iterator
from dataclasses import replace

from fpcore.facts import Fact, Finding, Report
from fpcore.statements import Pair, Sentence, direction_word, pair_before, signed
from fpcore.terms import METRICS


def directions(s: Sentence, report: Report, facts: list[Fact]) -> Iterator[Finding]:
    """Compare each direction word with the order of the pair, or with the sign, beside it."""
    for printed in s.pairs:
        metric = s.metric(printed.ends[0])
        word = direction_word(s, *printed.ends)
        pair = _subject_first(printed, s, metric, facts)
        change = (pair.second.value - pair.first.value) * (1 if pair.arrow else -1)
        if word and change * _sign(word[1], metric) < 0:
            yield _contradiction(s, word[0], metric, pair, facts)
    for n in signed(s, report):
        metric, word = s.metric(n), direction_word(s, n, n)
        if word and n.value * _sign(word[1], metric) < 0 and not pair_before(s, n):
            name = METRICS[metric or ""]["name"]
            yield Finding(
                "方向",
                s.line.no,
                f"{s.line.no} 行: {name}の「{word[0]}」は、そばの {n.text} の符号と合わない。",
            )


def _sign(sense: str, metric: str | None) -> int:
    """Return the sign of the change that a word claims; 0 where it claims none."""
    terms = METRICS.get(metric or "", {})
    better = {"higher": 1, "lower": -1}.get(terms.get("better", ""), 0)
    plain = 0 if terms.get("magnitude") else 1
    signs = {"up": plain, "down": -plain, "better": better, "worse": -better}
    return signs.get(sense, {"steeper": -1, "flatter": 1}.get(sense, 0))


def _subject_first(pair: Pair, s: Sentence, metric: str | None, facts: list[Fact]) -> Pair:
    """Put the subject's number first: whose each number is, tables know better than the order."""
    if pair.arrow or not metric or not s.subject:
        return pair
    known = s.known(facts, metric)
    a, b = ({f.run for f in known if f.number.agrees(n)} for n in (pair.first, pair.second))
    swapped = s.subject in b and s.subject not in a and a
    return replace(pair, first=pair.second, second=pair.first) if swapped else pair


def _contradiction(
    s: Sentence, word: str, metric: str | None, pair: Pair, facts: list[Fact]
) -> Finding:
    relation = "大きい" if pair.first.value > pair.second.value else "小さい"
    known = s.known(facts, metric) if metric else []
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
