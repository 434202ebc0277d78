"""要点 of a comparison: what was changed, what can be said, and what to do next."""

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.checks.check import Verdicts
from fpcore.analysis.comparison import Comparison
from fpcore.analysis.difference import MetricDifference
from fpcore.language import clauses, listed, said, template
from fpcore.metric import METRICS, metrics_where
from fpcore.notation import Markdown
from fpcore.reports import opening, sentences
from fpcore.reports.comparison.section import section

__all__ = ["gist"]

ONE_SEED = template("シードが 1 つなので、確からしさは判定できない")


@section(5, template("## 要点"), concludes=True)
def gist(c: Comparison, checked: Verdicts) -> Markdown:
    """要点: three lines, decided after the checks."""
    return opening.three_lines(
        said("変えたこと"), _changed(c), _told(c), opening.first_step(checked)
    )


def _changed(c: Comparison) -> str:
    """Name what was changed, and of that what did nothing."""
    found, dead = factors.changed_factors(c.a, c.b), factors.inert(c.a, c.b, c.records)
    acting, idle = (
        listed(_step(c, knob) for f in found for knob in f if (f in dead) is gone)
        for gone in (False, True)
    )
    hidden = said("片方の記録にしかない条件がある") if factors.unknown(c.a, c.b) else ""
    rest = said("{knobs} は効いていない", knobs=idle) if idle else ""
    what = clauses([acting, rest, hidden]) or said("違う条件はない")
    return said("{a}（a）から {b}（b）へ、{what}", a=c.a.name, b=c.b.name, what=what)


def _step(c: Comparison, knob: str) -> str:
    a, b = (notation.escaped(notation.knob_value(r.config[knob])) for r in (c.a, c.b))
    return f"{notation.code(knob)} {a} → {b}"


def _told(c: Comparison) -> str:
    """Say of the main metrics how b stands to a, at the largest size, and how sure that is."""
    parts = [_of(c, metric) for metric in metrics_where(lambda m: m.headline)]
    known = listed(parts) or said("比べられる値がない")
    other = sentences.by_size(c.by_size("val_ppl"))
    apart = said("（Val PPL はサイズによって違う: {other}）", other=other) if other else ""
    told = said("{n} サンプルで b は a より、{known}{apart}",
                n=c.samples[-1], known=known, apart=apart)  # fmt: skip
    level = sentences.level(c.level)
    many = said("シード n={n}、[ ] は {level} 区間", n=c.seeds, level=level)
    return clauses([told, said(ONE_SEED) if c.seeds < 2 else many])


def _of(c: Comparison, metric: str) -> str:
    d, label = c[metric], METRICS[metric].name
    if metric in c.incomparable:
        return said("{label!g}は比べられない", label=label)
    if d.direction == "unknown":
        return ""
    if d.seeds > 1 or d.direction == "same":
        if d.direction == "same":
            return said("{label!g}は同じ", label=label)
        return said("{label!g}は {told}", label=label, told=sentences.told(d))
    return f"{label} {sentences.gap(d)}{_over_text(d)}"


def _over_text(d: MetricDifference) -> str:
    """Give the interval that the validation conversations alone allow."""
    if not d.by_text.known:
        return ""
    ends = ", ".join(sentences.percent_ends(d))
    return said(" [{ends}]（検証会話による 95 % 区間）", ends=ends)
