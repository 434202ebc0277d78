"""What a study says of a trained context beside its controls, and of the rank that goes with it."""

from fpcore.analysis.comparison import Comparison
from fpcore.analysis.study import Evidence
from fpcore.notation import percent
from fpcore.records.record import RunRecord
from fpcore.reports.controls import beside_control
from fpcore.reports.controls import worth as worth_of
from fpcore.reports.study import ranks

COUNTED = {"up": "役に立つと言える", "down": "害になると言える"}


def answer(e: Evidence) -> str:
    """Say what training contexts is worth, and whether an effective rank stands out."""
    return of_contexts(e) + ranks.optimum(e)


def in_short(e: Evidence) -> str:
    """Say of the base and of the best run alone what training their contexts is worth."""
    shown = {r.name: r for r in (e.base, e.best) if e.controls[r.name]}
    if len([r for r in e.records if e.controls[r.name]]) < 2 or not shown:
        return of_contexts(e)
    said = "。".join(f"{e.said(r)} は {_beside(e, r)}" for r in shown.values())
    return f"文脈を訓練する価値（対照の Val PPL − 訓練の差）: {said}。"


def _beside(e: Evidence, record: RunRecord) -> str:
    controls = e.controls[record.name]
    return "、".join(beside_control(e.compared(record, c)) for c in controls)


def of_contexts(e: Evidence) -> str:
    """Say what training contexts is worth; nothing where there are no controls."""
    trained = [r for r in e.records if e.controls[r.name]]
    if len(trained) < 2:
        return "".join(worth_of(r, e.controls[r.name], e.level) for r in trained)
    return _of_many(e)


def _of_many(e: Evidence) -> str:
    """Count over the trained runs what is said beside each kind of control."""
    by_kind: dict[str, list[Comparison]] = {}
    for record in e.records:
        for control in e.controls[record.name]:
            kind = str(control.config["contexts"])
            by_kind.setdefault(kind, []).append(e.compared(record, control))
    said = "。".join(
        f"{kind} に対して "
        + "、".join(f"{n} サンプルで {_counted(found, n)}" for n in e.base.sizes)
        for kind, found in by_kind.items()
    )
    n = len([r for r in e.records if e.controls[r.name]])
    return f"訓練した文脈 {n} 設定の Val PPL は（差は対照 − 訓練）、{said}。"


def _counted(found: list[Comparison], samples: int) -> str:
    """Count the verdicts on the control's Val PPL less the trained run's, with their span."""
    parts, told = [], [c.by_size("val_ppl")[samples] for c in found]
    for direction, word in COUNTED.items():
        own = [d for d in told if d.certain == direction]
        if own:
            low, high = (percent(end(d.relative for d in own), signed=True) for end in (min, max))
            span = low if low == high else f"{low}〜{high}"
            small = sum(d.small for d in own)
            rest = f"、うち {small} は小さい" if small else ""
            parts.append(f"{len(own)} 設定で{word}（{span}{rest}）")
    rest_of = len(told) - sum(d.certain in COUNTED for d in told)
    if rest_of:
        parts.append(f"{rest_of} 設定では言えない")
    return "・".join(parts)
