"""What two printed numbers allow: their difference, relative change and ratio, as intervals."""

import math
from dataclasses import dataclass
from itertools import product

from fpcore.claims.quantities import EPS, Number

Interval = tuple[float, float]


@dataclass(frozen=True)
class Kind:
    """A way to compute a number from two others: its name, and how a reader writes it."""

    name: str
    formula: str


DIFFERENCE, SHARES = Kind("difference", "b − a"), Kind("shares", "100 (b − a)")
RELATIVE, BASE_B = Kind("relative", "(b − a)/a"), Kind("base b", "(b − a)/b")
RATIO, INVERSE = Kind("ratio", "b/a"), Kind("inverse", "a/b")
KINDS = (DIFFERENCE, SHARES, RELATIVE, BASE_B, RATIO, INVERSE)


def predicted(kind: Kind, a: Number, b: Number, exact: bool = False) -> Interval | None:
    """Return the interval of a kind for two numbers; relative ones in %, ratios in ones."""
    (a0, a1), (b0, b1) = ((n.value, n.value) if exact else n.ends for n in (a, b))
    if kind in (DIFFERENCE, SHARES):
        scale = 100 if kind is SHARES else 1
        return scale * (b0 - a1), scale * (b1 - a0)
    base = (b0, b1) if kind in (BASE_B,) else (a0, a1)
    if kind is INVERSE:
        base = (b0, b1)
    if base[0] <= 0 <= base[1]:
        return None
    if kind is RATIO:
        values = [y / x for x, y in product((a0, a1), (b0, b1))]
    elif kind is INVERSE:
        values = [x / y for x, y in product((a0, a1), (b0, b1))]
    elif kind is RELATIVE:
        values = [(y - x) / abs(x) * 100 for x, y in product((a0, a1), (b0, b1))]
    else:
        values = [(y - x) / abs(y) * 100 for x, y in product((a0, a1), (b0, b1))]
    return min(values), max(values)


def kinds_for(d: Number, a: Number, b: Number, ratio: bool = False) -> list[Kind]:
    """Return the ways in which a number may be meant, by its unit and those of its operands."""
    if a.unit != b.unit:
        return []
    if d.unit == "x":
        return [RATIO, INVERSE]
    if d.unit == "%":
        small = not a.unit and abs(a.value) <= 1 and abs(b.value) <= 1
        points = [DIFFERENCE] if a.unit == "%" or (d.points and not a.unit) else []
        points += [SHARES] if small else []
        if d.points:
            return points
        shares = [RATIO, INVERSE] if ratio and not d.signed else []
        return [*points, RELATIVE, BASE_B, *shares]
    if d.unit in ("", a.unit) or not a.unit:
        return [RATIO, INVERSE] if ratio and not d.unit else [DIFFERENCE]
    return []


def fits(d: Number, kind: Kind, a: Number, b: Number, sign: int = 1, exact: bool = False) -> bool:
    """Say whether a number is what a kind gives, to within the rounding of all three.

    `sign` is +1 for b − a as printed, -1 for a − b, and 0 where the amount alone counts.
    """
    interval = predicted(kind, a, b, exact)
    if interval is None:
        return False
    low, high = interval
    scale = 100.0 if kind in (RATIO, INVERSE) and d.unit == "%" else 1.0
    value, half = d.value, d.half
    if kind is DIFFERENCE and a.unit and not d.unit:
        value, half = value * a.factor, half * a.factor
    if kind in (DIFFERENCE,) and d.unit and not a.unit and d.unit != "%":
        value, half = value / d.factor, half / d.factor
    slack = half + _loose(d) + EPS * (abs(half) + max(abs(low), abs(high)) * scale)
    values = {1: [value], -1: [-value], 0: [value, -value]}[sign]
    low, high = low * scale - slack, high * scale + slack
    cut = _cut(d)  # 「41%」 may be 41.9 %, cut: the true value is then further from 0
    return any(
        low <= v <= high or (low <= v + cut <= high and v > 0) or (low <= v - cut <= high and v < 0)
        for v in values
    )


def _loose(d: Number) -> float:
    """Return what a number that is called approximate may be off by, beside its rounding."""
    return max(abs(d.value) * 0.1, d.half) if d.about or d.ranged else 0.0


def _cut(d: Number) -> float:
    return d.half if d.unit in ("%", "x") and not d.signed and "." not in d.text else 0.0


def shown(kind: Kind, a: Number, b: Number, like: Number) -> str:
    """Return what a kind gives, written like a printed number."""
    interval = predicted(kind, a, b, exact=True)
    if interval is None:
        return "?"
    value = interval[0] if like.signed else abs(interval[0])
    if kind in (RATIO, INVERSE):
        value *= 100 if like.unit == "%" else 1
        plus = ""
    else:
        plus = "+" if like.signed else ""
    if kind is DIFFERENCE:
        value /= like.factor if like.unit else a.factor if a.unit else like.factor
    digits = max(0, round(-math.log10(2 * like.half / like.factor))) if like.half else 0
    tail = "".join(c for c in like.text.lstrip("+-") if not (c.isdigit() or c in ".,")).strip()
    return f"{value:{plus},.{digits}f}{tail if 'e' not in tail.lower() else ''}"
