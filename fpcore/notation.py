"""Numbers as a reader meets them: names, digits, units and signs in one place."""

import math
import re
from collections.abc import Iterable

import pandas as pd

from fpcore.language import said, template
from fpcore.metric import METRICS, Metric

FACTOR_DIGITS = 1e9  # factors from here on are written with an exponent
MOST_DIGITS = 6  # that an end of an interval gets to be told from 0
MOST_PLAIN = 1e15  # above it, floats are no longer exact to a digit behind the point
POINTS = template(" ポイント")  # of a share
DASH = "–"  # stands for a value that a record does not know
# White space, and what cannot be shown or turns the direction in which a line is read.
CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
# What begins markup where it stands: brackets only before a target, _ only beside no letter.
SPECIAL = re.compile(
    r"[\\`*~$]|\](?=[(\[:])|<(?=[A-Za-z/!?])|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|:(?=//)"
)


class Markdown(str):
    """Markdown text that Jupyter renders, and that logs show as it is."""

    def _repr_markdown_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return str(self)


def number(value: float | None, digits: int, unit: str = "", signed: bool = False) -> str:
    """Return a value with its digits and unit; a dash where it is unknown."""
    if value is None or math.isnan(value):
        return DASH
    form = f",.{digits}f" if abs(value) < MOST_PLAIN else ".3g"  # no one reads 300 digits
    text = f"{value:{'+' if signed else ''}{form}}"
    if signed and float(text.replace(",", "")) == 0:
        text = "±" + text[1:]
    return text + said(unit, n=text.lstrip("+-±"))


def factor(value: float | None) -> str:
    """Return a factor whose size is not known beforehand: short, whatever its magnitude."""
    if value is None or not math.isfinite(value):
        return DASH
    return number(value, 1) if value < FACTOR_DIGITS else f"{value:.3g}"


def percent(share: float | None, digits: int = 1, signed: bool = False) -> str:
    """Return a share, or a relative change, in percent."""
    return number(None if share is None else 100 * share, digits, "%", signed)


def percentage_points(difference: float | None, digits: int = 1) -> str:
    """Return the difference of two shares in percentage points."""
    whole = None if difference is None else 100 * difference
    return number(whole, digits, POINTS, signed=True)


def metric(name: str, value: float | None) -> str:
    """Return the value of a metric as tables show it."""
    facts = METRICS[name]
    return number(_scaled(facts, value), _digits(facts, value, facts.digits), facts.unit)


def with_spread(name: str, value: float, spread: float) -> str:
    """Return the mean of a metric over seeds with its standard deviation; alone for one seed."""
    text = metric(name, value)
    if math.isnan(value) or math.isnan(spread):
        return text
    unit = said(METRICS[name].unit)
    return f"{text.removesuffix(unit)} ± {metric(name, spread).removesuffix(unit)}{unit}"


def interval(name: str, low: float, high: float) -> str:
    """Return the interval of a difference of a metric; a dash where it is unknown."""
    if math.isnan(low) or math.isnan(high):
        return DASH
    facts = METRICS[name]
    digits = facts.digits if facts.difference_digits is None else facts.difference_digits
    shown = ends(facts.scaled(low), facts.scaled(high), digits)
    return f"[{', '.join(shown)}]{said(_difference_unit(facts), n=shown[0])}"


def ends(low: float, high: float, digits: int, unit: str = "") -> list[str]:
    """Write both ends of an interval, signed.

    An end that is not 0 but would look so gets as many more digits as tell it from 0, so that
    what is said of the interval can be seen in it.
    """
    while digits < MOST_DIGITS and any(_looks_like_zero(end, digits) for end in (low, high)):
        digits += 1
    return [number(end, digits, unit, signed=True) for end in (low, high)]


def visible(text: str) -> bool:
    """Whether a number, as it is written, is told from 0."""
    return any(ch in "123456789∞" for ch in text)


def _looks_like_zero(value: float, digits: int) -> bool:
    return value != 0 and math.isfinite(value) and float(f"{value:.{digits}f}") == 0


def difference(name: str, value: float | None) -> str:
    """Return the difference of a metric as tables show it."""
    facts = METRICS[name]
    digits = facts.digits if facts.difference_digits is None else facts.difference_digits
    unit = _difference_unit(facts)
    return number(_scaled(facts, value), _digits(facts, value, digits), unit, signed=True)


def with_relative(name: str, value: float, relative: float) -> str:
    """Return the difference of a metric, and in percent where its unit alone tells little."""
    text, digits = difference(name, value), METRICS[name].relative_digits
    if digits is None or math.isnan(relative):
        return text
    return f"{text} ({percent(relative, digits, signed=True)})"


def _scaled(facts: Metric, value: float | None) -> float | None:
    return None if value is None else facts.scaled(value)


def _digits(facts: Metric, value: float | None, digits: int) -> int:
    whole = value is None or math.isnan(value) or float(value).is_integer()
    return 0 if facts.counted and whole else digits


def _difference_unit(facts: Metric) -> str:
    return POINTS if facts.unit == "%" else facts.unit


def table(rows: pd.DataFrame, markdown: str | None = None) -> Markdown:
    """Return a frame of text as a Markdown table, the first column to the left.

    Cells and headings are shown as written, but for those of the column `markdown`, which hold it.
    """
    cells = [
        [str(value) if name == markdown else escaped(str(value)) for value in rows.iloc[:, place]]
        for place, name in enumerate(rows.columns)
    ]
    written = [[value.replace("|", "\\|") for value in column] for column in cells]
    heads = [escaped(name).replace("|", "\\|") for name in rows.columns]
    align = ("left",) + ("right",) * (len(heads) - 1)
    text = pd.DataFrame(zip(*written, strict=True), columns=heads).to_markdown(
        index=False, disable_numparse=True, colalign=align
    )
    return Markdown(text or "")


def escaped(text: str) -> Markdown:
    """Return Markdown that shows a text as it is written, on one line."""
    return Markdown(SPECIAL.sub(r"\\\g<0>", CONTROL.sub(" ", text)))


def code(text: str) -> Markdown:
    """Return Markdown that shows a text as code, whatever it holds."""
    text = CONTROL.sub(" ", text)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    gap = " " if text.startswith("`") or text.endswith("`") else ""
    return Markdown(f"{fence}{gap}{text}{gap}{fence}")


def knob_value(value: object) -> str:
    """Return the value of a knob as YAML would show it."""
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return "null" if value is None else str(value)


def counted(n: int) -> str:
    """Write a number of things; in Japanese つ up to nine, 個 from ten on."""
    return said("{n} つ", n=n) if n < 10 else said("{n} 個", n=n)


def sizes(samples: Iterable[int]) -> str:
    """Name some sizes."""
    return said("{n} サンプル", n=", ".join(map(str, samples)))
