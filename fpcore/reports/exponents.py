"""What a comparison says of the exponents of two runs' power laws."""

from collections.abc import Sequence

from fpcore import notation
from fpcore.analysis.comparison import Comparison
from fpcore.language import listed, said
from fpcore.notation import number, percent
from fpcore.records.pairs import cut_short
from fpcore.records.record import RunRecord
from fpcore.stats.scaling import LEAST_SIZES, PowerLaw


def alpha(c: Comparison) -> str:
    """Say whose overall α is steeper."""
    d = c["alpha"]
    gap = notation.difference("alpha", d.difference)
    match d.direction:
        case "up":
            names = {"a": c.a.name, "b": c.b.name}
            return said("全体の α は {a} より {b} の方が緩やか（差 {gap}）。", gap=gap, **names)
        case "down":
            names = {"a": c.a.name, "b": c.b.name}
            return said("全体の α は {a} より {b} の方が急峻（差 {gap}）。", gap=gap, **names)
        case "same":
            return said("差はない。")
        case "tiny":
            return said("全体の α に表示の桁では差がない。")
        case "unclear":
            return said("全体の α に差があるとは言えない（差 {gap}）。", gap=gap)
    return too_few()


def too_few() -> str:
    """Say that there are too few sizes for an exponent."""
    return said("α は {n} サイズ以上で求める（共通のサイズが足りない）。", n=LEAST_SIZES)


def intervals(c: Comparison) -> str:
    """Give the 95 % interval of each run's overall α, from the residuals of its fit."""
    found = []
    for record in (c.a, c.b):
        fits = [] if cut_short(record) else c.fits(record)
        if fits and fits[-1][2].n > 2:
            fit = fits[-1][2]
            values = {"alpha": number(fit.alpha, 3), "half": number(fit.half_width, 3)}
            text = said("{run} は α = {alpha} ± {half}（自由度 {dof}）",
                        run=record.name, dof=fit.n - 2, **values)  # fmt: skip
            found.append(text)
    if not found:
        return ""
    return said(
        "当てはめの残差による 95 % 区間: {found}。この幅は当てはまりの悪さで、両方に"
        "共通するので、α どうしの差の物差しにはならない。",
        found=listed(found),
    )


def progression(c: Comparison, record: RunRecord) -> list[str]:
    """Give α and R² of each window of a run, and Δα from the first window to the last."""
    fits = c.fits(record)
    if not fits:
        return [f"- {too_few()}"]
    lines = [
        f"- {title}: α = {number(fit.alpha, 3)}, R² = {number(fit.r_squared, 3)}"
        for title, (_, _, fit) in zip(window_names(fits), fits, strict=True)
    ]
    if len(fits) > 2:
        first, last = fits[0][2].alpha, fits[-2][2].alpha
        share = percent((last - first) / abs(first) if first else None, signed=True)
        lines.append(f"- Δα = {number(last - first, 3, signed=True)} ({share})")
    return lines


def window_names(fits: Sequence[tuple[int, int, PowerLaw]]) -> list[str]:
    """Return the names of windows of sizes, of which the last spans all."""
    names = [f"Window {i} ({first}–{last})" for i, (first, last, _) in enumerate(fits, 1)]
    whole = [said("全体 ({first}–{last})", first=first, last=last) for first, last, _ in fits[-1:]]
    return [*names[:-1], *whole]
