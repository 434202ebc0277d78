"""The tables of a diagnosis, and how they write small numbers."""

import math

import pandas as pd

from fpcore import notation
from fpcore.language import passage, said
from fpcore.notation import DASH, Markdown, number, percent, percentage_points
from fpcore.reports.figures.fixed_point import QUANTILES, SPREADS
from fpcore.runs.diagnosis import LOOKS, Diagnosis, TextDiagnosis
from fpcore.stats.fixed_point import TOLERANCE

__all__ = ["residuals", "settled", "spectra"]


def settled(d: Diagnosis) -> Markdown:
    """収束と固定点: what training calls converged beside what is fixed."""
    train, val = (_settled(text) for text in (d.train, d.val))
    steps, last = step_count(d), d.phase1.iloc[-1]
    rows = {
        said("訓練中の収束率（反復 {n:.0f}、雑音あり、重みは動く）", n=last["iteration"]): (
            percent(last["convergence_rate"]), DASH),
        said("同じ閾値を満たす割合（雑音なし、1 ステップ目）"): (train["converged", 0], DASH),
        said("同じ閾値を満たす割合（{n} ステップ目）", n=steps): (
            train["converged", -1], val["converged", -1]),
        said("固定点にいる割合（1 ステップ目）"): (train["fixed", 0], DASH),
        said("固定点にいる割合（{n} ステップ目）", n=steps): (train["fixed", -1], val["fixed", -1]),
        said("相対残差の中央値（1 ステップ目）"): (train["median", 0], DASH),
        said("相対残差の中央値（{n} ステップ目）", n=steps): (
            train["median", -1], val["median", -1]),
        said("縮小率（局所、中央値 [10 %, 90 %]）"): (_local(d.train), _local(d.val)),
        said("縮小率（全体、RMS）"): (_typical(d.train, "rms"), _typical(d.val, "rms")),
        said("逐次の文脈との相対距離（Phase 2 が訓練に使う文脈）"): (_far(d.parallel), DASH),
        said("逐次の文脈との相対距離（{n} ステップの後）", n=steps): (
            _far(d.train.left), _far(d.val.left)),
    }  # fmt: skip
    heads = said("測ったもの"), said("訓練"), said("検証")
    shown = [dict(zip(heads, (k, a, b), strict=True)) for k, (a, b) in rows.items()]
    note = said(
        "固定点は相対残差 ‖f(z) − z‖ / ‖f(z)‖ が {tolerance:g} 未満のこと。"
        "縮小率は 1 ステップの変化と、それを生んだ前のステップの変化（1 つ前のトークン）の比で、"
        "ステップについての中央値。距離は中央値（99 % 点）。"
        "乱数から始めた検証の 1 ステップ目は意味がないので {dash}。",
        tolerance=TOLERANCE, dash=DASH,
    )  # fmt: skip
    return Markdown(f"{notation.table(pd.DataFrame(shown))}\n\n{note}")


def residuals(d: Diagnosis) -> Markdown:
    """相対残差: quantiles of the training text at some iterations."""
    trace = d.train.settling
    rows = trace[trace["step"].isin([*LOOKS, step_count(d)])].to_dict("records")
    shown = [
        {said("ステップ"): number(row["step"], 0)}
        | {said(label): two_digits(row[k]) for k, label in QUANTILES.items()}
        | {said("閾値未満"): percent(row["converged"]), said("固定点"): percent(row["fixed"], 2)}
        | {said("縮小率（局所）"): number(row["local_median"], 3)}
        | {said("（全体）"): number(row["rms"], 3)}
        for row in rows
    ]
    return notation.table(pd.DataFrame(shown))


def spectra(d: Diagnosis) -> Markdown:
    """Effective Rank by iteration, centred and not, with the participation ratio (PR)."""
    both = d.train.spectra.merge(d.val.spectra, on="step", suffixes=("_train", "_val"))
    texts = {"train": said("訓練"), "val": said("検証")}
    shown = [
        {said("ステップ"): number(row["step"], 0)}
        | {f"{name} {said(label)}": percent(row[f"{k}_{text}"])
           for text, name in texts.items() for k, label in SPREADS.items()}
        for row in both.to_dict("records")
    ]  # fmt: skip
    start, end = (both["er_train"].iloc[i] for i in (0, -1))
    val = both["er_val"].iloc[-1]
    what = said(
        "PR は participation ratio (Σλ)² / Σλ²（λ は共分散の固有値）。どれも文脈の次元 "
        "D = {width} に対する比で、各 {rows} 行。",
        width=d.config.context_dim, rows=f"{d.rows:,}",
    )  # fmt: skip
    apart = said(
        "雑音を含む最後の P の訓練 ER {start} と検証 ER {val} の差は {gap}、"
        "同じ雑音なしの {steps} ステップの後どうしでは {after}。",
        start=percent(start), val=percent(val), gap=percentage_points(start - val),
        steps=step_count(d), after=percentage_points(end - val),
    )  # fmt: skip
    return Markdown(f"{notation.table(pd.DataFrame(shown))}\n\n{passage(what, apart)}")


def _settled(text: TextDiagnosis) -> dict[tuple[str, int], str]:
    """Return cells of the first (0) and the last (-1) step."""
    write = {"converged": percent, "fixed": lambda v: percent(v, 2), "median": two_digits}
    return {
        (column, at): form(float(text.settling[column].iloc[at]))
        for column, form in write.items()
        for at in (0, -1)
    }


def _typical(text: TextDiagnosis, column: str) -> str:
    return number(float(text.settling[column].median()), 3)


def _local(text: TextDiagnosis) -> str:
    middle, low, high = (_typical(text, f"local_{q}") for q in ("median", "q10", "q90"))
    return f"{middle} [{low}, {high}]"


def _far(found: dict[str, float]) -> str:
    return said(
        "{median}（{high}）", median=two_digits(found["median"]), high=two_digits(found["q99"])
    )


def two_digits(value: float) -> str:
    """Return a relative size, which may be tiny, to two digits."""
    return DASH if math.isnan(value) else f"{value:.2g}"


def step_count(d: Diagnosis) -> int:
    return len(d.train.settling)
