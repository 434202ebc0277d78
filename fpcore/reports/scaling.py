"""Both scaling laws side by side, as tables: intervals, local exponents, held-out predictions."""

# The notebook of several runs shows the tables of one run, too.
import math
from collections.abc import Iterable
from itertools import pairwise

import pandas as pd
from scipy import stats

from fpcore import notation
from fpcore.analysis.bending import FEW_SIZES, RARE
from fpcore.analysis.chance import worse_than_chance
from fpcore.language import clauses, listed, passage, said, template
from fpcore.notation import DASH, Markdown, number, percent, table
from fpcore.records.frames import curve
from fpcore.records.pairs import CUT_SHORT, cut_short
from fpcore.records.record import RunRecord
from fpcore.reports import opening
from fpcore.reports.one_run import NO_ALPHA, law_row
from fpcore.reports.one_run import fits_table as fits_table
from fpcore.reports.one_run import runs_table as runs_table
from fpcore.stats.scaling import (
    LEAST_SIZES,
    fit_power_law,
    fit_saturating_law,
    local_exponents,
    loss_rms,
    saturation_p,
    sliding_windows,
)
from fpcore.stats.scaling_intervals import (
    TAIL,
    Interval,
    power_interval,
    power_prediction,
    saturating_intervals,
    saturating_prediction,
)
from fpcore.stats.scaling_refits import (
    DRAWS,
    NOISE,
    bootstrap_power_law,
    bootstrap_saturating_law,
    coverage,
    robust_power_law,
    robust_saturating_law,
)

FEW_DOF = 3  # with fewer degrees of freedom a law is not put to the test by its own data
TRIALS = 1000
POWER, SATURATING = template("べき乗則"), template("飽和則")
DOF, RMS = template("自由度"), template("残差 RMS（nat）")
COLUMNS = (
    "run", template("法則"), template("パラメータと 95 % 区間"), template("リサンプリングの区間"),
    "Huber", RMS, DOF, "p",
)  # fmt: skip
BETTER = template("`{run}` は α = {alpha} {ends}（95 % 区間）で、飽和則の方が合う")
NO_BETTER = template("`{run}` は α = {alpha} {ends}（95 % 区間）で、飽和則の方が合うとは言えない")
_NAMES = {"alpha": "α", "floor": "E∞", "B": "B", "beta": "β"}


def gist(records: Iterable[RunRecord]) -> Markdown:
    """要点: which runs are fitted, their exponents with intervals, and what would tell more."""
    records = list(records)
    known = {r.name: _columns(curve(r)) for r in records if not cut_short(r)}
    enough = {name: own for name, own in known.items() if len(set(own[0])) >= LEAST_SIZES}
    what = said("{n} 実行の Val PPL に、べき乗則と飽和則を当てはめた", n=len(records))
    few = len(known) - len(enough)
    text = template("ほかの {n} 実行はサイズが {least} 未満で、α を求めない")
    rest = said(text, n=few, least=LEAST_SIZES) if few else ""
    alphas = listed(_exponent(name, *own) for name, own in enough.items())
    told = clauses([alphas or said("α を言える実行がない"), rest])
    more = any(len(own[0]) < FEW_SIZES for own in known.values())
    following = (
        said("サイズを {n} 以上に増やす", n=FEW_SIZES)
        if more
        else said("最大のサイズの予測が当たったかを見る")
    )
    if len(known) < len(records):
        following = said("`epochs` を増やして実行し直す")
    told = passage(*_cautions(records), said("{told}。", told=told))
    return opening.three_lines(said("当てはめたもの"), what, told, following)


def _cautions(records: list[RunRecord]) -> list[str]:
    """Name the runs whose training was cut short, or whose perplexity is no better than chance."""
    short = [record.name for record in records if cut_short(record)]
    cut = said(NO_ALPHA, runs=listed(short), why=said(CUT_SHORT)) if short else ""
    high = {record.name: worse for record in records if (worse := worse_than_chance(record))}
    text = template("**注意**　`{run}` の Val PPL が {worse}。")
    return [cut, *(said(text, run=name, worse=worse) for name, worse in high.items())]


def _exponent(name: str, tokens: list[float], ppl: list[float]) -> str:
    law, p = fit_power_law(tokens, ppl), 1.0
    if not undetermined(SATURATING, tokens, ppl):
        p = saturation_p(law, fit_saturating_law(tokens, ppl), tokens, ppl)
    text, ends = BETTER if p < RARE else NO_BETTER, _ends(power_interval(law), 3)
    return said(text, run=name, alpha=number(law.alpha, 3), ends=ends)


def laws_table(records: Iterable[RunRecord]) -> Markdown:
    """Return both laws of each run with 95 % intervals, residuals and degrees of freedom."""
    rows = [row for record in records for row in _laws(record)]
    if not rows:
        return Markdown(said("どの実行もサイズが 3 未満なので、2 つの法則は比べられない。"))
    fitted = [row for row in rows if row[said(RMS)] != DASH]
    few = sorted({row["run"] for row in fitted if int(row[said(DOF)]) < FEW_DOF})
    laws = said(
        "べき乗則 log PPL = log A + α·log トークン（区間は Student の t）、"
        "飽和則 L = E∞ + B·トークン^−β（区間は profile likelihood）。p は、べき乗則が正しいときに"
        "飽和則の方がこれ以上よく合う確率（F 検定。E∞ ≥ 0 なので高々この値）。"
    )
    again = said(
        "リサンプリングは、当てはめた法則からデータを {draws} 回引いて当てはめ直した区間"
        "（parametric bootstrap）。Huber は、外れたサイズを弱めた当てはめで、最小二乗と離れて"
        "いれば、1 つのサイズが結果を決めているかもしれない。nat は損失（自然対数）の単位。",
        draws=f"{DRAWS:,}",
    )
    text = template(
        "**注意**: 自由度が {dof} 未満の法則がある（{runs}）。"
        "残差が小さくても、パラメータの数が点の数に近いためかもしれない。"
    )
    care = said(text, dof=FEW_DOF, runs=listed(few)) if few else ""
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{passage(laws, again, care)}")


def local_table(records: Iterable[RunRecord]) -> Markdown:
    """Return the slope between each two neighbouring sizes of each run."""
    rows: list[tuple[str, dict[tuple[int, int], float]]] = []
    for record in records:
        points = curve(record)
        sizes = points.index.tolist()
        if len(sizes) > 1:
            found = local_exponents(*_columns(points))
            names = pairwise(sizes)
            rows.append((record.name, dict(zip(names, found, strict=True))))
    if not rows:
        return Markdown(said("どの実行もサイズが 2 未満なので、傾きはない。"))
    columns = sorted({pair for _, found in rows for pair in found})
    shown = {"run": [name for name, _ in rows]} | {
        f"{a}–{b}": [number(found.get((a, b)), 3) for _, found in rows] for a, b in columns
    }
    return notation.table(pd.DataFrame(shown))


def held_out_table(records: Iterable[RunRecord]) -> Markdown:
    """Return what each law, fitted without the largest size, predicts there."""
    rows = [row for record in records for row in _held_out(record)]
    if not rows:
        return Markdown(said("どの実行もサイズが 4 未満なので、最大のサイズを残して予測できない。"))
    note = said("最大のサイズを除いて当てはめ、そこでの Val PPL を予測した。[ ] は 95 % 予測区間。")
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def coverage_table(records: Iterable[RunRecord]) -> Markdown:
    """Return how often the intervals hold the truth at the runs' numbers of sizes, and at 12."""
    counts = sorted({len(curve(record)) for record in records} | {12})
    rows = [
        {said("サイズの数"): str(n), said("飽和則の自由度"): str(n - 3)}
        | {_NAMES[k]: percent(v) for k, v in coverage(n, TRIALS).items()}
        for n in counts
        if n > 3
    ]
    note = said(
        "真の法則が分かっている合成データ（log PPL の雑音 {noise} nat、{trials} 回）で、"
        "95 % 区間が真の値を含んだ割合。区間の幅は別の話で、自由度 2 では t の倍率が"
        " {two}（自由度 9 では {nine}）なので、5 点の区間は当たっていても広い。",
        noise=NOISE, trials=f"{TRIALS:,}", two=number(_factor(2), 1), nine=number(_factor(9), 1),
    )  # fmt: skip
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def _factor(dof: int) -> float:
    return float(stats.t.ppf(TAIL, dof))


def _laws(record: RunRecord) -> list[dict[str, str]]:
    tokens, ppl = _columns(curve(record))
    if len(tokens) < 3:
        return []
    rows = []
    for name, cells in ((POWER, _power), (SATURATING, _saturating)):
        why = said(CUT_SHORT) if cut_short(record) else undetermined(name, tokens, ppl)
        unknown = [said("{dash}（{why}）", dash=DASH, why=why), *[DASH] * 3, "0", DASH]
        found = unknown if why else cells(tokens, ppl)
        heads = map(said, COLUMNS)
        rows.append(dict(zip(heads, (record.name, said(name), *found), strict=True)))
    return rows


def undetermined(law: str, tokens: list[float], ppl: list[float]) -> str:
    """Return why a law cannot be fitted to these sizes; an empty string where it can."""
    least = 2 if law == POWER else 3
    if len(set(tokens)) < least:
        return said("トークン数の違うサイズが {least} 未満", least=least)
    if law == SATURATING and min(ppl) < 1:
        return said("1 未満の PPL がある")
    return ""


def _power(tokens: list[float], ppl: list[float]) -> list[str]:
    law, robust = fit_power_law(tokens, ppl), robust_power_law(tokens, ppl)
    enough = len(tokens) > 3 and len(set(tokens)) > 2
    redrawn = (
        f"α {_ends(bootstrap_power_law(tokens, ppl).interval('alpha'), 3)}" if enough else DASH
    )
    return [
        f"α {number(law.alpha, 3)} {_ends(power_interval(law), 3)}",
        redrawn,
        f"α {number(robust.alpha, 3)}",
        number(loss_rms(law, tokens, ppl), 4),
        str(law.n - 2),
        DASH,
    ]


def _saturating(tokens: list[float], ppl: list[float]) -> list[str]:
    law, robust = fit_saturating_law(tokens, ppl), robust_saturating_law(tokens, ppl)
    ends, redrawn = saturating_intervals(tokens, ppl), DASH
    if len(tokens) > 3 and len(set(tokens)) > 3:
        drawn = bootstrap_saturating_law(tokens, ppl)
        floor, beta = _ends(drawn.interval("floor"), 2), _ends(drawn.interval("beta"), 3)
        redrawn = listed([f"E∞ {floor}", f"β {beta}"])
    floor, beta = _ends(ends["floor"], 2), _ends(ends["beta"], 3)
    return [
        listed([f"E∞ {number(law.floor, 2)} {floor}", f"β {number(law.beta, 3)} {beta}"]),
        redrawn,
        listed([f"E∞ {number(robust.floor, 2)}", f"β {number(robust.beta, 3)}"]),
        number(law.rms, 4),
        str(law.dof),
        number(saturation_p(fit_power_law(tokens, ppl), law, tokens, ppl), 3),
    ]


def _held_out(record: RunRecord) -> list[dict[str, str]]:
    tokens, ppl = _columns(curve(record))
    if len(tokens) < 4:
        return []
    known, at, measured = (tokens[:-1], ppl[:-1]), tokens[-1], ppl[-1]
    predicted: dict[str, tuple[float, Interval]] = {}
    if not undetermined(POWER, *known):
        predicted[POWER] = fit_power_law(*known)(at), power_prediction(*known, at)
    if not undetermined(SATURATING, *known):
        predicted[SATURATING] = fit_saturating_law(*known)(at), saturating_prediction(*known, at)
    return [
        {"run": record.name, said("法則"): said(name), said("トークン"): number(at, 0)}
        | {said("予測"): number(value, 1), said("区間"): _ends(ends, 1)}
        | {said("測定"): number(measured, 1)}
        | {said("予測の誤差"): percent(value / measured - 1, signed=True)}
        | {said("区間に"): _held(ends, measured)}
        for name, (value, ends) in predicted.items()
    ]


def _held(interval: Interval, measured: float) -> str:
    if math.isnan(interval.low):
        return DASH
    return said("入る") if interval.covers(measured) else said("入らない")


def _ends(interval: Interval, digits: int) -> str:
    if math.isnan(interval.low):
        return DASH
    return f"[{', '.join(number(end, digits) for end in interval)}]"


def _columns(points: pd.DataFrame) -> tuple[list[float], list[float]]:
    return points["train_tokens"].tolist(), points["val_ppl"].tolist()


def windows_table(records: Iterable[RunRecord], size: int = 4) -> Markdown:
    """Return the power law of each window of neighbouring sizes of each run."""
    rows = []
    for record in records:
        points = curve(record)
        sizes = points.index.tolist()
        for i, fit in enumerate(sliding_windows(*_columns(points), size)):
            span = f"{sizes[i]}–{sizes[i + size - 1]}"
            rows.append({"run": record.name, said("サンプル数"): span, **law_row(fit, size)})
    if not rows:
        text = template("どの実行もサイズが {size} 未満なので、ウィンドウはない。")
        return Markdown(said(text, size=size))
    return table(pd.DataFrame(rows))
