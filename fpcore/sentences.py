"""The sentences of the report: every number and direction word follows from the tables."""

from collections.abc import Callable

import pandas as pd

from fpcore.compare import Comparison
from fpcore.records import RunRecord
from fpcore.tables import number, percent


def certainty(c: Comparison) -> str:
    """Say that one seed cannot tell how certain a difference is."""
    return "差の確からしさは判定できない（シード1）。" if c.seeds < 2 else ""


def direction(differences: pd.Series, subject: str, up: str, down: str, sizes: bool = True) -> str:
    """Say on how many sizes b is above or below a; the words follow from the signs alone."""
    known = differences.dropna()
    counts = {up: int((known > 0).sum()), down: int((known < 0).sum())}
    said = [
        f"{len(known)} サイズ中 {count} サイズで{word}" if sizes else word
        for word, count in counts.items()
        if count
    ]
    if not len(known):
        return "比べられる値がない。"
    return f"{subject}{' ' if sizes else ''}{'、'.join(said)}。" if said else "差はない。"


def spread(values: pd.Series, text: Callable[[float], str]) -> str:
    """Give the smallest and the largest of some differences, as `text` writes them."""
    known = values.dropna()
    if not len(known) or not known.any():
        return ""
    low, high = text(known.min()), text(known.max())
    return f"差は {low}。" if low == high else f"差は {low} から {high}。"


def unigram(c: Comparison) -> str:
    """Say from which size on each run beats the unigram model of the same tokens."""
    t = c.perplexity.dropna(subset=["unigram_ppl"])
    said = []
    for side, name in (("a", c.a.name), ("b", c.b.name)):
        better = t["samples"][t[side] < t["unigram_ppl"]].tolist()
        if len(t):
            sizes = ", ".join(map(str, better)) + " 会話" if better else "どのサイズでもない"
            said.append(f"{name}: {sizes}")
    return f"unigram モデルより Val PPL が低いのは、{'; '.join(said)}。" if said else ""


def fits(c: Comparison, record: RunRecord) -> list[str]:
    """Say α and R² of each window of a run, and Δα from the first window to the last."""
    windows = c.fits(record)
    if not windows:
        return [f"- {record.name}: サイズが 2 つ未満なので α は求まらない。"]
    texts = [
        f"{first}–{last}: α = {number(fit.alpha, 3)}, R² = {number(fit.r_squared, 3)}"
        for first, last, fit in windows
    ]
    line = f"- {record.name}: " + "; ".join(texts)
    if len(windows) > 2:
        change = windows[-2][2].alpha - windows[0][2].alpha
        share = percent(change / abs(windows[0][2].alpha), signed=True)
        line += f"; Δα = {number(change, 3, signed=True)} ({share})"
    return [line]


def shared_trace(c: Comparison) -> str:
    """Say whether the two traces agree over the iterations that both have."""
    if c.shared_trace is None:
        return ""
    last, same = c.shared_trace
    how = "完全に一致する" if same else "一致しない"
    return f"共通の反復（{last} まで）では、2 つの推移は{how}。"
