"""What a study answers, sentence by sentence: each follows from its intervals by rule."""

import statistics
from collections.abc import Iterable

from fpcore import notation
from fpcore.analysis.study import Evidence
from fpcore.language import listed, passage, said, template
from fpcore.notation import percent, sizes
from fpcore.records.pairs import at_an_end
from fpcore.reports import opening, sentences
from fpcore.reports.sentences import level
from fpcore.reports.study import clips, knobs, ranks, worth


def answer(e: Evidence) -> list[str]:
    """Return the answer of a study, a sentence or a few for each point.

    What the book asks comes first: whether effective rank is kept while convergence rises, which
    values of the varied knobs are best, and what a trained context is worth.
    """
    if e.refused:
        return _refusal(e)
    if not e.varied:
        return [_only_the_base(e)]
    first = [ranks.kept(e), passage(knobs.best_values(e), clips.answer(e)), worth.answer(e)]
    lines = [line for line in first if line]
    lines += [_basis(e), _resolution(e), _best(e), *knobs.effects(e), *clips.details(e)]
    lines += [_rates(e), *_by_size(e), *ranks.both_down(e), *_unchanged(e), *_stopped(e)]
    return [line for line in lines if line]


def in_short(e: Evidence) -> str:
    """Return the answer, a point for each knob, for the contexts and for effective rank."""
    if e.refused:
        return passage(*_refusal(e))
    if not e.varied:
        return _only_the_base(e)
    rank = passage(ranks.in_short(e), ranks.best_in_short(e))
    known = [*knobs.in_short(e), clips.answer(e), worth.in_short(e), rank]
    told = [line for line in known if line] or [_best(e)]
    told[-1] = passage(told[-1], _certainty(e, told))
    return opening.points(told)


def _certainty(e: Evidence, told: list[str]) -> str:
    """Say which interval stands in brackets, where that is not told yet; or why there is none."""
    if e.seeds < 2:
        return said("シードが 1 つなので、確からしさは判定できない。")
    known = any("[ ]" in line for line in told)
    return "" if known else said("[ ] は {level} 区間。", level=level(e.level))


def _refusal(e: Evidence) -> list[str]:
    """Say why there is no answer: perplexities of the runs cannot be compared."""
    return [line for line in (_of_cut_short(e), _of_unlike(e)) if line]


def _of_unlike(e: Evidence) -> str:
    """Name the runs that were measured on another text than the base, or in other tokens."""
    if not e.unlike:
        return ""
    return said(
        "**答えない。** 検証テキストか語彙が基準と違う設定がある: {names}。違うテキストの "
        "Val PPL と正解率は比べられない。",
        names=listed(
            said("{name}（{what}）", name=_named(e, [run]), what=listed(what))
            for run, what in e.unlike.items()
        ),
    )


def _only_the_base(e: Evidence) -> str:
    return said("比べる設定が基準 {name} のほかにない。", name=e.said(e.base))


def _of_cut_short(e: Evidence) -> str:
    if not e.cut_short:
        return ""
    return said(
        "**答えない。** 最良エポックが `epochs` の上限で、Phase 2 が終わっていない設定がある: "
        "{names}。打ち切った訓練どうしの Val PPL と正解率は比べられない。`epochs` を増やして"
        "実行し直すと答える。",
        names=listed(
            said("{name}（{n}）", name=e.said(r), n=r.config["epochs"]) for r in e.cut_short
        ),
    )


def _basis(e: Evidence) -> str:
    head = said(
        "値は、サイズを書いていなければ {sizes}、シード n={n}。",
        sizes=sizes([e.samples]),
        n=e.seeds,
    )
    if e.seeds < 2:
        return head
    pairs, over, metrics = e.family
    family = said(
        "この報告の {pairs} 個の比較 × {over} サイズ × {metrics} 指標が同時に 95 % で"
        "成り立つように、区間は 1 つずつ {level} に広げた（Bonferroni）。",
        pairs=pairs, over=over, metrics=metrics, level=level(e.level),
    )  # fmt: skip
    spread = (
        template("Val PPL は比の対数で比べ、区間にはシードと検証会話の両方のばらつきが入る。")
        if e.over_text
        else template(
            "Val PPL は比の対数で比べる。会話ごとの損失の和を知らない記録があり、その区間に入るのは"
            "シードのばらつきだけである。"
        )
    )
    small = said(
        "シードの分散は、似ている限り、ほかのサイズと比較からも推定した。"
        "Val PPL で {margin} より小さい差は「小さい」と呼ぶ。",
        margin=sentences.margin("val_ppl"),
    )
    return passage(head, family, said(spread), small)


def _resolution(e: Evidence) -> str:
    """Say which true differences of Val PPL this study can see."""
    if not e.resolutions:
        return ""
    low, high = e.resolutions[0], e.resolutions[-1]
    middle = statistics.median(e.resolutions)
    ends = said("、{low}–{high}", low=percent(low), high=percent(high))
    return said(
        "この比較で見分けられる差は Val PPL の約 {middle}（{n} サンプルでの基準との比較の中央値"
        "{ends}、検出力 80 %）。",
        middle=percent(middle), n=e.samples, ends=ends if len(e.resolutions) > 1 else "",
    )  # fmt: skip


def _best(e: Evidence) -> str:
    """Name the run with the lowest development loss, and how its Val PPL stands to the others'."""
    ppl = notation.with_spread("val_ppl", *e.means(e.best)["val_ppl"])
    alone = template("開発テキストの損失が最も低いのは {best}（Val PPL {ppl}）。")
    among = template(
        "開発テキストの損失が最も低いのは {best}（Val PPL {ppl}、結果がすべて同じ設定: {twins}）。"
    )
    text = among if e.twins else alone
    first = said(text, best=e.said(e.best), ppl=ppl, twins=_named(e, e.twins))
    return passage(first, _beside_the_best(e))


def _rates(e: Evidence) -> str:
    """Say in how many runs the learning rate of phase 2 is the lowest or highest of those tried."""
    found = [r for r in e.records if at_an_end(r.where(lambda own: own.samples == e.samples))]
    if not found:
        return ""
    return said(
        "{of} 設定のうち {n} 設定では、選ばれた `phase2_lr` が候補の端で、候補の外がもっとよいかも"
        "しれない。",
        of=len(e.records), n=len(found),
    )  # fmt: skip


def _named(e: Evidence, runs: Iterable[str]) -> str:
    return listed(e.said(e.record(run)) for run in runs)


def _beside_the_best(e: Evidence) -> str:
    """Say beside which runs the best's Val PPL is lower, and beside which it cannot be told."""
    told = list(e.beside_best.values())
    lower, higher = told.count("up"), told.count("down")
    if lower == len(told) > 0:
        return said("その Val PPL は、ほかの {n} 設定のどれよりも低いと言える。", n=lower)
    return passage(
        said("その Val PPL は、ほかの {n} 設定より低いと言える。", n=lower) if lower else "",
        said("{n} 設定よりは高いと言える。", n=higher) if higher else "",
        said("次の設定とは Val PPL に差があるとは言えない: {names}。", names=_named(e, e.rivals))
        if e.rivals
        else "",
    )


def _by_size(e: Evidence) -> list[str]:
    """Name the runs of which something else can be said of Val PPL at other sizes."""
    found = {
        e.said(e.record(run)): sentences.by_size(c.by_size("val_ppl"))
        for run, c in e.comparisons.items()
    }
    named = [
        said("{name}（{words}）", name=name, words=words) for name, words in found.items() if words
    ]
    if not named:
        return []
    text = template("基準との Val PPL の差について、サイズによって言えることが違う: {named}。")
    return [said(text, named=listed(named))]


def _unchanged(e: Evidence) -> list[str]:
    if not e.unchanged:
        return []
    text = template("結果が基準とすべて同じで、何も変えていない設定: {names}。")
    return [said(text, names=_named(e, e.unchanged))]


def _stopped(e: Evidence) -> list[str]:
    """Name the runs that reached the convergence rate before `max_iter`: they did less."""
    found = []
    for record in e.records:
        own = [r.phase1_iterations for r in record.results if r.phase1_iterations]
        if own and min(own) < record.config["max_iter"]:
            span = f"{min(own)}" if min(own) == max(own) else f"{min(own)}–{max(own)}"
            found.append(said("{name}（{span} 反復）", name=e.said(record), span=span))
    if not found:
        return []
    text = template(
        "収束率の条件で `max_iter` より早く止まった設定: {found}。"
        "ほかの設定との差には、反復数の違いも入っている。"
    )
    return [said(text, found=listed(found))]
