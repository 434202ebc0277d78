"""The report of a study: its tables, its figures, and the files that it is written to."""

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from fpcore import notation
from fpcore.analysis.clipping import Clipping
from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.effects import Effect
from fpcore.analysis.study import Evidence
from fpcore.language import listed, said, template
from fpcore.metric import METRICS, metrics_where
from fpcore.notation import Markdown, number, percent
from fpcore.paths import report
from fpcore.records.by_seed import moments, values
from fpcore.records.pairs import same_results
from fpcore.records.record import RunRecord
from fpcore.reports import figures, opening, sentences
from fpcore.reports.page import publish
from fpcore.reports.sentences import level
from fpcore.reports.study import answers, following, knobs

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

SAID = {
    "up": template("高い"),
    "down": template("低い"),
    "same": template("同じ"),
    "tiny": template("表示の桁では同じ"),
}


def question(e: Evidence) -> Markdown:
    """問い: what the study asks, and what it varies."""
    base = said(
        "- 基準: `{base}`（{label}、サンプル {sizes}、シード n={n}、エポックの選択は {select}）",
        base=e.base.name,
        label=notation.escaped(str(e.base.label)),
        sizes=", ".join(map(str, e.base.sizes)),
        n=e.seeds,
        select=notation.code(e.base.config["select_on"]),
    )
    lines = [said("- 変える条件: {grid}", grid=_grid(e)), *map(_also, e.study.also), base]
    return Markdown("\n".join([notation.escaped(e.study.question), "", *lines]))


def _grid(e: Evidence) -> str:
    """Name the varied knobs and their values."""
    own = {k: notation.escaped(notation.knob_value(v)) for k, v in e.study.grid.items()}
    return listed(f"`{knob}` {{{values}}}" for knob, values in own.items())


def _also(knobs: Mapping[str, object]) -> str:
    own = listed(f"`{k}` {notation.escaped(str(v))}" for k, v in knobs.items())
    return said("- 加えて: {knobs}", knobs=own)


def gist(e: Evidence) -> Markdown:
    """要点: what was varied, the answer, and what to try next."""
    what = said(
        "{grid} を基準 `{base}` と比べた（{sizes}、シード n={n}）",
        grid=_grid(e), base=e.base.name, sizes=notation.sizes(e.base.sizes), n=e.seeds,
    )  # fmt: skip
    return opening.three_lines(
        said("変えたこと"), what, answers.in_short(e), following.first_step(e)
    )


def answer(e: Evidence) -> Markdown:
    """答え: the sentences of `answers`."""
    return Markdown("\n".join(f"- {line}" for line in answers.answer(e)))


def results(e: Evidence) -> Markdown:
    """結果: every run at the largest size, mean ± standard deviation over seeds."""
    rows = []
    for record, label in _distinct(e):
        means = e.means(record)
        cells = {METRICS[m].name: notation.with_spread(m, *means[m]) for m in e.metrics}
        done = {"n": str(record.seeds), said("P1 反復"): _iterations(record, e.samples)}
        rows.append({said("設定"): label} | done | cells)
    note = said(
        "{n} サンプルでの平均 ± シード間の標準偏差（PPL の平均は幾何平均）。"
        "ER は文脈の次元 D に対する比。",
        n=e.samples,
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def by_size(e: Evidence) -> Markdown:
    """サイズごとの Val PPL, and what may be said of its difference to the base at each size."""
    rows = []
    for record, label in _distinct(e):
        found = values(record, "val_ppl")
        own = e.comparisons[record.name].by_size("val_ppl") if record is not e.base else {}
        cells = {
            notation.sizes([n]): _cell(moments("val_ppl", found[n]), own.get(n))
            for n in sorted(found)
        }
        rows.append({said("設定"): label} | cells)
    note = said(
        "平均 ± シード間の標準偏差（PPL の平均は幾何平均）。括弧内は基準との差で、"
        "{level} 区間が 0 を含まないときだけ方向を言う。",
        level=level(e.level),
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def _cell(ppl: tuple[float, float], beside: MetricDifference | None) -> str:
    """Give a Val PPL with its spread, and what may be said of its difference to the base."""
    shown = notation.with_spread("val_ppl", *ppl)
    return (
        shown if beside is None else said("{ppl}（{verdict}）", ppl=shown, verdict=_verdict(beside))
    )


def _verdict(d: MetricDifference) -> str:
    """Say how a difference may be read, with its size where it has a direction."""
    if d.certain not in SAID:
        if d.certain == "unknown":
            return said("比べられない")
        small = said("差は {margin}", margin=sentences.below(d.metric))
        return small if d.negligible else said("言えない")
    word = said(SAID[d.certain])
    return listed([sentences.gap(d) if d.told else "", word, said("小さい") if d.small else ""])


def differences(e: Evidence) -> Markdown:
    """基準との差: differences at the largest size, intervals, and what may be said."""
    shown = metrics_where(lambda m: m.headline)
    rows = [
        {said("設定"): label}
        | {said("{label} の差", label=METRICS[m].name): sentences.with_interval(c[m])
           for m in shown}
        | {METRICS["val_ppl"].name: _verdict(c["val_ppl"])}
        for record, label in _distinct(e)
        if record is not e.base
        for c in [e.comparisons[record.name]]
    ]  # fmt: skip
    if not rows:
        return Markdown(said("どの設定も、結果が基準とすべて同じである。"))
    text = (
        template(
            "{n} サンプルでの、基準との対（同じシード）の差。[ ] は {level} 区間で、"
            "Val PPL ではシードと検証会話、ほかの指標ではシードによる。"
        )
        if e.over_text
        else template(
            "{n} サンプルでの、基準との対（同じシード）の差。[ ] は {level} 区間で、"
            "会話ごとの損失の和を知らない記録があり、その Val PPL でもシードだけによる。"
        )
    )
    note = said(text, n=e.samples, level=level(e.level))
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def effects(e: Evidence) -> Markdown:
    """条件の効果, the mean over the settings of the other knobs, and interactions."""
    if not e.effects:
        return Markdown(said("条件が 1 つの格子なので、効果は基準との差そのものである。"))
    rows = [row for effect in e.effects for row in _effect_rows(effect)]
    note = said(
        "効果は、ほかの条件の設定で平均した差（後の値 − 前の値）。交互作用は効果の差で、"
        "Val PPL では比の比。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows), said('効果'))}\n\n{note}")


def _effect_rows(effect: Effect) -> list[dict[str, str]]:
    """Return a row for each metric that an effect may move, and one for those that it does not."""
    same = knobs.unmoved(effect)
    cells = [
        (METRICS[m].name, sentences.with_interval(effect[m]), _verdict(effect[m]))
        for m in effect.differences
        if m not in same
    ]
    if same:
        labels = listed(METRICS[m].name for m in same) if cells else said("すべての指標")
        cells.append((labels, "0", said("同じ")))
    heads = [said("効果"), said("指標"), said("差"), ""]
    return [dict(zip(heads, (knobs.step(effect), *own), strict=True)) for own in cells]


def clipping(e: Evidence) -> Markdown:
    """勾配ノルムとクリップ, of every run with a phase 1 over all iterations, seeds and sizes."""
    rows = [
        {
            said("設定"): e.label(e.record(own.run)),
            "gradient_clip": f"{own.clip:g}",
            "phase1_lr": f"{own.lr:g}",
            said("勾配ノルム（中央値）"): number(own.norm, 4),
            said("最小–最大"): _span(own),
            said("クリップされた更新"): percent(own.clipped, 1),
            said("勾配の平均倍率"): number(own.scale, 3),
        }
        for own in e.clipping
    ]
    return notation.table(pd.DataFrame(rows))


def next_steps(e: Evidence) -> Markdown:
    """次に試すこと."""
    return Markdown("\n".join(f"- {line}" for line in following.next_steps(e)))


def render(e: Evidence) -> Markdown:
    """Return the whole report as Markdown; the figure is linked by file name."""
    records = listed(f"`{r.name}`" for r in e.records)
    parts = [
        f"# {notation.escaped(e.study.title)}",
        opening.heading(), gist(e),
        said("## 問い"), question(e),
        said("## 答え"), answer(e),
        f"![{said('結果の図')}](study.png)",
        said("## 結果"), results(e),
        said("### サイズごとの Val PPL"), by_size(e),
        said("## 基準との差"), differences(e),
        *([said("## 条件の効果"), effects(e)] if e.effects else []),
        said("## 勾配ノルムとクリップ"), clipping(e),
        said("## 次に試すこと"), next_steps(e),
        said("## 検証"), e.checks.listed(),
        said("## 記録"), said("`reports/runs/` の {records}。", records=records),
    ]  # fmt: skip
    return Markdown("\n\n".join(parts) + "\n")


def write(e: Evidence) -> Path:
    """Write `report.md`, its figure and `report.html` to `reports/studies/<name>/`.

    Returns the path of `report.md`.
    """
    target = report(f"studies/{e.study.name}")
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
        (e.base if any(r is e.base for r in group) else group[0], listed(map(e.label, group)))
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
