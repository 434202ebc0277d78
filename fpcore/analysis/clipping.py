"""How gradient clipping acted in a run: how often, and how much."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fpcore.records.record import RunRecord


@dataclass(frozen=True)
class Clipping:
    """How gradient clipping acted in a run, over all iterations, seeds and sizes.

    `clip` is the knob and `lr` the learning rate of phase 1; `clipped` is the share of updates that
    were clipped; `norm` is the median of the gradients' norms, `least` and `most` are their ends;
    `scale` is the mean factor that clipping put on the gradient, min(1, clip / norm). Where a run
    knows no norms, these are NaN, and its ends infinite.
    """

    run: str
    clip: float
    lr: float
    clipped: float
    norm: float
    least: float
    most: float
    scale: float


def clipping(record: RunRecord) -> Clipping:
    """Return how gradient clipping acted in a run."""
    clip = float(record.config["gradient_clip"])
    norms = np.array(_trace(record, "grad_norm"))
    known = len(norms) > 0
    return Clipping(
        run=record.name,
        clip=clip,
        lr=float(record.config["phase1_lr"]),
        clipped=float(np.mean(_trace(record, "clipped"))) if known else math.nan,
        norm=float(np.median(norms)) if known else math.nan,
        least=float(norms.min(initial=math.inf)),
        most=float(norms.max(initial=-math.inf)),
        scale=float(np.minimum(1, clip / norms).mean()) if known else math.nan,
    )


def _trace(record: RunRecord, column: str) -> list[float]:
    rows: Iterable[list[float]] = (r.phase1.get(column, []) for r in record.results)
    return [value for row in rows for value in row]
