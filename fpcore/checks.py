"""What a careful reader would check before believing a comparison, by rule.

Each check takes records (the first two are the compared pair) and returns one `Check`: a verdict,
the evidence, and what would settle the matter. None of them knows a number of any run.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from fpcore import documents, factors
from fpcore.compare import compare_runs
from fpcore.curvature import FEW_SIZES, bends
from fpcore.records import RunRecord, curve, distinct, frame, same_results
from fpcore.sentences import counter_examples
from fpcore.tables import Markdown, number, percent
from fpcore.tradeoff import FEW_RUNS, trade_off

Verdict = Literal["問題なし", "注意", "誤り"]
OK: Verdict = "問題なし"
CARE: Verdict = "注意"
WRONG: Verdict = "誤り"
ENVIRONMENT = ("device", "precision", "packages", "threads")
TEXT_DIGESTS = ("validation_ids", "vocabulary")
TEXT_KNOBS = ("corpus", "tokenizer", "val_samples")  # where digests are not known


@dataclass(frozen=True)
class Check:
    """The outcome of one check; `settle` says what would turn it into 問題なし.

    `details` are single findings, where the evidence counts several.
    """

    title: str
    verdict: Verdict
    evidence: str
    settle: str = ""
    details: tuple[str, ...] = ()


def run_checks(records: list[RunRecord]) -> list[Check]:
    """Return the outcome of every check on the records, the compared pair first."""
    return [check(records) for check in CHECKS]


def checks_list(records: list[RunRecord]) -> Markdown:
    """Return the outcomes as a Markdown list, the worst first."""
    order = [WRONG, CARE, OK]
    outcomes = sorted(run_checks(records), key=lambda check: order.index(check.verdict))
    return Markdown("\n".join(_item(check) for check in outcomes))


def counts(records: list[RunRecord]) -> str:
    """Return how many checks came to each verdict, the worst first."""
    verdicts = [check.verdict for check in run_checks(records)]
    return "、".join(f"{v} {verdicts.count(v)}" for v in (WRONG, CARE, OK))


def one_factor(records: list[RunRecord]) -> Check:
    """Between the two compared runs only one knob should differ."""
    title, (a, b) = "変えた条件は 1 つか", _pair(records)
    changed = factors.changed(a, b)
    listed = "、".join(f"`{k}` {a.config[k]} → {b.config[k]}" for k in changed)
    if len(changed) < 2:
        return Check(title, OK, listed or "違う条件はない")
    missing = [k for k in changed if factors.single(a, b, k, records) is None]
    if not missing:
        return Check(title, OK, f"{len(changed)} つ同時（{listed}）だが、1 つだけ変えた実行もある")
    files = factors.missing_runs(a, b, records)
    runs = "、".join(f"`{a.name}` に `{k}: {b.config[k]}`" for k in missing)
    settle = f"1 つだけ変えた実行: {runs}" + (
        f"（{'、'.join(files)} の YAML を参照）" if files else ""
    )
    return Check(title, CARE, f"{len(changed)} つ同時: {listed}", settle)


def factor_without_effect(records: list[RunRecord]) -> Check:
    """A changed phase-1 knob that left the shared iterations identical did nothing there."""
    title, (a, b) = "変えた条件は効いたか", _pair(records)
    knobs, same = factors.traced_knobs(a, b), factors.same_trace(a, b)
    names = "、".join(f"`{k}`" for k in knobs)
    if not knobs:
        return Check(title, OK, "Phase 1 の推移を変えるはずの条件は同じ")
    if same is None:
        evidence = f"{names} の効果を、同じサイズとシードの推移で確かめられない"
        return Check(title, CARE, evidence, "同じサイズの推移がある記録で比べる")
    if not same:
        return Check(title, OK, f"{names} を変えた 2 つの推移は一致しない")
    evidence = f"{names} を変えても、両方にある反復の収束率と損失が完全に一致する"
    norm = factors.never_clipped(a, b) if "gradient_clip" in knobs else None
    if norm is not None:
        evidence += f"。勾配ノルムは最大 {number(norm, 4)} で、クリップは一度も働いていない"
    return Check(title, CARE, evidence, f"{names} は効いていないと書く")


def environments(records: list[RunRecord]) -> Check:
    """Device, precision, package versions and code should be the same."""
    title, (a, b) = "環境とコードは同じか", _pair(records)
    if not (a.environment and b.environment):
        return Check(title, CARE, "環境の記録がない実行がある", "同じ環境で実行し直す")
    different = [k for k in ENVIRONMENT if a.environment.get(k) != b.environment.get(k)]
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
    ends = [
        (f"{record.name} {result.samples} サンプル", rate, result.convergence_rate)
        for record in records
        for result in record.results
        if result.convergence_rate is not None
        for rate in result.phase1.get("convergence_rate", [])[-1:]
    ]
    wrong = tuple(
        f"{name}: 推移 {percent(end)}、要約 {percent(told)}"
        for name, end, told in ends
        if not math.isclose(end, told, abs_tol=1e-9)
    )
    if wrong:
        settle = "どちらが正しいかを記録の元で確かめる"
        return Check(title, WRONG, f"{len(wrong)} 件で違う", settle, wrong)
    return Check(title, OK, f"{len(ends)} 件で一致する" if ends else "比べられる推移がない")


def trace_sizes(records: list[RunRecord]) -> Check:
    """Traces can be compared at one size only, and a summary only with the trace of its size."""
    title, (a, b) = "同じサイズの推移どうしか", _pair(records)
    sizes = compare_runs(a, b).trace_sizes
    found = tuple(text for record in records for text in _foreign_trace(record))
    if None not in sizes and sizes[0] != sizes[1]:
        text = (
            f"{a.name} の推移は {sizes[0]}、{b.name} の推移は {sizes[1]} サンプルで、比べられない"
        )
        found = (text, *found)
    if found:
        return Check(title, CARE, "; ".join(found), "同じサイズの推移がある記録で比べる")
    return Check(title, OK, "推移がない" if None in sizes else f"どちらも {sizes[0]} サンプル")


def er_and_ppl(records: list[RunRecord]) -> Check:
    """A correlation of ER and PPL, or a best ER, needs several distinct runs that agree."""
    title, found = "ER と PPL の相関や最適値を言えるか", trade_off(records)
    evidence = f"同じサイズで結果の異なる実行は n={found.n}"
    if found.n < FEW_RUNS:
        evidence += f"（{FEW_RUNS} 未満）"
    against = counter_examples(found).removesuffix("。")
    if found.n < FEW_RUNS or against:
        evidence += f"。{against}" if against else ""
        return Check(title, CARE, evidence, "ER だけを変えた実行を増やし、どのサイズでも確かめる")
    return Check(title, OK, f"{evidence}、向きはどのサイズでも同じ")


def seeds(records: list[RunRecord]) -> Check:
    """One seed tells nothing of the spread; a gap within the spread is no difference."""
    title, (a, b) = "シードは足りるか", _pair(records)
    n = min(a.seeds, b.seeds)
    if n < 2:
        return Check(title, CARE, "確からしさは判定できない（シード1）", "`seeds` を 3 つ以上に")
    small = [s for s in compare_runs(a, b).samples if _gap_within_spread(a, b, s)]
    if small:
        evidence = f"{', '.join(map(str, small))} サンプルでは Val PPL の差がシード間の幅より小さい"
        return Check(title, CARE, f"シード n={n}。{evidence}", "シードを増やす")
    return Check(title, OK, f"シード n={n}、Val PPL の差はどのサイズでもシード間の幅より大きい")


def early_stop(records: list[RunRecord]) -> Check:
    """Epochs that differ, chosen on the very text that is reported, favour whom they please."""
    title = "エポックの選び方は公平か"
    whole = frame(records)
    ran = sorted({int(n) for n in whole["epochs_run"].dropna()})
    on_val = [r.name for r in records if r.config.get("select_on") == "val"]
    found = [f"実行したエポック数が違う（{ran[0]}–{ran[-1]}）"] if len(ran) > 1 else []
    found += [f"報告する検証テキストで選んでいる: {'、'.join(on_val)}"] if on_val else []
    unknown = int(whole["epochs_run"].isna().sum())
    found += [f"{unknown} 件でエポック数の記録がない"] if unknown else []
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
    known = a.digests and b.digests
    keys, sides = (
        (TEXT_DIGESTS, (a.digests, b.digests)) if known else (TEXT_KNOBS, (a.config, b.config))
    )
    different = [k for k in keys if k in sides[0] and k in sides[1] and sides[0][k] != sides[1][k]]
    if different:
        evidence = f"違うもの: {'、'.join(different)}。PPL は比べられない"
        return Check(title, WRONG, evidence, "bits per byte で比べるか、同じデータで実行し直す")
    if not known:
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
    known = {r.name: points for r in distinct(records) if len(points := curve(r)) > 3}
    found = tuple(f"{name}: {text}" for name, points in known.items() for text in bends(points))
    if found:
        settle = f"サイズを {FEW_SIZES} 以上に増やし、飽和則と並べて読む"
        return Check(title, CARE, f"{len(known)} つの実行で調べた", settle, found)
    evidence = "隣り合うサイズ間の傾きに一方向の変化はなく、飽和則の方が合うとも言えない"
    return Check(title, OK, evidence if known else "4 サイズ以上の実行がない")


def written_report(records: list[RunRecord]) -> Check:
    """A report written by hand must agree with itself, and with the records taken from it."""
    title, (a, b) = "書かれた報告の数字と言葉は正しいか", _pair(records)
    if not (a.document and a.document == b.document):
        return Check(title, OK, "比べた記録は、書かれた報告から取ったものではない")
    slips = tuple(documents.slips(compare_runs(a, b)))
    if slips:
        settle = "原文を直すか、この報告の値を使う"
        return Check(title, WRONG, f"原文 {a.document} に {len(slips)} 件", settle, slips)
    return Check(title, OK, f"原文 {a.document} に食い違いはない")


CHECKS: tuple[Callable[[list[RunRecord]], Check], ...] = (
    one_factor,
    factor_without_effect,
    environments,
    duplicates,
    trace_sizes,
    trace_ends,
    er_and_ppl,
    seeds,
    early_stop,
    same_text,
    same_rows,
    bending,
    written_report,
)


def _foreign_trace(record: RunRecord) -> list[str]:
    """Say where a run's only trace is of another size than the rate of its summary."""
    ends = {
        r.samples: r.phase1["convergence_rate"][-1]
        for r in record.results
        if r.phase1.get("convergence_rate")
    }
    told = {r.samples: r.convergence_rate for r in record.results if r.convergence_rate is not None}
    if not ends or not told or set(ends) & set(told):
        return []
    traced, rated = max(ends), max(told)
    return [
        f"{record.name} の推移は {traced} サンプル、要約の収束率は {rated} サンプルのもの"
        f"（{percent(ends[traced], 0)} と {percent(told[rated], 0)}）"
    ]


def _item(check: Check) -> str:
    text = f"- **{check.verdict}**　{check.title}: {check.evidence}。"
    text += f"解消するには: {check.settle}。" if check.settle else ""
    return "\n".join([text, *(f"    - {detail}" for detail in check.details)])


def _pair(records: list[RunRecord]) -> tuple[RunRecord, RunRecord]:
    return records[0], records[1] if len(records) > 1 else records[0]


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
