"""What a study says of a trained context beside its controls, and of the rank that goes with it."""

from fpcore.analysis.comparison import Comparison
from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.study import Evidence
from fpcore.language import clauses, listed, passage, said, template
from fpcore.notation import percent
from fpcore.records.record import RunRecord
from fpcore.reports import controls, sentences
from fpcore.reports.study import ranks

COUNTED = {
    "up": template("{n} 設定で役に立つと言える（{span}）"),
    "down": template("{n} 設定で害になると言える（{span}）"),
}


def answer(e: Evidence) -> str:
    """Say what training contexts is worth, and whether an effective rank stands out."""
    return passage(of_contexts(e), ranks.optimum(e))


def in_short(e: Evidence) -> str:
    """Say of the base and of the best run alone what training their contexts is worth."""
    shown = {r.name: r for r in (e.base, e.best) if e.controls[r.name]}
    if len([r for r in e.records if e.controls[r.name]]) < 2 or not shown:
        return of_contexts(e)
    told = clauses(
        said("{name} は {told}", name=e.said(r), told=_beside(e, r)) for r in shown.values()
    )
    return said("文脈を訓練する価値（対照の Val PPL − 訓練の差）: {told}。", told=told)


def _beside(e: Evidence, record: RunRecord) -> str:
    return listed(map(_briefly, _beside_controls(e, record)))


def _beside_controls(e: Evidence, record: RunRecord) -> list[Comparison]:
    """Return a run beside each of its controls, as the whole study compares them."""
    return [e.compared(record, control) for control in e.controls[record.name]]


def _briefly(c: Comparison) -> str:
    """Say of a control what holds at all sizes, with the interval of the largest; else of each."""
    d, words = c["val_ppl"], {controls.helps(d) for d in c.by_size("val_ppl").values()}
    if len(words) > 1 or d.certain in ("same", "unknown"):
        return controls.beside_control(c)
    kind, gap = c.b.config["contexts"], sentences.with_interval(d)
    return said("{kind} に {gap}（{word}）", kind=kind, gap=gap, word=controls.helps(d))


def of_contexts(e: Evidence) -> str:
    """Say what training contexts is worth; nothing where there are no controls."""
    trained = [r for r in e.records if e.controls[r.name]]
    if len(trained) < 2:
        return passage(*(controls.worth(r.name, _beside_controls(e, r), e.level) for r in trained))
    return _of_many(e)


def _of_many(e: Evidence) -> str:
    """Count over the trained runs what is said beside each kind of control."""
    kinds = [str(c.config["contexts"]) for own in e.controls.values() for c in own]
    told = clauses(
        said("{kind} に対して {told}", kind=kind, told=_by_size(e, kind))
        for kind in dict.fromkeys(kinds)
    )
    text = template(
        "訓練した文脈の Val PPL は（差は対照 − 訓練、結果が同じ設定は 1 つと数える）、{told}。"
    )
    return said(text, told=told)


def _by_size(e: Evidence, kind: str) -> str:
    return listed(
        said("{n} サンプルで {told}", n=n, told=_counted(e, kind, n)) for n in e.base.sizes
    )


def _counted(e: Evidence, kind: str, samples: int) -> str:
    """Count the verdicts on the control's Val PPL less the trained run's, with their span."""
    found = [
        e.compared(record, control)
        for record in e.distinct(samples)
        for control in e.controls[record.name]
        if control.config["contexts"] == kind
    ]
    parts, told = [], [c.by_size("val_ppl")[samples] for c in found]
    for direction, text in COUNTED.items():
        own = [d for d in told if d.certain == direction]
        if own:
            parts.append(said(text, n=len(own), span=_span(own)))
    rest = len(told) - sum(d.certain in COUNTED for d in told)
    if rest:
        parts.append(said("{n} 設定では言えない", n=rest))
    return said("・").join(parts)


def _span(own: list[MetricDifference]) -> str:
    """Give the smallest and the largest of some differences, and how many of them are small."""
    low, high = (percent(end(d.relative for d in own), signed=True) for end in (min, max))
    span = low if low == high else said("{low}〜{high}", low=low, high=high)
    small = sum(d.small for d in own)
    return listed([span, said("うち {n} は小さい", n=small) if small else ""])
