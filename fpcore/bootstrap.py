"""How sure a difference of two models on one text is, from the losses of its conversations."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fpcore.uncertainty import LEVEL, Direction

DRAWS = 10_000
Array = NDArray[np.float64]


@dataclass(frozen=True)
class LossDifference:
    """The mean loss of model b minus that of model a, in nats per token.

    `low` and `high` bound its percentile interval (95 % unless asked otherwise), NaN from fewer
    than 2 conversations, where nothing can be resampled. `conversations` and `seeds` (of a, of b)
    say what it rests on.
    """

    difference: float
    low: float
    high: float
    conversations: int
    seeds: tuple[int, int]

    @property
    def relative_ppl(self) -> tuple[float, float, float]:
        """PPL of b over that of a, minus 1: of the difference, of `low` and of `high`."""
        return (math.expm1(self.difference), math.expm1(self.low), math.expm1(self.high))

    @property
    def direction(self) -> Direction:
        """`up` or `down` where the interval leaves out 0; `unknown` without an interval."""
        if math.isnan(self.low):
            return "unknown"
        if self.low == self.high == 0:
            return "same"
        return "up" if self.low > 0 else "down" if self.high < 0 else "unclear"


def paired_bootstrap(
    a_sums: ArrayLike,
    b_sums: ArrayLike,
    counts: ArrayLike,
    seed: int,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> LossDifference:
    """Compare two models on the conversations of one text.

    Args:
        a_sums, b_sums: [seeds, C], or [C] for one seed: each conversation's loss sum in nats.
        counts: [C], its predicted tokens; conversations without any do not count.
        seed: of the resampling.
        draws: how often to resample.
        level: of the interval.

    Neighbouring tokens depend on each other, so whole conversations are drawn, with replacement
    and the same for both models; a draw's mean loss is its loss sum over its tokens. Seeds are
    drawn as well: row i of both together where both models have as many rows (runs of one seed are
    pairs), and each model's rows for themselves otherwise. Resampling n seeds makes their variance
    too small by the factor (n - 1) / n, which counts for few of them.

    Raises:
        ValueError: shapes that do not fit, loss sums that are not finite, counts that are negative
            or all zero, or no draws.

    Source: Efron & Tibshirani 1993, chapters 8 and 13 (percentile interval of paired data).
    """
    a, b, n = _checked(a_sums, b_sums, counts, draws)
    estimate = float((b.mean(0) - a.mean(0)).sum() / n.sum())
    seeds = (len(a), len(b))
    if len(n) < 2:
        return LossDifference(estimate, math.nan, math.nan, len(n), seeds)
    rng = np.random.default_rng(seed)
    times = _resampled(rng, len(n), draws)
    of_a = _resampled(rng, len(a), draws)
    of_b = of_a if len(a) == len(b) else _resampled(rng, len(b), draws)
    gaps = of_b @ b / len(b) - of_a @ a / len(a)  # [draws, C]
    differences = (times * gaps).sum(1) / (times @ n)
    tail = (1 - level) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    return LossDifference(estimate, float(low), float(high), len(n), seeds)


def _resampled(rng: np.random.Generator, count: int, draws: int) -> Array:
    """Return how often each of `count` things comes in each draw, [draws, count]."""
    return rng.multinomial(count, np.full(count, 1 / count), draws).astype(np.float64)


def _checked(
    a_sums: ArrayLike, b_sums: ArrayLike, counts: ArrayLike, draws: int
) -> tuple[Array, Array, Array]:
    a, b = (np.atleast_2d(np.asarray(sums, np.float64)) for sums in (a_sums, b_sums))
    n = np.asarray(counts, np.float64)
    if n.ndim != 1 or any(s.ndim != 2 or not len(s) or s.shape[1] != len(n) for s in (a, b)):
        raise ValueError(
            "a_sums and b_sums must be [seeds, conversations] and counts [conversations], not "
            f"{a.shape}, {b.shape} and {n.shape}"
        )
    if not all(np.isfinite(values).all() for values in (a, b, n)) or (n < 0).any() or not n.any():
        raise ValueError("loss sums must be finite, and counts at least 0 and not all 0")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, not {draws}")
    return a[:, n > 0], b[:, n > 0], n[n > 0]
