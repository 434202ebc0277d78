"""Several changed conditions: whether it can be told which of them acted."""

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.comparison import Comparison


def several(c: Comparison) -> str:
    """Say of several changed factors whether it can be told which one acted."""
    acting = factors.alive(c.a, c.b, c.records)
    names = "、".join(notation.code(knob) for factor in acting for knob in factor)
    head = f"{notation.counted(len(factors.changed_factors(c.a, c.b)))}の条件が同時に変わっている"
    if not acting:
        return f"{head}が、どれも効いていない（影響分析）。"
    if len(acting) == 1:
        return f"{head}が、効いたのは {names} だけである（影響分析）。"
    if not factors.unseparated(c.a, c.b, c.records):
        return f"{head}が、1 つだけ変えた実行もあるので分けて読める（影響分析）。"
    return (
        f"**注意**: {head}ため、差が {names} のどれによるものかは、これらの実行だけでは分からない。"
    )
