"""The rules 算術 and 方向 for what a sentence says of a chain: 「A→B（+x%）」, 「高い（A vs B）」.

A sentence is read alone; a change that fits any two numbers of its chain, on any base that its
words allow, is right. The base of 「x% 高い」 is the lower of two numbers, that of 「x% 低い」 the
higher one.
"""

import re
from collections.abc import Iterator

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
)
from fpcore.claims.chains import ABOUT, Chain, chains_in
from fpcore.claims.document import Report, Sentence
from fpcore.claims.finding import Finding
from fpcore.claims.quantities import Number
from fpcore.claims.terms import METRICS, SENSES, WORD, metrics_in, sign_of
from fpcore.claims.verdicts import unborne

_SAYS = re.compile(
    rf"\)?\s*(?:へ|に|まで|と|で|、|,\s*(?:i\.e\.,?\s*)?by\s|,|by\s|となり|:)?\s*{ABOUT}",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"\s*(?:[\d,]+\s?(?:サンプル|件|会話|samples)\s?(?:で|の|:)?\s?)?[^\d()、,]{0,12}"
)
_ADDED = re.compile(r"\s*(?:,|、|by\b)")
_BRACKET = re.compile(r"\s*\)")
_CLOSED = re.compile(r"\s*(?:[)、,]|$)")
_OPENED = re.compile(r"\s*(?:に|へ|まで|と)?\s*(?:[^\d()、。,→]{0,8})?\(")
_NEXT_WORD = re.compile(rf"\s*の?\s*({WORD.pattern})", re.IGNORECASE)
_GAP_WORD = re.compile(
    rf"\s*(?:[A-Za-z]\w*\s+)?(?:points?\s+)?の?\s*({WORD.pattern}|倍速|高速|more|less)[^()、。,;]{{0,32}}",
    re.IGNORECASE,
)
_PLAIN = re.compile(rf"\W*{ABOUT}[^\d]{{0,2}}|.*\d.*")
_NO_WORD = re.compile(rf"(?:{WORD.pattern})(?:率|幅)?", re.IGNORECASE)
_GAP_TIMES = re.compile(r"[^\d()、。,;]{0,24}")
_WORD_IS = re.compile(
    rf"({WORD.pattern})(?:率|幅|量|度|分)?\s*(?:は|が|:)\s*{ABOUT}$", re.IGNORECASE
)
_CONDITION = re.compile(r"\b(?:at|with|for|using|when|in|by)\b|で|設定|条件|場合|時", re.IGNORECASE)
_WORD_THEN = re.compile(rf"({WORD.pattern})[しすたるっ]{{0,3}}\s*\(\s*$", re.IGNORECASE)
_VERB = re.compile(
    r"\b(?:by|gives?|yields?|costs?|brings|saves?|only brings)\s+(?:only |about )?$", re.IGNORECASE
)
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
_GAP_IS = re.compile(r"差(?:は|が|:)\s*$")
_ASIDE = re.compile(r"\s*\([^()]*\)")
_QUALITY = re.compile("改善|悪化|向上|劣化|improv|worse|better|degrad", re.IGNORECASE)
_FAST = re.compile(r"速|speed|fast|slow|遅|効率|スループット|throughput", re.IGNORECASE)


def remark_slips(report: Report, s: Sentence, numbers: tuple[Number, ...]) -> Iterator[Finding]:
    """Yield the slips in what a sentence says of its chains."""
    for chain in chains_in(s.text, numbers):
        yield from _changes(report, s, chain, numbers)
        yield from _direction(report, s, chain)


def _changes(
    report: Report, s: Sentence, chain: Chain, numbers: tuple[Number, ...]
) -> Iterator[Finding]:
    """Check what a sentence says of a chain: behind it in brackets or with a word, or before it."""
    found = [*_behind(s.text, chain, numbers), *_before(s.text, chain, numbers)]
    for d, word in found:
        if d.counter or d.ranged or d.spread or _is_setting(s.text, chain, word):
            continue
        around = s.text[max(0, d.start - 10) : d.end + 12]
        kinds = _kinds(d, chain, word, around)
        pairs = list(chain.pairs())
        sign = 1 if d.signed and chain.arrow and not _GAIN.search(around) else 0
        report.count(bool(kinds))
        if kinds and not any(fits(d, k, a, b, sign) for a, b in pairs for k in kinds[a, b]):
            kind = kinds[pairs[0]][-1 if d.unit == "%" and pairs[0][0].unit != "%" else 0]
            yield unborne(report, s, d, kind, pairs[0])


def _is_setting(text: str, chain: Chain, word: str) -> bool:
    """Say whether a chain is what was varied: 「5→15 epoch で 14% 改善」."""
    counted = any(n.counter for n in chain.numbers)
    whole = all("." not in n.text and not n.unit for n in chain.numbers)
    means = text[chain.end :].lstrip()[:1] == "で"
    return (means and (counted or whole)) or (counted and bool(_QUALITY.search(word)))


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
    opened = _OPENED.match(text, chain.end)
    if opened:
        yield from _inside(text, opened.end(), numbers)
        return
    for n in numbers:
        says = _SAYS.match(text, chain.end) if n.start >= chain.end else None
        if not says or says.end() != n.start or n.unit not in ("%", "x"):
            continue
        word = _NEXT_WORD.match(text, n.end)
        if word and not _DENIED.match(text, word.end()):
            yield n, word[1]
        elif _added(text, says[0], n, chain):
            yield n, ""


def _added(text: str, says: str, n: Number, chain: Chain) -> bool:
    """Say whether a change without a word ends what it is added to: 「A→B で -3%、」."""
    closed = bool(_CLOSED.match(text, n.end))
    if n.signed and says.strip() == "で":
        return closed and chain.measured
    return bool(_ADDED.match(says)) and (closed or "by" in says)


def _inside(text: str, start: int, numbers: tuple[Number, ...]) -> Iterator[tuple[Number, str]]:
    close = text.find(")", start)
    inside = text[start : close if close > 0 else len(text)]
    if not _OTHER_BASE.search(inside) and not re.search(r"→|->", inside):
        own = [n for n in numbers if start <= n.start < start + len(inside)]
        for n in own[:2]:
            plain = _PLAIN.fullmatch(_NO_WORD.sub("", text[start : n.start]))
            if n.signed or (plain and n.unit in ("%", "x")) or n.points:
                yield n, _word_in(inside)


def _before(text: str, chain: Chain, numbers: tuple[Number, ...]) -> Iterator[tuple[Number, str]]:
    """Yield the change of 「x% 高い（A vs B）」 and 「改善は x%（A→B）」."""
    opened = text.rfind("(", 0, chain.numbers[0].start)
    if opened < 0 or not _LEAD.fullmatch(text, opened + 1, chain.numbers[0].start):
        return
    known = [n for n in numbers if n.end <= opened and not n.counter]
    last = max((i for i, n in enumerate(known) if n.unit in ("%", "x")), default=0)
    for n in known[last:]:
        gap = text[n.end : opened]
        said = _then(n, gap) if gap.strip() else _said(n, text[: n.start])
        if said is None and not gap.strip() and n.unit == "%" and _is_change(text, chain, n):
            said = ""
        if said is not None:
            yield n, said


def _then(n: Number, gap: str) -> str | None:
    """Return the word of 「x% 高い（」, empty for 「x 倍（」, between a number and a bracket."""
    word = _GAP_WORD.fullmatch(gap)
    if _CONDITION.search(gap):
        return None
    if word and (n.unit or not re.search(r"(?<![A-Za-z])\d", gap)):
        return word[1]
    return "" if n.unit == "x" and _GAP_TIMES.fullmatch(gap) else None


def _is_change(text: str, chain: Chain, n: Number) -> bool:
    """Say whether 「x%（A→B）…改善」 is of values, and x no value of a metric itself."""
    closed = _BRACKET.match(text, chain.end)
    value = any(end >= n.start - 2 for _, _, end in metrics_in(text[: n.start]))
    return chain.measured and not value and bool(closed and _QUALITY.search(text, closed.end()))


def _said(n: Number, before: str) -> str | None:
    """Return the word of 「改善は x%（」, empty for 「差は x（」, before a number and a bracket."""
    share = n.unit in ("%", "x")
    word = _WORD_IS.search(before) if share else None
    plain = _VERB.search(before) if share else _GAP_IS.search(before)
    return word[1] if word else "" if plain or n.unit == "x" else None


def _word_in(text: str) -> str:
    m = WORD.search(text)
    return m[0] if m else ""


def _direction(report: Report, s: Sentence, chain: Chain) -> Iterator[Finding]:
    """Check 「A→B に改善」 and 「改善（A→B）」."""
    if not chain.arrow or len(chain.numbers) != 2 or any(n.counter for n in chain.numbers):
        return
    a, b = chain.numbers
    word = _word_beside(s.text, a, b)
    claimed = _claimed(word, s.text, a) if word else 0
    report.count(bool(claimed))
    if claimed * (b.value - a.value) < 0:
        text = report.say(
            f"「{word}」は数値と逆である（{a.text} → {b.text}、{s.line} 行）。",
            f"'{word}' contradicts the numbers ({a.text} → {b.text}, line {s.line}).",
        )
        yield Finding("方向", (s.line,), text)


def _word_beside(text: str, a: Number, b: Number) -> str:
    """Return the direction word right behind 「A→B」, else the one before it."""
    tail = _ASIDE.match(text, b.end)
    after = _THEN_WORD.match(text, tail.end() if tail else b.end)
    if after:
        return "" if _DENIED.match(text, after.end()) else after[1]
    before = _WORD_THEN.search(text[max(0, a.start - 30) : a.start])
    before = before or _FROM_WORD.search(text[max(0, a.start - 40) : a.start])
    return before[1] if before else ""


def _claimed(word: str, text: str, a: Number) -> int:
    """Return the sign that a word claims of the metric named before a chain; 0 where unclear."""
    start = max(text.rfind(c, 0, a.start) for c in "、。,;")
    named = [m for m, _, _ in metrics_in(text[start + 1 : a.start])]
    metric, sense = named[-1] if named else "", SENSES[word.lower()]
    unclear = sense in ("better", "worse") and len(set(named)) != 1
    magnitude = METRICS.get(metric, {}).get("magnitude")
    return 0 if unclear or magnitude else sign_of(sense, metric)
