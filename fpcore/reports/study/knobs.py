"""What a study says of its knobs: the best values of the numeric ones, and their effects."""

from collections.abc import Mapping
from typing import Any

from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.effects import Effect
from fpcore.analysis.study import Evidence
from fpcore.notation import escaped, glued, knob_value
from fpcore.reports import sentences
from fpcore.reports.sentences import metric

# A clip is no dose: what it does depends on where it begins to act, which `clips` says.
OWN_SENTENCES = ("gradient_clip",)


def best_values(e: Evidence) -> str:
    """Say of each numeric knob of the grid whether a value is better than the base's."""
    knobs = [k for k, tried in e.study.grid.items() if k not in OWN_SENTENCES and _numeric(tried)]
    return "".join(_best_value(e, knob) for knob in knobs)


def _numeric(tried: list[Any]) -> bool:
    return len(tried) > 1 and all(type(value) in (int, float) for value in tried)


def _best_value(e: Evidence, knob: str) -> str:
    found, settings = _against_base(e, knob)
    told = {v: d for v, d in found.items() if d.certain != "unknown"}
    if not told:
        return ""
    own = knob_value(e.base.config[knob])
    mean = f"{settings} 設定の平均、" if settings > 1 else ""
    values = "、".join(f"{knob_value(v)} は {sentences.said(d)}" for v, d in told.items())
    return f"`{knob}` は {own} と比べて（{mean}Val PPL）: {values}。{_conclusion(own, told)}"


def _against_base(e: Evidence, knob: str) -> tuple[dict[Any, MetricDifference], int]:
    """Return by value the difference of Val PPL to the base's value, and over how many settings."""
    steps = [effect for effect in e.effects if effect.of == knob]
    if steps:
        return {s.end: s["val_ppl"] for s in steps}, max(s.settings for s in steps)
    alone = {
        r.config[knob]: e.comparisons[r.name]["val_ppl"]
        for r in e.varied
        if r not in e.outside and r.config[knob] != e.base.config[knob]
    }
    return dict(sorted(alone.items())), 1


def _conclusion(own: str, told: Mapping[Any, MetricDifference]) -> str:
    """Say which values are better than the base's, or that none is known to be."""
    better = {v: d for v, d in told.items() if d.certain == "down"}
    large = [knob_value(v) for v, d in better.items() if not d.small]
    if large:
        lowest = knob_value(min(better, key=lambda v: better[v].relative))
        named = f"{glued('、'.join(large), 'は')} {own} よりよいと言える"
        return f"{named}（最も低いのは {lowest}）。" if len(large) > 1 else f"{named}。"
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


def _effect(effect: Effect) -> str:
    """Say of one effect which metrics it moves; every one is named once."""
    known = [d for m in effect.differences if (d := effect[m]).direction != "unknown"]
    if all(d.direction == "same" for d in known):
        return f"{step(effect)}: どの指標もまったく変わらない。" if known else ""
    return f"{step(effect)}: {'、'.join(metric(d, d.certain) for d in known)}。"
