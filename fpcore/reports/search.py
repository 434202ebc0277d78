"""The Japanese report of a search: the point first, then the best, luck, knobs and all trials."""

import math
from pathlib import Path

import pandas as pd

from fpcore import notation
from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.search import SearchEvidence
from fpcore.notation import DASH, Markdown, number, percent
from fpcore.paths import reports
from fpcore.records.by_seed import moments, values
from fpcore.records.record import RunRecord
from fpcore.records.searches import SearchTrial
from fpcore.reports import figures, sentences
from fpcore.reports.page import publish
from fpcore.reports.sentences import level

SAID = {"up": "高い（悪い）", "down": "低い（良い）", "same": "同じ", "tiny": "表示の桁では同じ"}
STATES = {"complete": "最後まで", "pruned": "打ち切り", "failed": "発散"}
NO_BEST = "基準のほかに最後まで訓練した試行がない。"


def question(e: SearchEvidence) -> Markdown:
    """問い: what the search asks, and what it varies."""
    ranges = "、".join(
        f"`{knob}` {kind} {notation.escaped(notation.knob_value(own))}"
        for knob, given in e.search.ranges.items()
        for kind, own in given.items()
    )
    counts = {word: sum(t.state == s for t in e.record.trials) for s, word in STATES.items()}
    told = "、".join(f"{word} {n}" for word, n in counts.items() if n)
    return Markdown(
        f"**問い**: {notation.escaped(e.search.question)}\n\n- 範囲: {ranges}\n"
        f"- 試行: {len(e.record.trials)}（{told}）、合計 "
        f"{number(sum(t.seconds for t in e.record.trials) / 60, 1)} 分。選択は開発テキストだけ"
    )


def answer(e: SearchEvidence) -> Markdown:
    """答え: what the best is worth, against the base and others, what was luck, what mattered."""
    if not e.chosen:
        return Markdown(f"- {NO_BEST}")
    lines = [_of_best(e), *(_beside(e, other) for other in e.beside), _of_luck(e), _of_knobs(e)]
    return Markdown("\n".join(f"- {line}" for line in lines))


def _of_best(e: SearchEvidence) -> str:
    best = e.chosen[0]
    d = e.against_base(best)["val_ppl"]
    return (
        f"開発テキストで最良の試行 {best.number}（{_knobs(e, best)}）の Val PPL は、新しいシード "
        f"n={len(e.search.seeds)} で {_ppl(e.best[best.number])}、基準は {_ppl(e.base)}: "
        f"{_verdict(d)}。"
    )


def _beside(e: SearchEvidence, other: RunRecord) -> str:
    """Say how the best trial stands to another model: in perplexity, or in bits per byte."""
    c = e.against(other)
    name = "bits_per_byte" if "val_ppl" in c.incomparable else "val_ppl"
    if name in c.incomparable:
        return f"`{other.name}` とは比べられない（{c.incomparable[name]}）。"
    d = c[name]
    label = notation.METRICS[name].label
    unlike = "語彙が違うので " if name == "bits_per_byte" else ""
    return (
        f"`{other.name}` の {label} は {notation.metric(name, d.a)}。{unlike}{label} で、"
        f"最良の試行は {_verdict(d)}。"
    )


def _of_luck(e: SearchEvidence) -> str:
    gain = e.gain(e.chosen[0])
    seeming = (
        f"差の {_share(gain.luck)} は、選んだことによる見かけである"
        if gain.luck > 0
        else "選んだことによる見かけの利得は見えない"
    )
    return (
        f"選択の運: 開発テキストでは基準より PPL が {_share(gain.chosen_on)} 下がったが、同じ実行の"
        f"検証では {_share(gain.same_run)}、新しいシードの検証では {_share(gain.fresh)}。"
        f"{seeming}。"
    )


def _of_knobs(e: SearchEvidence) -> str:
    if not e.importance:
        return "つまみの重要度は、最後まで訓練した試行が少なく、言えない。"
    first = list(e.importance.items())[:3]
    told = "、".join(f"`{knob}` {percent(share, 0)}" for knob, share in first)
    return f"効いたつまみ（PED-ANOVA による重要度）: {told}。"


def best(e: SearchEvidence) -> Markdown:
    """上位: the best again with fresh seeds, against the base."""
    rows = [{"試行": f"{e.record.base.number}（基準）"} | _figures(e, e.record.base)]
    rows[0]["基準との差"] = DASH
    for trial in e.chosen:
        d = e.against_base(trial)["val_ppl"]
        rows.append({"試行": str(trial.number)} | _figures(e, trial) | {"基準との差": _verdict(d)})
    note = (
        f"新しいシードは {notation.knob_value(e.search.seeds)}。± はシード間の標準偏差。"
        f"差の [ ] は、この報告の比較すべてで同時に成り立つ {level(e.level)} 区間。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def _figures(e: SearchEvidence, trial: SearchTrial) -> dict[str, str]:
    same = trial.result.val_ppl if trial.result else None
    return {
        "つまみ": _plain_knobs(trial),
        "開発 PPL": _exp(trial.loss),
        "同じ実行の Val PPL": number(same, 1),
        "新しいシードの Val PPL": _ppl(e.best[trial.number]),
    }


def luck(e: SearchEvidence) -> Markdown:
    """選択の運: the gain over the base on development, and what of it came back."""
    if not e.chosen:
        return Markdown(NO_BEST)
    gains = {str(trial.number): e.gain(trial) for trial in e.chosen}
    rows = [
        {
            "試行": name,
            "開発での利得": _share(gain.chosen_on),
            "同じ実行の検証": _share(gain.same_run),
            "新しいシードの検証": _share(gain.fresh),
            "選択の運": _share(gain.luck),
        }
        for name, gain in gains.items()
    ]
    note = (
        "利得は基準より PPL が下がった割合。選択の運は、開発での利得のうち、新しいシードの検証に"
        "残らなかった分。多くの試行から 1 つを選べば、開発での利得は真の差より大きく見える。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def knobs(e: SearchEvidence) -> Markdown:
    """つまみの重要度."""
    if not e.importance:
        return Markdown("最後まで訓練した試行が少なく、言えない。")
    rows = [
        {"つまみ": knob, "重要度": percent(share, 0), "最良の値": str(e.chosen[0].knobs[knob])}
        for knob, share in e.importance.items()
        if e.chosen
    ]
    note = (
        "PED-ANOVA: 上位の試行とそのほかで値の分布がどれだけ違うか、合計 100%。"
        "試行が少ないので目安である。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def trials(e: SearchEvidence) -> Markdown:
    """すべての試行."""
    rows = [
        {
            "試行": str(t.number),
            "": STATES[t.state],
            "開発 PPL": _exp(
                t.loss if t.loss is not None else min(t.losses.values(), default=None)
            ),
            "エポック": str(max(t.losses, default=0)),
            "秒": number(t.seconds, 0),
            "つまみ": _plain_knobs(t),
        }
        for t in e.record.trials
    ]
    return notation.table(pd.DataFrame(rows))


def render(e: SearchEvidence) -> Markdown:
    """Return the whole report as Markdown; the figure is linked by file name."""
    parts = [
        f"# {notation.escaped(e.search.title)}",
        question(e),
        f"## 答え\n\n{answer(e)}",
        "![試行と最良](search.png)",
        f"## 上位を新しいシードで\n\n{best(e)}",
        f"## 選択の運\n\n{luck(e)}",
        f"## つまみの重要度\n\n{knobs(e)}",
        f"## すべての試行\n\n{trials(e)}",
        f"## 記録\n\n`reports/searches/{e.record.name}/` の `trials.json`（試行）と "
        "`trial<番号>.json`（上位の再訓練）。",
    ]
    return Markdown("\n\n".join(parts) + "\n")


def write(e: SearchEvidence) -> Path:
    """Write `report.md`, its figure and `report.html` to `reports/searches/<name>/`.

    Returns the path of `report.md`.
    """
    target = reports() / "searches" / e.record.name
    return publish(target, render(e), {"search": lambda: figures.search(e.record, figures.axes())})


def _knobs(e: SearchEvidence, trial: SearchTrial) -> str:
    """Write the knobs in which a trial differs from the base."""
    own = {k: v for k, v in trial.knobs.items() if v != e.record.first[k]}
    return "、".join(f"`{k}` {_short(v)}" for k, v in own.items())


def _plain_knobs(trial: SearchTrial) -> str:
    return "、".join(f"{k} {_short(v)}" for k, v in trial.knobs.items())


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _ppl(record: RunRecord) -> str:
    return notation.with_spread(
        "val_ppl", *moments("val_ppl", values(record, "val_ppl")[record.largest])
    )


def _exp(loss: float | None) -> str:
    return DASH if loss is None else number(math.exp(loss), 1)


def _share(nats: float) -> str:
    """Write a gain in nats as the share by which perplexity is lower."""
    return percent(1 - math.exp(-nats))


def _verdict(d: MetricDifference) -> str:
    """Say a difference with its interval, and what may be said of it."""
    if d.certain == "unknown":
        return "比べられない"
    word = SAID.get(d.certain, "差があるとは言えない")
    small = "、小さい" if d.small and d.certain in ("up", "down") else ""
    return f"{sentences.with_interval(d)}、{word}{small}"
