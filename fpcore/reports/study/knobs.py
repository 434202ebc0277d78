"""What a study says of its knobs: the best values of the numeric ones, and their effects."""

from collections.abc import Mapping
from typing import Any

from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.effects import Effect
from fpcore.analysis.study import Evidence
from fpcore.notation import METRICS, escaped, glued, knob_value
from fpcore.reports import sentences
from fpcore.reports.sentences import metric

# A clip is no dose: what it does depends on where it begins to act, which `clips` says.
OWN_SENTENCES = ("gradient_clip",)
BySize = Mapping[int, MetricDifference]


def best_values(e: Evidence) -> str:
    """Say of each numeric knob of the grid whether a value is better than the base's."""
    knobs = [k for k, tried in e.study.grid.items() if k not in OWN_SENTENCES and _numeric(tried)]
    return "".join(_best_value(e, knob) for knob in knobs)


def in_short(e: Evidence) -> str:
    """Say of each numeric knob which values are better, with the interval of the lowest one."""
    knobs = [k for k, tried in e.study.grid.items() if k not in OWN_SENTENCES and _numeric(tried)]
    return "".join(_in_short(e, knob) for knob in knobs)


def _in_short(e: Evidence, knob: str) -> str:
    known, _ = _against_base(e, knob)
    if not known:
        return ""
    told = {v: d[e.samples] for v, d in known.items()}
    lowest = min(told, key=lambda v: told[v].relative)
    own = knob_value(e.base.config[knob])
    verdict = sentences.per_size(known[lowest], sentences.verdict)
    which = "Val PPL が最も低い" if told[lowest].relative < 0 else "ほかの値で Val PPL が最も低い"
    best = glued(f"{which} {knob_value(lowest)}", f"は {own} に対して、{verdict}。")
    return f"`{knob}`: {_at(e, known)}{_conclusion(own, told)}{best}"


def _at(e: Evidence, known: Mapping[Any, BySize]) -> str:
    """Name the largest size where other things hold at others."""
    alike = all(len({d.certain for d in by_size.values()}) == 1 for by_size in known.values())
    return "" if alike else f"{e.samples} サンプルでは、"


def _numeric(tried: list[Any]) -> bool:
    return len(tried) > 1 and all(type(value) in (int, float) for value in tried)


def _best_value(e: Evidence, knob: str) -> str:
    known, settings = _against_base(e, knob)
    if not known:
        return ""
    own = knob_value(e.base.config[knob])
    mean = f"{settings} 設定の平均、" if settings > 1 else ""
    values = "；".join(
        glued(knob_value(v), f"は{sentences.behind(sentences.per_size(d, sentences.verdict))}")
        for v, d in known.items()
    )
    told = {v: d[e.samples] for v, d in known.items()}
    better = [v for v, d in told.items() if d.certain == "down" and not d.small]
    lowest = knob_value(min(better, key=lambda v: told[v].relative)) if len(better) > 1 else ""
    end = f"最も低いのは {lowest}。" if lowest else ""
    head = f"`{knob}` は {own} と比べて（{mean}Val PPL）"
    return f"{head}: {values}。{_at(e, known)}{_conclusion(own, told)}{end}"


def _against_base(e: Evidence, knob: str) -> tuple[dict[Any, BySize], int]:
    """Return by value and size Val PPL's difference to the base's, and over how many settings.

    Values of which nothing is known at the largest size are left out.
    """
    steps = [effect for effect in e.effects if effect.of == knob]
    found: dict[Any, BySize] = {s.end: s.differences["val_ppl"] for s in steps}
    for r in [] if steps else e.varied:
        if r not in e.outside and r.config[knob] != e.base.config[knob]:
            found[r.config[knob]] = e.comparisons[r.name].by_size("val_ppl")
    known = {v: d for v, d in sorted(found.items()) if d[e.samples].certain != "unknown"}
    return known, max((s.settings for s in steps), default=1)


def _conclusion(own: str, told: Mapping[Any, MetricDifference]) -> str:
    """Say which values are better than the base's, or that none is known to be."""
    better = {v: d for v, d in told.items() if d.certain == "down"}
    large = [knob_value(v) for v, d in better.items() if not d.small]
    if large:
        return f"{glued('、'.join(large), 'は')} {own} よりよいと言える。"
    if better:
        named = "、".join(knob_value(v) for v in better)
        return f"{glued(named, 'は')} {own} よりよいと言えるが、差は小さい。"
    if all(d.negligible or d.small or d.certain in ("same", "tiny") for d in told.values()):
        return "どの値でも Val PPL の差は小さい。"
    if all(d.certain == "up" for d in told.values()):
        return f"試した値の中では {own} が最もよいと言える。"
    return f"{own} よりよいと言える値は、試した中にない。"


def effects(e: Evidence) -> list[str]:
    """Say of each effect of a knob, and of an interaction, what it does to each metric."""
    return [line for effect in e.effects if (line := _effect(effect))]


def step(effect: Effect) -> str:
    """Name an effect of a knob, or an interaction."""
    if "×" in effect.of:
        return f"`{effect.of}` の交互作用（効果の差）"
    start, end = (escaped(knob_value(value)) for value in (effect.start, effect.end))
    return f"`{effect.of}` {start} → {end}（{effect.settings} 設定の平均）"


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
        return f"{step(effect)}: どの指標もまったく変わらない。" if known else ""
    moved = [metric(effect[m], effect[m].certain) for m in known if m not in same]
    rest = glued("、".join(METRICS[m].label for m in same), "は同じ")
    return f"{step(effect)}: {'、'.join([*moved, rest] if same else moved)}。"
