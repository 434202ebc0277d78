"""Whether a lower ER goes with a higher PPL: pairs of runs at one size, duplicates counted once."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import pandas as pd
from scipy import stats

from fpcore.records import RunRecord, distinct, frame

FEW_RUNS = 5  # fewer distinct runs than this cannot carry a correlation or an optimum


@dataclass(frozen=True)
class TradeOff:
    """ER against PPL, between distinct runs at the same size.

    `samples` is the size that most runs have, `n` their number and `rho` Spearman's correlation of
    ER and PPL there (None from fewer than 5 runs, or where either does not vary). `opposed` and
    `alike` list the sizes at which a pair of runs has PPL on the other side of ER (a trade-off),
    and on the same side.
    """

    samples: int | None
    n: int
    rho: float | None
    opposed: list[int]
    alike: list[int]


def trade_off(records: Iterable[RunRecord]) -> TradeOff:
    """Look for the trade-off among records; several seeds of a run count as their mean."""
    whole = frame(distinct(list(records))).astype({"val_er": float, "val_ppl": float})
    means = whole.groupby(["samples", "run"])[["val_er", "val_ppl"]].mean().dropna().reset_index()
    sizes = {n: means[means["samples"] == n] for n in means["samples"].unique().tolist()}
    samples = max(sizes, key=lambda n: (len(sizes[n]), n), default=None)
    rows = sizes[samples] if samples is not None else means
    varied = min(rows["val_er"].nunique(), rows["val_ppl"].nunique()) > 1
    enough = varied and len(rows) >= FEW_RUNS
    rho = float(stats.spearmanr(rows["val_er"], rows["val_ppl"])[0]) if enough else None
    signs = {n: _signs(rows) for n, rows in sizes.items()}
    opposed, alike = ([n for n, s in signs.items() if sign in s] for sign in (-1, 1))
    return TradeOff(samples, len(rows), rho, opposed, alike)


def _signs(rows: pd.DataFrame) -> set[int]:
    """Return on which side of each other the differences of ER and PPL are, pair by pair."""
    pairs = combinations(rows[["val_er", "val_ppl"]].to_numpy().tolist(), 2)
    products = [(er_b - er_a) * (ppl_b - ppl_a) for (er_a, ppl_a), (er_b, ppl_b) in pairs]
    return {1 if product > 0 else -1 for product in products if product}
