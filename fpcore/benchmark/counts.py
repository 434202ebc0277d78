"""What is counted of work on a device, and sums of it."""

import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Counts:
    """What a stage asks of a device: launches, bytes moved and floating-point operations.

    `products` are the operations of matrix products by the format of their factors. `crossings`
    count copies and reads between host and device by the line of this package that causes them.
    """

    launches: int = 0
    moved: int = 0
    products: dict[str, int] = field(default_factory=dict)
    crossings: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: "Counts") -> "Counts":
        """Return what both ask together."""
        return self._with(other, operator.add)

    def __sub__(self, other: "Counts") -> "Counts":
        """Return what is counted here beyond another stage, of which this one is a longer form."""
        return self._with(other, operator.sub)

    def __mul__(self, times: int) -> "Counts":
        """Return what so many repetitions ask."""
        return Counts(
            self.launches * times,
            self.moved * times,
            {k: v * times for k, v in self.products.items()},
            {k: v * times for k, v in self.crossings.items()},
        )

    def _with(self, other: "Counts", how: Callable[[Any, Any], Any]) -> "Counts":
        return Counts(
            how(self.launches, other.launches),
            how(self.moved, other.moved),
            dict(how(Counter(self.products), Counter(other.products))),
            dict(how(Counter(self.crossings), Counter(other.crossings))),
        )
