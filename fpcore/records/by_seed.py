"""What a record gave, seed by seed: the values that comparisons take differences of."""

from math import nan

import numpy as np
import pandas as pd

from fpcore.metric import METRICS
from fpcore.records.frames import curve
from fpcore.records.record import RunRecord
from fpcore.stats.scaling import PowerLaw, sliding_windows
from fpcore.stats.uncertainty import Array, Values


def values(record: RunRecord, metric: str) -> dict[int, Values]:
    """Return a metric by size and seed."""
    found: dict[int, Values] = {}
    for result in record.results:
        value = getattr(result, metric)
        found.setdefault(result.samples, {})[result.seed] = nan if value is None else float(value)
    return found


def without_seeds(record: RunRecord) -> bool:
    """Whether nothing in a run is drawn, so that all seeds would give the same."""
    return record.source == "measured" and {result.seed for result in record.results} == {None}


def moments(metric: str, by_seed: Values) -> tuple[float, float]:
    """Return mean and standard deviation over seeds, NaN from fewer than 2.

    The mean of a metric that is compared by ratios is the geometric one.
    """
    known = np.array([*by_seed.values()])
    mean = np.exp(np.log(known).mean()) if METRICS[metric].logged else known.mean()
    return float(mean), float(known.std(ddof=1)) if len(known) > 1 else nan


def windows(points: pd.DataFrame, samples: list[int]) -> list[tuple[int, int, PowerLaw]]:
    """Return first size, last size and power law of each window of 4 sizes, then over all."""
    points = points[points.index.isin(samples)]
    if len(points) < 2:
        return []
    sizes = points.index.tolist()
    columns = (points["train_tokens"].tolist(), points["val_ppl"].tolist())
    inner = sliding_windows(*columns) if len(points) > 4 else []
    spans = [(sizes[i], sizes[i + 3], fit) for i, fit in enumerate(inner)]
    return [*spans, (sizes[0], sizes[-1], sliding_windows(*columns, len(points))[0])]


def alphas(
    record: RunRecord, whole: RunRecord, samples: list[int]
) -> dict[tuple[int, int], Values]:
    """Return α by window (first and last size) and seed; print knows it without a seed."""
    found: dict[tuple[int, int], Values] = {}
    for seed in {result.seed for result in record.results}:
        for first, last, fit in windows(curve(record, [seed]), samples):
            found.setdefault((first, last), {})[seed] = fit.alpha
    if whole.alpha is not None and set(whole.sizes) == set(samples):
        found[whole.sizes[0], whole.largest] = {None: whole.alpha}
    return found


def seconds(record: RunRecord, whole: RunRecord) -> Values:
    """Return the time of all stages at the compared sizes, by seed."""
    if whole.seconds is not None:  # print gives the time of the whole run
        return {None: whole.seconds if len(record.results) == len(whole.results) else nan}
    times: Values = {}
    for result in record.results:
        own = sum(result.seconds.values()) if result.seconds else nan
        times[result.seed] = times.get(result.seed, 0.0) + own
    return times


def loss_sums(record: RunRecord, samples: int) -> tuple[Array, Array] | None:
    """Return the validation losses of a run at one size by conversation, in the order of its seeds.

    Sums in nats [seeds, C] and predicted tokens [C]; None where a seed does not know them, or
    where its conversations are others.
    """
    own = sorted(record.at(samples), key=lambda r: r.seed or 0)
    counts = {tuple(r.val_token_counts or ()) for r in own}
    if len(counts) != 1 or not all(r.val_loss_sums and r.val_token_counts for r in own):
        return None
    return np.array([r.val_loss_sums for r in own]), np.array(counts.pop(), np.float64)
