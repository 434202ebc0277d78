"""What a study says of gradient clipping: where it acts, and apart from that what it changes."""

import math

from fpcore.analysis.clipping import Clipping
from fpcore.analysis.comparison import Comparison
from fpcore.analysis.study import STUDIED, Evidence
from fpcore.notation import number, percent
from fpcore.reports.sentences import UNCLEAR, metric


def answer(e: Evidence) -> str:
    """Say in short what clipping does; nothing of a study that leaves `gradient_clip` alone."""
    if "gradient_clip" not in e.study.knobs():
        return ""
    said = [_in_short(e, own) for own in _acting(e) if own.run != e.base.name]
    idle = ", ".join(f"{clip:g}" for clip in _idle(e))
    lines = [f"`gradient_clip` が一度も働かない値: {idle}。"] if idle else []
    lines += [f"働く値: {'、'.join(said)}。"] if said else []
    unseen = [own for own in e.clipping if math.isnan(own.clipped)]
    if unseen and not (idle or said):
        return "勾配ノルムの記録がなく、`gradient_clip` が働いたかは分からない。"
    return "".join(lines)


def _in_short(e: Evidence, own: Clipping) -> str:
    """Say of a clip that acts what it does to the metrics."""
    c = e.comparisons[own.run]
    moved, ppl = _moved(c), c["val_ppl"]
    what = moved or f"どの指標にも{UNCLEAR}"
    rest = "" if ppl.certain in ("up", "down") else f"、{metric(ppl, ppl.certain)}"
    return f"{own.clip:g}（更新の {percent(own.clipped, 0)}、{what}{rest * bool(moved)}）"


def _acting(e: Evidence) -> list[Clipping]:
    return [own for own in e.clipping if own.clipped > 0]


def _idle(e: Evidence) -> list[float]:
    acting = {own.clip for own in _acting(e)}
    return sorted({own.clip for own in e.clipping if own.clipped == 0} - acting)


def details(e: Evidence) -> list[str]:
    """Say where clipping acts, and what each clip and learning rate changes."""
    if "gradient_clip" not in e.study.knobs():
        return []
    acting = _acting(e)
    lines = [_threshold(next(own for own in e.clipping if own.run == e.base.name))]
    return [*lines, *(_of_clip(e, own) for own in acting), *_rates(e, acting)]


def _threshold(base: Clipping) -> str:
    """Say between which norms clipping starts to act, and acts on every update."""
    least, most = number(base.least, 4), number(base.most, 4)
    return (
        f"基準の勾配ノルムは {least}–{most}（中央値 {number(base.norm, 4)}）なので、クリップは "
        f"{most} より小さいと一部の更新で、{least} より小さいとすべての更新で働く。"
    )


def _of_clip(e: Evidence, own: Clipping) -> str:
    """Say how much a clip that acts does to the gradients, and what comes of it."""
    share, scale = percent(own.clipped, 1), number(own.scale, 2)
    name = e.said(e.record(own.run))
    head = f"{name}: 更新の {share} でクリップが働き、勾配は平均 {scale} 倍"
    if own.run == e.base.name:
        return f"{head}（基準そのもの）。"
    moved = _moved(e.comparisons[own.run])
    if not moved:
        return f"{head}。働いても、どの指標にも基準との{UNCLEAR}。"
    return f"{head}。基準より {moved}。"


def _rates(e: Evidence, acting: list[Clipping]) -> list[str]:
    """Set each run with another phase1_lr beside the base, and the clip that scales alike."""
    base = e.base.config["phase1_lr"]
    lines = []
    for record in e.varied:
        share = record.config["phase1_lr"] / base
        if share == 1 or record.config["gradient_clip"] != e.base.config["gradient_clip"]:
            continue
        moved = _moved(e.comparisons[record.name])
        said = f"基準より {moved}" if moved else f"どの指標にも基準との{UNCLEAR}"
        line = f"{e.said(record)}（基準の {number(share, 2)} 倍）: {said}。"
        near = min(acting, key=lambda own: abs(math.log(own.scale / share)), default=None)
        lines.append(line + (_beside(e, record.name, near) if near else ""))
    return lines


def _beside(e: Evidence, run: str, clip: Clipping) -> str:
    """Compare a run of a smaller learning rate with the clip that scales gradients most alike."""
    c = e.compared(e.record(clip.run), e.record(run))
    moved = _moved(c)
    head = f"勾配を平均 {number(clip.scale, 2)} 倍にする {e.said(e.record(clip.run))} "
    return f"{head}より {moved}。" if moved else f"{head}とは、どの指標にも{UNCLEAR}。"


def _moved(c: Comparison) -> str:
    """Name the metrics that differ, and by how much."""
    found = [c[m] for m in STUDIED]
    return "、".join(metric(d, d.certain) for d in found if d.certain in ("up", "down"))
