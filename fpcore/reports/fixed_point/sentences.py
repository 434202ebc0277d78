"""What a diagnosis says, sentence by sentence: each chosen by rule."""

import math

import pandas as pd

from fpcore.language import clauses, passage, said, template
from fpcore.notation import Markdown, number, percent
from fpcore.reports import opening
from fpcore.reports.fixed_point.tables import step_count, two_digits
from fpcore.runs.diagnosis import Diagnosis
from fpcore.stats.fixed_point import TOLERANCE

__all__ = ["gist", "late_fall", "meaning", "setting"]


def setting(d: Diagnosis) -> Markdown:
    """対象: what was trained, and how its contexts are iterated."""
    c = d.config
    done = said(
        "`{run}`（{label}、シード {seed}）の Phase 1 を {samples} サンプル（{tokens} トークン）で "
        "{iterations} 反復訓練し、重みを止め、雑音を切って {steps} ステップ反復した。"
        "検証は {val} トークン。",
        run=c.run_name, label=c.label, seed=c.seeds[0], samples=c.samples[0],
        tokens=f"{d.train.tokens:,}", iterations=len(d.phase1) + 1, steps=step_count(d),
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
        run=c.run_name, samples=c.samples[0], steps=step_count(d), seed=c.seeds[0],
    )  # fmt: skip
    fixed = said(
        "訓練が数える「収束」は {rate} だが、固定点にいるトークンは {first}、{steps} ステップ目"
        "でも {last}",
        rate=percent(d.phase1["convergence_rate"].iloc[-1]), first=percent(first["fixed"], 2),
        steps=step_count(d), last=percent(last["fixed"], 2),
    )  # fmt: skip
    moved = said(
        "相対残差の中央値は {start}から {end}になった", start=_middle(first), end=_middle(last)
    )
    return opening.three_lines(said("調べたこと"), what, clauses([fixed, moved]), _next(d, last))


def _middle(row: pd.Series) -> str:
    """Give the median and the 90 % point of the residuals."""
    median, high = two_digits(row["median"]), two_digits(row["q90"])
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


def meaning(d: Diagnosis) -> Markdown:
    """Say how far "converged" is from fixed."""
    first, last = d.train.settling.iloc[0], d.train.settling.iloc[-1]
    rate = d.phase1["convergence_rate"].iloc[-1]
    lines = [
        said(
            "訓練が数える「収束」は {rate}。重みを止め雑音を切った 1 ステップ目で同じ閾値を満たす"
            "のは {converged}、**固定点にいるのは {fixed}** で、相対残差の中央値は {median}。",
            rate=percent(rate), converged=percent(first["converged"]),
            fixed=percent(first["fixed"], 2), median=two_digits(first["median"]),
        ),
        said(
            "閾値 {threshold:g} は相対残差 {residual} にあたる。"
            "「収束」は 1 ステップの動きがそれより小さいという意味で、固定点のことではない。",
            threshold=d.config.convergence_threshold, residual=two_digits(d.threshold),
        ),
        _approach(d, last),
        _gap(d),
    ]  # fmt: skip
    return Markdown("\n".join(f"- {line}" for line in lines))


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
        steps=step_count(d), fixed=percent(last["fixed"], 2), median=two_digits(last["median"]),
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
        median=two_digits(before), high=two_digits(d.parallel["q99"]),
    )  # fmt: skip
    text = (
        template("雑音なしの反復を {steps} ステップ続けると {median} に縮む。")
        if after < before
        else template("雑音なしの反復を {steps} ステップ続けると {median} になり、縮まない。")
    )
    return passage(apart, said(text, steps=step_count(d), median=two_digits(after)))
