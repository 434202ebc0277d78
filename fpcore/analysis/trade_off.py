"""Whether a lower ER goes with a higher PPL: pairs of runs at one size, duplicates counted once."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from fpcore.analysis.comparison import compare_runs
from fpcore.language import passage, said, template
from fpcore.notation import number, sizes
from fpcore.records.frames import frame, over_seeds
from fpcore.records.pairs import cut_short, distinct, incomparable
from fpcore.records.record import RunRecord
from fpcore.stats.uncertainty import Array, simultaneous

FEW_RUNS = 5  # fewer distinct runs than this cannot carry a correlation or an optimum
RARE = 0.05  # a correlation with a p-value above this may be chance
RARE_WITHOUT_ONE = 0.1  # as RARE where one run is left out; four runs cannot reach less than 0.08
LEAST_P = 0.01  # a p-value below this is not written out
SIGNS = {"up": 1, "down": -1}


@dataclass(frozen=True)
class Correlation:
    """Spearman's correlation of ER and PPL over runs.

    `p` is its p-value over permutations (exact up to seven runs); `without_one` are the
    correlations and p-values where one run is left out.
    """

    rho: float
    p: float
    without_one: tuple[tuple[float, float], ...]

    @property
    def holds(self) -> bool:
        """Whether it is no chance, and no work of a single run."""
        alike = all(rho * self.rho > 0 and p < RARE_WITHOUT_ONE for rho, p in self.without_one)
        return self.p < RARE and alike


@dataclass(frozen=True)
class TradeOff:
    """ER against PPL, between distinct runs that can be compared, at the same size.

    `n` runs are known at the size `samples`, with their `correlation` (None from fewer than 5 runs,
    or where ER or PPL does not vary). `opposed` and `alike` hold the size of each pair of runs (at
    any of the sizes) whose PPL differs the other way than ER (a trade-off), and the same way; a
    pair whose difference cannot be told is in neither. All pairs are told at once (Bonferroni).
    """

    samples: int | None
    n: int
    correlation: Correlation | None
    opposed: list[int]
    alike: list[int]

    @property
    def contrary(self) -> list[int]:
        """The sizes of the pairs that differ the other way than the correlation says."""
        if self.correlation is None or not self.correlation.rho:
            return []
        return self.alike if self.correlation.rho < 0 else self.opposed


def trade_off(records: Iterable[RunRecord], samples: list[int] | None = None) -> TradeOff:
    """Look for the trade-off among records at some sizes (all by default).

    Runs are counted at the largest of the sizes given, by default at the size that most have.
    Several seeds of a run count as their mean. Runs whose PPL or ER cannot be compared with the
    first run's are left out.
    """
    kept = _comparable(distinct(list(records)))
    means = over_seeds(frame(kept), ["samples", "run"], ["val_er", "val_ppl"]).dropna()
    counts = means["samples"].value_counts()
    at = samples[-1] if samples else max(counts.index, key=lambda n: (counts[n], n), default=None)
    own = means[means["samples"] == at]
    signs = _all_signs(kept, samples or sorted(counts.index))
    opposed, alike = ([n for n, sign in signs if sign == side] for side in (-1, 1))
    return TradeOff(at, len(own), _correlation(own), sorted(opposed), sorted(alike))


def _comparable(records: list[RunRecord]) -> list[RunRecord]:
    records = [record for record in records if not cut_short(record)]
    first = records[:1]
    return [r for r in records if not {"val_er", "val_ppl"} & set(incomparable(first[0], r))]


def _correlation(rows: pd.DataFrame) -> Correlation | None:
    er, ppl = (rows[name].to_numpy(float) for name in ("val_er", "val_ppl"))
    if len(rows) < FEW_RUNS or min(len(set(er)), len(set(ppl))) < 2:
        return None
    kept = [np.arange(len(er)) != left_out for left_out in range(len(er))]
    return Correlation(*_spearman(er, ppl), tuple(_spearman(er[k], ppl[k]) for k in kept))


def _spearman(x: Array, y: Array) -> tuple[float, float]:
    """Return Spearman's correlation and its p-value; 0 and 1 where either does not vary."""
    if min(len(set(x)), len(set(y))) < 2:
        return 0.0, 1.0
    first, second = (stats.zscore(stats.rankdata(side)) for side in (x, y))
    found = stats.permutation_test(
        [first],
        lambda drawn, axis=-1: (drawn * second).mean(axis),
        permutation_type="pairings",
        vectorized=True,
        rng=np.random.default_rng(0),  # so that records fix their sentences
    )
    return float(found.statistic), float(found.pvalue)


def _all_signs(records: list[RunRecord], samples: list[int]) -> list[tuple[int, int]]:
    """Return by pair and size whether ER and PPL differ the same way (1) or not (-1)."""
    pairs = [
        (pair, shared)
        for pair in combinations(records, 2)
        if (shared := {*pair[0].sizes} & {*pair[1].sizes} & {*samples})
    ]
    level = simultaneous(2 * sum(len(shared) for _, shared in pairs))  # of ER and of PPL
    return [sign for pair, shared in pairs for sign in _signs(*pair, shared, level)]


def _signs(a: RunRecord, b: RunRecord, samples: set[int], level: float) -> list[tuple[int, int]]:
    c = compare_runs(a, b, level=level)
    er, ppl = (c.by_size(metric) for metric in ("val_er", "val_ppl"))
    told = [n for n in c.samples if n in samples and er[n].told and ppl[n].told]
    return [(n, SIGNS[er[n].direction] * SIGNS[ppl[n].direction]) for n in told]


def in_words(found: TradeOff) -> str:
    """Say what the records allow to say of ER and PPL."""
    if found.samples is None:
        return said("ER と PPL の両方が分かる実行がない。")
    against = counter_examples(found)
    more = said("また、{against}。", against=against) if against else ""
    return passage(_correlated(found), more)


def _correlated(found: TradeOff) -> str:
    """Say what may be said of a correlation, of how many runs."""
    counts = {"samples": found.samples, "n": found.n}
    if found.n < FEW_RUNS:
        return said(
            "{samples} サンプルで結果の異なる実行は n={n}（{few} 未満）なので、"
            "ER と PPL の相関や最適な ER は言えない。",
            few=FEW_RUNS,
            **counts,
        )
    if found.correlation is None:
        return said(
            "{samples} サンプルで結果の異なる実行は n={n}だが、"
            "ER か PPL がどれも同じなので、相関は求まらない。",
            **counts,
        )
    text = (
        template("{samples} サンプルで結果の異なる実行は n={n}、{strength}。")
        if found.correlation.holds
        else template(
            "{samples} サンプルで結果の異なる実行は n={n}、{strength}で、相関があるとは言えない。"
        )
    )
    return said(text, strength=strength(found.correlation), **counts)


def strength(found: Correlation) -> str:
    """Give a correlation, its p-value, and what is left of it without one run."""
    left = [rho for rho, _ in found.without_one]
    low, high = (number(end, 2, signed=True) for end in (min(left), max(left)))
    rho, p = number(found.rho, 2, signed=True), chance(found.p)
    return said("順位相関は ρ = {rho}（{p}、1 つ除くと {low}〜{high}）",
                rho=rho, p=p, low=low, high=high)  # fmt: skip


def chance(p: float) -> str:
    """Write a p-value; one that two digits would show as 0 is said to be below the last of them."""
    return f"p = {number(p, 2)}" if p >= LEAST_P else f"p < {LEAST_P}"


def counter_examples(found: TradeOff) -> str:
    """Say that the pairs of runs do not all point the same way, or not that of the correlation."""
    if not (found.opposed and found.alike):
        places = sizes(sorted({*found.contrary}))
        text = template("向きを言える組は、どれも順位相関と逆の向き（{places}）")
        return said(text, places=places) if found.contrary else ""
    sides = [
        said("{n}（{places}）", n=len(side), places=sizes(sorted(set(side))))
        for side in (found.opposed, found.alike)
    ]
    return said(
        "向きは一定でない: ER が低い方の PPL が高い組は {opposed}、PPL も低い組は {alike}",
        opposed=sides[0],
        alike=sides[1],
    )
