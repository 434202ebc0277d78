"""What a careful reader would check of all records of a comparison, by rule."""

import math

from fpcore.analysis import published
from fpcore.analysis.bending import FEW_SIZES, bends
from fpcore.analysis.chance import CURE, vocabulary_of, worse_than_chance
from fpcore.analysis.checks.check import CARE, OK, WRONG, Check, details, of_records
from fpcore.analysis.trade_off import FEW_RUNS, TradeOff, counter_examples, strength, trade_off
from fpcore.language import clauses, listed, said, spoken, template
from fpcore.notation import code, counted, escaped, percent
from fpcore.records.by_seed import without_seeds
from fpcore.records.frames import curve
from fpcore.records.pairs import (
    code_of,
    cut_short,
    distinct,
    same_results,
)
from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult

ENVIRONMENT = ("device", "processor", "precision", "packages", "threads")
AGAIN = template("この本で実行し直す")
PRINTED = 0.0051  # a rate printed in whole percent may be this far from the true one


@of_records(30)
def environments(records: list[RunRecord]) -> Check:
    """What a number may depend on should be the same in all records: machine, packages, code.

    Another machine of the same kind gives the same numbers, but times of its own.
    """
    title, first = said("環境とコードは同じか"), records[0]
    if not all(r.environment for r in records):
        return Check(title, CARE, said("環境の記録がない実行がある"), said("同じ環境で実行し直す"))
    found = tuple(
        said("{a} と {b}: {what}", a=first.name, b=r.name, what=listed(different))
        for r in records[1:]
        if (different := environment_differences(first, r))
    )
    if not found:
        apart = any(r.environment.get("machine_id") != first.environment.get("machine_id")
                    for r in records)  # fmt: skip
        same = said("{what}、コードが同じ", what=listed(ENVIRONMENT))
        other = said("計算機は別なので、実行時間は比べられない") if apart else ""
        return Check(title, OK, clauses([same, other]))
    evidence = said("違うもの: {what}", what="; ".join(found))
    return Check(title, CARE, evidence, said("同じ環境とコードで実行し直す"))


@of_records(40)
def duplicates(records: list[RunRecord]) -> Check:
    """Runs with identical results are one observation, whatever their names."""
    title = said("同じ結果の実行を重ねて数えていないか")
    alike = [[r.name for r in records if r is first or same_results(first, r)]
             for first in distinct(records)]  # fmt: skip
    twins = [" = ".join(names) for names in alike if len(names) > 1]
    n = len(alike)
    if not twins:
        return Check(title, OK, said("{n}の実行はすべて結果が違う", n=counted(n)))
    evidence = clauses([listed(twins), said("異なる実行は n={n}", n=n)])
    return Check(title, CARE, evidence, said("1 つとして数える"))


@of_records(60, alone=True)
def trace_ends(records: list[RunRecord]) -> Check:
    """The end of a whole trace and the summary must tell the same convergence rate."""
    title = said("推移の最後と要約は一致するか")
    ends = [
        (record, result.samples, rate, result.convergence_rate)
        for record in records
        for result in record.results
        if result.convergence_rate is not None and _is_whole(result)
        for rate in result.phase1.get("convergence_rate", [])[-1:]
        if rate is not None
    ]
    wrong = tuple(
        said(
            "{run} {n} サンプル: 推移 {end}、要約 {told}",
            run=r.name,
            n=samples,
            end=percent(end),
            told=percent(told),
        )
        for r, samples, end, told in ends
        if not math.isclose(end, told, abs_tol=PRINTED if r.source == "imported" else 1e-9)
    )
    if wrong:
        settle = said("どちらが正しいかを記録の元で確かめる")
        return Check(title, WRONG, said("{n} 件で違う", n=len(wrong)), settle, wrong)
    if not ends:
        return Check(title, OK, said("比べられる推移がない"))
    return Check(title, OK, said("{n} 件で一致する", n=len(ends)))


@of_records(70)
def er_and_ppl(records: list[RunRecord]) -> Check:
    """A correlation of ER and PPL, or a best ER, needs several distinct runs that agree."""
    title, found = said("ER と PPL の相関や最適値を言えるか"), trade_off(records)
    evidence, against = _runs_seen(found), counter_examples(found)
    if found.correlation is None or not found.correlation.holds or against:
        settle = said("ER だけを変えた実行を増やし、どのサイズでも確かめる")
        return Check(title, CARE, clauses([evidence, against]), settle)
    return Check(title, OK, clauses([evidence, said("向きを言える組はどれも同じ向き")]))


def _runs_seen(found: TradeOff) -> str:
    """Say how many runs there are, and how their ER and PPL go together."""
    if found.n < FEW_RUNS:
        text = template("同じサイズで結果の異なる、比べられる実行は n={n}（{few} 未満）")
        return said(text, n=found.n, few=FEW_RUNS)
    if found.correlation is None:
        text = template(
            "同じサイズで結果の異なる、比べられる実行は n={n}だが、ER か PPL がどれも同じ"
        )
        return said(text, n=found.n)
    runs = said("同じサイズで結果の異なる、比べられる実行は n={n}", n=found.n)
    return listed([runs, strength(found.correlation)])


@of_records(85, alone=True)
def phase2_ended(records: list[RunRecord]) -> Check:
    """A best epoch that is the last one allowed says that training was cut short."""
    title = said("Phase 2 は終わっているか")
    short = [record for record in records if cut_short(record)]
    if short:
        runs = listed(said("{run}（{n}）", run=r.name, n=r.config["epochs"]) for r in short)
        evidence = clauses(
            [
                said("最良エポックが `epochs` の上限: {runs}", runs=runs),
                said("PPL と正解率は比べられない"),
            ]
        )
        return Check(title, WRONG, evidence, said("`epochs` を増やして実行し直す"))
    unknown = [r.name for r in records if _trained_by_epochs(r) and not _epochs_known(r)]
    if unknown:
        evidence = said("エポック数の記録がない: {runs}", runs=listed(unknown))
        return Check(title, CARE, evidence, said(AGAIN))
    return Check(title, OK, said("最良エポックはどれも上限より前"))


@of_records(87, alone=True)
def ppl_beside_chance(records: list[RunRecord]) -> Check:
    """A PPL above that of word counts, or of guessing, says that something went wrong."""
    title = said("unigram モデルに勝るか")
    found = tuple(f"{r.name}: {worse}" for r in records if (worse := worse_than_chance(r)))
    if found:
        evidence = said("{n}の実行で、Val PPL が高い", n=counted(len(found)))
        return Check(title, CARE, evidence, said(CURE), found)
    if all(one.unigram_ppl for r in records for one in r.results):
        return Check(title, OK, said("どのサイズでも勝る"))
    known = any(map(vocabulary_of, records))
    guess = said("当てずっぽう（語彙数）には勝る") if known else ""
    return Check(title, OK, clauses([guess, said("unigram モデルの値がない実行がある")]))


@of_records(90, alone=True)
def early_stop(records: list[RunRecord]) -> Check:
    """An epoch chosen on the very text that is reported favours whom it pleases."""
    title = said("エポックの選び方は公平か")
    trained = [record for record in records if _trained_by_epochs(record)]
    on_val = [r.name for r in trained if r.config.get("select_on") == "val"]
    ways = {
        r.name: said(
            "{split} と patience {patience}",
            split=r.config["select_on"],
            patience=r.config["patience"],
        )
        for r in trained
        if {"select_on", "patience"} <= {*r.config}
    }
    found = [
        (on_val, said("報告する検証テキストで選んでいる: {runs}", runs=listed(on_val)),
         "`select_on: dev`"),
        (len({*ways.values()}) > 1, said("止め方が違う: {ways}", ways=_listed(ways)),
         said("`select_on` と `patience` を揃える")),
    ]  # fmt: skip
    wrong = [(text, settle) for holds, text, settle in found if holds]
    if wrong:
        texts, settles = zip(*wrong, strict=True)
        return Check(title, CARE, "; ".join(texts), listed(settles))
    if unknown := [r.name for r in trained if "select_on" not in r.config]:
        evidence = said("選び方の記録がない: {runs}", runs=listed(unknown))
        return Check(title, CARE, evidence, said(AGAIN))
    return Check(title, OK, said("どれも同じ条件で止め、開発テキストで選んでいる"))


@of_records(120, alone=True)
def bending(records: list[RunRecord]) -> Check:
    """A power law whose local exponents all shrink is not one; few sizes cannot tell."""
    title = said("べき乗則は曲がっていないか")
    known = {r.name: points for r in distinct(records) if len(points := curve(r)) > 1}
    found = details((name, text) for name, points in known.items() for text in bends(points))
    if found:
        settle = said("サイズを {n} 以上に増やし、飽和則と並べて読む", n=FEW_SIZES)
        evidence = said("{n}の実行で調べた", n=counted(len(known)))
        return Check(title, CARE, evidence, settle, found)
    if not known:
        return Check(title, OK, said("2 サイズ以上の実行がない"))
    text = template("隣り合うサイズ間の傾きに一方向の変化はなく、飽和則の方が合うとも言えない")
    return Check(title, OK, said(text))


@of_records(130)
def written_report(records: list[RunRecord]) -> Check:
    """A report written by hand must agree with itself, and with the records taken from it."""
    title = said("書かれた報告の数字と言葉は正しいか")
    names = list(dict.fromkeys(r.document for r in records if r.document))
    if not names:
        return Check(title, OK, said("記録は、書かれた報告から取ったものではない"))
    lost = [name for name in names if not published.path_of(name).is_file()]
    if lost:
        evidence = said("原文 {documents} を読めないので調べられない", documents=listed(lost))
        return Check(title, CARE, evidence, said("原文を reports/ に戻す"))
    # Proof-readers speak the language of the reports that they read, which is Japanese.
    quoted = code if spoken() == "en" else escaped
    slips = tuple(quoted(s) for name in names for s in published.slips(name, records))
    shown = listed(names)
    if slips:
        settle = said("原文を直すか、この報告の値を使う")
        evidence = said("原文 {documents} に {n} 件", documents=shown, n=len(slips))
        return Check(title, WRONG, evidence, settle, slips)
    return Check(title, OK, said("原文 {documents} に食い違いはない", documents=shown))


def environment_differences(a: RunRecord, b: RunRecord) -> list[str]:
    """Return what differs of the environment and the code of two records, as reports name it."""
    different = [k for k in ENVIRONMENT if a.environment.get(k) != b.environment.get(k)]
    first, second = code_of(a), code_of(b)
    shared = sorted({*first} & {*second})
    other = [k.removeprefix("code/") for k in shared if first[k] != second[k]]
    return different + [said("{role} のコード", role=role) for role in other]


def _is_whole(result: SizeResult) -> bool:
    """Whether a trace goes to the last iteration; print may give a part of it."""
    iterations = result.phase1.get("iteration", [])
    return result.phase1_iterations is None or iterations[-1:] == [result.phase1_iterations]


def _trained_by_epochs(record: RunRecord) -> bool:
    """Whether a run is trained in epochs, as far as it tells; n-grams are counted."""
    return not without_seeds(record) or "epochs" in record.config


def _epochs_known(record: RunRecord) -> bool:
    return "epochs" in record.config and all(r.best_epoch is not None for r in record.results)


def _listed(ways: dict[str, str]) -> str:
    """Name the first run of each way to stop."""
    first = {way: name for name, way in reversed(ways.items())}
    return listed(said("{run} は {way}", run=name, way=way) for way, name in first.items())
