"""What a careful reader would check of the two records that are compared, by rule.

Each check takes records (the first two are the compared pair) and returns one `Check`: a verdict,
the evidence, and what would settle the matter. None of them knows a number of any run.
"""

import math

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.checks.check import CARE, OK, Check, of_pair
from fpcore.analysis.comparison import Comparison
from fpcore.notation import counted, number, percent
from fpcore.records.pairs import restricted, same_results
from fpcore.records.record import RunRecord

FEW_SEEDS = 3


@of_pair(10)
def one_factor(records: list[RunRecord]) -> Check:
    """Between the two compared runs only one factor should differ."""
    title, (a, b) = "変えた条件は 1 つか", _pair(records)
    found, hidden = factors.changed_factors(a, b), factors.unknown(a, b)
    listed = "、".join(
        f"{notation.code(k)} {_value(a, k)} → {_value(b, k)}" for f in found for k in f
    )
    if hidden:
        evidence = f"片方の記録にしかない条件が {counted(len(hidden))}" + (
            f"、違う条件: {listed}" * bool(listed)
        )
        return Check(title, CARE, evidence, "条件がすべて分かる実行と比べる")
    if len(found) < 2:
        return Check(title, OK, listed or "違う条件はない")
    together, acting = f"{counted(len(found))}同時", factors.alive(a, b, records)
    if len(acting) < 2:
        names = "、".join(notation.code(k) for f in acting for k in f)
        rest = f"効いたのは {names} だけ" if acting else "どれも効いていない"
        return Check(title, OK, f"{together}（{listed}）だが、{rest}")
    missing = factors.unseparated(a, b, records)
    if not missing:
        return Check(title, OK, f"{together}（{listed}）だが、1 つだけ変えた実行もある")
    runs = "、".join(
        f"`{a.name}` に {notation.code(f'{k}: {factors.flow(b.config[k])}')}"
        for f in missing
        for k in f
    )
    files = "、".join(f"`{name}.yaml`" for name in factors.missing_runs(a, b, records))
    settle = f"1 つだけ変えた実行: {runs}" + (f"（YAML は {files}）" if files else "")
    return Check(title, CARE, f"{together}: {listed}", settle)


@of_pair(20)
def factor_without_effect(records: list[RunRecord]) -> Check:
    """A changed knob is named if it is known to have done nothing, or if that cannot be seen.

    What did nothing needs no further run: reports say so themselves.
    """
    title, (a, b) = "変えた条件は効いたか", _pair(records)
    found, dead = factors.changed_factors(a, b), factors.inert(a, b, records)
    if not found:
        return Check(title, OK, "違う条件はない")
    if dead:
        names = "、".join(f"`{k}`" for f in dead for k in f)
        return Check(title, CARE, _no_effect(a, b, dead, names))
    traced = [k for f in found for k in f if k in factors.TRACED_KNOBS]
    if traced and factors.same_trace(a, b) is None:
        names = "、".join(f"`{k}`" for k in traced)
        evidence = f"{names} の効果を、同じサイズとシードの推移で確かめられない"
        return Check(title, CARE, evidence, "同じサイズの推移がある記録で比べる")
    return Check(title, OK, "効いていないと分かる条件はない")


@of_pair(50)
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


@of_pair(25, compares=True)
def seeds(records: list[RunRecord], comparison: Comparison | None = None) -> Check:
    """One seed tells nothing of the spread; a gap within the spread is no difference."""
    title = "シードは足りるか"
    c = comparison or Comparison(*_pair(records))
    if c.seeds < 2:
        return Check(title, CARE, "シード n=1", f"`seeds` を {counted(FEW_SEEDS)}以上に増やす")
    differences = c.by_size("val_ppl")
    open_ = {n: d for n, d in differences.items() if d.direction == "unclear" and not d.negligible}
    evidence = f"シード n={c.seeds}"
    if open_:
        evidence += f"。Val PPL の差は {', '.join(map(str, open_))} サンプルで区間に埋もれる"
    more = any(math.isfinite(d.seeds_needed) for d in open_.values())
    if c.seeds < FEW_SEEDS or more:
        return Check(title, CARE, evidence, "シードを増やす")
    if open_:
        evidence += "が、限るのは検証会話である"
        return Check(title, CARE, evidence, "検証会話を増やす")
    return Check(title, OK, f"{evidence}、Val PPL の差について言えることがどのサイズにもある")


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


def _value(record: RunRecord, knob: str) -> str:
    return notation.escaped(notation.knob_value(record.config[knob]))
