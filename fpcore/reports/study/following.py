"""What to do after a study: what is wrong first, then what its records leave open."""

import math
from collections import Counter

from fpcore import notation
from fpcore.analysis.checks.check import WRONG
from fpcore.analysis.study import Evidence
from fpcore.config.run_config import RunConfig
from fpcore.errors import ConfigError
from fpcore.language import said, template
from fpcore.metric import METRICS
from fpcore.notation import number
from fpcore.records.pairs import tried
from fpcore.reports import opening
from fpcore.reports.study import knobs

MANY_SEEDS = 30  # nobody runs more seeds than this to see so small a difference


def first_step(e: Evidence) -> str:
    """Return what to do first: what is wrong before what could be tried."""
    if e.refused:
        return next_steps(e)[0]
    wrong = [check for check in e.checks.open() if check.verdict == WRONG]
    return opening.first_step(e.checks) if wrong or not next_steps(e) else next_steps(e)[0]


def next_steps(e: Evidence) -> list[str]:
    """Say what to try next, as far as the records tell."""
    if e.refused:
        cut = said("`epochs` を増やして、上の実行をやり直す。") if e.cut_short else ""
        unlike = said("検証テキストと語彙を揃えて、上の実行をやり直す。") if e.unlike else ""
        return [line for line in (cut, unlike) if line]
    return [line for line in (*_more_rates(e), *_edge(e), *_more_seeds(e), _one_setting(e)) if line]


def _more_rates(e: Evidence) -> list[str]:
    """Say beyond which candidates a learning rate may be better: at those ends one was chosen."""
    below = template(
        "`phase2_lr` の候補に {rate} より小さい値を足し、{rate} が選ばれた {n} 設定を訓練し直す。"
    )
    above = template(
        "`phase2_lr` の候補に {rate} より大きい値を足し、{rate} が選ばれた {n} 設定を訓練し直す。"
    )
    chosen = [
        (tried(own), {r.chosen for r in own.results})
        for own in (record.where(lambda r: r.samples == e.samples) for record in e.records)
    ]
    lines = []
    for text, end in ((below, min), (above, max)):
        ends = Counter(end(of) for of, own in chosen if len(of) > 1 and end(of) in own)
        lines += [said(text, rate=f"{rate:g}", n=n) for rate, n in ends.items()]
    return lines


def _edge(e: Evidence) -> list[str]:
    """Say that the best lies at the end of what was tried, if it stands out from the rest."""
    beyond = template("最良の `{knob}` {value} は試した範囲の端なので、その先の値を試す。")
    between = template("最良の `{knob}` {value} は試した範囲の端なので、隣の値との間を試す。")
    found = []
    for knob in e.study.grid:
        values = [record.config[knob] for record in e.records]
        if e.rivals or knob in knobs.DRAWN or not all(map(_is_number, values)):
            continue
        value, order = e.best.config[knob], sorted({*values})
        if len(order) < 3:
            continue
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

    Nothing where the conversations limit, not the seeds, or where the difference is too small to
    matter.
    """
    found = {run: c["val_ppl"] for run, c in e.comparisons.items()}
    matters = METRICS["val_ppl"].margin
    unclear = {
        run: d for run, d in found.items() if d.certain == "unclear" and abs(d.size) >= matters
    }
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
