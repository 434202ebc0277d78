"""What a study says of its knobs: their best values, numbers or words, and their effects."""

from collections.abc import Mapping
from typing import Any

from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.effects import Effect
from fpcore.analysis.study import Evidence
from fpcore.language import listed, passage, said, template
from fpcore.metric import METRICS
from fpcore.notation import escaped, knob_value
from fpcore.records.record import RunRecord
from fpcore.reports import sentences
from fpcore.reports.sentences import metric

# A clip is no dose: what it does depends on where it begins to act, which `clips` says.
OWN_SENTENCES = ("gradient_clip",)
DRAWN = ("data_seed",)  # its values are names of draws, of which none is better
BySize = Mapping[int, MetricDifference]


def best_values(e: Evidence) -> str:
    """Say of each knob of the grid whether a value is better than the base's."""
    return passage(*(_best_value(e, knob) for knob in _asked(e)), *map(_of_draws, _drawn(e)))


def in_short(e: Evidence) -> list[str]:
    """Say of each knob which values are better, with the interval of the lowest one."""
    return [*(_in_short(e, knob) for knob in _asked(e)), *map(_of_draws, _drawn(e))]


def _asked(e: Evidence) -> list[str]:
    """Return the knobs of the grid whose best value is asked for; of contexts `worth` says it."""
    own = (*OWN_SENTENCES, *DRAWN, *["contexts"] * any(e.controls.values()))
    return [knob for knob in e.study.grid if knob not in own]


def _drawn(e: Evidence) -> list[str]:
    return [knob for knob in e.study.grid if knob in DRAWN and len(e.study.grid[knob]) > 1]


def _of_draws(knob: str) -> str:
    text = template(
        "`{knob}` は訓練会話の引き方の名前で、よい値というものはない。差は引き方による幅を示す。"
    )
    return said(text, knob=knob)


def _in_short(e: Evidence, knob: str) -> str:
    known, _ = _against_base(e, knob)
    if not known:
        return ""
    told = {v: d[e.samples] for v, d in known.items()}
    if all(d.certain == "same" for by_size in known.values() for d in by_size.values()):
        return said("`{knob}`: どの値でも Val PPL は同じ。", knob=knob)
    lowest = min(told, key=lambda v: told[v].relative)
    own = _value(e.base, knob)
    first, d = _concluded(e, known, own), told[lowest]
    if len({by.certain for by in known[lowest].values()}) > 1:  # other things hold at other sizes
        verdict = sentences.per_size(known[lowest], sentences.verdict)
        text = template("ほかの値で Val PPL が最も低い {value!g}は {own} に対して、{verdict}。")
        best = said(text, value=lowest, own=own, verdict=verdict)
    else:
        text = template("Val PPL の差は {value} で {gap}（ほかの値の中で最も低い）。")
        best = said(text, value=lowest, gap=sentences.with_interval(d))
    return f"`{knob}`: {passage(first, best)}"


def _concluded(e: Evidence, known: Mapping[str, BySize], own: str) -> str:
    """Say the conclusion of the largest size, and its name where other things hold at others."""
    told = _conclusion(own, {v: d[e.samples] for v, d in known.items()})
    alike = all(len({d.certain for d in by_size.values()}) == 1 for by_size in known.values())
    return told if alike else said("{n} サンプルでは、{told}", n=e.samples, told=told)


def _value(record: RunRecord, knob: str) -> str:
    return escaped(knob_value(record.config[knob]))


def _best_value(e: Evidence, knob: str) -> str:
    known, settings = _against_base(e, knob)
    if not known:
        return ""
    own = _value(e.base, knob)
    text = (
        template("`{knob}` は {own} と比べて（{n} 設定の平均、Val PPL）: {values}。")
        if settings > 1
        else template("`{knob}` は {own} と比べて（Val PPL）: {values}。")
    )
    values = said("；").join(
        said("{value!g}は{verdict!b}", value=v, verdict=sentences.per_size(d, sentences.verdict))
        for v, d in known.items()
    )
    first = said(text, knob=knob, own=own, n=settings, values=values)
    return passage(first, _concluded(e, known, own), _lowest(e, known))


def _lowest(e: Evidence, known: Mapping[str, BySize]) -> str:
    """Name the value with the lowest Val PPL where several are better than the base's."""
    told = {v: d[e.samples] for v, d in known.items()}
    better = [v for v, d in told.items() if d.certain == "down" and not d.small]
    if len(better) < 2:
        return ""
    value = min(better, key=lambda v: told[v].relative)
    return said("最も低いのは {value}。", value=value)


def _against_base(e: Evidence, knob: str) -> tuple[dict[str, BySize], int]:
    """Return by value and size Val PPL's difference to the base's, and over how many settings.

    Values of which nothing is known at the largest size are left out. Numbers stand in their order.
    """
    steps = [effect for effect in e.effects if effect.of == knob]
    found: list[tuple[Any, BySize]] = [(s.end, s.differences["val_ppl"]) for s in steps]
    for r in [] if steps else e.varied:
        if _beside_in(e, r, knob):
            found.append((r.config[knob], e.comparisons[r.name].by_size("val_ppl")))
    if all(type(value) in (int, float) for value, _ in found):
        found.sort(key=lambda pair: pair[0])
    known: dict[str, BySize] = {
        escaped(knob_value(v)): d for v, d in found if d[e.samples].certain != "unknown"
    }
    return known, max((s.settings for s in steps), default=1)


def _beside_in(e: Evidence, record: RunRecord, knob: str) -> bool:
    """Whether a run of the grid differs from the base in one knob alone."""
    differ = [k for k in e.study.knobs() if record.config[k] != e.base.config[k]]
    return differ == [knob]


def _conclusion(own: str, told: Mapping[str, MetricDifference]) -> str:
    """Say which values are better than the base's, or that none is known to be."""
    better = {v: d for v, d in told.items() if d.certain == "down"}
    large = [v for v, d in better.items() if not d.small]
    if large:
        return said("{values!g}は {own} よりよいと言える。", values=listed(large), own=own)
    if better:
        text = template("{values!g}は {own} よりよいと言えるが、差は小さい。")
        return said(text, values=listed(better), own=own)
    if all(d.negligible or d.certain == "same" for d in told.values()):
        return said("どの値でも Val PPL の差は小さい。")
    if all(d.certain == "up" for d in told.values()):
        return said("試した値の中では {own} が最もよいと言える。", own=own)
    return said("{own} よりよいと言える値は、試した中にない。", own=own)


def effects(e: Evidence) -> list[str]:
    """Say of each effect of a knob, and of an interaction, what it does to each metric."""
    return [line for effect in e.effects if (line := _effect(effect))]


def step(effect: Effect) -> str:
    """Name an effect of a knob, or an interaction."""
    if "×" in effect.of:
        return said("`{knobs}` の交互作用（効果の差）", knobs=effect.of)
    start, end = (escaped(knob_value(value)) for value in (effect.start, effect.end))
    return said("`{knob}` {start} → {end}（{n} 設定の平均）",
                knob=effect.of, start=start, end=end, n=effect.settings)  # fmt: skip


def unmoved(effect: Effect) -> list[str]:
    """Return the metrics that an effect does not change at all, at any size."""
    return [
        metric
        for metric, by_size in effect.differences.items()
        if {d.direction for d in by_size.values()} == {"same"}
    ]


def _effect(effect: Effect) -> str:
    """Say of one effect which metrics it moves; every one is named once."""
    known = [m for m in effect.differences if effect[m].direction != "unknown"]
    same = unmoved(effect)
    if known == same:
        text = template("{step!c}: どの指標もまったく変わらない。")
        return said(text, step=step(effect)) if known else ""
    moved = [metric(effect[m], effect[m].certain) for m in known if m not in same]
    labels = listed(METRICS[m].name for m in same)
    rest = said("{labels!g}は同じ", labels=labels) if same else ""
    return said("{step!c}: {moved}。", step=step(effect), moved=listed([*moved, rest]))
