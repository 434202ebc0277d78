"""Whether a lower ER goes with a higher PPL: pairs of runs at one size, duplicates counted once."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import pandas as pd
from scipy import stats

from fpcore.analysis.comparison import compare_runs
from fpcore.notation import number, sizes
from fpcore.records.frames import frame
from fpcore.records.pairs import distinct, incomparable
from fpcore.records.record import RunRecord

FEW_RUNS = 5  # fewer distinct runs than this cannot carry a correlation or an optimum
SIGNS = {"up": 1, "down": -1}


@dataclass(frozen=True)
class TradeOff:
    """ER against PPL, between distinct runs that can be compared, at the same size.

    `n` runs are known at the size `samples`, with Spearman's correlation `rho` of ER and PPL (None
    from fewer than 5 runs, or where either does not vary). `opposed` and `alike` hold the size of
    each pair of runs (at any of the sizes) whose PPL differs the other way than ER (a trade-off),
    and the same way; a pair whose difference cannot be told is in neither.
    """

    samples: int | None
    n: int
    rho: float | None
    opposed: list[int]
    alike: list[int]


def trade_off(records: Iterable[RunRecord], samples: list[int] | None = None) -> TradeOff:
    """Look for the trade-off among records at some sizes (all by default).

    Runs are counted at the largest of the sizes given, by default at the size that most have.
    Several seeds of a run count as their mean. Runs whose PPL or ER cannot be compared with the
    first run's are left out.
    """
    kept = _comparable(distinct(list(records)))
    rows = frame(kept).astype({"val_er": float, "val_ppl": float})
    means = rows.groupby(["samples", "run"])[["val_er", "val_ppl"]].mean().dropna().reset_index()
    counts = means["samples"].value_counts()
    at = samples[-1] if samples else max(counts.index, key=lambda n: (counts[n], n), default=None)
    own = means[means["samples"] == at]
    signs = [
        sign
        for pair in combinations(kept, 2)
        for sign in _signs(*pair, samples or sorted(counts.index))
    ]
    opposed, alike = ([n for n, sign in signs if sign == side] for side in (-1, 1))
    return TradeOff(at, len(own), _rho(own), sorted(opposed), sorted(alike))


def _comparable(records: list[RunRecord]) -> list[RunRecord]:
    first = records[:1]
    return [r for r in records if not {"val_er", "val_ppl"} & set(incomparable(first[0], r))]


def _rho(rows: pd.DataFrame) -> float | None:
    varied = min(rows["val_er"].nunique(), rows["val_ppl"].nunique()) > 1
    if len(rows) < FEW_RUNS or not varied:
        return None
    return float(stats.spearmanr(rows["val_er"], rows["val_ppl"])[0])


def _signs(a: RunRecord, b: RunRecord, samples: list[int]) -> list[tuple[int, int]]:
    """Return by size whether ER and PPL differ the same way (1) or not (-1)."""
    if not {*a.sizes} & {*b.sizes} & {*samples}:
        return []
    c = compare_runs(a, b)
    er, ppl = (c.by_size(metric) for metric in ("val_er", "val_ppl"))
    told = [n for n in c.samples if n in samples and er[n].told and ppl[n].told]
    return [(n, SIGNS[er[n].direction] * SIGNS[ppl[n].direction]) for n in told]


def in_words(found: TradeOff) -> str:
    """Say what the records allow to say of ER and PPL."""
    if found.samples is None:
        return "ER と PPL の両方が分かる実行がない。"
    counts = f"{found.samples} サンプルで結果の異なる実行は n={found.n}"
    if found.n < FEW_RUNS:
        said = f"{counts}（{FEW_RUNS} 未満）なので、ER と PPL の相関や最適な ER は言えない。"
    elif found.rho is None:
        said = f"{counts}だが、ER か PPL がどれも同じなので、相関は求まらない。"
    else:
        said = f"{counts}、順位相関は ρ = {number(found.rho, 2, signed=True)}。"
    against = counter_examples(found)
    return said + (f"また、{against}。" if against else "")


def counter_examples(found: TradeOff) -> str:
    """Say that the pairs of runs do not all point the same way."""
    if not (found.opposed and found.alike):
        return ""
    sides = [
        f"{len(side)}（{sizes(pd.Series(sorted(set(side))))}）"
        for side in (found.opposed, found.alike)
    ]
    return f"向きは一定でない: ER が低い方の PPL が高い組は {sides[0]}、PPL も低い組は {sides[1]}"
