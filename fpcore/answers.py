"""What a study answers, sentence by sentence: each follows from its intervals by rule."""

from typing import Any

from fpcore import controls, tables
from fpcore.config import RunConfig
from fpcore.errors import ConfigError
from fpcore.evidence import METRICS, Evidence, seeds_needed
from fpcore.sentences import UNCLEAR, level, metric, sizes
from fpcore.tables import METRICS as NAMES
from fpcore.tables import number, percent

MANY_SEEDS = 30  # more than anyone would run to see so small a difference
FEW = 0.005  # share of clipped updates below which clipping is not said to act


def answer(e: Evidence) -> list[str]:
    """Return the answer of a study, a sentence or a few for each point."""
    worth = controls.worth(e.base, controls.beside(e.base, e.varied), e.level)
    lines = [_basis(e), worth, *_effects(e), *_kept_rank(e), *_best(e), *_clip(e), *_unchanged(e)]
    return [line for line in lines if line]


def next_steps(e: Evidence) -> list[str]:
    """Say what to try next, as far as the records tell."""
    return [line for line in (*_edge(e), *_more_seeds(e), _one_setting(e)) if line]


def _basis(e: Evidence) -> str:
    return (
        f"値は {sizes([e.samples])}、シード n={e.seeds}。{len(e.varied)} 個の比較がすべて同時に"
        f" 95 % で成り立つように、区間は 1 つずつ {level(e.level)} に広げた（Bonferroni）。"
        "Val PPL の差は、シードの区間と検証会話を選び直した区間の両方が 0 を含まないときだけ言う。"
    )


def _effects(e: Evidence) -> list[str]:
    """Say of each main effect and of the interaction what it does to each metric."""
    if e.effects.empty:
        return []
    groups = e.effects.groupby("effect", sort=False)
    return [_effect(str(name), rows.to_dict("records")) for name, rows in groups]


def _effect(name: str, rows: list[dict[Any, Any]]) -> str:
    """Say of one effect which metrics it moves; every one is named once."""
    head = f"`{name}` の交互作用" if "×" in name else f"`{name}` の主効果"
    if all(row["direction"] == "same" for row in rows):
        return f"{head}: どの指標もまったく変わらない。"
    said = "、".join(metric(row) for row in rows if row["direction"] != "unknown")
    return f"{head}（後の値 − 前の値）: {said}。"


def _kept_rank(e: Evidence) -> list[str]:
    """Say which runs raise the convergence rate, and what that does to the effective rank."""
    if not e.effects.empty:
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
    rows = e.comparisons[run].summary.set_index("metric").to_dict("index")
    gaps = [
        f"{NAMES[m]} {tables.difference(m, rows[m]['difference'])}"
        for m in ("convergence_rate", "val_er")
    ]
    return f"{e.label(e.record(run))}（{'、'.join(gaps)}）"


def _best(e: Evidence) -> list[str]:
    """Name the run with the lowest development loss, and those that it cannot be told from."""
    ppl, spread = e.means(e.best)["val_ppl"]
    said = f"開発テキストの損失が最も低いのは {e.label(e.best)}"
    said += f"（Val PPL {tables.with_spread('val_ppl', ppl, spread)}）。"
    names = "、".join(e.label(e.record(run)) for run in e.rivals)
    told = len(e.records) - 1 - len(e.rivals)
    if not e.rivals:
        return [f"{said}ほかの {told} 設定より Val PPL が違うと言える。"]
    return [f"{said}ただし次の設定とは Val PPL に{UNCLEAR}: {names}。"]


def _clip(e: Evidence) -> list[str]:
    """Say where clipping acts, and apart from that whether it made a difference."""
    if "gradient_clip" not in e.study.knobs():
        return []
    rows = e.clipping.to_dict("records")
    norm = next(row["norm"] for row in rows if row["run"] == e.base.name)
    lines = [f"基準の勾配ノルムの中央値は {number(norm, 4)}。"]
    acting = [row for row in rows if row["clipped"] > FEW]
    idle = [row for row in rows if row["clipped"] == 0]
    if idle:
        clips = ", ".join(sorted({f"{row['clip']:g}" for row in idle}, key=float))
        lines.append(f"クリップが一度も働かない値: {clips}。")
    return [*lines, *(_acting(e, row) for row in acting), *_scaled_rates(e)]


def _acting(e: Evidence, row: dict[Any, Any]) -> str:
    """Say how much a clip that acts does to the gradients, and what comes of it."""
    share, scale = percent(row["clipped"], 0), number(row["scale"], 2)
    how = f"更新の {share} でクリップが働き、勾配は平均 {scale} 倍になる。"
    return f"{e.label(e.record(row['run']))}: {how}{_outcome(e, row['run'])}"


def _outcome(e: Evidence, run: str) -> str:
    """Say which metrics of a run differ from the base's."""
    if run == e.base.name:
        return "基準そのもの。"
    rows = e.comparisons[run].summary.set_index("metric", drop=False).to_dict("index")
    moved = [m for m in METRICS if m in rows and rows[m]["direction"] in ("up", "down")]
    if not moved:
        return f"働いても、どの指標にも基準との{UNCLEAR}。"
    return f"基準より {'、'.join(metric(rows[m]) for m in moved)}。"


def _scaled_rates(e: Evidence) -> list[str]:
    """Set each run with a smaller phase1_lr beside the clip that scales gradients alike."""
    rates = [r for r in e.varied if r.config["phase1_lr"] != e.base.config["phase1_lr"]]
    return [f"{e.label(r)} に変えたときは: {_outcome(e, r.name)}" for r in rates]


def _unchanged(e: Evidence) -> list[str]:
    if not e.unchanged:
        return []
    names = "、".join(e.label(e.record(run)) for run in e.unchanged)
    return [f"結果が基準とすべて同じで、何も変えていない設定: {names}。"]


def _edge(e: Evidence) -> list[str]:
    """Say that the best lies at the end of what was tried, if it stands out from the rest."""
    found = []
    for knob, tried in e.study.grid.items():
        value, order = e.best.config[knob], sorted(tried)
        if len(order) < 3 or value not in (order[0], order[-1]) or e.rivals:
            continue
        further = "その先の値" if _goes_on(knob, value, value == order[-1]) else "隣の値との間"
        found.append(f"最良の `{knob}` {value} は試した範囲の端なので、{further}を試す。")
    return found


def _goes_on(knob: str, value: float, up: bool) -> bool:
    """Whether a knob may lie further up or down than a value."""
    try:
        RunConfig(**{knob: value + 1 if up else value / 2 if value else -1})
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
    count, name = number(known[run], 0), e.label(e.record(run))
    if known[run] > MANY_SEEDS:
        return [
            f"Val PPL で基準と区別できない設定は、最も区別しやすい {name} でも約 {count} シードが"
            "要るほど差が小さい。シードを増やすより、ほかの条件を試す。"
        ]
    return [f"Val PPL で {name} を基準と区別するには、いまのばらつきなら約 {count} シードが要る。"]


def _one_setting(e: Evidence) -> str:
    corpus, width = e.base.config["corpus"], e.base.config["context_dim"]
    return f"以上は {corpus}、D {width} の結果である。別の大きさでも同じ格子を実行して確かめる。"
