"""Several changed conditions: whether it can be told which of them acted."""

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.comparison import Comparison
from fpcore.language import listed, said, template

TOGETHER = {
    "none": template("{n}の条件が同時に変わっているが、どれも効いていない（影響分析）。"),
    "single": template(
        "{n}の条件が同時に変わっているが、効いたのは {names} だけである（影響分析）。"
    ),
    "apart": template(
        "{n}の条件が同時に変わっているが、1 つだけ変えた実行もあるので分けて読める（影響分析）。"
    ),
    "unclear": template(
        "**注意**: {n}の条件が同時に変わっているため、差が {names} のどれによるものかは、"
        "これらの実行だけでは分からない。"
    ),
}


def several(c: Comparison) -> str:
    """Say of several changed factors whether it can be told which of them acted."""
    acting = factors.alive(c.a, c.b, c.records)
    names = listed(notation.code(knob) for factor in acting for knob in factor)
    n = notation.counted(len(factors.changed_factors(c.a, c.b)))
    if len(acting) < 2:
        return said(TOGETHER["single" if acting else "none"], n=n, names=names)
    apart = not factors.unseparated(c.a, c.b, c.records)
    return said(TOGETHER["apart" if apart else "unclear"], n=n, names=names)
