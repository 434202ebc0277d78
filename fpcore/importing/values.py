"""Printed values: numbers with their units and digits, as people and programs write them."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite

MOST = 40  # characters of a number
UNKNOWN = re.compile(r"[-–—―ー・.…*/?]*|n/?a|none|null|unknown|不明|なし|未測定", re.IGNORECASE)
DASHES = str.maketrans("−–‐‑", "----")
INFINITE = ("nan", "inf", "infinity", "∞")
PERCENT = ("%", "percent", "パーセント")
SECONDS = {
    unit: Decimal(seconds)
    for seconds, units in {
        "1": "s sec secs second seconds 秒",
        "60": "m min mins minute minutes 分",
        "3600": "h hr hour hours 時間",
        "0.001": "ms",
    }.items()
    for unit in units.split()
}
NUMBER = re.compile(r"([-+]?)(\d[\d,._' ]*|\.\d+)(?:[eE]([-+]?\d{1,3}))?")
GROUPED = re.compile(r"\d{1,3}(?:([,_' ])\d{3})(?:\1\d{3})*(?:\.\d*)?")
POINTED = re.compile(r"\d*\.?\d*")
COMMA = re.compile(r"\d{1,3}(?:\.\d{3})*,\d*|\d+,\d*")  # 598,6 and 1.234,5
CLOCK = re.compile(r"(?:(\d{1,5}):)?(\d{1,5}):(\d\d(?:\.\d+)?)")


@dataclass(frozen=True)
class Printed:
    """A number, half a unit of its last digit, and its unit (`%`, `s` or none)."""

    value: Decimal
    half: Decimal
    unit: str = ""

    @property
    def share(self) -> "Printed":
        """The same as a share of 1."""
        return Printed(self.value / 100, self.half / 100)


def plain(text: str) -> str:
    """Return a text in NFKC, with one kind of minus, without emphasis and code marks of Markdown.

    So full-width digits are digits; raised ones, as of footnotes and powers, follow a `^`.
    """
    text = "".join(f"^{c}" if unicodedata.category(c) == "No" else c for c in text)
    text = unicodedata.normalize("NFKC", text.translate(DASHES)).translate(DASHES)
    return text.strip().strip("*`").strip()


def unknown(text: str) -> bool:
    """Whether a cell stands for no value: it is empty, or holds a dash or n/a."""
    return bool(UNKNOWN.fullmatch(plain(text)))


def read(text: str, comma: bool = False) -> Printed:
    """Return the number of a cell, such as `71.0 %`, `62,891` or `28.3 分`; times in seconds.

    `comma` says that decimals stand behind a comma.

    Raises:
        ValueError: it is none; the text says what it is not.
    """
    bare = plain(text)
    if bare.lower().lstrip("+-") in INFINITE:
        raise ValueError("is not finite")
    if clock := CLOCK.fullmatch(bare):
        hours, minutes, seconds = (Decimal(part or 0) for part in clock.groups())
        return Printed(3600 * hours + 60 * minutes + seconds, Decimal("0.5"), "s")
    parts = [(m, bare[m.end() : after].strip()) for m, after in _parts(bare)]
    if not parts or bare[: parts[0][0].start()].strip():
        raise ValueError("is no number")
    if len(parts) > 1:
        return _time(parts, comma)
    return _number(*parts[0], comma)


def _parts(text: str) -> list[tuple[re.Match[str], int]]:
    """Return each number of a text, and where the next one begins."""
    found = list(NUMBER.finditer(text))
    ends = [*(m.start() for m in found), len(text)][1:]
    return list(zip(found, ends, strict=True))


def _time(parts: list[tuple[re.Match[str], str]], comma: bool) -> Printed:
    """Return a time in several units: `28 分 18 秒`."""
    sizes = [SECONDS.get(unit.lower(), Decimal()) for _, unit in parts]
    if not all(sizes) or sorted(set(sizes), reverse=True) != sizes:
        raise ValueError("is more than one number")
    found = [_number(m, unit, comma) for m, unit in parts]
    return Printed(sum((n.value for n in found), Decimal()), found[-1].half, "s")


def _number(m: re.Match[str], unit: str, comma: bool) -> Printed:
    digits = _digits(m[2].rstrip(" _'"), comma)
    exponent = int(m[3] or 0)
    value = Decimal(f"{m[1]}{digits}").scaleb(exponent)
    if len(m[0]) > MOST or not isfinite(float(value)):
        raise ValueError("is too long for a number")
    half = Decimal(f"0.5e{exponent - len(digits.partition('.')[2])}")
    unit = unit.lower()
    if unit in SECONDS:
        return Printed(value * SECONDS[unit], half * SECONDS[unit], "s")
    if unit and unit not in PERCENT:
        raise ValueError(f"has a unit that is not known, {unit[:20]!r}")
    return Printed(value, half, "%" if unit else "")


def _digits(text: str, comma: bool) -> str:
    """Return digits with a point, whatever stands between thousands.

    Raises:
        ValueError: commas stand where they do not between thousands.
    """
    if comma and COMMA.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    if POINTED.fullmatch(text):
        return text
    if GROUPED.fullmatch(text):
        return re.sub("[,_' ]", "", text)
    raise ValueError("is no number with a decimal point")
