"""What a careful reader would check of the two records that are compared, by rule.

Each check takes records (the first two are the compared pair) and returns one `Check`: a verdict,
the evidence, and what would settle the matter. None of them knows a number of any run.
"""

import math

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.checks.check import CARE, OK, Check, of_pair
from fpcore.analysis.comparison import Comparison
from fpcore.language import clauses, listed, said, template
from fpcore.notation import counted, number, percent
from fpcore.records.pairs import restricted, same_results
from fpcore.records.record import RunRecord

FEW_SEEDS = 3
SAME_SIZE = template("同じサイズの推移がある記録で比べる")


@of_pair(10)
def one_factor(records: list[RunRecord]) -> Check:
    """Between the two compared runs only one factor should differ."""
    title, (a, b) = said("変えた条件は 1 つか"), _pair(records)
    found, hidden = factors.changed_factors(a, b), factors.unknown(a, b)
    steps = listed(f"{notation.code(k)} {_value(a, k)} → {_value(b, k)}" for f in found for k in f)
    if hidden:
        text = template("片方の記録にしかない条件が {n}")
        more = said("違う条件: {steps}", steps=steps) if steps else ""
        evidence = listed([said(text, n=counted(len(hidden))), more])
        return Check(title, CARE, evidence, said("条件がすべて分かる実行と比べる"))
    if len(found) < 2:
        return Check(title, OK, steps or said("違う条件はない"))
    acting, together = factors.alive(a, b, records), {"n": counted(len(found)), "steps": steps}
    if len(acting) < 2:
        return Check(title, OK, _single(acting, together))
    missing = factors.unseparated(a, b, records)
    if not missing:
        text = template("{n}同時（{steps}）だが、1 つだけ変えた実行もある")
        return Check(title, OK, said(text, **together))
    return Check(title, CARE, said("{n}同時: {steps}", **together), _apart(records, missing))


def _single(acting: list[factors.Factor], together: dict[str, str]) -> str:
    """Say that of several changed factors at most a single one acted."""
    if not acting:
        return said("{n}同時（{steps}）だが、どれも効いていない", **together)
    names = listed(notation.code(k) for f in acting for k in f)
    return said("{n}同時（{steps}）だが、効いたのは {names} だけ", names=names, **together)


def _apart(records: list[RunRecord], missing: list[factors.Factor]) -> str:
    """Name the runs that would tell factors apart."""
    a, b = _pair(records)
    runs = [
        said(
            "`{run}` に {knob}",
            run=a.name,
            knob=notation.code(f"{k}: {factors.flow(b.config[k])}"),
        )
        for f in missing
        for k in f
    ]
    files = listed(f"`{name}.yaml`" for name in factors.missing_runs(a, b, records))
    text = template("1 つだけ変えた実行: {runs}")
    if files:
        text = template("1 つだけ変えた実行: {runs}（YAML は {files}）")
    return said(text, runs=listed(runs), files=files)


@of_pair(20)
def factor_without_effect(records: list[RunRecord]) -> Check:
    """A changed knob is named if it is known to have done nothing, or if that cannot be seen.

    What did nothing needs no further run: reports say so themselves.
    """
    title, (a, b) = said("変えた条件は効いたか"), _pair(records)
    found, dead = factors.changed_factors(a, b), factors.inert(a, b, records)
    if not found:
        return Check(title, OK, said("違う条件はない"))
    if dead:
        names = listed(f"`{k}`" for f in dead for k in f)
        return Check(title, CARE, _no_effect(a, b, dead, names))
    traced = [k for f in found for k in f if k in factors.TRACED_KNOBS]
    if traced and factors.same_trace(a, b) is None:
        text = template("{names} の効果を、同じサイズとシードの推移で確かめられない")
        evidence = said(text, names=listed(f"`{k}`" for k in traced))
        return Check(title, CARE, evidence, said(SAME_SIZE))
    return Check(title, OK, said("効いていないと分かる条件はない"))


@of_pair(50)
def trace_sizes(records: list[RunRecord]) -> Check:
    """Traces can be compared at one size only, and a summary only with the trace of its size."""
    title, (a, b) = said("同じサイズの推移どうしか"), _pair(records)
    sizes = Comparison(a, b).trace_sizes
    found = tuple(text for record in records for text in _foreign_trace(record))
    if None not in sizes and sizes[0] != sizes[1]:
        text = template("{a} の推移は {first}、{b} の推移は {second} サンプルで、比べられない")
        own = said(text, a=a.name, b=b.name, first=sizes[0], second=sizes[1])
        found = (own, *found)
    if found:
        return Check(title, CARE, "; ".join(found), said(SAME_SIZE))
    if None in sizes:
        return Check(title, OK, said("推移がない"))
    return Check(title, OK, said("どちらも {n} サンプル", n=sizes[0]))


@of_pair(25, compares=True)
def seeds(records: list[RunRecord], comparison: Comparison | None = None) -> Check:
    """One seed tells nothing of the spread; a gap within the spread is no difference."""
    title = said("シードは足りるか")
    c = comparison or Comparison(*_pair(records))
    if c.seeds < 2:
        settle = said("`seeds` を {n}以上に増やす", n=counted(FEW_SEEDS))
        return Check(title, CARE, said("シード n={n}", n=1), settle)
    differences = c.by_size("val_ppl")
    open_ = {n: d for n, d in differences.items() if d.direction == "unclear" and not d.negligible}
    evidence = said("シード n={n}", n=c.seeds)
    if open_:
        text = template("Val PPL の差は {places}で区間に埋もれる")
        evidence = clauses([evidence, said(text, places=notation.sizes(open_))])
    more = any(math.isfinite(d.seeds_needed) for d in open_.values())
    if c.seeds < FEW_SEEDS or more:
        return Check(title, CARE, evidence, said("シードを増やす"))
    if open_:
        text = template("{evidence}が、限るのは検証会話である")
        return Check(title, CARE, said(text, evidence=evidence), said("検証会話を増やす"))
    lost = [n for n, d in differences.items() if d.direction == "unknown"]
    rest = said("Val PPL の差について言えることがどのサイズにもある")
    if lost:
        rest = said("Val PPL は {places}で比べられない", places=notation.sizes(lost))
    return Check(title, OK, listed([evidence, rest]))


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
        said(
            "{run} の推移は {traced} サンプル、要約の収束率は {rated} サンプルのもの"
            "（{end} と {told}）",
            run=record.name,
            traced=traced,
            rated=rated,
            end=percent(ends[traced], 0),
            told=percent(told[rated], 0),
        )
    ]


def _pair(records: list[RunRecord]) -> tuple[RunRecord, RunRecord]:
    """Return the compared pair, at the sizes and seeds that it shares."""
    return restricted(records[0], records[1] if len(records) > 1 else records[0])


def _no_effect(a: RunRecord, b: RunRecord, dead: list[factors.Factor], names: str) -> str:
    """Say how it is known that factors did nothing."""
    if same_results(a, b):
        return said("{names} を変えても、結果がすべて同じである", names=names)
    text = template("{names} は結果に効いていない")
    if factors.same_trace(a, b):
        text = template("{names} を変えても、両方にある反復の収束率と損失が完全に一致する")
    norm = factors.never_clipped(a, b) if ("gradient_clip",) in dead else None
    clips = template("勾配ノルムは最大 {norm} で、どちらのクリップも一度も働かない")
    more = "" if norm is None else said(clips, norm=number(norm, 4))
    return clauses([said(text, names=names), more])


def _value(record: RunRecord, knob: str) -> str:
    return notation.escaped(notation.knob_value(record.config[knob]))
