"""What a study answers, sentence by sentence: each follows from its intervals by rule."""

import math

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.effects import Effect
from fpcore.analysis.study import MOST_SEEDS, Evidence, seeds_needed
from fpcore.config.run_config import RunConfig
from fpcore.errors import ConfigError
from fpcore.notation import METRICS, number, sizes
from fpcore.reports import sentences
from fpcore.reports.sentences import UNCLEAR, level, metric
from fpcore.reports.study import clips

MANY_SEEDS = 30  # nobody runs more seeds than this to see so small a difference


def answer(e: Evidence) -> list[str]:
    """Return the answer of a study, a sentence or a few for each point."""
    worth = sentences.worth(e.base, factors.beside(e.base, e.varied))
    lines = [_basis(e), worth, *_effects(e), *_kept_rank(e), *_both_down(e), *_best(e)]
    lines += [*clips.answer(e), *_unchanged(e), *_stopped(e), *_budget(e)]
    return [line for line in lines if line]


def next_steps(e: Evidence) -> list[str]:
    """Say what to try next, as far as the records tell."""
    return [line for line in (*_edge(e), *_more_seeds(e), _one_setting(e)) if line]


def _basis(e: Evidence) -> str:
    head = f"値は {sizes([e.samples])}、シード n={e.seeds}。"
    if e.seeds < 2:
        return f"{head}シードが 1 つなので、差の確からしさは判定できない。"
    return (
        f"{head}どの指標についても {len(e.varied)} 個の比較が同時に 95 % で成り立つように、区間は "
        f"1 つずつ {level(e.level)} に広げた（Bonferroni）。Val PPL の差は、シードの区間と"
        "検証会話を選び直した区間の両方が 0 を含まないときだけ言う。"
    )


def _effects(e: Evidence) -> list[str]:
    """Say of each main effect and of the interaction what it does to each metric."""
    names = dict.fromkeys(effect.of for effect in e.effects)
    return [_effect(name, [d for d in e.effects if d.of == name]) for name in names]


def _effect(name: str, found: list[Effect]) -> str:
    """Say of one effect which metrics it moves; every one is named once."""
    crossed = "×" in name
    head = f"`{name}` の交互作用" if crossed else f"`{name}` の主効果"
    known = [d for d in found if d.direction != "unknown"]
    if all(d.direction == "same" for d in known):
        return f"{head}: どの指標もまったく変わらない。" if known else ""
    said = "、".join(metric(d.metric, d.difference, d.certain) for d in known)
    return f"{head}（{'効果の差' if crossed else '後の値 − 前の値'}）: {said}。"


def _kept_rank(e: Evidence) -> list[str]:
    """Say which runs raise the convergence rate, and what that does to the effective rank."""
    if e.effects:
        return []
    moved = {r.name: e.direction(r.name, "convergence_rate") for r in e.varied}
    if set(moved.values()) == {"unknown"}:
        return []
    faster = [run for run, direction in moved.items() if direction == "up"]
    if not faster:
        return ["収束率が基準より高いと言える設定は、この中にない。"]
    kept = [run for run in faster if e.direction(run, "val_er") not in ("down", "unknown")]
    lost = [run for run in faster if run not in kept]
    parts = []
    if kept:
        names = "、".join(_gains(e, run) for run in kept)
        parts.append(f"収束率が基準より高く、Val ER が低いとは言えない設定: {names}。")
    if lost:
        names = "、".join(_gains(e, run) for run in lost)
        parts.append(f"収束率は高いが Val ER が下がる設定: {names}。")
    if not kept:
        parts.append("ER を保ったまま収束率を上げる設定は、この中にはない。")
    return parts


def _gains(e: Evidence, run: str) -> str:
    return f"{e.said(e.record(run))}（{_gaps(e, run, 'convergence_rate', 'val_er')}）"


def _gaps(e: Evidence, run: str, *metrics: str) -> str:
    c = e.comparisons[run]
    return "、".join(
        f"{METRICS[m].label} {notation.difference(m, c[m].difference)}" for m in metrics
    )


def _both_down(e: Evidence) -> list[str]:
    """Name the runs that lose effective rank and gain perplexity: a low rank is not the harm."""
    found = [
        f"{e.said(e.record(run))}（{_gaps(e, run, 'val_er', 'val_ppl')}）"
        for run in e.comparisons
        if e.direction(run, "val_er") == e.direction(run, "val_ppl") == "down"
    ]
    if not found:
        return []
    return [f"ER が下がり、Val PPL も下がる（よくなる）設定: {'、'.join(found)}。"]


def _best(e: Evidence) -> list[str]:
    """Name the run with the lowest development loss, and how its Val PPL stands to the others'."""
    ppl, spread = e.means(e.best)["val_ppl"]
    twins = "、".join(e.said(e.record(run)) for run in e.twins)
    said = f"開発テキストの損失が最も低いのは {e.said(e.best)}"
    said += f"（Val PPL {notation.with_spread('val_ppl', ppl, spread)}"
    said += f"、結果がすべて同じ設定: {twins}）。" if twins else "）。"
    return [said + _beside_the_best(e)]


def _beside_the_best(e: Evidence) -> str:
    """Say beside which runs the best's Val PPL is lower, and beside which it cannot be told."""
    told = list(e.beside_best.values())
    lower, higher = told.count("up"), told.count("down")
    if lower == len(told) > 0:
        return f"その Val PPL は、ほかの {lower} 設定のどれよりも低いと言える。"
    said = f"その Val PPL は、ほかの {lower} 設定より低いと言える。" if lower else ""
    said += f"{higher} 設定よりは高いと言える。" if higher else ""
    names = "、".join(e.said(e.record(run)) for run in e.rivals)
    return f"{said}次の設定とは Val PPL に{UNCLEAR}: {names}。" if names else said


def _unchanged(e: Evidence) -> list[str]:
    if not e.unchanged:
        return []
    names = "、".join(e.said(e.record(run)) for run in e.unchanged)
    return [f"結果が基準とすべて同じで、何も変えていない設定: {names}。"]


def _stopped(e: Evidence) -> list[str]:
    """Name the runs that reached the convergence rate before `max_iter`: they did less."""
    found = []
    for record in e.records:
        own = [r.phase1_iterations for r in record.results if r.phase1_iterations]
        if own and min(own) < record.config["max_iter"]:
            span = f"{min(own)}" if min(own) == max(own) else f"{min(own)}–{max(own)}"
            found.append(f"{e.said(record)}（{span} 反復）")
    if not found:
        return []
    return [
        f"収束率の条件で `max_iter` より早く止まった設定: {'、'.join(found)}。"
        "ほかの設定との差には、反復数の違いも入っている。"
    ]


def _budget(e: Evidence) -> list[str]:
    """Say that training stopped at the cap on epochs while it still got better."""
    results = [(r, record.config["epochs"]) for record in e.records for r in record.results]
    capped = sum(r.best_epoch == epochs for r, epochs in results)
    if not capped:
        return []
    limits = ", ".join(str(n) for n in sorted({epochs for _, epochs in results}))
    return [
        f"{len(results)} 件中 {capped} 件で最良エポックが上限（{limits}）なので、"
        "ここで言う差は、そこで打ち切った訓練についてのものである。"
    ]


def _edge(e: Evidence) -> list[str]:
    """Say that the best lies at the end of what was tried, if it stands out from the rest."""
    found = []
    for knob in e.study.grid:
        tried = {record.config[knob] for record in e.records}
        if len(tried) < 3 or e.rivals or not all(_is_number(value) for value in tried):
            continue
        value, order = e.best.config[knob], sorted(tried)
        if value in (order[0], order[-1]):
            further = "その先の値" if _goes_on(knob, order, value) else "隣の値との間"
            found.append(f"最良の `{knob}` {value} は試した範囲の端なので、{further}を試す。")
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
    """Say about how many seeds would tell a run from the base that cannot be told from it yet."""
    unclear = [run for run in e.comparisons if e.direction(run, "val_ppl") == "unclear"]
    needed = {run: seeds_needed(e.comparisons[run], "val_ppl") for run in unclear}
    known = {run: n for run, n in needed.items() if n > e.seeds}
    if not known:
        return []
    run = min(known, key=lambda name: known[name])
    count, name = _count(known[run]), e.said(e.record(run))
    if known[run] > MANY_SEEDS:
        return [
            f"Val PPL で基準と区別できない設定は、最も区別しやすい {name} でも{count}シードが"
            "要るほど差が小さい。シードを増やすより、ほかの条件を試す。"
        ]
    return [f"Val PPL で {name} を基準と区別するには、いまのばらつきなら{count}シードが要る。"]


def _count(seeds: float) -> str:
    more = math.isinf(seeds)
    return f" {MOST_SEEDS:,} を超える" if more else f"約 {number(seeds, 0)} "


def _one_setting(e: Evidence) -> str:
    corpus, width = notation.escaped(e.base.config["corpus"]), e.base.config["context_dim"]
    return f"以上は {corpus}、D {width} の結果である。別の大きさでも同じ格子を実行して確かめる。"
