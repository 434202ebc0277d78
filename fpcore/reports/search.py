"""The report of a search: the point first, then the best, luck, knobs and all trials."""

import math
from pathlib import Path

import pandas as pd

from fpcore import notation
from fpcore.analysis.contrasts import HUGE
from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.search import SearchEvidence
from fpcore.language import listed, passage, said, template
from fpcore.notation import DASH, Markdown, number, percent
from fpcore.paths import report
from fpcore.records.by_seed import moments, values
from fpcore.records.record import RunRecord
from fpcore.records.searches import SearchTrial
from fpcore.reports import figures, opening, sentences
from fpcore.reports.page import publish
from fpcore.reports.sentences import level

SAID = {
    "up": template("高い（悪い）"),
    "down": template("低い（良い）"),
    "same": template("同じ"),
    "tiny": template("表示の桁では同じ"),
}
STATES = {
    "complete": template("最後まで"),
    "pruned": template("打ち切り"),
    "failed": template("発散"),
}
LONGER = template("`trials` か `seconds` を増やして続ける。")
ADOPT = template("最良のつまみを新しい基準にして、ほかのサイズでも確かめる。")
MORE = template("`seeds` を増やして上位を比べるか、`ranges` を広げて続ける。")
NO_BEST = template("基準のほかに最後まで訓練した試行がない。")


def gist(e: SearchEvidence) -> Markdown:
    """要点: what was searched, what the best is worth, and what to do next."""
    what = said(
        "`{base}` の {n} つまみを、開発テキストで選びながら {trials} 試行した",
        base=e.search.base,
        n=len(e.search.ranges),
        trials=len(e.record.trials),
    )
    if not e.chosen:
        return opening.three_lines(said("探したもの"), what, said(NO_BEST), said(LONGER))
    told = passage(_of_best(e), *(_beside(e, other) for other in e.beside[:1]))
    better = e.against_base(e.chosen[0])["val_ppl"].certain == "down"
    return opening.three_lines(said("探したもの"), what, told, said(ADOPT if better else MORE))


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


def answer(e: SearchEvidence) -> Markdown:
    """答え: what the best is worth, against the base and others, what was luck, what mattered."""
    if not e.chosen:
        return Markdown(f"- {said(NO_BEST)}")
    lines = [_of_best(e), *(_beside(e, other) for other in e.beside), _of_luck(e), _of_knobs(e)]
    return Markdown("\n".join(f"- {line}" for line in lines))


def _of_best(e: SearchEvidence) -> str:
    best = e.chosen[0]
    return said(
        "開発テキストで最良の試行 {trial}（{knobs}）の Val PPL は、新しいシード n={n} で {ppl}、"
        "基準は {base}: {verdict}。",
        trial=best.number, knobs=_knobs(e, best), n=len(e.search.seeds),
        ppl=_ppl(e.best[best.number]), base=_ppl(e.base),
        verdict=_verdict(e.against_base(best)["val_ppl"]),
    )  # fmt: skip


def _beside(e: SearchEvidence, other: RunRecord) -> str:
    """Say how the best trial stands to another model: in perplexity, or in bits per byte."""
    c = e.against(other)
    name = "bits_per_byte" if "val_ppl" in c.incomparable else "val_ppl"
    if name in c.incomparable:
        text = template("`{run}` とは比べられない（{why}）。")
        return said(text, run=other.name, why=c.incomparable[name])
    text = (
        template(
            "`{run}` の {label} は {value}。語彙が違うので {label} で、最良の試行は {verdict}。"
        )
        if name == "bits_per_byte"
        else template("`{run}` の {label} は {value}。{label} で、最良の試行は {verdict}。")
    )
    d, label = c[name], notation.METRICS[name].name
    value = notation.metric(name, d.a)
    return said(text, run=other.name, label=label, value=value, verdict=_verdict(d))


def _of_luck(e: SearchEvidence) -> str:
    gain = e.gain(e.chosen[0])
    found = said(
        "選択の運: 開発テキストでは基準より PPL が {chosen} 下がったが、同じ実行の検証では {same}、"
        "新しいシードの検証では {fresh}。",
        chosen=_share(gain.chosen_on), same=_share(gain.same_run), fresh=_share(gain.fresh),
    )  # fmt: skip
    seeming = (
        said("差の {share} は、選んだことによる見かけである。", share=_share(gain.luck))
        if gain.luck > 0
        else said("選んだことによる見かけの利得は見えない。")
    )
    return passage(found, seeming)


def _of_knobs(e: SearchEvidence) -> str:
    if not e.importance:
        return said("つまみの重要度は、最後まで訓練した試行が少なく、言えない。")
    first = list(e.importance.items())[:3]
    told = listed(f"`{knob}` {percent(share, 0)}" for knob, share in first)
    return said("効いたつまみ（PED-ANOVA による重要度）: {knobs}。", knobs=told)


def best(e: SearchEvidence) -> Markdown:
    """上位: the best again with fresh seeds, against the base."""
    base = said("{name}（基準）", name=e.record.base.number)
    cells = [(e.record.base, base, DASH)]
    for trial in e.chosen:
        cells.append((trial, str(trial.number), _verdict(e.against_base(trial)["val_ppl"])))
    rows = [
        {said("試行"): name} | _figures(e, trial) | {said("基準との差"): verdict}
        for trial, name, verdict in cells
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
        said("つまみ"): _plain_knobs(trial),
        said("開発 PPL"): _exp(trial.loss),
        said("同じ実行の Val PPL"): number(same, 1),
        said("新しいシードの Val PPL"): _ppl(e.best[trial.number]),
    }


def luck(e: SearchEvidence) -> Markdown:
    """選択の運: the gain over the base on development, and what of it came back."""
    if not e.chosen:
        return Markdown(said(NO_BEST))
    gains = {str(trial.number): e.gain(trial) for trial in e.chosen}
    rows = [
        {
            said("試行"): name,
            said("開発での利得"): _share(gain.chosen_on),
            said("同じ実行の検証"): _share(gain.same_run),
            said("新しいシードの検証"): _share(gain.fresh),
            said("選択の運"): _share(gain.luck),
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
            said("最良の値"): _short(e.chosen[0].knobs[knob]),
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
            said("開発 PPL"): _exp(
                t.loss if t.loss is not None else min(t.losses.values(), default=None)
            ),
            said("エポック"): str(max(t.losses, default=0)),
            said("秒"): number(t.seconds, 0),
            said("つまみ"): _plain_knobs(t),
        }
        for t in e.record.trials
    ]
    return notation.table(pd.DataFrame(rows))


def render(e: SearchEvidence) -> Markdown:
    """Return the whole report as Markdown; the figure is linked by file name."""
    parts = [
        f"# {notation.escaped(e.search.title)}",
        opening.heading(), gist(e),
        question(e),
        said("## 答え"), answer(e),
        f"![{said('試行と最良')}](search.png)",
        said("## 上位を新しいシードで"), best(e),
        said("## 選択の運"), luck(e),
        said("## つまみの重要度"), knobs(e),
        said("## すべての試行"), trials(e),
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


def _knobs(e: SearchEvidence, trial: SearchTrial) -> str:
    """Write the knobs in which a trial differs from the base."""
    own = {k: v for k, v in trial.knobs.items() if v != e.record.first[k]}
    return listed(f"`{k}` {_short(v)}" for k, v in own.items())


def _plain_knobs(trial: SearchTrial) -> str:
    return listed(f"{k} {_short(v)}" for k, v in trial.knobs.items())


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _ppl(record: RunRecord) -> str:
    return notation.with_spread(
        "val_ppl", *moments("val_ppl", values(record, "val_ppl")[record.largest])
    )


def _exp(loss: float | None) -> str:
    return DASH if loss is None else number(_power(loss), 1)


def _share(nats: float) -> str:
    """Write a gain in nats as the share by which perplexity is lower."""
    return percent(1 - _power(-nats))


def _power(nats: float) -> float:
    """Return e to some power, also where that is beyond all numbers."""
    return math.inf if nats > HUGE else math.exp(nats)


def _verdict(d: MetricDifference) -> str:
    """Say a difference with its interval, and what may be said of it."""
    if d.certain == "unknown":
        return said("比べられない")
    small = said("小さい") if d.small and d.certain in ("up", "down") else ""
    word = said(SAID.get(d.certain, sentences.UNCLEAR))
    return listed([sentences.with_interval(d), word, small])
