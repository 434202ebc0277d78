"""What a study says of gradient clipping: where it acts, and apart from that what it changes."""

import math

from fpcore.analysis.clipping import Clipping
from fpcore.analysis.comparison import Comparison
from fpcore.analysis.study import STUDIED, Evidence
from fpcore.language import listed, passage, said, template
from fpcore.notation import number, percent
from fpcore.records.record import RunRecord
from fpcore.reports.sentences import metric

UNMOVED = template("どの指標にも差があるとは言えない")


def answer(e: Evidence) -> str:
    """Say in short what clipping does; nothing of a study that leaves `gradient_clip` alone."""
    if "gradient_clip" not in e.study.knobs():
        return ""
    acting = listed(_in_short(e, own) for own in _acting(e) if own.run != e.base.name)
    idle = ", ".join(f"{clip:g}" for clip in _idle(e))
    unseen = [own for own in e.clipping if math.isnan(own.clipped)]
    if unseen and not (idle or acting):
        return said("勾配ノルムの記録がなく、`gradient_clip` が働いたかは分からない。")
    return passage(
        said("`gradient_clip` が一度も働かない値: {values}。", values=idle) if idle else "",
        said("働く値: {values}。", values=acting) if acting else "",
    )


def _in_short(e: Evidence, own: Clipping) -> str:
    """Say of a clip that acts what it does to the metrics."""
    c = e.comparisons[own.run]
    moved, ppl = _moved(c), c["val_ppl"]
    rest = "" if ppl.certain in ("up", "down") else metric(ppl, ppl.certain)
    what = listed([moved, rest]) if moved else said(UNMOVED)
    share = percent(own.clipped, 0)
    return said("{clip:g}（更新の {share}、{what}）", clip=own.clip, share=share, what=what)


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
    base = next(own for own in e.clipping if own.run == e.base.name)
    lines = [_threshold(base)] if math.isfinite(base.most) else []
    return [*lines, *(_of_clip(e, own) for own in acting), *_rates(e, acting)]


def _threshold(base: Clipping) -> str:
    """Say between which norms clipping starts to act, and acts on every update."""
    return said(
        "基準の勾配ノルムは {least}–{most}（中央値 {norm}）なので、クリップは "
        "{most} より小さいと一部の更新で、{least} より小さいとすべての更新で働く。",
        least=number(base.least, 4), most=number(base.most, 4), norm=number(base.norm, 4),
    )  # fmt: skip


def _of_clip(e: Evidence, own: Clipping) -> str:
    """Say how much a clip that acts does to the gradients, and what comes of it."""
    head = said(
        "{name}: 更新の {share} でクリップが働き、勾配は平均 {scale} 倍",
        name=e.said(e.record(own.run)),
        share=percent(own.clipped, 1),
        scale=number(own.scale, 2),
    )
    if own.run == e.base.name:
        return said("{head}（基準そのもの）。", head=head)
    moved = _moved(e.comparisons[own.run])
    if not moved:
        return said("{head}。働いても、どの指標にも基準との差があるとは言えない。", head=head)
    return said("{head}。基準より {moved}。", head=head, moved=moved)


def _rates(e: Evidence, acting: list[Clipping]) -> list[str]:
    """Set each run with another phase1_lr beside the base, and the clip that scales alike."""
    base = e.base.config["phase1_lr"]
    lines = []
    for record in e.varied:
        share = record.config["phase1_lr"] / base
        if share == 1 or record.config["gradient_clip"] != e.base.config["gradient_clip"]:
            continue
        near = min(acting, key=lambda own: abs(math.log(own.scale / share)), default=None)
        beside = _beside(e, record.name, near) if near else ""
        lines.append(passage(_of_rate(e, record, share), beside))
    return lines


def _of_rate(e: Evidence, record: RunRecord, share: float) -> str:
    """Say what a run with `share` of the base's learning rate changes."""
    moved = _moved(e.comparisons[record.name])
    text = (
        template("{name}（基準の {share} 倍）: 基準より {moved}。")
        if moved
        else template("{name}（基準の {share} 倍）: どの指標にも基準との差があるとは言えない。")
    )
    return said(text, name=e.said(record), share=number(share, 2), moved=moved)


def _beside(e: Evidence, run: str, clip: Clipping) -> str:
    """Compare a run of a smaller learning rate with the clip that scales gradients most alike."""
    c = e.compared(e.record(clip.run), e.record(run))
    moved = _moved(c)
    text = (
        template("勾配を平均 {scale} 倍にする {name} より {moved}。")
        if moved
        else template("勾配を平均 {scale} 倍にする {name} とは、どの指標にも差があるとは言えない。")
    )
    name, scale = e.said(e.record(clip.run)), number(clip.scale, 2)
    return said(text, scale=scale, name=name, moved=moved)


def _moved(c: Comparison) -> str:
    """Name the metrics that differ, and by how much."""
    found = [c[m] for m in STUDIED]
    return listed(metric(d, d.certain) for d in found if d.certain in ("up", "down"))
