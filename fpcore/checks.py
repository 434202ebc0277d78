"""What a careful reader would check before believing a comparison, by rule.

Each check takes records (the first two are the compared pair) and returns one `Check`: a verdict,
the evidence, and what would settle the matter. None of them knows a number of any run.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import pandas as pd

from fpcore.records import RunRecord, distinct, frame, same_results, traces
from fpcore.scaling import fit_power_law, fit_saturating_law, loss_rms
from fpcore.tables import Markdown, number

Verdict = Literal["問題なし", "注意", "誤り"]
OK: Verdict = "問題なし"
CARE: Verdict = "注意"
WRONG: Verdict = "誤り"
FEW_RUNS = 5  # fewer distinct runs than this cannot carry a correlation or an optimum
FEW_POINTS = 6  # an interval of α from fewer sizes rests on 3 degrees of freedom or less
TEXT_DIGESTS = ("validation_ids", "vocabulary")
PHASE2_KNOBS = {"epochs", "patience", "phase2_lr", "phase2_batch", "select_on"}
SIZE_KNOBS = {"samples", "seeds", "max_iter", "er_rows", "val_samples"}


@dataclass(frozen=True)
class Check:
    """The outcome of one check; `settle` says what would turn it into 問題なし."""

    title: str
    verdict: Verdict
    evidence: str
    settle: str = ""


def run_checks(records: list[RunRecord]) -> list[Check]:
    """Return the outcome of every check on the records, the compared pair first."""
    return [check(records) for check in CHECKS]


def checks_list(records: list[RunRecord]) -> Markdown:
    """Return the outcomes as a Markdown list, the worst first."""
    order = [WRONG, CARE, OK]
    outcomes = sorted(run_checks(records), key=lambda check: order.index(check.verdict))
    return Markdown("\n".join(_item(check) for check in outcomes))


def one_factor(records: list[RunRecord]) -> Check:
    """Between the two compared runs only one knob should differ."""
    title, (a, b) = "変えた条件は 1 つか", _pair(records)
    changed = _changed(a, b)
    listed = "、".join(f"`{k}` {a.config[k]} → {b.config[k]}" for k in changed)
    if len(changed) < 2:
        return Check(title, OK, listed or "違う条件はない")
    missing = [k for k in changed if not any(_changed(a, r) == [k] for r in records)]
    runs = "; ".join(f"`{a.name}` に `{k}: {b.config[k]}`" for k in missing)
    settle = f"1 つだけ変えた実行: {runs}" if missing else "1 つだけ変えた実行と比べる"
    return Check(title, CARE, f"{len(changed)} つ同時: {listed}", settle)


def factor_without_effect(records: list[RunRecord]) -> Check:
    """A changed phase-1 knob that left the shared iterations identical did nothing there."""
    title, (a, b) = "変えた条件は効いたか", _pair(records)
    factors = [k for k in _changed(a, b) if k not in SIZE_KNOBS | PHASE2_KNOBS]
    shared = _shared_iterations(a, b)
    names = "、".join(f"`{k}`" for k in factors)
    if not factors:
        return Check(title, OK, "Phase 1 の推移を変えるはずの条件は同じ")
    if shared.empty:
        return Check(title, CARE, f"{names} の効果を共通の推移で確かめられない", "推移のある記録で")
    if not (shared["loss_x"] == shared["loss_y"]).all():
        return Check(title, OK, f"{names} を変えた 2 つの推移は一致しない")
    evidence = f"{names} を変えても共通の {len(shared)} 反復の損失が完全に一致する"
    return Check(title, CARE, evidence + _clip_evidence(a, b), f"{names} は効いていないと書く")


def environments(records: list[RunRecord]) -> Check:
    """Device, precision, package versions and code should be the same."""
    title, (a, b) = "環境とコードは同じか", _pair(records)
    if not (a.environment and b.environment):
        return Check(title, CARE, "環境の記録がない実行がある", "同じ環境で実行し直す")
    keys = ("device", "precision", "packages", "threads")
    different = [k for k in keys if a.environment.get(k) != b.environment.get(k)]
    code = {k for k in (*a.digests, *b.digests) if k.startswith("code/")}
    different += sorted(k for k in code if a.digests.get(k) != b.digests.get(k))
    if not different:
        return Check(title, OK, "device、precision、packages、threads、コードが同じ")
    return Check(title, CARE, f"違うもの: {'、'.join(different)}", "同じ環境とコードで実行し直す")


def duplicates(records: list[RunRecord]) -> Check:
    """Runs with identical results are one observation, whatever their names."""
    title = "同じ結果の実行を重ねて数えていないか"
    twins = [f"{a.name} = {b.name}" for a, b in combinations(records, 2) if same_results(a, b)]
    n = len(distinct(records))
    if not twins:
        return Check(title, OK, f"{n} つの実行はすべて結果が違う")
    return Check(title, CARE, f"{'、'.join(twins)}。異なる実行は n={n}", "1 つとして数える")


def trace_ends(records: list[RunRecord]) -> Check:
    """The last row of a trace and the summary must tell the same convergence rate."""
    title = "推移の最後と要約は一致するか"
    wrong = [
        f"{record.name} {result.samples} 会話: 推移 {number(100 * rate, 1)}%、"
        f"要約 {number(100 * result.convergence_rate, 1)}%"
        for record in records
        for result in record.results
        if result.convergence_rate is not None
        for rate in result.phase1.get("convergence_rate", [])[-1:]
        if not math.isclose(rate, result.convergence_rate, abs_tol=1e-9)
    ]
    if wrong:
        return Check(title, WRONG, "; ".join(wrong), "どちらが正しいかを記録の元で確かめる")
    return Check(title, OK, "一致する")


def enough_runs(records: list[RunRecord]) -> Check:
    """A correlation of ER and PPL, or a best ER, needs several distinct runs at one size."""
    title = "ER と PPL の相関や最適値を言えるか"
    whole = frame(distinct(records)).dropna(subset=["val_er", "val_ppl"])
    counts = whole.groupby("samples")["run"].nunique()
    n = int(counts.max()) if len(counts) else 0
    if n < FEW_RUNS:
        evidence = f"同じ会話数で結果の異なる実行は n={n}（{FEW_RUNS} 未満）"
        return Check(title, CARE, evidence, "ER を変えた実行を増やす")
    return Check(title, OK, f"同じ会話数で n={n}")


def seeds(records: list[RunRecord]) -> Check:
    """One seed tells nothing of the spread; a gap within the spread is no difference."""
    title, (a, b) = "シードは足りるか", _pair(records)
    n = min(len({r.seed for r in record.results}) for record in (a, b))
    if n < 2:
        return Check(title, CARE, "シード1: 差の確からしさは判定できない", "`seeds` を 3 つ以上に")
    small = [s for s in _common_sizes(a, b) if _gap_within_spread(a, b, s)]
    if small:
        evidence = f"{', '.join(map(str, small))} 会話では Val PPL の差がシード間の幅より小さい"
        return Check(title, CARE, evidence, "シードを増やす")
    return Check(title, OK, f"シード n={n}、Val PPL の差はどのサイズでもシード間の幅より大きい")


def early_stop(records: list[RunRecord]) -> Check:
    """Epochs that differ, chosen on the very text that is reported, favour whom they please."""
    title = "エポックの選び方は公平か"
    whole = frame(records)
    ran = sorted({int(n) for n in whole["epochs_run"].dropna()})
    on_val = [r.name for r in records if r.config.get("select_on") == "val"]
    found = [f"実行したエポック数が違う（{ran[0]}–{ran[-1]}）"] if len(ran) > 1 else []
    found += [f"報告する検証テキストで選んでいる: {'、'.join(on_val)}"] if on_val else []
    capped = whole[whole["best_epoch"] == whole["run"].map(_epoch_limits(records))]
    if len(capped):
        found.append(f"{len(capped)} 件で最良が最終エポック（`epochs` の上限）")
    if found:
        return Check(title, CARE, "; ".join(found), "`select_on: dev`、`epochs` を増やす")
    return Check(title, OK, "エポック数は同じで、開発テキストで選んでいる")


def same_text(records: list[RunRecord]) -> Check:
    """PPL of different texts or vocabularies cannot be compared; overlap makes it worthless."""
    title, (a, b) = "同じ検証テキストと語彙か", _pair(records)
    overlap = [r.name for r in records if _overlaps(r)]
    if overlap:
        return Check(title, WRONG, f"訓練と検証が重なる: {'、'.join(overlap)}", "重ならない分割で")
    different = [k for k in TEXT_DIGESTS if a.digests.get(k) != b.digests.get(k)]
    if a.digests and b.digests and different:
        evidence = f"違うもの: {'、'.join(different)}。PPL は比べられない"
        return Check(title, WRONG, evidence, "bits per byte で比べるか、同じデータで実行し直す")
    if not (a.digests and b.digests):
        return Check(title, CARE, "digest のない記録があり、確かめられない", "この本で実行し直す")
    return Check(title, OK, "検証テキストと語彙の digest が同じ")


def same_rows(records: list[RunRecord]) -> Check:
    """Effective rank grows with the number of rows that it is measured on."""
    title = "ER の行数は同じか"
    whole = frame(records)
    known = whole.dropna(subset=["train_er_rows", "val_er_rows"])
    rows = sorted({int(n) for n in (*known["train_er_rows"], *known["val_er_rows"])})
    if len(known) < len(whole):
        return Check(title, CARE, "ER の行数を記録していない実行がある", "`er_rows` を揃える")
    if len(rows) > 1:
        evidence = f"{rows[0]:,}–{rows[-1]:,} 行で測っている。行が少ないほど ER は低く出る"
        return Check(title, CARE, evidence, "`er_rows` を最も短いテキスト以下に")
    return Check(title, OK, f"すべて {rows[0]:,} 行" if rows else "ER の値がない")


def bending(records: list[RunRecord]) -> Check:
    """A power law whose local exponents all shrink is not one; few sizes cannot tell."""
    title = "べき乗則は曲がっていないか"
    points = {r.name: _sizes(r) for r in distinct(records)}
    known = {name: p for name, p in points.items() if len(p) > 3}
    found = [f"{name} の{text}" for name, p in known.items() for text in _bends(p)]
    found += [
        f"{name} は n={len(p)} で、α の区間は広い"
        for name, p in known.items()
        if len(p) < FEW_POINTS
    ]
    if found:
        return Check(title, CARE, "; ".join(found), "サイズを増やす")
    return Check(
        title, OK, "隣り合うサイズ間の傾きに一方向の変化はない" if known else "サイズが 4 未満"
    )


CHECKS: tuple[Callable[[list[RunRecord]], Check], ...] = (
    one_factor,
    factor_without_effect,
    environments,
    duplicates,
    trace_ends,
    enough_runs,
    seeds,
    early_stop,
    same_text,
    same_rows,
    bending,
)


def _sizes(record: RunRecord) -> pd.DataFrame:
    """Return training tokens and Val PPL by size, means over seeds."""
    return frame([record]).groupby("samples")[["train_tokens", "val_ppl"]].mean().dropna()


def _bends(points: pd.DataFrame) -> list[str]:
    """Return what speaks against a power law: local exponents that change one way."""
    pairs = [points.iloc[i : i + 2] for i in range(len(points) - 1)]
    local = [
        fit_power_law(pair["train_tokens"].tolist(), pair["val_ppl"].tolist()).alpha
        for pair in pairs
    ]
    if local not in (sorted(local), sorted(local, reverse=True)):
        return []
    shown = ", ".join(number(alpha, 3) for alpha in local)
    return [f"隣り合うサイズ間の傾きは一方向に変わる（{shown}）。{_laws(points)}"]


def _laws(points: pd.DataFrame) -> str:
    """Set the residuals of the power law beside those of a law that has one parameter more."""
    columns = (points["train_tokens"].tolist(), points["val_ppl"].tolist())
    saturating = fit_saturating_law(*columns)
    power = loss_rms(fit_power_law(*columns), *columns)
    return (
        f"残差 RMS はべき乗則 {number(power, 4)}、飽和則 {number(saturating.rms, 4)} nat"
        f"（飽和則の自由度 {saturating.dof}）"
    )


def _item(check: Check) -> str:
    text = f"- **{check.verdict}**　{check.title}: {check.evidence}。"
    return f"{text}解消するには: {check.settle}。" if check.settle else text


def _pair(records: list[RunRecord]) -> tuple[RunRecord, RunRecord]:
    return records[0], records[1] if len(records) > 1 else records[0]


def _changed(a: RunRecord, b: RunRecord) -> list[str]:
    """Return the knobs that both records know and that differ, but for the name."""
    keys = [k for k in a.config if k in b.config and k not in {"name", "device"}]
    return [k for k in keys if a.config[k] != b.config[k]]


def _common_sizes(a: RunRecord, b: RunRecord) -> list[int]:
    return sorted({r.samples for r in a.results} & {r.samples for r in b.results})


def _shared_iterations(a: RunRecord, b: RunRecord) -> pd.DataFrame:
    """Pair the trace rows of the same size, seed and iteration (columns `loss_x`, `loss_y`)."""
    keys = ["samples", "seed", "iteration"]
    return traces([a]).merge(traces([b]), on=keys).dropna(subset=["loss_x", "loss_y"])


def _clip_evidence(a: RunRecord, b: RunRecord) -> str:
    rows = traces([a, b]).dropna(subset=["grad_norm", "clipped"])
    if "gradient_clip" not in _changed(a, b) or rows.empty or rows["clipped"].any():
        return ""
    return (
        f"。勾配ノルムは最大 {number(rows['grad_norm'].max(), 4)} で、クリップは一度も働いていない"
    )


def _gap_within_spread(a: RunRecord, b: RunRecord, samples: int) -> bool:
    values = [
        [r.val_ppl for r in record.results if r.samples == samples and r.val_ppl is not None]
        for record in (a, b)
    ]
    if not all(values):
        return False
    means = [sum(v) / len(v) for v in values]
    return abs(means[0] - means[1]) < max(max(v) - min(v) for v in values)


def _epoch_limits(records: list[RunRecord]) -> dict[str, int]:
    return {r.name: r.config["epochs"] for r in records if "epochs" in r.config}


def _overlaps(record: RunRecord) -> bool:
    """Whether the largest training size reaches into the validation conversations."""
    data = record.data
    if "validation" not in data or "training_pool" not in data:
        return False
    first, last = data["validation"]
    reached = data["training_pool"][0] + max(r.samples for r in record.results) - 1
    return bool(data["training_pool"][0] <= last and reached >= first)
