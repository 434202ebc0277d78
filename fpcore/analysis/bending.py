"""What speaks against a power law of perplexity, or against knowing its exponent."""

import math

import pandas as pd

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
        why = "1 未満の PPL がある" if min(ppl) < 1 else "トークン数の違うサイズが足りない"
        return [f"n={len(points)} だが、{why}ので曲がりを調べられない"]
    if len(points) < LEAST_SIZES:
        return [f"n={len(points)} では、α も曲がりも調べられない"]
    local = local_exponents(tokens, ppl)
    power, floor = fit_power_law(tokens, ppl), fit_saturating_law(tokens, ppl)
    found = []
    local = [alpha for alpha in local if not math.isnan(alpha)]
    monotone = local in (sorted(local), sorted(local, reverse=True))
    if monotone and abs(local[-1] - local[0]) > NOTHING:
        shown = ", ".join(number(alpha, 3) for alpha in local)
        found.append(f"隣り合うサイズ間の傾きは一方向に変わる（{shown}）")
    straight = loss_rms(power, tokens, ppl) < NOTHING
    if not straight and saturation_p(power, floor, tokens, ppl) < RARE:
        found.append(
            "飽和則 L = E∞ + B·トークン^−β の方が合う（損失は自然対数で単位は nat。残差 RMS "
            f"{number(floor.rms, 4)} nat、"
            f"べき乗則 {number(loss_rms(power, tokens, ppl), 4)} nat。"
            f"ただし残る自由度は {floor.dof}）"
        )
    if len(points) < FEW_SIZES:
        found.append(
            f"n={len(points)} なので α = {number(power.alpha, 3)} の 95 % 区間は "
            f"±{number(power.half_width, 3)}（自由度 {power.n - 2}）"
        )
    return found
