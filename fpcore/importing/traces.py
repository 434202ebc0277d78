"""The traces of an imported run, and what their ends tell of it."""

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from math import exp, isclose, log
from typing import Any

from fpcore.importing.fields import PHASE1, PHASE2
from fpcore.importing.found import Found, Phase, Row
from fpcore.importing.rows import STEPS

Trace = dict[str, list[Any]]
Rows = dict[Phase, list[Row]]
Key = tuple[int | None, int]  # seed and size
COLUMNS = {"phase1": PHASE1, "phase2": PHASE2}


def traces(found: Found, rates: dict[int, float]) -> dict[Key, Rows]:
    """Return the rows of the traces by seed, size and phase.

    One that names no size is of the size whose convergence rate (`rates`) it alone ends at, else
    it is left out of a report, which is noted, and refused in what a machine wrote.
    """
    rows: dict[tuple[Phase, int | None, int | None], list[Row]] = defaultdict(list)
    for row in found.rows:
        _add(rows[row.phase, row.place.seed, row.place.samples], row)
    traced: dict[Key, Rows] = defaultdict(dict)
    for (phase, seed, samples), own in rows.items():
        size = samples if samples is not None else _size(found, own, rates)
        if size is not None and _grows(found, own):
            traced[seed, size][phase] = own
    return traced


def _add(rows: list[Row], row: Row) -> None:
    """Add a row to a trace; one that tells more of the same step goes into the row before."""
    if rows and rows[-1].step == row.step and not rows[-1].values.keys() & row.values.keys():
        rows[-1] = replace(rows[-1], values=rows[-1].values | row.values)
    else:
        rows.append(row)


def _size(found: Found, rows: list[Row], rates: dict[int, float]) -> int | None:
    """Return the size of a trace that names none, where it can be told."""
    lines = f"in lines {rows[0].line} to {rows[-1].line}"
    end = rows[-1].values.get("convergence_rate")
    fits = [n for n, rate in rates.items() if end is not None and isclose(rate, end)]
    if len(fits) == 1:
        found.note(
            f"The trace {lines} names no size; it ends at the convergence rate of size {fits[0]}, "
            "so it is taken for that one's."
        )
        return fits[0]
    if found.whole:
        found.refuse(rows[0].line, "the trace names no size (samples); --samples says of which")
    else:
        found.note(f"The trace {lines} names no size, so it is left out; --samples says of which.")
    return None


def _grows(found: Found, rows: list[Row]) -> bool:
    """Refuse a trace that begins again: the size of its second part is not known."""
    for one, after in pairwise(rows):
        if after.step <= one.step:
            found.refuse(
                after.line,
                f"{STEPS[one.phase]} {after.step} follows {one.step}; a trace of another size or "
                "seed must name it",
            )
            return False
    return True


def columns(phase: Phase, rows: list[Row]) -> Trace:
    """Return rows by column; perplexities of epochs as losses, as records hold them."""
    cells = [{STEPS[phase]: row.step} | _in_nats(row.values) for row in rows]
    known = [name for name in COLUMNS[phase] if any(name in own for own in cells)]
    return {name: [own.get(name) for own in cells] for name in known}


def _in_nats(values: dict[str, float]) -> dict[str, float]:
    """Return the values of an epoch with the logarithms of its perplexities for lacking losses."""
    losses = {
        name.replace("_ppl", "_loss"): log(value)
        for name, value in values.items()
        if name.endswith("_ppl")
    }
    return losses | {k: v for k, v in values.items() if not k.endswith("_ppl")}


def ends(found: Found, traced: Rows) -> dict[str, Any]:
    """Return what the ends of whole traces tell of a run: how long it was, and its best epoch."""
    if not found.whole:
        return {}
    told: dict[str, Any] = {}
    if first := traced.get("phase1"):
        told["phase1_iterations"] = first[-1].step
        told["convergence_rate"] = first[-1].values.get("convergence_rate")
    if second := traced.get("phase2"):
        told |= _best(second)
    return {name: value for name, value in told.items() if value is not None}


def _best(rows: list[Row]) -> dict[str, Any]:
    """Return the first epoch of the least loss, where every epoch is known, and its figures."""
    trace = columns("phase2", rows)
    losses = trace.get("dev_loss") or trace.get("val_loss") or [None]
    if trace["epoch"] != [*range(1, len(rows) + 1)] or None in losses:
        return {}
    best = losses.index(min(losses))
    at = rows[best].values
    ppl = {f"{part}_ppl": _ppl(at, part) for part in ("train", "val")}
    return {"best_epoch": best + 1, "epochs_run": len(rows), "val_acc": at.get("val_acc")} | ppl


def _ppl(values: dict[str, float], part: str) -> float | None:
    """Return a perplexity as it is given, or that of a loss."""
    loss = values.get(f"{part}_loss")
    return values.get(f"{part}_ppl", None if loss is None else exp(loss))
