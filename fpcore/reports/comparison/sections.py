"""The sections of the report that show tables: each a function of the comparison, to Markdown.

The `compare` notebook shows the same text as `report.md`. A sample is a training conversation.
"""

import math
from collections.abc import Iterable
from typing import Literal

import pandas as pd

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.comparison import Comparison
from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.trade_off import in_words, trade_off
from fpcore.config.run_config import KNOBS
from fpcore.language import listed, passage, said, template
from fpcore.metric import METRICS
from fpcore.notation import DASH, Markdown, number, percent, percentage_points
from fpcore.reports import exponents, sentences
from fpcore.reports.comparison.section import section
from fpcore.reports.comparison.several import several

__all__ = [
    "alpha",
    "common",
    "conditions",
    "convergence",
    "effective_rank",
    "er_ppl",
    "perplexity",
    "summary",
]

# By what they are for; a knob without a group stands elsewhere.
GROUPS = {
    group: [name for name, knob in KNOBS.items() if knob.group == group]
    for group in dict.fromkeys(knob.group for knob in KNOBS.values() if knob.group)
}


@section(10, template("## 実験条件の違い"))
def conditions(c: Comparison) -> Markdown:
    """実験条件の違い: the knobs that differ."""
    t = c.conditions
    shown = pd.DataFrame(
        {
            said("パラメータ"): [notation.code(knob) for knob in t["knob"]],
            c.a.name: [notation.knob_value(v) for v in t["a"]],
            f"{c.b.name} ": [notation.knob_value(v) for v in t["b"]],
            said("変更"): [percent(v, 0, signed=True) for v in t["relative"]],
        }
    )
    found, hidden = factors.changed_factors(c.a, c.b), factors.unknown(c.a, c.b)
    parts: list[str] = [notation.table(shown, markdown=said("パラメータ"))] if len(shown) else []
    if hidden:
        names = listed(notation.code(knob) for knob in hidden)
        parts.append(said("片方の記録にしかない条件: {names}。", names=names))
    if not parts:
        return Markdown(said("2 つの実行の設定は同じである。"))
    parts += [several(c)] if len(found) > 1 else []
    return Markdown("\n\n".join(parts))


@section(20, template("**共通条件**:"))
def common(c: Comparison) -> Markdown:
    """共通条件: the knobs that both runs share, the architecture first."""
    sizes = ", ".join(map(str, c.samples))
    lines = [said("- サンプルサイズ（訓練に使う会話の数）: {sizes}", sizes=sizes)]
    if c.a.label and c.a.label == c.b.label:
        lines.insert(0, said("- アーキテクチャ: {label}", label=notation.escaped(c.a.label)))
    for group, knobs in GROUPS.items():
        same = [f"`{k}` {_value(c, k)}" for k in knobs if k in c.common]
        lines += [f"- {said(group)}: {listed(same)}"] if same else []
    return Markdown("\n".join(lines))


def _value(c: Comparison, knob: str) -> str:
    return notation.escaped(notation.knob_value(c.common[knob]))


@section(30, template("## 結果サマリー\n\n### 最終性能（{size} サンプル時）"))
def summary(c: Comparison) -> Markdown:
    """結果サマリー: the metrics at the largest common size."""
    rows = c.differences
    shown = pd.DataFrame(
        {
            said("指標"): [METRICS[d.metric].name for d in rows],
            c.a.name: _spreads(rows, "a"),
            f"{c.b.name} ": _spreads(rows, "b"),
            said("差分"): [
                notation.with_relative(d.metric, d.difference, d.relative) for d in rows
            ],
        }
    )
    known = shown[(shown[c.a.name] != DASH) | (shown[f"{c.b.name} "] != DASH)]
    note = said(
        "{n} サンプルでの値。ER は文脈の次元 D に対する比、α は比べた全サイズの"
        "もの、実行時間は全サイズの合計。",
        n=c.samples[-1],
    )
    gap = said("差分は {b} − {a}（{how}）。", a=c.a.name, b=c.b.name, how=_computed(c))
    note = passage(note, gap, sentences.certainty(c), *sentences.not_comparable(c))
    return Markdown(f"{notation.table(known)}\n\n{note}")


@section(40, template("## 詳細分析\n\n### 1. Effective Rank (ER) の変化"))
def effective_rank(c: Comparison) -> Markdown:
    """Section 1: Val ER by size."""
    found = c.by_size("val_er")
    shown = pd.DataFrame(
        {
            said("サンプル数"): [str(n) for n in found],
            f"{c.a.name} {METRICS['val_er'].name}": _spreads(found.values(), "a"),
            f"{c.b.name} {METRICS['val_er'].name} ": _spreads(found.values(), "b"),
            said("差分"): [percentage_points(d.difference) for d in found.values()],
        }
    )
    centred = c.by_size("val_er_centred").values()
    if not all(math.isnan(d.b - d.a) for d in centred):
        shown[said("中心化した Val ER（a → b）")] = [
            f"{percent(d.a)} → {percent(d.b)}" for d in centred
        ]
    subject = said("{b} の Val ER は {a} より、", a=c.a.name, b=c.b.name)
    told = sentences.direction(found, subject, said("高い"), said("低い"))
    gaps = sentences.spread((d.difference for d in found.values()), percentage_points)
    return _observed(notation.table(shown), c, "val_er", told, gaps)


@section(50, template("### 2. PPLの変化（全サンプルサイズ）"))
def perplexity(c: Comparison) -> Markdown:
    """Section 2: Val PPL by size, beside the unigram model's where it is known."""
    found = c.by_size("val_ppl")
    gaps = [notation.with_relative("val_ppl", d.difference, d.relative) for d in found.values()]
    shown = pd.DataFrame(
        {
            said("サンプル数"): [str(n) for n in found],
            f"{c.a.name} {METRICS['val_ppl'].name}": _spreads(found.values(), "a"),
            f"{c.b.name} {METRICS['val_ppl'].name} ": _spreads(found.values(), "b"),
            said("差分"): gaps,
        }
    )
    if c.unigram:
        shown["unigram"] = [number(c.unigram.get(n), 1) for n in found]
    subject = said("{b} の Val PPL は {a} より、", a=c.a.name, b=c.b.name)
    told = sentences.direction(found, subject, said("高い（悪い）"), said("低い（良い）"))
    relative = (d.relative for d in found.values())
    gap = sentences.spread(relative, lambda v: percent(v, signed=True))
    more = passage(sentences.unigram(c), sentences.combined_interval(c))
    return _observed(notation.table(shown), c, "val_ppl", told, gap, more=more)


@section(60, template("### 3. αスケーリングの変化"))
def alpha(c: Comparison) -> Markdown:
    """Section 3: α by window."""
    found = c.windows
    if all(math.isnan(d.a) and math.isnan(d.b) for d in found.values()):
        return Markdown(exponents.too_few())
    spans = [f"{first}–{last}" for first, last in found]
    names = [f"Window {i} ({span})" for i, span in enumerate(spans[:-1], 1)]
    shown = pd.DataFrame(
        {
            said("ウィンドウ"): [*names, said("**全体 α** ({span})", span=spans[-1])],
            f"{c.a.name} α": [number(d.a, 3) for d in found.values()],
            f"{c.b.name} α ": [number(d.b, 3) for d in found.values()],
            said("差分"): [number(d.difference, 3, signed=True) for d in found.values()],
        }
    )
    written = notation.table(shown, markdown=said("ウィンドウ"))
    return _observed(written, c, "alpha", exponents.alpha(c), more=exponents.intervals(c))


@section(70, template("### 4. Phase 1 収束の推移"))
def convergence(c: Comparison) -> Markdown:
    """Section 4: convergence rate and loss by iteration, at one size where both have a trace."""
    t = c.convergence
    if t.empty:
        return Markdown(said("推移の記録がない。"))
    size_a, size_b = c.trace_sizes
    usual = {size_a, size_b} <= {c.samples[-1]}
    titles = [
        record.name
        if usual or size is None
        else said("{run} ({samples} サンプル)", run=record.name, samples=size)
        for record, size in ((c.a, size_a), (c.b, size_b))
    ]
    shown = pd.DataFrame(
        {
            said("反復"): [number(v, 0) for v in t["iteration"]],
            said("{run} 収束率", run=titles[0]): [percent(v, 0) for v in t["a_rate"]],
            said("{run} 損失", run=titles[0]): [number(v, 4) for v in t["a_loss"]],
            said("{run} 収束率", run=titles[1]) + " ": [percent(v, 0) for v in t["b_rate"]],
            said("{run} 損失", run=titles[1]) + " ": [number(v, 4) for v in t["b_loss"]],
        }
    )
    return Markdown(f"{notation.table(shown)}\n\n{_seen(_trace_sentences(c, t))}")


@section(100, template("### ER-PPL相関"))
def er_ppl(c: Comparison) -> Markdown:
    """ER-PPL 相関: ER beside PPL of every record, at the largest common size."""
    t = c.er_ppl[c.er_ppl["samples"] == c.samples[-1]]
    shown = pd.DataFrame(
        {
            said("実験"): [
                said("{run} ({samples} サンプル)", run=row.run, samples=row.samples)
                for row in t.itertuples()
            ],
            METRICS["val_er"].name: [percent(v) for v in t["val_er"]],
            METRICS["val_ppl"].name: [number(v, 1) for v in t["val_ppl"]],
        }
    )
    return Markdown(f"{notation.table(shown)}\n\n{in_words(trade_off(c.records, c.samples))}")


def _computed(c: Comparison) -> str:
    """Say what differences are taken of: print gives rounded values."""
    printed = [record.name for record in (c.a, c.b) if record.source == "imported"]
    if not printed:
        return said("丸める前に計算")
    return said("{runs} は印刷された、丸めた値", runs=listed(printed))


def _spreads(found: Iterable[MetricDifference], side: Literal["a", "b"]) -> list[str]:
    """Return the means of one side with their standard deviations over seeds."""
    return [
        notation.with_spread(d.metric, d.a, d.a_spread)
        if side == "a"
        else notation.with_spread(d.metric, d.b, d.b_spread)
        for d in found
    ]


def _observed(table: str, c: Comparison, metric: str, *told: str, more: str = "") -> Markdown:
    """Put the observation below its table; what cannot be compared has none."""
    if metric in c.incomparable:
        told = (said("{why}。", why=c.incomparable[metric]),)
    return Markdown(f"{table}\n\n{_seen(passage(*told, more))}")


def _seen(told: str) -> str:
    return said("**観察**: {told}", told=told)


def _trace_sentences(c: Comparison, t: pd.DataFrame) -> str:
    """Say where each trace ends, and whether the two agree; or that they cannot be compared."""
    ends = []
    for side, name, size in zip("ab", (c.a.name, c.b.name), c.trace_sizes, strict=True):
        known = t.dropna(subset=[f"{side}_rate"])
        if len(known):
            last = known.iloc[-1]
            step, rate = f"{last['iteration']:.0f}", percent(last[f"{side}_rate"], 0)
            text = template("{run} は {samples} サンプルで、反復 {step} の収束率が {rate}。")
            ends.append(said(text, run=name, samples=size, step=step, rate=rate))
    if None not in c.trace_sizes and len(set(c.trace_sizes)) > 1:
        return passage(*ends, said("2 つの推移はサイズが違うので、互いに比べられない。"))
    same = factors.same_trace(c.a, c.b, c.trace_sizes[0])
    if same is None:
        return passage(*ends)
    shared = c.shared_iterations
    last_shared = shared[shared["samples"] == c.trace_sizes[0]]["iteration"].max()
    how = (
        template("両方にある反復（{last} まで）では、2 つの推移は完全に一致する。")
        if same
        else template("両方にある反復（{last} まで）では、2 つの推移は一致しない。")
    )
    return passage(*ends, said(how, last=last_shared))
