"""The Japanese report of a study: its tables, its figures, and the files that it is written to."""

import math
from pathlib import Path

import pandas as pd

from fpcore import notation
from fpcore.analysis.clipping import Clipping
from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.effects import Effect
from fpcore.analysis.study import Evidence
from fpcore.notation import METRICS, Markdown, metrics_where, number, percent
from fpcore.paths import reports
from fpcore.records.by_seed import moments, values
from fpcore.records.pairs import same_results
from fpcore.records.record import RunRecord
from fpcore.reports import figures, opening, sentences
from fpcore.reports.page import publish
from fpcore.reports.sentences import level
from fpcore.reports.study import answers, knobs

__all__ = [
    "answer",
    "by_size",
    "clipping",
    "differences",
    "effects",
    "gist",
    "next_steps",
    "question",
    "render",
    "results",
    "write",
]

SAID = {"up": "高い", "down": "低い", "same": "同じ", "tiny": "表示の桁では同じ"}
MEANS = "平均 ± シード間の標準偏差（PPL の平均は幾何平均）"


def question(e: Evidence) -> Markdown:
    """問い: what the study asks, and what it varies."""
    grid = "、".join(
        f"`{k}` {{{notation.escaped(notation.knob_value(v))}}}" for k, v in e.study.grid.items()
    )
    also = "".join(
        f"\n- 加えて: {'、'.join(f'`{k}` {notation.escaped(str(v))}' for k, v in knobs.items())}"
        for knobs in e.study.also
    )
    sizes, label = ", ".join(map(str, e.base.sizes)), notation.escaped(str(e.base.label))
    return Markdown(
        f"{notation.escaped(e.study.question)}\n\n- 変える条件: {grid}{also}\n"
        f"- 基準: `{e.base.name}`（{label}、サンプル {sizes}、シード n={e.seeds}、"
        f"エポックの選択は {notation.code(e.base.config['select_on'])}）"
    )


def gist(e: Evidence) -> Markdown:
    """要点: what was varied, the answer, and what to try next."""
    grid = "、".join(
        f"`{k}` {{{notation.escaped(notation.knob_value(v))}}}" for k, v in e.study.grid.items()
    )
    sizes = notation.sizes(e.base.sizes)
    what = f"{grid} を基準 `{e.base.name}` と比べた（{sizes}、シード n={e.seeds}）"
    return opening.three_lines("変えたこと", what, answers.in_short(e), answers.first_step(e))


def answer(e: Evidence) -> Markdown:
    """答え: the sentences of `answers`."""
    return Markdown("\n".join(f"- {line}" for line in answers.answer(e)))


def results(e: Evidence) -> Markdown:
    """結果: every run at the largest size, mean ± standard deviation over seeds."""
    rows = []
    for record, label in _distinct(e):
        means = e.means(record)
        cells = {METRICS[m].label: notation.with_spread(m, *means[m]) for m in e.metrics}
        done = {"n": str(record.seeds), "P1 反復": _iterations(record, e.samples)}
        rows.append({"設定": label} | done | cells)
    note = f"{e.samples} サンプルでの{MEANS}。ER は文脈の次元 D に対する比。"
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def by_size(e: Evidence) -> Markdown:
    """サイズごとの Val PPL, and what may be said of its difference to the base at each size."""
    rows = []
    for record, label in _distinct(e):
        found = values(record, "val_ppl")
        own = e.comparisons[record.name].by_size("val_ppl") if record is not e.base else {}
        cells = {
            f"{n} サンプル": notation.with_spread("val_ppl", *moments("val_ppl", found[n]))
            + (f"（{_verdict(own[n])}）" if n in own else "")
            for n in sorted(found)
        }
        rows.append({"設定": label} | cells)
    note = (
        f"{MEANS}。括弧内は基準との差で、{level(e.level)} 区間が 0 を含まないときだけ方向を言う。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def _verdict(d: MetricDifference) -> str:
    """Say how a difference may be read, with its size where it has a direction."""
    if d.certain not in SAID:
        small = f"差は {sentences.below(d.metric)}"
        return "比べられない" if d.certain == "unknown" else small if d.negligible else "言えない"
    word = SAID[d.certain] + ("、小さい" if d.small else "")
    return f"{sentences.gap(d)}、{word}" if d.told else word


def differences(e: Evidence) -> Markdown:
    """基準との差: differences at the largest size, intervals, and what may be said."""
    shown = metrics_where(lambda m: m.headline)
    rows = [
        {"設定": label}
        | {f"{METRICS[m].label} の差": sentences.with_interval(c[m]) for m in shown}
        | {"Val PPL": _verdict(c["val_ppl"])}
        for record, label in _distinct(e)
        if record is not e.base
        for c in [e.comparisons[record.name]]
    ]
    if not rows:
        return Markdown("どの設定も、結果が基準とすべて同じである。")
    note = (
        f"{e.samples} サンプルでの、基準との対（同じシード）の差。[ ] は {level(e.level)} 区間で、"
        "Val PPL ではシードと検証会話、ほかの指標ではシードによる。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def effects(e: Evidence) -> Markdown:
    """条件の効果, the mean over the settings of the other knobs, and interactions."""
    if not e.effects:
        return Markdown("条件が 1 つの格子なので、効果は基準との差そのものである。")
    rows = [row for effect in e.effects for row in _effect_rows(effect)]
    note = (
        "効果は、ほかの条件の設定で平均した差（後の値 − 前の値）。交互作用は効果の差で、"
        "Val PPL では比の比。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows), '効果')}\n\n{note}")


def _effect_rows(effect: Effect) -> list[dict[str, str]]:
    """Return a row for each metric that an effect may move, and one for those that it does not."""
    same = knobs.unmoved(effect)
    rows = [
        {
            "効果": knobs.step(effect),
            "指標": METRICS[m].label,
            "差": sentences.with_interval(effect[m]),
            "": _verdict(effect[m]),
        }
        for m in effect.differences
        if m not in same
    ]
    if same:
        named = "、".join(METRICS[m].label for m in same) if rows else "すべての指標"
        rows.append({"効果": knobs.step(effect), "指標": named, "差": "0", "": "同じ"})
    return rows


def clipping(e: Evidence) -> Markdown:
    """勾配ノルムとクリップ, of every run with a phase 1 over all iterations, seeds and sizes."""
    rows = [
        {
            "設定": e.label(e.record(own.run)),
            "gradient_clip": f"{own.clip:g}",
            "phase1_lr": f"{own.lr:g}",
            "勾配ノルム（中央値）": number(own.norm, 4),
            "最小–最大": _span(own),
            "クリップされた更新": percent(own.clipped, 1),
            "勾配の平均倍率": number(own.scale, 3),
        }
        for own in e.clipping
    ]
    return notation.table(pd.DataFrame(rows))


def next_steps(e: Evidence) -> Markdown:
    """次に試すこと."""
    return Markdown("\n".join(f"- {line}" for line in answers.next_steps(e)))


def render(e: Evidence) -> Markdown:
    """Return the whole report as Markdown; the figure is linked by file name."""
    records = "、".join(f"`{r.name}`" for r in e.records)
    parts = [
        f"# {notation.escaped(e.study.title)}",
        f"## {opening.HEADING}\n\n{gist(e)}",
        "## 問い",
        question(e),
        f"## 答え\n\n{answer(e)}",
        "![結果の図](study.png)",
        f"## 結果\n\n{results(e)}",
        f"### サイズごとの Val PPL\n\n{by_size(e)}",
        f"## 基準との差\n\n{differences(e)}",
        *([] if not e.effects else [f"## 条件の効果\n\n{effects(e)}"]),
        f"## 勾配ノルムとクリップ\n\n{clipping(e)}",
        f"## 次に試すこと\n\n{next_steps(e)}",
        f"## 検証\n\n{e.checks.listed()}",
        f"## 記録\n\n`reports/runs/` の {records}。",
    ]
    return Markdown("\n\n".join(parts) + "\n")


def write(e: Evidence) -> Path:
    """Write `report.md`, its figure and `report.html` to `reports/studies/<name>/`.

    Returns the path of `report.md`.
    """
    target = reports() / "studies" / e.study.name
    return publish(target, render(e), {"study": lambda: figures.study(e.frame, figures.panels(3))})


def _distinct(e: Evidence) -> list[tuple[RunRecord, str]]:
    """Return each run once, with the names of those whose every figure is the same."""
    groups: list[list[RunRecord]] = []
    for record in e.records:
        alike = [group for group in groups if same_results(group[0], record)]
        if alike:
            alike[0].append(record)
        else:
            groups.append([record])
    return [
        (e.base if any(r is e.base for r in group) else group[0], "、".join(map(e.label, group)))
        for group in groups
    ]


def _span(own: Clipping) -> str:
    if math.isinf(own.most):
        return notation.DASH
    return f"{number(own.least, 4)}–{number(own.most, 4)}"


def _iterations(record: RunRecord, samples: int) -> str:
    """Return the iterations of phase 1 at a size, over seeds."""
    own = {r.phase1_iterations for r in record.at(samples)}
    known = sorted(n for n in own if n is not None)
    return "–".join(map(str, dict.fromkeys((known[0], known[-1])))) if known else notation.DASH
