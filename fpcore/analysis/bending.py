"""What speaks against a power law of perplexity, or against knowing its exponent."""

import math

import pandas as pd

from fpcore.language import said, template
from fpcore.notation import number
from fpcore.stats.scaling import (
    LEAST_SIZES,
    fit_power_law,
    fit_saturating_law,
    local_exponents,
    loss_rms,
    saturation_p,
)

FEW_SIZES = 6  # an interval of α from fewer rests on 3 degrees of freedom or less
NOTHING = 1e-6  # a change of an exponent below this is rounding
RARE = 0.05  # a p-value below this speaks for the saturating law


def bends(points: pd.DataFrame) -> list[str]:
    """Return what speaks against a power law, or against knowing its exponent."""
    tokens, ppl = points["train_tokens"].tolist(), points["val_ppl"].tolist()
    different = len(set(tokens))
    if different < 2 or (different < 3 <= len(points)) or min(ppl) < 1:
        if min(ppl) < 1:
            return [said("n={n} だが、1 未満の PPL があるので曲がりを調べられない", n=len(points))]
        text = template("n={n} だが、トークン数の違うサイズが足りないので曲がりを調べられない")
        return [said(text, n=len(points))]
    if len(points) < LEAST_SIZES:
        return [said("n={n} では、α も曲がりも調べられない", n=len(points))]
    local = local_exponents(tokens, ppl)
    power, floor = fit_power_law(tokens, ppl), fit_saturating_law(tokens, ppl)
    found = []
    local = [alpha for alpha in local if not math.isnan(alpha)]
    monotone = local in (sorted(local), sorted(local, reverse=True))
    if monotone and abs(local[-1] - local[0]) > NOTHING:
        shown = ", ".join(number(alpha, 3) for alpha in local)
        found.append(said("隣り合うサイズ間の傾きは一方向に変わる（{slopes}）", slopes=shown))
    straight = loss_rms(power, tokens, ppl) < NOTHING
    if not straight and saturation_p(power, floor, tokens, ppl) < RARE:
        text = template(
            "飽和則 L = E∞ + B·トークン^−β の方が合う（損失は自然対数で単位は nat。残差 RMS "
            "{rms} nat、べき乗則 {power} nat。ただし残る自由度は {dof}）"
        )
        left = number(loss_rms(power, tokens, ppl), 4)
        found.append(said(text, rms=number(floor.rms, 4), power=left, dof=floor.dof))
    if len(points) < FEW_SIZES:
        text = template("n={n} なので α = {alpha} の 95 % 区間は ±{half}（自由度 {dof}）")
        alpha, half = (number(value, 3) for value in (power.alpha, power.half_width))
        found.append(said(text, n=len(points), alpha=alpha, half=half, dof=power.n - 2))
    return found
