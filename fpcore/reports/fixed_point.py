"""What a diagnosis says: tables, sentences by rule, and the files that they are written to."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from fpcore import notation
from fpcore.notation import DASH, Markdown, number, percent, percentage_points
from fpcore.paths import reports
from fpcore.reports import figures, opening
from fpcore.reports.figures.fixed_point import QUANTILES, SPREADS
from fpcore.reports.page import publish
from fpcore.runs.diagnosis import LOOKS, Diagnosis, TextDiagnosis
from fpcore.stats.fixed_point import TOLERANCE

FIGURES = {
    "residuals": (figures.residuals, "相対残差の推移"),
    "spectra": (figures.spectra, "ER と PR の推移"),
    "loss-terms": (figures.loss_terms, "Phase 1 損失の 2 つの項"),
    "gain": (figures.gain, "多様性の項と LayerNorm の利得"),
}


def setting(d: Diagnosis) -> Markdown:
    """対象: what was trained, and how its contexts are iterated."""
    c = d.config
    return Markdown(
        f"`{c.run_name}`（{c.label}、シード {c.seeds[0]}）の Phase 1 を {c.samples[0]} サンプル"
        f"（{d.train.tokens:,} トークン）で {len(d.phase1) + 1} 反復訓練し、重みを止め、"
        f"雑音を切って {_steps(d)} ステップ反復した。検証は {d.val.tokens:,} トークン。"
        "訓練テキストは、Phase 1 が最後に持っていた全トークンの文脈 P から、Phase 1 が見ていない"
        "検証テキストは、反復 1 と同じく乱数から始める。"
    )


def gist(d: Diagnosis) -> Markdown:
    """要点: what was looked at, how far from fixed the contexts are, and what to do next."""
    first, last = d.train.settling.iloc[0], d.train.settling.iloc[-1]
    start, end = (
        f"{_small(row['median'])}（90 % 点 {_small(row['q90'])}）" for row in (first, last)
    )
    c = d.config
    what = (
        f"`{c.run_name}` を {c.samples[0]} サンプルで訓練し、重みを止め、雑音を切って "
        f"{_steps(d)} ステップ反復した（シード {c.seeds[0]}）"
    )
    said = (
        f"訓練が数える「収束」は {percent(d.phase1['convergence_rate'].iloc[-1])} だが、"
        f"固定点にいるトークンは {percent(first['fixed'], 2)}、{_steps(d)} ステップ目でも "
        f"{percent(last['fixed'], 2)}。相対残差の中央値は {start}から {end}になった"
    )
    return opening.three_lines("調べたこと", what, said, _next(d, last))


def _next(d: Diagnosis, last: pd.Series) -> str:
    """Say whether more iterations would reach the fixed point, or other weights are needed."""
    left = _left(d, last)
    if last["median"] <= TOLERANCE:
        return "中央値は固定点の範囲にある。ほかのシードとサイズでも確かめる"
    if left is None:
        return "反復では近づかないので、`dist_reg_weight` や `max_iter` を変えた訓練で調べる"
    return f"この速さなら、中央値が固定点に着くまであと約 {left} ステップ（`-p iterations`）"


def _left(d: Diagnosis, last: pd.Series) -> int | None:
    """Return how many steps more it takes at this rate; None where contexts do not approach."""
    local = float(d.train.settling["local_median"].median())
    if not local < 1 or last["median"] <= TOLERANCE:
        return None
    return math.ceil(math.log(TOLERANCE / last["median"]) / math.log(local))


def settled(d: Diagnosis) -> Markdown:
    """収束と固定点: what training calls converged beside what is fixed."""
    train, val = (_settled(text) for text in (d.train, d.val))
    steps, last = _steps(d), d.phase1.iloc[-1]
    rows = {
        f"訓練中の収束率（反復 {last['iteration']:.0f}、雑音あり、重みは動く）": (
            percent(last["convergence_rate"]), DASH),
        "同じ閾値を満たす割合（雑音なし、1 ステップ目）": (train["converged", 0], DASH),
        f"同じ閾値を満たす割合（{steps} ステップ目）": (
            train["converged", -1], val["converged", -1]),
        "固定点にいる割合（1 ステップ目）": (train["fixed", 0], DASH),
        f"固定点にいる割合（{steps} ステップ目）": (train["fixed", -1], val["fixed", -1]),
        "相対残差の中央値（1 ステップ目）": (train["median", 0], DASH),
        f"相対残差の中央値（{steps} ステップ目）": (train["median", -1], val["median", -1]),
        "縮小率（局所、中央値 [10 %, 90 %]）": (_local(d.train), _local(d.val)),
        "縮小率（全体、RMS）": (_typical(d.train, "rms"), _typical(d.val, "rms")),
        "逐次の文脈との相対距離（Phase 2 が訓練に使う文脈）": (_far(d.parallel), DASH),
        f"逐次の文脈との相対距離（{steps} ステップの後）": (_far(d.train.left), _far(d.val.left)),
    }  # fmt: skip
    shown = [{"測ったもの": k, "訓練": a, "検証": b} for k, (a, b) in rows.items()]
    note = (
        f"固定点は相対残差 ‖f(z) − z‖ / ‖f(z)‖ が {TOLERANCE:g} 未満のこと。"
        "縮小率は 1 ステップの変化と、それを生んだ前のステップの変化（1 つ前のトークン）の比で、"
        "ステップについての中央値。距離は中央値（99 % 点）。"
        f"乱数から始めた検証の 1 ステップ目は意味がないので {DASH}。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(shown))}\n\n{note}")


def meaning(d: Diagnosis) -> Markdown:
    """Say how far "converged" is from fixed."""
    first, last = d.train.settling.iloc[0], d.train.settling.iloc[-1]
    rate = d.phase1["convergence_rate"].iloc[-1]
    lines = [
        f"訓練が数える「収束」は {percent(rate)}。重みを止め雑音を切った 1 ステップ目で同じ閾値を"
        f"満たすのは {percent(first['converged'])}、"
        f"**固定点にいるのは {percent(first['fixed'], 2)}** で、"
        f"相対残差の中央値は {_small(first['median'])}。",
        f"閾値 {d.config.convergence_threshold:g} は相対残差 {_small(d.threshold)} にあたる。"
        "「収束」は 1 ステップの動きがそれより小さいという意味で、固定点のことではない。",
        _approach(d, last),
        _gap(d),
    ]
    return Markdown("\n".join(f"- {line}" for line in lines))


def residuals(d: Diagnosis) -> Markdown:
    """相対残差: quantiles of the training text at some iterations."""
    trace = d.train.settling
    rows = trace[trace["step"].isin([*LOOKS, _steps(d)])].to_dict("records")
    shown = [
        {"ステップ": number(row["step"], 0)}
        | {label: _small(row[k]) for k, label in QUANTILES.items()}
        | {"閾値未満": percent(row["converged"]), "固定点": percent(row["fixed"], 2)}
        | {"縮小率（局所）": number(row["local_median"], 3), "（全体）": number(row["rms"], 3)}
        for row in rows
    ]
    return notation.table(pd.DataFrame(shown))


def spectra(d: Diagnosis) -> Markdown:
    """Effective Rank by iteration, centred and not, with the participation ratio (PR)."""
    both = d.train.spectra.merge(d.val.spectra, on="step", suffixes=("_train", "_val"))
    names = SPREADS
    shown = [
        {"ステップ": number(row["step"], 0)}
        | {f"訓練 {label}": percent(row[f"{k}_train"]) for k, label in names.items()}
        | {f"検証 {label}": percent(row[f"{k}_val"]) for k, label in names.items()}
        for row in both.to_dict("records")
    ]
    start, end = (both["er_train"].iloc[i] for i in (0, -1))
    val = both["er_val"].iloc[-1]
    note = (
        "PR は participation ratio (Σλ)² / Σλ²（λ は共分散の固有値）。どれも文脈の次元 "
        f"D = {d.config.context_dim} に対する比で、各 {d.rows:,} 行。"
        f"雑音を含む最後の P の訓練 ER {percent(start)} と検証 ER {percent(val)} の差は "
        f"{percentage_points(start - val)}、同じ雑音なしの {_steps(d)} ステップの後どうしでは "
        f"{percentage_points(end - val)}。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(shown))}\n\n{note}")


def late_fall(d: Diagnosis) -> Markdown:
    """Say how much of the late fall of the loss is the diversity term, and of that the gain."""
    late = d.phase1.iloc[len(d.phase1) // 2 :]
    first, last = late.iloc[0], late.iloc[-1]
    terms = ["loss", "fixed_point_loss", "diversity_loss"]
    w, change = d.config.dist_reg_weight, (last[terms] - first[terms]) / max(1, len(late) - 1)
    return Markdown(
        f"- 後半（反復 {first['iteration']:.0f}–{last['iteration']:.0f}）の 1 反復あたりの変化は、"
        f"重み込みで損失 {number(change['loss'], 5, signed=True)}、固定点の項 "
        f"{number((1 - w) * change['fixed_point_loss'], 5, signed=True)}、多様性の項 "
        f"{number(w * change['diversity_loss'], 5, signed=True)}。\n- {_gained(first, last)}"
    )


def render(d: Diagnosis) -> Markdown:
    """Return the whole report as Markdown; figures are linked by file name."""
    shown = {name: f"![{caption}]({name}.png)" for name, (_, caption) in FIGURES.items()}
    parts = [
        f"# 文脈はどこまで固定点に近づいたか: {d.title}",
        f"## {opening.HEADING}\n\n{gist(d)}",
        f"## 対象\n\n{setting(d)}",
        f"## 収束と固定点\n\n{settled(d)}\n\n{meaning(d)}",
        f"## 相対残差\n\n{residuals(d)}\n\n{shown['residuals']}",
        f"## Effective Rank\n\n{spectra(d)}\n\n{shown['spectra']}",
        f"## 訓練中の損失と利得\n\n{late_fall(d)}",
        *(shown[name] for name in ("loss-terms", "gain")),
    ]
    return Markdown("\n\n".join(parts) + "\n")


def write(d: Diagnosis) -> Path:
    """Write `report.md`, its figures and `report.html` to `reports/fixed-point/<run>-<size>/`.

    Returns the path of `report.md`.
    """
    target = reports() / "fixed-point" / f"{d.config.run_name}-{d.config.samples[0]}"
    figures = {name: partial(_draw, draw, d) for name, (draw, _) in FIGURES.items()}
    return publish(target, render(d), figures)


def _draw(draw: Callable[[Diagnosis, Axes], Axes], d: Diagnosis) -> None:
    draw(d, figures.axes())


def _gained(first: pd.Series, last: pd.Series) -> str:
    """Say how much of the growth of the diversity term goes with that of the LayerNorm gain.

    The term is proportional to the gain, so their quotient is the term with the gain held fixed.
    """
    if not last["diversity_loss"] < first["diversity_loss"] < 0:
        return "後半に多様性の項は下がっていない。"
    grown = last["diversity_loss"] / first["diversity_loss"]
    gained = last["layernorm_gain"] / first["layernorm_gain"]
    share = round(math.log(gained) / math.log(grown), 9)
    said = (
        f"多様性の項の大きさは {percent(grown - 1, signed=True)}、LayerNorm の利得"
        f"（scale の平均）は {percent(gained - 1, signed=True)}。利得で割った多様性の項、つまり"
        f"利得を止めたときの大きさは {percent(grown / gained - 1, signed=True)}"
    )
    if not 0 <= share <= 1:
        return f"{said}。"
    return f"{said} で、**後半の低下の {percent(share, 0)} は利得の伸び**（対数での割合）。"


def _approach(d: Diagnosis, last: pd.Series) -> str:
    """Say whether further iterations lead to the fixed point, and how many it would take."""
    steps, local = _steps(d), float(d.train.settling["local_median"].median())
    at = f"{steps} ステップ目に固定点にいるのは {percent(last['fixed'], 2)}、"
    at += f"残差の中央値は {_small(last['median'])}"
    if math.isnan(local):
        return f"変化は初めから固定点の範囲にある。{at}。"
    if local >= 1:
        return f"1 ステップごとの変化は縮まない（局所の中央値 ×{number(local, 3)}）。{at}。"
    text = (
        f"1 ステップごとの変化は ×{number(local, 3)}（局所の中央値）に縮み、固定点に近づく。{at}。"
    )
    if (left := _left(d, last)) is not None:
        text += f"この速さなら中央値が {TOLERANCE:g} を下回るまで、あと約 {left} ステップ。"
    return text


def _gap(d: Diagnosis) -> str:
    """Say how far the contexts of training are from those of validation."""
    before, after = d.parallel["median"], d.train.left["median"]
    text = (
        f"Phase 2 が訓練に使う文脈は、検証に使う逐次の文脈と、相対距離の中央値で {_small(before)}"
        f"（99 % 点 {_small(d.parallel['q99'])}）違う。"
        f"雑音なしの反復を {_steps(d)} ステップ続けると {_small(after)}"
    )
    return f"{text} に{'縮む' if after < before else 'なり、縮まない'}。"


def _settled(text: TextDiagnosis) -> dict[tuple[str, int], str]:
    """Return cells of the first (0) and the last (-1) step."""
    write = {"converged": percent, "fixed": lambda v: percent(v, 2), "median": _small}
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
    return f"{_small(found['median'])}（{_small(found['q99'])}）"


def _small(value: float) -> str:
    """Return a relative size, which may be tiny, to two digits."""
    return DASH if math.isnan(value) else f"{value:.2g}"


def _steps(d: Diagnosis) -> int:
    return len(d.train.settling)
