"""Whether a power law fits: local exponents, a law with a floor, and the interval of α."""

import pandas as pd

from fpcore.scaling import (
    fit_power_law,
    fit_saturating_law,
    local_exponents,
    loss_rms,
    saturation_p,
)
from fpcore.tables import number

MANY_ENOUGH = 4  # for a bend to be seen
FEW_SIZES = 6  # an interval of α from fewer rests on 3 degrees of freedom or less
NOTHING = 1e-6  # what is smaller is rounding
RARE = 0.05  # a p-value below this speaks for the saturating law


def bends(points: pd.DataFrame) -> list[str]:
    """Return what speaks against a power law, or against knowing its exponent."""
    tokens, ppl = points["train_tokens"].tolist(), points["val_ppl"].tolist()
    if len(points) < MANY_ENOUGH:
        half = number(fit_power_law(tokens, ppl).half_width, 3)
        return [f"n={len(points)} では曲がりを調べられない（α の 95 % 区間は ±{half}）"]
    local = local_exponents(tokens, ppl)
    power, floor = fit_power_law(tokens, ppl), fit_saturating_law(tokens, ppl)
    found = []
    monotone = local in (sorted(local), sorted(local, reverse=True))
    if monotone and abs(local[-1] - local[0]) > NOTHING:
        shown = ", ".join(number(alpha, 3) for alpha in local)
        found.append(f"隣り合うサイズ間の傾きは一方向に変わる（{shown}）")
    straight = loss_rms(power, tokens, ppl) < NOTHING
    if not straight and saturation_p(power, floor, tokens, ppl) < RARE:
        found.append(
            f"飽和則 L = E∞ + B·トークン^−β の方が合う（残差 RMS {number(floor.rms, 4)} nat、"
            f"べき乗則 {number(loss_rms(power, tokens, ppl), 4)} nat。"
            f"ただし残る自由度は {floor.dof}）"
        )
    if len(points) < FEW_SIZES:
        found.append(
            f"n={len(points)} なので α = {number(power.alpha, 3)} の 95 % 区間は "
            f"±{number(power.half_width, 3)}（自由度 {power.n - 2}）"
        )
    return found
