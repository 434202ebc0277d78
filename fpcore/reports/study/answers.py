"""What a study answers, sentence by sentence: each follows from its intervals by rule."""

import math
from collections.abc import Iterable

from fpcore import notation
from fpcore.analysis.checks.check import WRONG
from fpcore.analysis.study import Evidence
from fpcore.config.run_config import RunConfig
from fpcore.errors import ConfigError
from fpcore.language import listed, passage, said, template
from fpcore.notation import number, percent, sizes
from fpcore.records.pairs import at_an_end
from fpcore.reports import opening, sentences
from fpcore.reports.sentences import level
from fpcore.reports.study import clips, knobs, ranks, worth

MANY_SEEDS = 30  # nobody runs more seeds than this to see so small a difference


def answer(e: Evidence) -> list[str]:
    """Return the answer of a study, a sentence or a few for each point.

    What the book asks comes first: whether effective rank is kept while convergence rises, which
    values of the varied knobs are best, and what a trained context is worth.
    """
    if e.cut_short:
        return [_refusal(e)]
    first = [ranks.kept(e), passage(knobs.best_values(e), clips.answer(e)), worth.answer(e)]
    lines = [line for line in first if line]
    lines += [_basis(e), _resolution(e), _best(e), *knobs.effects(e), *clips.details(e)]
    lines += [_rates(e), *_by_size(e), *ranks.both_down(e), *_unchanged(e), *_stopped(e)]
    return [line for line in lines if line]


def in_short(e: Evidence) -> str:
    """Return the answer in a sentence or two: of the knobs, of contexts, or of effective rank."""
    if e.cut_short:
        return _refusal(e)
    known = [knobs.in_short(e), clips.answer(e), worth.in_short(e), ranks.in_short(e)]
    told = passage(*known) or _best(e)
    if e.seeds < 2:
        return passage(told, said("シードが 1 つなので、確からしさは判定できない。"))
    interval = said("[ ] は {level} 区間。", level=level(e.level))
    return told if "[ ]" in told else passage(told, interval)


def first_step(e: Evidence) -> str:
    """Return what to do first: what is wrong before what could be tried."""
    if e.cut_short:
        return next_steps(e)[0]
    wrong = [check for check in e.checks.open() if check.verdict == WRONG]
    return opening.first_step(e.checks) if wrong or not next_steps(e) else next_steps(e)[0]


def next_steps(e: Evidence) -> list[str]:
    """Say what to try next, as far as the records tell."""
    if e.cut_short:
        return [said("`epochs` を増やして、上の実行をやり直す。")]
    return [line for line in (*_edge(e), *_more_seeds(e), _one_setting(e)) if line]


def _refusal(e: Evidence) -> str:
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
    spread = said(
        "Val PPL は比の対数で比べ、区間にはシードと検証会話の両方のばらつきが入る（シードの分散は"
        "サイズと比較をまとめて推定した）。Val PPL で {margin} より小さい差は「小さい」と呼ぶ。",
        margin=sentences.margin("val_ppl"),
    )
    return passage(head, family, spread)


def _resolution(e: Evidence) -> str:
    """Say which true differences of Val PPL this study can see."""
    if not e.resolutions:
        return ""
    low, high = e.resolutions[0], e.resolutions[-1]
    middle = e.resolutions[len(e.resolutions) // 2]
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


def _edge(e: Evidence) -> list[str]:
    """Say that the best lies at the end of what was tried, if it stands out from the rest."""
    beyond = template("最良の `{knob}` {value} は試した範囲の端なので、その先の値を試す。")
    between = template("最良の `{knob}` {value} は試した範囲の端なので、隣の値との間を試す。")
    found = []
    for knob in e.study.grid:
        tried = {record.config[knob] for record in e.records}
        if len(tried) < 3 or e.rivals or not all(_is_number(value) for value in tried):
            continue
        value, order = e.best.config[knob], sorted(tried)
        if value in (order[0], order[-1]):
            further = beyond if _goes_on(knob, order, value) else between
            found.append(said(further, knob=knob, value=value))
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _goes_on(knob: str, order: list[float], value: float) -> bool:
    """Whether a knob may lie further out than its end value: by one more step, or at half of it."""
    low = value == order[0]
    further = [value - (order[1] - order[0]) if low else value + (order[-1] - order[-2])]
    further += [value / 2] if low and value > 0 else []
    return any(_allowed(knob, v) for v in further)


def _allowed(knob: str, value: float) -> bool:
    try:
        RunConfig(**{knob: value})
    except ConfigError:
        return False
    return True


def _more_seeds(e: Evidence) -> list[str]:
    """Say about how many seeds would tell a run from the base that cannot be told from it yet.

    Nothing where the conversations limit, not the seeds, or where the difference is known to be
    too small to matter.
    """
    found = {run: c["val_ppl"] for run, c in e.comparisons.items()}
    unclear = {run: d for run, d in found.items() if d.certain == "unclear" and not d.negligible}
    needed = {run: d.seeds_needed for run, d in unclear.items()}
    known = {run: n for run, n in needed.items() if e.seeds < n < math.inf}
    if not known:
        return []
    run = min(known, key=lambda name: known[name])
    many = template(
        "Val PPL で基準と区別できない設定は、最も区別しやすい {name} でも約 {n} シードが要るほど"
        "差が小さい（検出力 80 %）。シードを増やすより、ほかの条件を試す。"
    )
    few = template(
        "Val PPL で {name} を基準と区別するには、いまの差とばらつきなら約 {n} シードが要る"
        "（検出力 80 %）。"
    )
    text = many if known[run] > MANY_SEEDS else few
    return [said(text, name=e.said(e.record(run)), n=number(known[run], 0))]


def _one_setting(e: Evidence) -> str:
    return said(
        "以上は {corpus}、文脈の次元 D = {width} の結果である。別の大きさでも同じ格子を実行して"
        "確かめる。",
        corpus=notation.escaped(e.base.config["corpus"]),
        width=e.base.config["context_dim"],
    )
