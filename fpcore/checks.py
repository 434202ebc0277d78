"""What a careful reader would check before believing a comparison, by rule.

Each check takes records (the first two are the compared pair) and returns one `Check`: a verdict,
the evidence, and what would settle the matter. None of them knows a number of any run.
"""

import math
from collections.abc import Callable
from itertools import combinations

from fpcore import documents, factors, tables
from fpcore.comparable import code_of, different_texts, overlaps
from fpcore.compare import Comparison
from fpcore.curvature import FEW_SIZES, bends
from fpcore.frames import curve, frame
from fpcore.records import RunRecord, SizeResult, distinct, restricted, same_results
from fpcore.sentences import counter_examples
from fpcore.tables import Markdown, number, percent
from fpcore.tradeoff import FEW_RUNS, trade_off
from fpcore.verdicts import CARE, OK, ORDER, WRONG, Check

ENVIRONMENT = ("device", "precision", "packages", "threads")
FEW_SEEDS = 3
PRINTED = 0.0051  # what rounding to whole percent allows


def run_checks(records: list[RunRecord]) -> list[Check]:
    """Return the outcome of every check on the records, the compared pair first."""
    return [check(records) for check in CHECKS]


def checks_list(records: list[RunRecord]) -> Markdown:
    """Return the outcomes of all checks as a Markdown list, the worst first."""
    return listed(run_checks(records))


def listed(outcomes: list[Check]) -> Markdown:
    """Return outcomes as a Markdown list, the worst first."""
    worst = sorted(outcomes, key=lambda check: -ORDER.index(check.verdict))
    return Markdown("\n".join(check.item for check in worst))


def counts(records: list[RunRecord]) -> str:
    """Return how many checks came to each verdict, the worst first."""
    verdicts = [check.verdict for check in run_checks(records)]
    return "、".join(f"{v} {verdicts.count(v)}" for v in (WRONG, CARE, OK))


def one_factor(records: list[RunRecord]) -> Check:
    """Between the two compared runs only one factor should differ."""
    title, (a, b) = "変えた条件は 1 つか", _pair(records)
    found, hidden = factors.changed_factors(a, b), factors.unknown(a, b)
    listed = "、".join(
        f"`{k}` {tables.plain(a.config[k])} → {tables.plain(b.config[k])}" for f in found for k in f
    )
    if hidden:
        evidence = f"片方の記録にしかない条件が {len(hidden)} つ" + (
            f"、違う条件: {listed}" * bool(listed)
        )
        return Check(title, CARE, evidence, "条件がすべて分かる実行と比べる")
    if len(found) < 2:
        return Check(title, OK, listed or "違う条件はない")
    missing = [f for f in found if factors.single(a, b, f, records) is None]
    if not missing:
        return Check(title, OK, f"{len(found)} つ同時（{listed}）だが、1 つだけ変えた実行もある")
    runs = "、".join(
        f"`{a.name}` に `{k}: {factors.flow(b.config[k])}`" for f in missing for k in f
    )
    files = "、".join(f"`{name}.yaml`" for name in factors.missing_runs(a, b, records))
    settle = f"1 つだけ変えた実行: {runs}" + (f"（YAML は {files}）" if files else "")
    return Check(title, CARE, f"{len(found)} つ同時: {listed}", settle)


def factor_without_effect(records: list[RunRecord]) -> Check:
    """A changed knob is named if it is known to have done nothing, or if that cannot be seen."""
    title, (a, b) = "変えた条件は効いたか", _pair(records)
    found, dead = factors.changed_factors(a, b), factors.inert(a, b, records)
    if not found:
        return Check(title, OK, "違う条件はない")
    if dead:
        names = "、".join(f"`{k}`" for f in dead for k in f)
        return Check(title, CARE, _no_effect(a, b, dead, names), f"{names} は効いていないと書く")
    traced = [k for f in found for k in f if k in factors.PHASE1_KNOBS | {"gradient_clip"}]
    if traced and factors.same_trace(a, b) is None:
        names = "、".join(f"`{k}`" for k in traced)
        evidence = f"{names} の効果を、同じサイズとシードの推移で確かめられない"
        return Check(title, CARE, evidence, "同じサイズの推移がある記録で比べる")
    return Check(title, OK, "効いていないと分かる条件はない")


def environments(records: list[RunRecord]) -> Check:
    """Device, precision, package versions and code should be the same in all records."""
    title, first = "環境とコードは同じか", records[0]
    if not all(r.environment for r in records):
        return Check(title, CARE, "環境の記録がない実行がある", "同じ環境で実行し直す")
    found = tuple(
        f"{first.name} と {r.name}: {'、'.join(different)}"
        for r in records[1:]
        if (different := _environment_differences(first, r))
    )
    if not found:
        return Check(title, OK, f"{'、'.join(ENVIRONMENT)}、コードが同じ")
    return Check(title, CARE, f"違うもの: {'; '.join(found)}", "同じ環境とコードで実行し直す")


def duplicates(records: list[RunRecord]) -> Check:
    """Runs with identical results are one observation, whatever their names."""
    title = "同じ結果の実行を重ねて数えていないか"
    twins = [f"{a.name} = {b.name}" for a, b in combinations(records, 2) if same_results(a, b)]
    n = len(distinct(records))
    if not twins:
        return Check(title, OK, f"{n} つの実行はすべて結果が違う")
    return Check(title, CARE, f"{'、'.join(twins)}。異なる実行は n={n}", "1 つとして数える")


def trace_ends(records: list[RunRecord]) -> Check:
    """The end of a whole trace and the summary must tell the same convergence rate."""
    title = "推移の最後と要約は一致するか"
    ends = [
        (f"{record.name} {result.samples} サンプル", rate, result.convergence_rate, record.source)
        for record in records
        for result in record.results
        if result.convergence_rate is not None and _is_whole(result)
        for rate in result.phase1.get("convergence_rate", [])[-1:]
    ]
    wrong = tuple(
        f"{name}: 推移 {percent(end)}、要約 {percent(told)}"
        for name, end, told, source in ends
        if not math.isclose(end, told, abs_tol=PRINTED if source == "published" else 1e-9)
    )
    if wrong:
        settle = "どちらが正しいかを記録の元で確かめる"
        return Check(title, WRONG, f"{len(wrong)} 件で違う", settle, wrong)
    return Check(title, OK, f"{len(ends)} 件で一致する" if ends else "比べられる推移がない")


def trace_sizes(records: list[RunRecord]) -> Check:
    """Traces can be compared at one size only, and a summary only with the trace of its size."""
    title, (a, b) = "同じサイズの推移どうしか", _pair(records)
    sizes = Comparison(a, b).trace_sizes
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
    evidence = f"同じサイズで結果の異なる、比べられる実行は n={found.n}"
    if found.n < FEW_RUNS:
        evidence += f"（{FEW_RUNS} 未満）"
    elif found.rho is None:
        evidence += "だが、ER か PPL がどれも同じ"
    against = counter_examples(found)
    if found.rho is None or against:
        evidence += f"。{against}" if against else ""
        return Check(title, CARE, evidence, "ER だけを変えた実行を増やし、どのサイズでも確かめる")
    return Check(title, OK, f"{evidence}、向きを言える組はどれも同じ向き")


def seeds(records: list[RunRecord]) -> Check:
    """One seed tells nothing of the spread; a gap within the spread is no difference."""
    title, (a, b) = "シードは足りるか", _pair(records)
    n = min(a.seeds, b.seeds)
    if n < 2:
        return Check(title, CARE, "確からしさは判定できない（シード1）", "`seeds` を 3 つ以上に")
    t = Comparison(a, b).by_size("val_ppl")
    small = t["samples"][t["direction"] == "unclear"].tolist()
    evidence = f"シード n={n}"
    if small:
        evidence += (
            f"。Val PPL の差は {', '.join(map(str, small))} サンプルでシード間の幅に埋もれる"
        )
    if small or n < FEW_SEEDS:
        return Check(title, CARE, evidence, "シードを増やす")
    return Check(title, OK, f"{evidence}、Val PPL の差の方向はどのサイズでも言える")


def early_stop(records: list[RunRecord]) -> Check:
    """Epochs that differ, chosen on the very text that is reported, favour whom they please."""
    title = "エポックの選び方は公平か"
    whole = frame(records)
    ran = sorted({int(n) for n in whole["epochs_run"].dropna()})
    on_val = [r.name for r in records if r.config.get("select_on") == "val"]
    spans = f"{ran[0]}–{ran[-1]}" if ran else ""
    unknown = int(whole["epochs_run"].isna().sum())
    capped = int((whole["best_epoch"] == whole["run"].map(_epoch_limits(records))).sum())
    found = [
        (len(ran) > 1, f"実行したエポック数が違う（{spans}）", "同じエポック数にする"),
        (on_val, f"報告する検証テキストで選んでいる: {'、'.join(on_val)}", "`select_on: dev`"),
        (unknown, f"{unknown} 件でエポック数の記録がない", "この本で実行し直す"),
        (capped, f"{capped} 件で最良が最終エポック（`epochs` の上限）", "`epochs` を増やす"),
    ]
    said = [(text, settle) for holds, text, settle in found if holds]
    if said:
        texts, settles = zip(*said, strict=True)
        return Check(title, CARE, "; ".join(texts), "、".join(settles))
    return Check(title, OK, "エポック数は同じで、開発テキストで選んでいる")


def same_text(records: list[RunRecord]) -> Check:
    """PPL of different texts or vocabularies cannot be compared; overlap makes it worthless."""
    title, first = "同じ検証テキストと語彙か", records[0]
    overlap = [r.name for r in records if overlaps(r)]
    if overlap:
        return Check(title, WRONG, f"訓練と検証が重なる: {'、'.join(overlap)}", "重ならない分割で")
    found = [
        f"{first.name} と {r.name}: {'、'.join(different)}"
        for r in records[1:]
        if (different := different_texts(first, r))
    ]
    if found:
        evidence = f"違うもの: {'; '.join(found)}。PPL は比べられない"
        return Check(title, WRONG, evidence, "bits per byte で比べるか、同じデータで実行し直す")
    if not all(r.digests for r in records):
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
    known = {r.name: points for r in distinct(records) if len(points := curve(r)) > 1}
    found = tuple(f"{name}: {text}" for name, points in known.items() for text in bends(points))
    if found:
        settle = f"サイズを {FEW_SIZES} 以上に増やし、飽和則と並べて読む"
        return Check(title, CARE, f"{len(known)} つの実行で調べた", settle, found)
    evidence = "隣り合うサイズ間の傾きに一方向の変化はなく、飽和則の方が合うとも言えない"
    return Check(title, OK, evidence if known else "2 サイズ以上の実行がない")


def written_report(records: list[RunRecord]) -> Check:
    """A report written by hand must agree with itself, and with the records taken from it."""
    title = "書かれた報告の数字と言葉は正しいか"
    names = list(dict.fromkeys(r.document for r in records if r.document))
    if not names:
        return Check(title, OK, "記録は、書かれた報告から取ったものではない")
    lost = [name for name in names if not documents.path_of(name).is_file()]
    if lost:
        settle = "原文を reports/ に戻す"
        return Check(title, CARE, f"原文 {'、'.join(lost)} を読めないので調べられない", settle)
    slips = tuple(slip for name in names for slip in documents.slips(name, records))
    shown = "、".join(names)
    if slips:
        settle = "原文を直すか、この報告の値を使う"
        return Check(title, WRONG, f"原文 {shown} に {len(slips)} 件", settle, slips)
    return Check(title, OK, f"原文 {shown} に食い違いはない")


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


def _pair(records: list[RunRecord]) -> tuple[RunRecord, RunRecord]:
    """Return the compared pair, at the sizes and seeds that it shares."""
    return restricted(records[0], records[1] if len(records) > 1 else records[0])


def _no_effect(a: RunRecord, b: RunRecord, dead: list[factors.Factor], names: str) -> str:
    """Say how it is known that factors did nothing."""
    if same_results(a, b):
        return f"{names} を変えても、結果がすべて同じである"
    evidence = f"{names} は結果に効いていない"
    if factors.same_trace(a, b):
        evidence = f"{names} を変えても、両方にある反復の収束率と損失が完全に一致する"
    norm = factors.never_clipped(a, b) if ("gradient_clip",) in dead else None
    if norm is not None:
        evidence += f"。勾配ノルムは最大 {number(norm, 4)} で、どちらのクリップも一度も働かない"
    return evidence


def _environment_differences(a: RunRecord, b: RunRecord) -> list[str]:
    different = [k for k in ENVIRONMENT if a.environment.get(k) != b.environment.get(k)]
    first, second = code_of(a), code_of(b)
    shared = sorted({*first} & {*second})
    other = [k.removeprefix("code/") for k in shared if first[k] != second[k]]
    return different + [f"{role} のコード" for role in other]


def _is_whole(result: SizeResult) -> bool:
    """Whether a trace goes to the last iteration; print may give a part of it."""
    iterations = result.phase1.get("iteration", [])
    return result.phase1_iterations is None or iterations[-1:] == [result.phase1_iterations]


def _epoch_limits(records: list[RunRecord]) -> dict[str, int]:
    return {r.name: r.config["epochs"] for r in records if "epochs" in r.config}
