"""Records as tables: one row per run, seed and size, iteration or epoch."""

from collections.abc import Iterable
from typing import get_args, get_origin

import numpy as np
import pandas as pd

from fpcore.metric import METRICS
from fpcore.records.record import VOLATILE, RunRecord
from fpcore.records.result import SizeResult


def _is_number(annotation: object) -> bool:
    """Whether a field holds one number, or None."""
    inner = get_args(annotation)
    return annotation in (int, float) or (
        get_origin(annotation) not in (list, dict) and any(map(_is_number, inner))
    )


# What a result is made of that is one number, and not of the machine or of other runs.
COLUMNS = [
    name
    for name, field in SizeResult.model_fields.items()
    if _is_number(field.annotation) and name not in VOLATILE
]


def frame(records: Iterable[RunRecord]) -> pd.DataFrame:
    """Return one row per run, seed and size; ratios from 0 to 1, `seconds` over all stages."""
    rows = [
        {"run": record.name}
        | {column: getattr(result, column) for column in COLUMNS}
        | {"seconds": sum(result.seconds.values()) if result.seconds else None}
        for record in records
        for result in record.results
    ]
    return pd.DataFrame(rows, columns=["run", *COLUMNS, "seconds"])


def over_seeds(rows: pd.DataFrame, keys: list[str], metrics: list[str]) -> pd.DataFrame:
    """Return the means of some metrics over seeds, a row for each value of `keys`.

    Those of metrics that are compared by ratios are the geometric ones, as everywhere.
    """
    logged = [metric for metric in metrics if METRICS[metric].logged]
    values = rows.astype(dict.fromkeys(metrics, float))
    values = values.assign(**{metric: np.log(values[metric]) for metric in logged})
    means = values.groupby(keys, sort=False, as_index=False)[metrics].mean()
    return pd.DataFrame(means.assign(**{metric: np.exp(means[metric]) for metric in logged}))


def curve(record: RunRecord, seeds: Iterable[int | None] | None = None) -> pd.DataFrame:
    """Return `train_tokens` and `val_ppl` by `samples`, fewest tokens first.

    Over seeds (all, or those given) V.PPL is the geometric mean: so the power law of the mean has
    the mean of the seeds' exponents. Sizes where either is unknown are left out.
    """
    rows = frame([record]).astype({"val_ppl": float, "train_tokens": float})
    if seeds is not None:
        rows = rows[rows["seed"].map(lambda s: None if pd.isna(s) else s).isin(list(seeds))]
    rows = rows.assign(val_ppl=np.log(rows["val_ppl"]))
    means = rows.groupby("samples")[["train_tokens", "val_ppl"]].mean().dropna()
    return means.assign(val_ppl=np.exp(means["val_ppl"])).sort_values("train_tokens")


def traces(records: Iterable[RunRecord]) -> pd.DataFrame:
    """Return one row per run, seed, size and phase-1 iteration (from 2: iteration 1 only draws)."""
    columns = (
        "iteration convergence_rate loss fixed_point_loss diversity_loss grad_norm clipped "
        "layernorm_gain"
    )
    return _traced(records, "phase1", columns.split())


def epochs(records: Iterable[RunRecord]) -> pd.DataFrame:
    """Return one row per run, seed, size and phase-2 epoch; losses in nats.

    A run knows loss and accuracy of the text that chose its epoch; older ones of both texts.
    """
    columns = "epoch train_loss val_loss val_acc dev_loss dev_acc"
    return _traced(records, "phase2", columns.split())


def _traced(records: Iterable[RunRecord], phase: str, columns: list[str]) -> pd.DataFrame:
    keys = ["run", "seed", "samples"]
    parts = [
        pd.DataFrame(getattr(result, phase)).assign(
            run=record.name, seed=result.seed, samples=result.samples
        )
        for record in records
        for result in record.results
        if getattr(result, phase)
    ]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return whole.reindex(columns=keys + columns)
