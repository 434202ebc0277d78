"""The rules 算術 and 方向 for sentences that print both operands beside what they say of them.

「A→B（+x%）」, 「x% 高い（A vs B）」, 「A は B の x 倍」, 「A と B の差は x」, 「A > B」.
A sentence is read alone; a change that fits any two numbers of its chain, on any base that its
words allow, is right. The base of 「x% 高い」 is the lower of two numbers, that of 「x% 低い」 the
higher one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

from fpcore.claims.arithmetic import (
    BASE_B,
    DIFFERENCE,
    INVERSE,
    RATIO,
    RELATIVE,
    SHARES,
    Kind,
    fits,
    kinds_for,
    shown,
)
from fpcore.claims.document import Report, Sentence
from fpcore.claims.finding import Finding
from fpcore.claims.quantities import Number, numbers_in
from fpcore.claims.terms import METRIC, METRICS, SENSES, WORD, metrics_in, sign_of

_ARROW = re.compile(r"\s*(?:\([^()\d]{0,20}\))?\s*(?:→|⇒|->|=>|➔|➡|⟶)\s*(?:[^\W\d]{1,8}\s?)?")
_FROM = re.compile(r"\s*から\s*|\s+to\s+")
_VS = re.compile(
    r"\s*(?:\([^()\d]{0,20}\)|\))?\s*(?:vs\.?|対)\s*(?:[^\W\d]{1,8}\s?)?(?:\([^()\d]{0,10})?",
    re.IGNORECASE,
)
_TO = re.compile(r"\s*(?:へ|に|まで|と)")
_ABOUT = r"(?:約|およそ|ほぼ|~|about |by |around )*"
_SAYS = re.compile(rf"\)?\s*(?:へ|に|まで|と|で|、|,|となり|:)?\s*{_ABOUT}")
_WORD_THEN = re.compile(rf"({WORD.pattern})[しすたるっ]{{0,3}}\s*\(\s*$", re.IGNORECASE)
_VERB = re.compile(r"\b(?:by|costs?|brings|saves?|only brings)\s+(?:only |about )?$", re.IGNORECASE)
_IS = re.compile(r"\)?\s*(?:is|was|has)\s*")
_FROM_WORD = re.compile(rf"({WORD.pattern})(?:\s+[a-z]+)?\s+from\s+$", re.IGNORECASE)
_THEN_WORD = re.compile(
    rf"\s*(?:へ|に|まで|と)?\s*(?:と)?(?:大幅に|わずかに|大きく|やや|若干|急激に"
    rf"|)\s*({WORD.pattern})",
    re.IGNORECASE,
)
_DENIED = re.compile(r".{0,6}?(?:ない|ません|なかった|せず|\bnot\b|抑)")
_OTHER_BASE = re.compile(
    r"比|対[^応し]|vs|目標|基準|理論|信頼|CI|[pnrRσ]\s*=|区間|誤差|標準|±|平均|合計|全体|/",
    re.IGNORECASE,
)
_GAIN = re.compile(
    r"改善|向上|削減|短縮|節約|減|低下|improv|reduc|better|gain|saving|lower|decreas|drop|fewer"
    r"|less",
    re.IGNORECASE,
)
_FAST = re.compile(r"速|speed|fast|slow|遅|効率|スループット|throughput", re.IGNORECASE)
_LESS = re.compile(
    r"\s*(?:[^\d()<>=→|]{0,3}|\([^()\d]*\))?\)?\s*([<>])=?\s*(?:[^<>()=→,。、|]{0,20}[\s(:=])?"
)
_THAN = re.compile(
    rf"\)?\s*(?:の[^\d、。]{{0,12}})?(?:より|に比べて?|に対して?|と比べて?"
    rf"|と比較して)も?[、]?\s*(?:[^\d、。]{{0,12}}が\s*)?{_ABOUT}"
)
_OF = re.compile(rf"\)?\s*の\s*{_ABOUT}")
_GAP_IS = re.compile(
    rf"\)?\s*(?:の|との)?(?:間の)?(?:差分?|ギャップ|gap|difference)(?:は|が|:|=|\s)*{_ABOUT}",
    re.IGNORECASE,
)
_AND = re.compile(r"[^、。\d]*(?:と|vs\.?|対|and|、)[^、。\d]*", re.IGNORECASE)


@dataclass(frozen=True)
class Chain:
    """「A→B→C」 or 「A vs B」 (not an arrow): the numbers, and what stands around them."""

    numbers: tuple[Number, ...]
    arrow: bool

    @property
    def end(self) -> int:
        """Return where it ends."""
        return self.numbers[-1].end

    def pairs(self) -> Iterator[tuple[Number, Number]]:
        """Yield what a change may lead from and to."""
        yield from combinations(self.numbers, 2)


def pair_slips(report: Report) -> Iterator[Finding]:
    """Yield the slips of sentences that print their own operands."""
    for s in report.sentences:
        numbers = numbers_in(s.text)
        if len(numbers) < 2 or len(s.text) > 5000:
            continue
        chains = _chains(s.text, numbers)
        for chain in chains:
            yield from _changes(report, s, chain, numbers)
            yield from _direction(report, s, chain)
        yield from _inequalities(report, s, numbers)
        yield from _comparisons(report, s, numbers)


def _chains(text: str, numbers: tuple[Number, ...]) -> list[Chain]:
    chains: list[Chain] = []
    i = 0
    while i + 1 < len(numbers):
        j, arrow = i, False
        while j + 1 < len(numbers) and (link := _link(text, numbers[j], numbers[j + 1])):
            arrow = arrow or link == "→"
            j += 1
            if link == "vs":
                break
        found = numbers[i : j + 1]
        plain = not any(n.about or n.ranged for n in found)
        if j > i and plain and len({n.unit for n in found} - {""}) < 2:
            chains.append(Chain(_same_unit(found), arrow))
        i = max(j, i + 1)
    return chains


def _link(text: str, a: Number, b: Number) -> str:
    if _ARROW.fullmatch(text, a.end, b.start):
        return "→"
    if _FROM.fullmatch(text, a.end, b.start) and (
        _TO.match(text, b.end) or re.search(r"(?i)\bfrom\s+$", text[: a.start])
    ):
        return "→"
    return "vs" if _VS.fullmatch(text, a.end, b.start) else ""


def _same_unit(numbers: tuple[Number, ...]) -> tuple[Number, ...]:
    """Give a chain one unit: 「62→65%」 is of two shares."""
    last = numbers[-1]
    if not last.unit or all(n.unit for n in numbers):
        return numbers
    return tuple(
        n
        if n.unit
        else Number(
            n.value * last.factor, n.half * last.factor, last.unit, n.text, n.start, n.end,
            last.factor, counter=n.counter,
        )
        for n in numbers
    )  # fmt: skip


def _changes(
    report: Report, s: Sentence, chain: Chain, numbers: tuple[Number, ...]
) -> Iterator[Finding]:
    """Check what a sentence says of a chain: behind it in brackets or with a word, or before it."""
    found = [*_behind(s.text, chain, numbers), *_before(s.text, chain, numbers)]
    for d, word in found:
        if d.counter or d.ranged or d.spread:
            continue
        around = s.text[max(0, d.start - 10) : d.end + 12]
        kinds = _kinds(d, chain, word, around)
        pairs = list(chain.pairs())
        sign = 1 if d.signed and chain.arrow and not _GAIN.search(around) else 0
        report.count(bool(kinds))
        if kinds and not any(fits(d, k, a, b, sign) for a, b in pairs for k in kinds[a, b]):
            yield _misfit(report, s, d, pairs[-1] if len(pairs) == 1 else pairs[0], kinds)


def _kinds(
    d: Number, chain: Chain, word: str, around: str
) -> dict[tuple[Number, Number], list[Kind]]:
    """Return the ways in which a change of a chain may be computed; empty where none is known."""
    found: dict[tuple[Number, Number], list[Kind]] = {}
    sense = SENSES.get(word.lower(), "")
    free = bool(_FAST.search(around)) or (not chain.arrow and sense not in ("up", "down"))
    for a, b in chain.pairs():
        kinds = kinds_for(d, a, b)
        if d.unit == "%" and not a.unit and re.search("倍|比|ratio", around):
            kinds = [*kinds, RATIO, INVERSE]
        if free:
            found[a, b] = kinds
        elif chain.arrow:
            found[a, b] = [k for k in kinds if k is not BASE_B]
        else:
            wide = RELATIVE if (abs(a.value) < abs(b.value)) == (sense == "up") else BASE_B
            found[a, b] = [k for k in kinds if k in (DIFFERENCE, SHARES, RATIO, INVERSE, wide)]
    return found if all(found.values()) else {}


def _behind(text: str, chain: Chain, numbers: tuple[Number, ...]) -> Iterator[tuple[Number, str]]:
    """Yield the changes in brackets right behind a chain, and 「に x% 改善」."""
    opened = re.compile(r"\s*(?:に|へ|まで|と)?\s*(?:[^\d()、。,→]{0,8})?\(").match(text, chain.end)
    if opened:
        close = text.find(")", opened.end())
        inside = text[opened.end() : close if close > 0 else len(text)]
        if not _OTHER_BASE.search(inside) and not re.search(r"→|->", inside):
            own = [n for n in numbers if opened.end() <= n.start < opened.end() + len(inside)]
            for n in own[:2]:
                if n.signed or n.unit in ("%", "x") or n.points:
                    yield n, _word_in(inside)
        return
    for n in numbers:
        says = _SAYS.match(text, chain.end) if n.start >= chain.end else None
        if says and says.end() == n.start and n.unit in ("%", "x"):
            word = re.compile(rf"\s*の?\s*({WORD.pattern})", re.IGNORECASE).match(text, n.end)
            if word and not _DENIED.match(text, word.end()):
                yield n, word[1]


def _before(text: str, chain: Chain, numbers: tuple[Number, ...]) -> Iterator[tuple[Number, str]]:
    """Yield the change of 「x% 高い（A vs B）」."""
    opened = text.rfind("(", 0, chain.numbers[0].start)
    if opened < 0 or text[opened + 1 : chain.numbers[0].start].strip(" ") != "":
        return
    for n in numbers:
        bare = n.end <= opened and not (n.unit or n.counter or text[n.end : opened].strip())
        if bare and re.search(r"差(?:は|が|:)\s*$", text[: n.start]):
            yield n, ""
        if n.end <= opened and n.unit in ("%", "x"):
            m = re.compile(
                rf"(?:\s*の?\s*({WORD.pattern}|倍速|高速)\w{{0,4}}|)\s*", re.IGNORECASE
            ).fullmatch(text, n.end, opened)
            if m and (m[1] or n.unit == "x" or _VERB.search(text[: n.start])):
                yield n, m[1] or ""


def _word_in(text: str) -> str:
    m = WORD.search(text)
    return m[0] if m else ""


def _misfit(
    report: Report,
    s: Sentence,
    d: Number,
    pair: tuple[Number, Number],
    kinds: dict[tuple[Number, Number], list[Kind]],
) -> Finding:
    a, b = pair
    kind = kinds[pair][-1] if d.unit == "%" and a.unit != "%" else kinds[pair][0]
    due = shown(kind, a, b, d)
    text = report.say(
        f"「{d.text}」は、同じ文の {a.text} と {b.text}（{s.line} 行）"
        f"から出る {due}（{kind.formula}）と合わない。",
        f"'{d.text}' does not follow from {a.text} and {b.text} in the same sentence (line "
        f"{s.line}): {kind.formula} = {due}.",
    )
    return Finding("算術", (s.line,), text)


def _direction(report: Report, s: Sentence, chain: Chain) -> Iterator[Finding]:
    """Check 「A→B に改善」 and 「改善（A→B）」."""
    if not chain.arrow or len(chain.numbers) != 2:
        return
    a, b = chain.numbers
    before = _WORD_THEN.search(s.text[max(0, a.start - 30) : a.start])
    before = before or _FROM_WORD.search(s.text[max(0, a.start - 40) : a.start])
    tail = re.compile(r"\s*\([^()]*\)").match(s.text, b.end)
    after = _THEN_WORD.match(s.text, tail.end() if tail else b.end)
    word = after or before
    if not word or a.counter or b.counter or (after and _DENIED.match(s.text, after.end())):
        return
    start = max(s.text.rfind(c, 0, a.start) for c in "、。,;")
    named = [m for m, _, _ in metrics_in(s.text[start + 1 : a.start])]
    metric = named[-1] if named else ""
    sense = SENSES[word[1].lower()]
    if METRICS.get(metric, {}).get("magnitude") or (
        sense in ("better", "worse") and len(set(named)) != 1
    ):
        return
    claimed = sign_of(sense, metric)
    report.count(bool(claimed))
    if claimed * (b.value - a.value) < 0:
        text = report.say(
            f"「{word[1]}」は数値と逆である（{a.text} → {b.text}、{s.line} 行）。",
            f"'{word[1]}' contradicts the numbers ({a.text} → {b.text}, line {s.line}).",
        )
        yield Finding("方向", (s.line,), text)


def _inequalities(report: Report, s: Sentence, numbers: tuple[Number, ...]) -> Iterator[Finding]:
    """Check 「815 > 847」."""
    for a, b in pairwise(numbers):
        m = _LESS.fullmatch(s.text, a.end, b.start)
        if not m or a.unit != b.unit or a.ranged or b.ranged or min(a.digits, b.digits) < 2:
            continue
        if re.search(
            r"[-=<>]$|if |もし|条件|閾値|しきい値|threshold", s.text[: a.start].rstrip()[-12:]
        ):
            continue
        if s.text[m.start(1) - 1] in "-=" or (a.value - b.value) * (1 if m[1] == ">" else -1) >= 0:
            continue
        text = report.say(
            f"「{a.text} {m[1]} {b.text}」は成り立たない（{s.line} 行）。",
            f"'{a.text} {m[1]} {b.text}' does not hold (line {s.line}).",
        )
        yield Finding("方向", (s.line,), text)


def _comparisons(report: Report, s: Sentence, numbers: tuple[Number, ...]) -> Iterator[Finding]:
    """Check 「A は B の x 倍」, 「A は B より x% 高い」 and 「A と B の差は x」."""
    triples = list(zip(numbers, numbers[1:], numbers[2:], strict=False))
    triples += [(a, b, d) for a, d, b in triples if _than_english(s.text, a, d, b)]
    for a, b, d in triples:
        if any(n.ranged or n.spread for n in (a, b, d)) or a.about or b.about or a.unit != b.unit:
            continue
        if a.counter or b.counter or d.counter or a.signed != b.signed:
            continue
        kinds = _compared(s.text, a, b, d)
        report.count(bool(kinds))
        if kinds and not any(fits(d, k, x, y, 0) for k, x, y in kinds):
            k, x, y = kinds[0]
            yield _misfit(report, s, d, (x, y), {(x, y): [k]})


def _than_english(text: str, a: Number, d: Number, b: Number) -> bool:
    """Say whether a text reads 「… (a) is d% lower than … (b)」."""
    behind = rf"\s*(?:{WORD.pattern})\s+than\s+[^\d.;]{{0,24}}"
    than = re.compile(behind, re.IGNORECASE).fullmatch(text, d.end, b.start)
    return bool(than and d.unit == "%" and _IS.fullmatch(text, a.end, d.start))


def _compared(text: str, a: Number, b: Number, d: Number) -> list[tuple[Kind, Number, Number]]:
    if a.end <= d.start < b.start:
        return [(k, b, a) for k in kinds_for(d, b, a) if k is not BASE_B]
    between = text[a.end : b.start]
    subject = re.fullmatch(r"\)?\s*(?:は|が|で、)[^、。\d]{0,25}", between)
    if subject and d.unit == "x" and _OF.fullmatch(text, b.end, d.start):
        return [(RATIO, b, a)]
    word = re.compile(rf"\s*({WORD.pattern})", re.IGNORECASE).match(text, d.end)
    if METRIC.search(text[b.end : d.start]):
        return []  # the numbers may be keys: 「0.1 は 0.2 より PPL が 5% 低い」
    if subject and word and d.unit in ("%", "", a.unit) and _THAN.fullmatch(text, b.end, d.start):
        return [(k, b, a) for k in kinds_for(d, b, a) if k is not BASE_B]
    if _AND.fullmatch(between) and _GAP_IS.fullmatch(text, b.end, d.start):
        close = re.match(
            r"\s*(?:\)|である|です|と|で|、|,|$|しか|も|に|ポイント|だっ)", text[d.end :]
        )
        return [(k, a, b) for k in kinds_for(d, a, b)] if close else []
    return []
