"""Where two models differ on a text: their losses by class of token, with intervals.

Shapes: N foretold tokens. The units of an interval are conversations, as neighbouring tokens depend
on each other; it holds for these two models, and says nothing of other seeds.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fpcore.stats.uncertainty import LEVEL, Direction, simultaneous
from fpcore.stats.variance import half_width, over_conversations

Array = NDArray[np.float64]
# By column the lower ends of the classes; the last one is open.
EDGES = {
    "frequency": (0, 1, 10, 100, 1000),
    "position": (0, 1, 5, 20, 100, 300),
    "length": (0, 50, 100, 200, 400),
}
COPIED = {False: "no", True: "yes"}
GROUPINGS = ("copied", "frequency", "position", "length")


@dataclass(frozen=True)
class Gap:
    """The mean losses of two models in nats, and their difference b - a with its interval.

    `low` and `high` are NaN from fewer than two conversations.
    """

    a: float
    b: float
    low: float
    high: float
    tokens: int
    conversations: int

    @property
    def difference(self) -> float:
        """b - a."""
        return self.b - self.a

    @property
    def direction(self) -> Direction:
        """What the interval allows to say of these two models."""
        if self.low == self.high == 0:
            return "same"
        return "up" if self.low > 0 else "down" if self.high < 0 else "unclear"


def gap(conversations: ArrayLike, a: Array, b: Array, level: float = LEVEL) -> Gap:
    """Compare losses a and b [N] of the same tokens in nats; `conversations` [N] are their units.

    Raises:
        ValueError: no tokens.
    """
    codes, _ = pd.factorize(np.asarray(conversations))
    counts = np.bincount(codes)
    variance = over_conversations(np.bincount(codes, b - a), counts)
    first, second, half = float(a.mean()), float(b.mean()), half_width(variance, level)
    difference = second - first
    known = (difference - half, difference + half) if variance.known else (math.nan, math.nan)
    return Gap(first, second, *known, len(a), len(counts))


def classes(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return the class of every token [N] by grouping; `tokens` has their facts (`runs.looks`)."""
    found = {name: _binned(tokens[name], edges) for name, edges in EDGES.items()}
    copied = pd.Categorical(tokens["copied"].map(COPIED), [*COPIED.values()])
    return pd.DataFrame({"copied": copied} | found, index=tokens.index)[[*GROUPINGS]]


def gaps(tokens: pd.DataFrame, a: Array, b: Array) -> pd.DataFrame:
    """Return a row per grouping and class that occurs: `grouping`, `class`, and the gap's fields.

    `a` and `b` [N] are losses in nats. The intervals hold together, in LEVEL of all cases.
    """
    found = classes(tokens)
    own = [(name, value) for name in found for value in found[name].cat.categories]
    own = [(name, value) for name, value in own if (found[name] == value).any()]
    level, rows = simultaneous(len(own)), []
    for name, value in own:
        inside = (found[name] == value).to_numpy()
        one = gap(tokens["conversation"][inside], a[inside], b[inside], level)
        facts = {"difference": one.difference, "direction": one.direction}
        rows.append({"grouping": name, "class": value} | vars(one) | facts)
    return pd.DataFrame(rows)


def changes(table: pd.DataFrame) -> pd.DataFrame:
    """Return by `run`, `contexts` and `back` the mean change with its interval, and the places.

    `table` is that of `runs.looks.Look`: a change is a share from 0 to 1.
    """
    rows = []
    for (run, contexts, back), own in table.groupby(["run", "contexts", "back"], sort=False):
        values = own["change"].to_numpy(float)
        one = gap(own["conversation"], np.zeros(len(own)), values)
        facts: dict[str, object] = {
            "mean": one.b,
            "low": one.low,
            "high": one.high,
            "places": one.tokens,
        }
        rows.append({"run": run, "contexts": contexts, "back": back} | facts)
    columns = ["run", "contexts", "back", "mean", "low", "high", "places"]
    return pd.DataFrame(rows, columns=columns)


def _binned(values: pd.Series, edges: tuple[int, ...]) -> pd.Series:
    ends = [*(f"{a}" if b == a + 1 else f"{a}–{b - 1}" for a, b in pairwise(edges))]
    return pd.cut(values, [*edges, np.inf], right=False, labels=[*ends, f"{edges[-1]}–"])
