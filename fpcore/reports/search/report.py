"""The report of a search: the point first, then the best, luck, knobs and all trials."""

from pathlib import Path

import pandas as pd

from fpcore import notation
from fpcore.analysis.search import SearchEvidence
from fpcore.language import listed, said, template
from fpcore.notation import DASH, Markdown, number, percent
from fpcore.paths import report
from fpcore.records.searches import SearchTrial
from fpcore.reports import figures, opening
from fpcore.reports.page import publish
from fpcore.reports.search import answers
from fpcore.reports.search.answers import answer, gist
from fpcore.reports.search.written import (
    all_knobs,
    exponential,
    lower_by,
    perplexity,
    short,
    verdict,
)
from fpcore.reports.sentences import level

__all__ = [
    "answer",
    "best",
    "gist",
    "knobs",
    "luck",
    "question",
    "render",
    "trials",
    "write",
]

STATES = {
    "complete": template("最後まで"),
    "pruned": template("打ち切り"),
    "failed": template("発散"),
}


def question(e: SearchEvidence) -> Markdown:
    """問い: what the search asks, and what it varies."""
    ranges = listed(
        f"`{knob}` {kind} {notation.escaped(notation.knob_value(own))}"
        for knob, given in e.search.ranges.items()
        for kind, own in given.items()
    )
    counts = {word: sum(t.state == s for t in e.record.trials) for s, word in STATES.items()}
    trials = said(
        "- 試行: {n}（{counts}）、合計 {minutes} 分。選択は開発テキストだけ",
        n=len(e.record.trials),
        counts=listed(f"{said(word)} {n}" for word, n in counts.items() if n),
        minutes=number(sum(t.seconds for t in e.record.trials) / 60, 1),
    )
    asked = said("**問い**: {question}", question=notation.escaped(e.search.question))
    return Markdown("\n".join([asked, "", said("- 範囲: {ranges}", ranges=ranges), trials]))


def best(e: SearchEvidence) -> Markdown:
    """上位: the best again with fresh seeds, against the base."""
    base = said("{name}（基準）", name=e.record.base.number)
    cells = [(e.record.base, base, DASH)]
    for trial in e.chosen:
        cells.append((trial, str(trial.number), verdict(e.against_base(trial)["val_ppl"])))
    rows = [
        {said("試行"): name} | _figures(e, trial) | {said("基準との差"): told}
        for trial, name, told in cells
    ]
    note = said(
        "新しいシードは {seeds}。± はシード間の標準偏差。差の [ ] は、この報告の比較すべてで"
        "同時に成り立つ {level} 区間。",
        seeds=notation.knob_value(e.search.seeds), level=level(e.level),
    )  # fmt: skip
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def _figures(e: SearchEvidence, trial: SearchTrial) -> dict[str, str]:
    same = trial.result.val_ppl if trial.result else None
    return {
        said("つまみ"): all_knobs(trial),
        said("開発 PPL"): exponential(trial.loss),
        said("同じ実行の Val PPL"): number(same, 1),
        said("新しいシードの Val PPL"): perplexity(e.best[trial.number]),
    }


def luck(e: SearchEvidence) -> Markdown:
    """選択の運: the gain over the base on development, and what of it came back."""
    if not e.chosen:
        return Markdown(said(answers.NO_BEST))
    if e.cut_short:
        return Markdown(answers.refusal(e))
    gains = {str(trial.number): e.gain(trial) for trial in e.chosen}
    rows = [
        {
            said("試行"): name,
            said("開発での利得"): lower_by(gain.chosen_on),
            said("同じ実行の検証"): lower_by(gain.same_run),
            said("新しいシードの検証"): lower_by(gain.fresh),
            said("選択の運"): lower_by(gain.luck),
        }
        for name, gain in gains.items()
    ]
    note = said(
        "利得は基準より PPL が下がった割合。選択の運は、開発での利得のうち、新しいシードの検証に"
        "残らなかった分。多くの試行から 1 つを選べば、開発での利得は真の差より大きく見える。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def knobs(e: SearchEvidence) -> Markdown:
    """つまみの重要度."""
    if not e.importance:
        return Markdown(said("最後まで訓練した試行が少なく、言えない。"))
    rows = [
        {
            said("つまみ"): knob,
            said("重要度"): percent(share, 0),
            said("最良の値"): short(e.chosen[0].knobs[knob]),
        }
        for knob, share in e.importance.items()
        if e.chosen
    ]
    note = said(
        "PED-ANOVA: 上位の試行とそのほかで値の分布がどれだけ違うか、合計 100%。"
        "試行が少ないので目安である。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def trials(e: SearchEvidence) -> Markdown:
    """すべての試行."""
    rows = [
        {
            said("試行"): str(t.number),
            "": said(STATES[t.state]),
            said("開発 PPL"): exponential(
                t.loss if t.loss is not None else min(t.losses.values(), default=None)
            ),
            said("エポック"): str(max(t.losses, default=0)),
            said("秒"): number(t.seconds, 0),
            said("つまみ"): all_knobs(t),
        }
        for t in e.record.trials
    ]
    return notation.table(pd.DataFrame(rows))


def render(e: SearchEvidence) -> Markdown:
    """Return the whole report as Markdown; the figure is linked by file name."""
    parts = [
        f"# {notation.escaped(e.search.title)}",
        opening.heading(), answers.gist(e),
        question(e),
        said("## 答え"), answers.answer(e),
        f"![{said('試行と最良')}](search.png)",
        said("## 上位を新しいシードで"), best(e),
        said("## 選択の運"), luck(e),
        said("## つまみの重要度"), knobs(e),
        said("## すべての試行"), trials(e),
        *([said("## 検証"), e.checks.listed()] if e.chosen else []),
        said("## 記録"), _kept(e),
    ]  # fmt: skip
    return Markdown("\n\n".join(parts) + "\n")


def _kept(e: SearchEvidence) -> str:
    return said(
        "`reports/searches/{name}/` の `trials.json`（試行）と `trial<番号>.json`"
        "（上位の再訓練）。",
        name=e.record.name,
    )


def write(e: SearchEvidence) -> Path:
    """Write `report.md`, its figure and `report.html` to `reports/searches/<name>/`.

    Returns the path of `report.md`.
    """
    target = report(f"searches/{e.record.name}")
    return publish(target, render(e), {"search": lambda: figures.search(e.record, figures.axes())})
