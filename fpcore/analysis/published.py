"""A report written by hand, against itself and against the records that were taken from it."""

from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

from fpcore.analysis.comparison import SUMMARY, Comparison, compare_runs
from fpcore.analysis.difference import MetricDifference
from fpcore.claims import METRICS as TERMS
from fpcore.claims import (
    Fact,
    check_report,
    column_differences,
    difference_name,
    read_facts,
    read_report,
)
from fpcore.metric import METRICS, metrics_where
from fpcore.notation import number
from fpcore.paths import reports
from fpcore.records.pairs import restricted
from fpcore.records.record import RunRecord

EPS = 1e-9  # differences up to this are rounding

# The metrics by the names that `terms.yaml` gives them.
FIELDS = {METRICS[name].printed: name for name in metrics_where(lambda m: m.printed)}


def path_of(document: str) -> Path:
    """Return where the document of a record is."""
    return reports() / document


def slips(document: str, records: Sequence[RunRecord]) -> list[str]:
    """Return what is wrong in a document: against itself, and against its records."""
    text = path_of(document).read_text("utf-8-sig")
    own = [record for record in records if record.document == document]
    found = [f"[{f.rule}] {f.text}" for f in check_report(text)]
    found += [slip for record in own for slip in _levels(text, record)]
    for a, b in permutations(own, 2):
        if restricted(a, b)[0].results:
            found += _rounded(text, compare_runs(a, b))
    return list(dict.fromkeys(found))


def printed_name(record: RunRecord) -> str:
    """Return what the document calls the run."""
    if record.origin and record.origin.run:
        return record.origin.run
    return record.name.removesuffix("-published")


def _levels(text: str, record: RunRecord) -> Iterator[str]:
    """Yield the printed figures of a run by size that are not those of its record."""
    known = {result.samples: result for result in record.results}
    for fact in read_facts(read_report(text)):
        own = known.get(fact.size or 0)
        field = FIELDS.get(fact.metric, "seconds")
        elsewhere = field in ("seconds", "alpha") or fact.step is not None
        if fact.run != printed_name(record) or own is None or elsewhere:
            continue
        value = getattr(own, field)
        due = None if value is None else value * (100 if fact.number.unit == "%" else 1)
        if due is not None and abs(fact.number.value - due) > fact.number.half + EPS:
            yield (
                f"[記録] {fact.line} 行: {fact.run} の{TERMS[fact.metric]['name']}"
                f"（サイズ {fact.size}）の {fact.number.text} は記録の {number(due, 1)} と違う。"
            )


def _rounded(text: str, c: Comparison) -> Iterator[str]:
    """Yield the printed differences that fit the printed values but not the records."""
    between = difference_name(printed_name(c.a), printed_name(c.b))
    for fact in column_differences(read_report(text)):
        due = _due(fact, c) if fact.run == between else None
        if due is not None and abs(fact.number.value - due) > fact.number.half + EPS:
            window = f"（ウィンドウ {fact.window}）" if fact.window else ""
            yield (
                f"[算術] {fact.line} 行: {TERMS[fact.metric]['name']}{window}の差 "
                f"{fact.number.text} は印刷された値どうしの差で、記録から丸める前に計算した "
                f"{number(due, 4, signed=True)} と合わない。"
            )


def _due(fact: Fact, c: Comparison) -> float | None:
    """Return the difference that the records give, in the unit of the fact."""
    d = _compared(fact, c)
    if d is None:
        return None
    relative = fact.number.unit == "%rel"
    scale = 100 if fact.number.unit in ("%", "%rel") else 1
    return (d.relative if relative else d.difference) * scale


def _compared(fact: Fact, c: Comparison) -> MetricDifference | None:
    """Return the difference that a fact is about, where the records give it."""
    metric = FIELDS.get(fact.metric, "")
    if metric == "alpha":
        named = [
            d
            for i, ((first, last), d) in enumerate(c.windows.items(), 1)
            if fact.window is None or fact.window in (str(i), f"{first}-{last}")
        ]
        return named[-1] if named else None
    if metric in SUMMARY and fact.size in (None, c.samples[-1]):
        return c[metric]
    measured = metric in METRICS and METRICS[metric].measured
    return c.by_size(metric).get(fact.size or 0) if measured else None
