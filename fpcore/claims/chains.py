"""Chains of numbers in a sentence: 「A→B→C」, 「A から B へ」 and 「A vs B」."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from fpcore.claims.quantities import Number

ABOUT = r"(?:約|およそ|ほぼ|~|about |by |around )*\s*"
_ARROW = re.compile(r"\s*(?:\([^()\d]{0,20}\))?\s*(?:→|⇒|->|=>|➔|➡|⟶)\s*(?:[^\W\d]{1,8}\s?)?")
_FROM = re.compile(r"\s*から\s*|\s+to\s+")
_VS = re.compile(
    r"\s*(?:\([^()\d]{0,20}\)|\))?\s*(?:vs\.?|対)\s*(?:[^\W\d]{1,8}\s?)?(?:\([^()\d]{0,10})?",
    re.IGNORECASE,
)
_TO = re.compile(r"\s*(?:へ|に|まで|と)")


@dataclass(frozen=True)
class Chain:
    """「A→B→C」 or 「A vs B」 (not an arrow): the numbers, and what stands around them."""

    numbers: tuple[Number, ...]
    arrow: bool

    @property
    def end(self) -> int:
        """Return where it ends."""
        return self.numbers[-1].end

    @property
    def measured(self) -> bool:
        """Say whether it is of values, not of settings like 「0.1→0.2」 and 「64→128」."""
        plain = all(n.digits > 2 and not n.unit and not n.counter for n in self.numbers)
        return self.arrow and plain and any("." in n.text for n in self.numbers)

    def pairs(self) -> Iterator[tuple[Number, Number]]:
        """Yield what a change may lead from and to."""
        yield from combinations(self.numbers, 2)


def chains_in(text: str, numbers: tuple[Number, ...]) -> list[Chain]:
    """Return the chains of a sentence, from left to right."""
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
