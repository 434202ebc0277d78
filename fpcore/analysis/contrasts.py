"""Differences between sums of runs, by size: the one place where intervals of metrics are made."""

import math
from collections.abc import Sequence

import numpy as np

from fpcore.analysis.difference import MetricDifference, told
from fpcore.metric import METRICS
from fpcore.records.by_seed import loss_sums, values, without_seeds
from fpcore.records.frames import curve
from fpcore.records.pairs import incomparable
from fpcore.records.record import RunRecord
from fpcore.stats.priors import NO_PRIOR, Prior
from fpcore.stats.uncertainty import LEVEL, Difference, Values, differences, over_seeds
from fpcore.stats.variance import UNKNOWN, Variance, over_conversations, scaled

Side = Sequence[tuple[float, RunRecord]]  # runs and their weights
HUGE = 700.0  # e to a greater power is beyond the largest float


def contrast(
    first: Side, second: Side, metric: str, level: float = LEVEL, prior: Prior = NO_PRIOR
) -> dict[int, MetricDifference]:
    """Return by size the difference of a metric between two weighted sums of runs.

    It is that of the second less the first, on the sizes and seeds that all of them share; a side
    of a single run without any seed in common is compared by means. Losses take in the
    conversations of the validation text, where all runs know the same ones. `prior` is what other
    comparisons tell of the spread over seeds (`priors.prior_of`).
    """
    records = [record for _, record in (*first, *second)]
    seeds = _seeds(records)
    sizes = _sizes(records)
    sides = {
        n: (_by_seed(first, metric, n, seeds), _by_seed(second, metric, n, seeds)) for n in sizes
    }
    whole = [*((-w, r) for w, r in first), *second]
    texts = {n: _over_text(whole, metric, n) for n in sizes} if METRICS[metric].of_loss else {}
    blocked = any(metric in incomparable(records[0], other) for other in records)
    found = differences(sides, texts, level, prior)
    return {n: said(metric, d, level, blocked) for n, d in found.items()}


def spreads(first: Side, second: Side, metric: str) -> dict[int, Variance]:
    """Return by size the variance that other seeds make in a difference, each size for itself."""
    records = [record for _, record in (*first, *second)]
    seeds = _seeds(records)
    return {
        n: over_seeds(_by_seed(first, metric, n, seeds), _by_seed(second, metric, n, seeds))
        for n in _sizes(records)
    }


def said(metric: str, d: Difference, level: float, blocked: bool = False) -> MetricDifference:
    """Return the difference of a metric with what may be said of it, in its unit.

    `d` is that of the logarithms where the metric is logged. What is `blocked` is unknown.
    """
    own = _unlogged(d) if METRICS[metric].logged else d
    word = "unknown" if blocked else told(metric, own)
    return MetricDifference(**vars(own), metric=metric, said=word, level=level)


def _unlogged(d: Difference) -> Difference:
    a, b = math.exp(d.a), math.exp(d.b)
    low, high = (a * (math.inf if end > HUGE else math.expm1(end)) for end in (d.low, d.high))
    spreads = (a * d.a_spread, b * d.b_spread)  # to first order
    return Difference(a, b, low, high, d.seeds, *spreads, d.by_seeds, d.by_text)


def _sizes(records: list[RunRecord]) -> list[int]:
    """Return the sizes that all runs have."""
    return sorted(set.intersection(*({*record.sizes} for record in records)))


def _seeds(records: list[RunRecord]) -> list[int | None]:
    """Return the seeds that all runs with seeds share; empty where they share none."""
    own = [[r.seed for r in record.results] for record in records if not without_seeds(record)]
    return [seed for seed in dict.fromkeys(own[0]) if all(seed in s for s in own)] if own else []


def _by_seed(side: Side, metric: str, samples: int, seeds: list[int | None]) -> Values:
    """Return the weighted sum by seed; a run without seeds is the same for each of them."""
    scale = math.log if METRICS[metric].logged else float
    found: list[tuple[float, Values]] = []
    for weight, record in side:
        own = values(record, metric)[samples]
        whole = dict.fromkeys(seeds, *own.values()) if without_seeds(record) and seeds else own
        found.append((weight, whole))
    first = found[0][1]
    shared = [seed for seed in first if all(seed in own for _, own in found)]
    return {seed: sum(w * scale(own[seed]) for w, own in found) for seed in shared}


def _over_text(whole: Side, metric: str, samples: int) -> Variance:
    """Return the variance that other conversations make in a metric at a size, in its unit."""
    parts = [(weight, record, samples) for weight, record in whole]
    found = _of_losses(parts, of_bytes=METRICS[metric].needs == "bytes")
    unit = 1.0 if METRICS[metric].logged else _bits(whole[0][1], samples)
    return scaled(found, unit**2)


def exponents_over_text(a: RunRecord, b: RunRecord, samples: list[int]) -> Variance:
    """Return the variance that other conversations make in the difference of two exponents.

    An exponent is a sum of the mean losses at its sizes, which least squares weigh; the same
    conversations stand at all of them. Unknown where all sizes have equal tokens.
    """
    parts: list[tuple[float, RunRecord, int]] = []
    for sign, record in ((-1, a), (1, b)):
        logs = np.log(curve(record)["train_tokens"].loc[samples].to_numpy())
        away = logs - logs.mean()
        if not away.any():
            return UNKNOWN
        weights = (sign * away / (away @ away)).tolist()
        parts += [(w, record, n) for w, n in zip(weights, samples, strict=True)]
    return _of_losses(parts)


def _of_losses(parts: Sequence[tuple[float, RunRecord, int]], of_bytes: bool = False) -> Variance:
    """Return the variance that other conversations make in a weighted sum of mean losses.

    The losses are those of runs at some sizes, in nats per token of the first of them; unknown
    where they are not all known, or are of other conversations. Losses `of_bytes` may be those of
    other tokens, if the text has as many bytes; then the tokens of the first tell its lengths.
    """
    known = [own for _, record, n in parts if (own := loss_sums(record, n)) is not None]
    if len(known) < len(parts) or len({len(counts) for _, counts in known}) > 1:
        return UNKNOWN
    counts = known[0][1]
    same = all(np.array_equal(own, counts) for _, own in known)
    same &= len({record.digests.get("validation_ids") for _, record, _ in parts}) == 1
    lengths = {one.val_bytes for _, record, n in parts for one in record.at(n)}
    if not same and not (of_bytes and len(lengths) == 1):
        return UNKNOWN
    sums = (w * own.mean(0) for (w, _, _), (own, _) in zip(parts, known, strict=True))
    return over_conversations(sum(sums), counts)


def _bits(record: RunRecord, samples: int) -> float:
    """Return the bits per byte of one nat per token."""
    one = record.at(samples)[0]
    tokens = sum(one.val_token_counts or ())
    return tokens / math.log(2) / one.val_bytes if one.val_bytes else math.nan
