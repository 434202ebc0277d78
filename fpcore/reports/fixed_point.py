"""What a diagnosis says: tables, sentences by rule, and the files that they are written to."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from fpcore import notation
from fpcore.language import clauses, passage, said, template
from fpcore.notation import DASH, Markdown, number, percent, percentage_points
from fpcore.paths import report
from fpcore.reports import figures, opening
from fpcore.reports.figures.fixed_point import QUANTILES, SPREADS
from fpcore.reports.page import publish
from fpcore.runs.diagnosis import LOOKS, Diagnosis, TextDiagnosis
from fpcore.stats.fixed_point import TOLERANCE

FIGURES = {
    "residuals": (figures.residuals, template("相対残差の推移")),
    "spectra": (figures.spectra, template("ER と PR の推移")),
    "loss-terms": (figures.loss_terms, template("Phase 1 損失の 2 つの項")),
    "gain": (figures.gain, template("多様性の項と LayerNorm の利得")),
}


def setting(d: Diagnosis) -> Markdown:
    """対象: what was trained, and how its contexts are iterated."""
    c = d.config
    done = said(
        "`{run}`（{label}、シード {seed}）の Phase 1 を {samples} サンプル（{tokens} トークン）で "
        "{iterations} 反復訓練し、重みを止め、雑音を切って {steps} ステップ反復した。"
        "検証は {val} トークン。",
        run=c.run_name, label=c.label, seed=c.seeds[0], samples=c.samples[0],
        tokens=f"{d.train.tokens:,}", iterations=len(d.phase1) + 1, steps=_steps(d),
        val=f"{d.val.tokens:,}",
    )  # fmt: skip
    start = said(
        "訓練テキストは、Phase 1 が最後に持っていた全トークンの文脈 P から、Phase 1 が見ていない"
        "検証テキストは、反復 1 と同じく乱数から始める。"
    )
    return Markdown(passage(done, start))


def gist(d: Diagnosis) -> Markdown:
    """要点: what was looked at, how far from fixed the contexts are, and what to do next."""
    first, last = d.train.settling.iloc[0], d.train.settling.iloc[-1]
    c = d.config
    what = said(
        "`{run}` を {samples} サンプルで訓練し、重みを止め、雑音を切って {steps} ステップ反復した"
        "（シード {seed}）",
        run=c.run_name, samples=c.samples[0], steps=_steps(d), seed=c.seeds[0],
    )  # fmt: skip
    fixed = said(
        "訓練が数える「収束」は {rate} だが、固定点にいるトークンは {first}、{steps} ステップ目でも "
        "{last}",
        rate=percent(d.phase1["convergence_rate"].iloc[-1]), first=percent(first["fixed"], 2),
        steps=_steps(d), last=percent(last["fixed"], 2),
    )  # fmt: skip
    moved = said(
        "相対残差の中央値は {start}から {end}になった", start=_middle(first), end=_middle(last)
    )
    return opening.three_lines(
        said("調べたこと"), what, clauses([fixed, moved]), _next(d, last)
    )


def _middle(row: pd.Series) -> str:
    """Give the median and the 90 % point of the residuals."""
    median, high = _small(row["median"]), _small(row["q90"])
    return said("{median}（90 % 点 {high}）", median=median, high=high)


def _next(d: Diagnosis, last: pd.Series) -> str:
    """Say whether more iterations would reach the fixed point, or other weights are needed."""
    left = _left(d, last)
    if last["median"] <= TOLERANCE:
        near = said("中央値は固定点の範囲にある")
        return clauses([near, said("ほかのシードとサイズでも確かめる")])
    if left is None:
        return said("反復では近づかないので、`dist_reg_weight` や `max_iter` を変えた訓練で調べる")
    text = template("この速さなら、中央値が固定点に着くまであと約 {n} ステップ（`-p iterations`）")
    return said(text, n=left)


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


def meaning(d: Diagnosis) -> Markdown:
    """Say how far "converged" is from fixed."""
    first, last = d.train.settling.iloc[0], d.train.settling.iloc[-1]
    rate = d.phase1["convergence_rate"].iloc[-1]
    lines = [
        said(
            "訓練が数える「収束」は {rate}。重みを止め雑音を切った 1 ステップ目で同じ閾値を"
            "満たすのは {converged}、**固定点にいるのは {fixed}** で、相対残差の中央値は {median}。",
            rate=percent(rate), converged=percent(first["converged"]),
            fixed=percent(first["fixed"], 2), median=_small(first["median"]),
        ),
        said(
            "閾値 {threshold:g} は相対残差 {residual} にあたる。"
            "「収束」は 1 ステップの動きがそれより小さいという意味で、固定点のことではない。",
            threshold=d.config.convergence_threshold, residual=_small(d.threshold),
        ),
        _approach(d, last),
        _gap(d),
    ]  # fmt: skip
    return Markdown("\n".join(f"- {line}" for line in lines))


def residuals(d: Diagnosis) -> Markdown:
    """相対残差: quantiles of the training text at some iterations."""
    trace = d.train.settling
    rows = trace[trace["step"].isin([*LOOKS, _steps(d)])].to_dict("records")
    shown = [
        {said("ステップ"): number(row["step"], 0)}
        | {said(label): _small(row[k]) for k, label in QUANTILES.items()}
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
        steps=_steps(d), after=percentage_points(end - val),
    )  # fmt: skip
    return Markdown(f"{notation.table(pd.DataFrame(shown))}\n\n{passage(what, apart)}")


def late_fall(d: Diagnosis) -> Markdown:
    """Say how much of the late fall of the loss is the diversity term, and of that the gain."""
    late = d.phase1.iloc[len(d.phase1) // 2 :]
    first, last = late.iloc[0], late.iloc[-1]
    terms = ["loss", "fixed_point_loss", "diversity_loss"]
    w, change = d.config.dist_reg_weight, (last[terms] - first[terms]) / max(1, len(late) - 1)
    weighted = said(
        "後半（反復 {first:.0f}–{last:.0f}）の 1 反復あたりの変化は、重み込みで損失 {loss}、"
        "固定点の項 {fixed}、多様性の項 {diversity}。",
        first=first["iteration"], last=last["iteration"],
        loss=number(change["loss"], 5, signed=True),
        fixed=number((1 - w) * change["fixed_point_loss"], 5, signed=True),
        diversity=number(w * change["diversity_loss"], 5, signed=True),
    )  # fmt: skip
    return Markdown(f"- {weighted}\n- {_gained(first, last)}")


def render(d: Diagnosis) -> Markdown:
    """Return the whole report as Markdown; figures are linked by file name."""
    shown = {name: f"![{said(caption)}]({name}.png)" for name, (_, caption) in FIGURES.items()}
    parts = [
        said("# 文脈はどこまで固定点に近づいたか: {title}", title=d.title),
        opening.heading(), gist(d),
        said("## 対象"), setting(d),
        said("## 収束と固定点"), settled(d), meaning(d),
        said("## 相対残差"), residuals(d), shown["residuals"],
        "## Effective Rank", spectra(d), shown["spectra"],
        said("## 訓練中の損失と利得"), late_fall(d), shown["loss-terms"], shown["gain"],
    ]  # fmt: skip
    return Markdown("\n\n".join(parts) + "\n")


def write(d: Diagnosis) -> Path:
    """Write `report.md`, its figures and `report.html` to `reports/fixed-point/<run>-<size>/`.

    Returns the path of `report.md`.
    """
    target = report(f"fixed-point/{d.config.run_name}-{d.config.samples[0]}")
    figures = {name: partial(_draw, draw, d) for name, (draw, _) in FIGURES.items()}
    return publish(target, render(d), figures)


def _draw(draw: Callable[[Diagnosis, Axes], Axes], d: Diagnosis) -> None:
    draw(d, figures.axes())


def _gained(first: pd.Series, last: pd.Series) -> str:
    """Say how much of the growth of the diversity term goes with that of the LayerNorm gain.

    The term is proportional to the gain, so their quotient is the term with the gain held fixed.
    """
    if not last["diversity_loss"] < first["diversity_loss"] < 0:
        return said("後半に多様性の項は下がっていない。")
    grown = last["diversity_loss"] / first["diversity_loss"]
    gained = last["layernorm_gain"] / first["layernorm_gain"]
    share = round(math.log(gained) / math.log(grown), 9)
    sizes = said(
        "多様性の項の大きさは {grown}、LayerNorm の利得（scale の平均）は {gained}。",
        grown=percent(grown - 1, signed=True), gained=percent(gained - 1, signed=True),
    )  # fmt: skip
    text = (
        template(
            "利得で割った多様性の項、つまり利得を止めたときの大きさは {held} で、"
            "**後半の低下の {share} は利得の伸び**（対数での割合）。"
        )
        if 0 <= share <= 1
        else template("利得で割った多様性の項、つまり利得を止めたときの大きさは {held}。")
    )
    held = percent(grown / gained - 1, signed=True)
    return passage(sizes, said(text, held=held, share=percent(share, 0)))


def _approach(d: Diagnosis, last: pd.Series) -> str:
    """Say whether further iterations lead to the fixed point, and how many it would take."""
    local, left = float(d.train.settling["local_median"].median()), _left(d, last)
    at = said(
        "{steps} ステップ目に固定点にいるのは {fixed}、残差の中央値は {median}。",
        steps=_steps(d), fixed=percent(last["fixed"], 2), median=_small(last["median"]),
    )  # fmt: skip
    further = template("この速さなら中央値が {tolerance:g} を下回るまで、あと約 {n} ステップ。")
    rest = "" if left is None else said(further, tolerance=TOLERANCE, n=left)
    return passage(_rate(local), at, rest)


def _rate(local: float) -> str:
    """Say whether a step's change is smaller than the last one's."""
    if math.isnan(local):
        return said("変化は初めから固定点の範囲にある。")
    text = (
        template("1 ステップごとの変化は縮まない（局所の中央値 ×{local}）。")
        if local >= 1
        else template("1 ステップごとの変化は ×{local}（局所の中央値）に縮み、固定点に近づく。")
    )
    return said(text, local=number(local, 3))


def _gap(d: Diagnosis) -> str:
    """Say how far the contexts of training are from those of validation."""
    before, after = d.parallel["median"], d.train.left["median"]
    apart = said(
        "Phase 2 が訓練に使う文脈は、検証に使う逐次の文脈と、相対距離の中央値で {median}"
        "（99 % 点 {high}）違う。",
        median=_small(before), high=_small(d.parallel["q99"]),
    )  # fmt: skip
    text = (
        template("雑音なしの反復を {steps} ステップ続けると {median} に縮む。")
        if after < before
        else template("雑音なしの反復を {steps} ステップ続けると {median} になり、縮まない。")
    )
    return passage(apart, said(text, steps=_steps(d), median=_small(after)))


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
    return said("{median}（{high}）", median=_small(found["median"]), high=_small(found["q99"]))


def _small(value: float) -> str:
    """Return a relative size, which may be tiny, to two digits."""
    return DASH if math.isnan(value) else f"{value:.2g}"


def _steps(d: Diagnosis) -> int:
    return len(d.train.settling)
