"""What each changed condition did, as far as that can be told."""

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.checks.of_records import environment_differences
from fpcore.analysis.comparison import SUMMARY, Comparison, compare_runs
from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.factors import Factor
from fpcore.language import listed, said, template
from fpcore.metric import METRICS
from fpcore.notation import Markdown, counted, number
from fpcore.reports import sentences
from fpcore.reports.comparison.section import section

__all__ = ["influence"]

# What a change may be for the better or the worse in; what speaks for a difference of the runs.
BETTER = {m: METRICS[m].better for m in SUMMARY if METRICS[m].better}
UNKNOWN = template("片方の記録にしかない条件がある（{names}）ので、影響は分けられない。")
NOT_ALONE = template(
    "片方の記録にしかない条件がある（{names}）ので、この変更だけの影響は分けられない。"
)
TELLING = [m for m in SUMMARY if m != "seconds"]


@section(80, template("## パラメータ変更の影響分析"))
def influence(c: Comparison) -> Markdown:
    """パラメータ変更の影響分析: a part for each changed factor, as far as that can be told."""
    found = factors.changed_factors(c.a, c.b)
    hidden = factors.unknown(c.a, c.b)
    if not found:
        return Markdown(_hidden(UNKNOWN, hidden) or said("変えた条件がないので、影響もない。"))
    parts = [f"### {i}. {_change(c, f)}\n\n{_of(c, f)}" for i, f in enumerate(found, 1)]
    if len(alive_in(c)) > 1:
        together = said("### {n}の変更を合わせた差", n=counted(len(alive_in(c))))
        parts.append(f"{together}\n\n{_effects(c)}")
    return Markdown("\n\n".join(parts))


def _hidden(text: str, knobs: list[str]) -> str:
    """Say what conditions that are recorded of a single run hide; nothing where there are none."""
    shown = listed(f"`{k}`" for k in knobs[:5])
    names = said("{names} など", names=shown) if len(knobs) > 5 else shown
    return said(text, names=names) if knobs else ""


def named(factor: Factor) -> str:
    return listed(f"`{knob}`" for knob in factor)


def _change(c: Comparison, factor: Factor) -> str:
    """Return the heading of a changed factor."""
    pairs = [(c.a.config[knob], c.b.config[knob]) for knob in factor]
    text, (x, y) = template("{factor} の変更（{values}）の影響"), pairs[0]
    if len(pairs) == 1 and all(isinstance(v, int | float) for v in (x, y)) and type(x) is not bool:
        more = template("{factor} の増加（{values}）の影響")
        text = more if y > x else template("{factor} の減少（{values}）の影響")
    values = listed(f"{_value(x)}→{_value(y)}" for x, y in pairs)
    return said(text, factor=named(factor), values=values)


def _value(value: object) -> str:
    return notation.escaped(notation.knob_value(value))


def alive_in(c: Comparison) -> list[Factor]:
    return factors.alive(c.a, c.b, c.others)


def _of(c: Comparison, factor: Factor) -> str:
    """Say what one change did, or why that cannot be told."""
    alive, hidden = alive_in(c), factors.unknown(c.a, c.b)
    if factor not in alive:
        return _without_effect(c, factor)
    if set(factor) <= factors.MEASURING_KNOBS:
        return said("測り方の違いなので、ほかの差と分けて読めない。")
    if hidden:
        return f"{_hidden(NOT_ALONE, hidden)}\n\n{_effects(c)}"
    if alive == [factor]:
        return f"{_alone(c)}\n\n{_effects(c)}"
    alone = factors.single(c.a, c.b, factor, c.others)
    if alone is not None:
        only = compare_runs(c.whole[0], alone)
        head = said("この条件だけを変えた {alone} と {a} の差:", alone=alone.name, a=c.a.name)
        return f"{head}\n\n{_effects(only)}"
    return said(
        "{n}の条件を同時に変えたので、この変更だけの影響は分けられない。"
        "1 つだけ変えた実行が要る（今後の検討）。",
        n=counted(len(alive)),
    )


def _alone(c: Comparison) -> str:
    """Say that the differences come from a single change, as far as the environment allows it."""
    others = len(factors.changed_factors(c.a, c.b)) > 1
    text = (
        template("効いた条件はほかにないので、次の差はこの変更によると読める{apart}。")
        if others
        else template("変えた条件はこれだけなので、次の差はこの変更によると読める{apart}。")
    )
    found = elsewhere(c)
    apart = said("（環境の違いを除けば: {found}）", found=listed(found)) if found else ""
    return said(text, apart=apart)


def _without_effect(c: Comparison, factor: Factor) -> str:
    norm = factors.never_clipped(c.a, c.b)
    if factor == ("gradient_clip",) and norm is not None:
        text = template("勾配ノルムは最大 {norm} で、どちらのクリップも一度も働かない。")
        why = said(text, norm=number(norm, 4))
    elif factors.same_trace(c.a, c.b) and set(factor) <= factors.TRACED_KNOBS:
        text = template("両方にある {n} 反復で、収束率も損失も完全に一致する。")
        why = said(text, n=len(c.shared_iterations))
    else:
        why = said("これだけを変えても、結果がすべて同じである。")
    names = {"a": c.a.name, "b": c.b.name}
    return said("効いていない: {why}{a} と {b} の差はこの条件によらない。", why=why, **names)


def _effects(c: Comparison) -> str:
    """List the metrics that moved for the better, for the worse, and those that cannot be told."""
    found = [d for d in c.differences if d.metric in BETTER]
    moved = [(_sign(d) * BETTER[d.metric], d) for d in found if d.told]
    groups = {
        template("メリット"): [_moved(d) for sign, d in moved if sign > 0],
        template("デメリット"): [_moved(d) for sign, d in moved if sign < 0],
        sentences.UNCLEAR: _labels(found, "unclear"),
        sentences.TINY: _labels(found, "tiny"),
        template("同じ"): _labels(found, "same"),
        template("比べられない"): [
            METRICS[d.metric].name
            for d in found
            if d.metric in c.incomparable and d.metric in TELLING
        ],
    }
    parts = []
    for group, found_there in groups.items():
        head = said("**{group}（{n} サンプル）**:", group=said(group), n=c.samples[-1])
        items = "\n".join(f"- {x}" for x in found_there)
        parts += [f"{head}\n\n{items}"] if found_there else []
    return "\n\n".join(parts)


def elsewhere(c: Comparison) -> list[str]:
    """Return what differs of the environments of the two runs, where both know theirs."""
    known = c.a.environment and c.b.environment
    return environment_differences(c.a, c.b) if known else []


def _sign(d: MetricDifference) -> int:
    return 1 if d.direction == "up" else -1


def _labels(found: list[MetricDifference], direction: str) -> list[str]:
    return [METRICS[d.metric].name for d in found if d.direction == direction]


def _moved(d: MetricDifference) -> str:
    facts = METRICS[d.metric]
    word = said(facts.moved[0 if d.direction == "up" else 1])
    a, b = (notation.metric(d.metric, value) for value in (d.a, d.b))
    gap = notation.with_relative(d.metric, d.difference, d.relative)
    gap = gap.replace(" (", said("、")).removesuffix(")")
    gap = listed([gap, said(sentences.SMALL) if d.small else ""])
    return said("{label!g}が{word}: {a} → {b}（{gap}）",
                label=facts.name, word=word, a=a, b=b, gap=gap)  # fmt: skip
