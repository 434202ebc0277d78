"""Printed numbers: their values, units, and the interval that their rounding allows."""

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

from fpcore.claims.terms import TERMS, number_words

EPS = 1e-9
_LONGEST = 40  # digits, or powers of ten, of a quantity
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_POWER = re.compile(
    r"\s?[×xX*·]\s?10(?:([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)|\^\{?\(?([-−+]?\d+)\)?\}?|\*\*([-−+]?\d+))"
)
_LONE_POWER = re.compile(r"(?<![\d.])10(?:([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)|\^\{?([-−+]?\d+)\}?)(?=$|[^\d.])")
_FALL = re.compile(r"▲\s?(?=[\d.])")
_DASHES = str.maketrans("−–‐‑〜∼", "---~~~")
# What has digits but is no quantity: dates, times of day, versions, commit ids, addresses, names.
_NO_NUMBER = re.compile(
    r"https?://\S+|!?\]\([^)\s]*\)|\b\d{4}[-/.]\d{1,2}[-/.]\d{1,2}\b|\b\d{4}年(?:\d+月)?(?:\d+日)?"
    r"|(?<!\d)\d+月\d+日|(?<![\d.])\d{1,2}:\d{2}(?::\d{2})?(?![\d.])|(?<![\d.,])\d+\.\d+\.\d+[\w.]*"
    r"|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}\b|\b[vV]\d+(?:[._]\d+)*\b|\b0x[0-9a-fA-F]+"
    r"|#\d+|(?:表|図|式|節|章|付録|§|Table|Fig\.?|Figure|Section|Eq\.?)\s?\d+(?:[.-]\d+)*"
    r"|第\s?\d+|\[\d+(?:,\s*\d+)*\](?!\()|(?<![A-Za-z0-9_./])[A-Za-z_][A-Za-z0-9_/]*+-\d[\w.]*"
)
_UNIT = rf"(?:\s?({number_words(TERMS['units'])}))?+"
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.,])(?<!\d[/:])(?<![A-Za-z]-)((?:(?<![A-Za-z0-9%])[+-]"
    r"|±)?)(\d{1,3}(?:,\d{3})++(?![\d,])|\d++)"
    rf"(?:\.(\d++))?+(?:[eE]([+-]?\d{{1,3}}))?+{_UNIT}(?![A-Za-z_]|\.\d|\d)"
)
_CLOCK = re.compile(
    r"([+±-]?)(?<![\d.])(?:(\d{1,5})\s?(?:時間|hours?|h)\s?)?(\d{1,6})\s?(?:分|min"
    r"|m)(?:\s?(\d{1,6}(?:\.\d+)?)\s?(?:秒|sec|s))?"
    r"(?![A-Za-z])"
)
_END = r"\s*(?:[+±-]?[\d.,]*\d|[+-]?(?:inf|∞))\s?%?\s*"
_INTERVAL = re.compile(rf"(?<=[\d%])(\s?[^\W\d]{{0,8}})\s*\[{_END},{_END}\](?!\()")  # of a figure
_SPREAD = re.compile(rf"\s?(?:±|\+/-|\+-)\s?\d+(?:\.\d+)?{_UNIT}")
_RANGE = re.compile(r"~|\s~\s|-")
_ABOUT = re.compile(rf"(?:{number_words(TERMS['approximate'])})\s?(?:の)?$", re.IGNORECASE)
_AFTER = re.compile(rf"\s?(?:{'|'.join(TERMS['approximate_after'])})")


@dataclass(frozen=True)
class Number:
    """A printed number in base units (seconds, %, ones) and half a unit of its last digit.

    `start` and `end` are places in the text that it was read from. `clock` says that it is a
    duration in several units, `about` that it is called approximate, `ranged` that it is one end
    of a range, `spread` that ± follows it.
    """

    value: float
    half: float
    unit: str
    text: str
    start: int = 0
    end: int = 0
    factor: float = 1.0
    about: bool = False
    ranged: bool = False
    spread: bool = False
    counter: str = ""

    @property
    def signed(self) -> bool:
        """Say whether a sign is printed."""
        return self.text[:1] in ("+", "-")

    @property
    def points(self) -> bool:
        """Say whether it is in percentage points, as only differences of shares are."""
        return self.text.endswith(tuple(TERMS["points"]))

    @property
    def digits(self) -> int:
        """Return how many significant digits are printed."""
        return len(re.sub(r"\D", "", re.sub(r"[eE].*", "", self.text)).lstrip("0"))

    @property
    def ends(self) -> tuple[float, float]:
        """Return the interval that the rounding allows."""
        return self.value - self.half, self.value + self.half

    def agrees(self, other: "Number") -> bool:
        """Say whether both may be roundings of one value; touching intervals do not count."""
        near = abs(self.value - other.value) < self.half + other.half - EPS
        return self.unit == other.unit and (near or self.value == other.value)


def plain(text: str) -> str:
    """Return a text in NFKC without emphasis, with one minus, and powers of ten as `e5`."""
    text = _POWER.sub(lambda m: "e" + _power(m), text)
    if not text.isascii():
        text = _LONE_POWER.sub(lambda m: "1e" + _power(m), text)
        text = _FALL.sub("-", text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_DASHES)).translate(_DASHES)
    text = re.sub(r"</?(?:b|i|em|strong|sub|sup|br|code|span|p|u|s|small)\b[^<>]*>", " ", text)
    return re.sub(r"\*\*|`|(?<![\w*])[*_](?=\S)|(?<=\S)[*_](?![\w*])|~~|\\(?=[*_|#~])", "", text)


def without_intervals(text: str) -> str:
    """Return a plain text without the intervals of figures, whose ends are no figures."""
    return _INTERVAL.sub(r"\1", text)


def _power(m: re.Match[str]) -> str:
    digits: str = next(filter(None, m.groups()))
    return digits.translate(_SUPERSCRIPT).replace("−", "-")


@lru_cache(maxsize=20_000)
def numbers_in(text: str) -> tuple[Number, ...]:
    """Return the numbers that stand alone in a plain text, with their units."""
    if not any(c.isdigit() for c in text):
        return ()
    masked = _NO_NUMBER.sub(lambda m: "\0" * len(m[0]), text)
    found: list[Number] = []
    clocks = [_clock(m) for m in _CLOCK.finditer(masked) if m[2] or m[4]]
    for clock in clocks:
        masked = masked[: clock.start] + "\0" * (clock.end - clock.start) + masked[clock.end :]
    for m in _NUMBER.finditer(masked):
        if len(m[2]) > _LONGEST or abs(int(m[4] or 0)) > _LONGEST:
            continue  # no quantity
        found.append(_number(m))
    numbers = sorted(found + clocks, key=lambda n: n.start)
    return tuple(_placed(masked, numbers))


def _number(m: re.Match[str]) -> Number:
    factor, unit = TERMS["units"].get(m[5], (1, ""))
    counter = m[5] if unit == "#" else ""
    scale = factor * 10.0 ** int(m[4] or 0)
    value = float(f"{m[2].replace(',', '')}.{m[3] or 0}") * scale
    half = 10.0 ** -len(m[3] or "") / 2 * scale
    value = -value if m[1] == "-" else value
    unit = "" if unit == "#" else unit
    return Number(value, half, unit, m[0].strip(), *m.span(), scale, counter=counter)


def _clock(m: re.Match[str]) -> Number:
    seconds = int(m[2] or 0) * 3600 + int(m[3]) * 60 + float(m[4] or 0)
    half = 0.5 if m[4] else 30.0
    value = -seconds if m[1] == "-" else seconds
    return Number(value, half, "s", m[0].strip(), *m.span())


def _placed(text: str, numbers: list[Number]) -> list[Number]:
    """Mark ranges, approximations and spreads; a spread and a ± amount are no numbers."""
    placed: list[Number] = []
    until = -1
    for i, n in enumerate(numbers):
        if n.start < until or n.text[0] == "±":
            continue
        if spread := _SPREAD.match(text, n.end):
            n, until = _united(n, spread[1]), spread.end()
        after = numbers[i + 1] if i + 1 < len(numbers) else None
        opens = after and _RANGE.fullmatch(text, n.end, after.start)
        closes = bool(placed) and _RANGE.fullmatch(text, placed[-1].end, n.start)
        about = bool(_ABOUT.search(text[max(0, n.start - 12) : n.start]))
        about = about or bool(_AFTER.match(text, n.end)) or (n.text[:1] == "~")
        placed.append(replace(n, about=about, ranged=bool(opens or closes), spread=bool(spread)))
    return placed


def _united(n: Number, word: str | None) -> Number:
    """Give a number without a unit that of its spread: 「42.9 ± 1.4%」 is 42.9%."""
    factor, unit = TERMS["units"].get(word, (1, "#"))
    if unit == "#" or n.unit or n.counter:
        return n
    value, half = n.value * factor, n.half * factor
    return replace(n, value=value, half=half, unit=unit, factor=factor, text=f"{n.text}{word}")


def cell_number(text: str) -> Number | None:
    """Return the number that a table cell begins with, where it is one."""
    found = numbers_in(text)
    head = text[: found[0].start].strip() if found else "x"
    return found[0] if not head or head in TERMS["before_numbers"] else None


def mistyped(a: Number, b: Number) -> bool:
    """Say whether two numbers look like one that was mistyped: one digit, or two neighbours."""
    x, y = a.text, b.text
    places = [i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q]
    swapped = len(places) == 2 and x[places[0]] + x[places[1]] == y[places[1]] + y[places[0]]
    digits = min(a.digits, b.digits) if len(x) == len(y) else 0
    return (digits > 3 and len(places) == 1) or (digits > 2 and swapped)
