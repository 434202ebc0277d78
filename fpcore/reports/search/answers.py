"""What a search answers, sentence by sentence."""

from fpcore import notation
from fpcore.analysis.information import knowledge
from fpcore.analysis.search import SearchEvidence
from fpcore.language import listed, passage, said, template
from fpcore.metric import METRICS
from fpcore.notation import Markdown, percent
from fpcore.records.pairs import CUT_SHORT
from fpcore.records.record import RunRecord
from fpcore.reports import opening
from fpcore.reports.search.written import changed_knobs, lower_by, perplexity, verdict

LONGER = template("`trials` か `seconds` を増やして続ける。")
ADOPT = template("最良のつまみを新しい基準にして、ほかのサイズでも確かめる。")
MORE = template("`seeds` を増やして上位を比べるか、`ranges` を広げて続ける。")
AGAIN = template("`epochs` を増やした `base` で探し直す。")
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
    if e.cut_short:
        told, following = refusal(e), said(AGAIN)
        return opening.three_lines(said("探したもの"), what, told, following)
    told = passage(_of_best(e), *(_beside(e, other) for other in e.beside[:1]))
    better = e.against_base(e.chosen[0])["val_ppl"].certain == "down"
    return opening.three_lines(said("探したもの"), what, told, said(ADOPT if better else MORE))


def answer(e: SearchEvidence) -> Markdown:
    """答え: what the best is worth, against the base and others, what was luck, what mattered."""
    if not e.chosen:
        return Markdown(f"- {said(NO_BEST)}")
    if e.cut_short:
        return Markdown(f"- {refusal(e)}")
    lines = [_of_best(e), *(_beside(e, other) for other in e.beside), _of_luck(e), _of_knobs(e)]
    return Markdown("\n".join(f"- {line}" for line in lines))


def refusal(e: SearchEvidence) -> str:
    """Say which trainings were cut short, so that nothing can be said of the trials."""
    names = listed(f"`{record.name}`" for record in e.cut_short)
    return said("**答えない。** {runs} は{why}。", runs=names, why=said(CUT_SHORT))


def _of_best(e: SearchEvidence) -> str:
    best = e.chosen[0]
    return said(
        "開発テキストで最良の試行 {trial}（{knobs}）の Val PPL は、新しいシード n={n} で {ppl}、"
        "基準は {base}: {verdict}。",
        trial=best.number, knobs=changed_knobs(e, best), n=len(e.search.seeds),
        ppl=perplexity(e.best[best.number]), base=perplexity(e.base),
        verdict=verdict(e.against_base(best)["val_ppl"]),
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
    d, label = c[name], METRICS[name].name
    known = {"run": other.name, "label": label, "value": notation.metric(name, d.a)}
    unfair = knowledge(other) != knowledge(c.b)
    fair = said("（知っていることが違う）") if unfair else ""
    return said(text, verdict=f"{verdict(d)}{fair}", **known)


def _of_luck(e: SearchEvidence) -> str:
    gain = e.gain(e.chosen[0])
    found = said(
        "選択の運: 基準より PPL が低い割合は、開発テキストで {chosen}、同じ実行の検証で {same}、"
        "新しいシードの検証で {fresh}。",
        chosen=lower_by(gain.chosen_on), same=lower_by(gain.same_run), fresh=lower_by(gain.fresh),
    )  # fmt: skip
    lost = lower_by(gain.luck)
    seeming = (
        said(
            "PPL で {lost} に当たる分は、新しいシードの検証に残らなかった見かけである。", lost=lost
        )
        if gain.luck > 0 and notation.visible(lost)
        else said("選んだことによる見かけの利得は見えない。")
    )
    return passage(found, seeming)


def _of_knobs(e: SearchEvidence) -> str:
    if not e.importance:
        return said("つまみの重要度は、最後まで訓練した試行が少なく、言えない。")
    first = list(e.importance.items())[:3]
    told = listed(f"`{knob}` {percent(share, 0)}" for knob, share in first)
    return said("効いたつまみ（PED-ANOVA による重要度）: {knobs}。", knobs=told)
