"""要点 of a comparison: what was changed, what can be said, and what to do next."""

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.checks.check import Verdicts
from fpcore.analysis.comparison import Comparison
from fpcore.analysis.difference import MetricDifference
from fpcore.notation import METRICS, Markdown, glued, metrics_where
from fpcore.reports import opening, sentences
from fpcore.reports.comparison.section import section

__all__ = ["gist"]

ONE_SEED = "シードが 1 つなので、確からしさは判定できない"


@section(5, f"## {opening.HEADING}", concludes=True)
def gist(c: Comparison, checked: Verdicts) -> Markdown:
    """要点: three lines, decided after the checks."""
    return opening.three_lines("変えたこと", _changed(c), _said(c), opening.first_step(checked))


def _changed(c: Comparison) -> str:
    """Name what was changed, and of that what did nothing."""
    found, dead = factors.changed_factors(c.a, c.b), factors.inert(c.a, c.b, c.records)
    acting, idle = (
        "、".join(_step(c, knob) for f in found for knob in f if (f in dead) is gone)
        for gone in (False, True)
    )
    hidden = "片方の記録にしかない条件がある" if factors.unknown(c.a, c.b) else ""
    rest = f"{idle} は効いていない" if idle else ""
    what = "。".join(filter(None, (acting, rest, hidden))) or "違う条件はない"
    return f"{c.a.name}（a）から {c.b.name}（b）へ、{what}"


def _step(c: Comparison, knob: str) -> str:
    a, b = (notation.escaped(notation.knob_value(r.config[knob])) for r in (c.a, c.b))
    return f"{notation.code(knob)} {a} → {b}"


def _said(c: Comparison) -> str:
    """Say of the main metrics how b stands to a, at the largest size, and how sure that is."""
    parts = [_of(c, metric) for metric in metrics_where(lambda m: m.headline)]
    known = "、".join(filter(None, parts)) or "比べられる値がない"
    other = sentences.by_size(c.by_size("val_ppl"))
    apart = f"（Val PPL はサイズによって違う: {other}）" if other else ""
    sure = (
        ONE_SEED if c.seeds < 2 else f"シード n={c.seeds}、[ ] は {sentences.level(c.level)} 区間"
    )
    return f"{c.samples[-1]} サンプルで b は a より、{known}{apart}。{sure}"


def _of(c: Comparison, metric: str) -> str:
    d, label = c[metric], METRICS[metric].label
    if metric in c.incomparable:
        return glued(label, "は比べられない")
    if d.direction == "unknown":
        return ""
    if d.seeds > 1 or d.direction == "same":
        return glued(label, f"は {sentences.said(d)}" if d.direction != "same" else "は同じ")
    return f"{label} {sentences.gap(d)}{_over_text(d)}"


def _over_text(d: MetricDifference) -> str:
    """Give the interval that the validation conversations alone allow."""
    if not d.by_text.known:
        return ""
    return f" [{', '.join(sentences.percent_ends(d))}]（検証会話による 95 % 区間）"
