"""What trackers show of a record: figures by size, and traces by step."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from fpcore.notation import Markdown
from fpcore.records.frames import COLUMNS, frame
from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult
from fpcore.reports import one_run

STEPS = {"phase1": "iteration", "phase2": "epoch"}
Point = tuple[str, int, float]  # a name, a step and a value


def figures(result: SizeResult) -> dict[str, float]:
    """Return the figures of one seed and size that are known, by name; seconds over all stages."""
    known = {name: getattr(result, name) for name in COLUMNS if name not in ("seed", "samples")}
    if result.seconds:
        known["seconds"] = sum(result.seconds.values())
    return {name: float(value) for name, value in known.items() if value is not None}


def points(result: SizeResult) -> Iterator[Point]:
    """Yield the traces of one seed and size, by iteration of phase 1 and epoch of phase 2."""
    for phase, step in STEPS.items():
        trace: dict[str, list[Any]] = getattr(result, phase)
        for name in (name for name in trace if name != step):
            for at, value in zip(trace[step], trace[name], strict=True):
                if value is not None:
                    yield f"{phase}/{name}", at, float(value)


def part(result: SizeResult) -> str:
    """Return what a seed and size is called in the folders of a run."""
    seed = "" if result.seed is None else f"seed{result.seed}-"
    return f"{seed}samples{result.samples}"


def report(record: RunRecord) -> Markdown:
    """Return the results of a run and its scaling law as a page of Markdown."""
    results, law = one_run.runs_table(frame([record])), one_run.fits_table([record])
    return Markdown(f"# {record.name}\n\n## 結果\n\n{results}\n\n## べき乗則\n\n{law}\n")


def began(record: RunRecord) -> float:
    """Return when a run began, in seconds since 1970; 0 where that is not known."""
    if record.started is None:
        return 0.0
    when = datetime.fromisoformat(record.started)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
