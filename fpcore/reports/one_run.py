"""How far a run is that another process trains: read from its checkpoint."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fpcore.config.run_config import RunConfig
from fpcore.errors import RecordError
from fpcore.notation import (
    DASH,
    METRICS,
    Markdown,
    code,
    escaped,
    factor,
    knob_value,
    metric,
    metrics_where,
    number,
    percent,
    table,
)
from fpcore.paths import shown
from fpcore.records.frames import curve
from fpcore.records.record import RunRecord, record_path
from fpcore.reports import figures
from fpcore.reports.run_summary import checked as checked
from fpcore.reports.run_summary import gist as gist
from fpcore.runs import checkpoint, lock, states
from fpcore.stats.scaling import LEAST_SIZES, PowerLaw, fit_power_law

PHASES = ("phase1", "phase2")
COLUMNS = metrics_where(lambda m: m.column)


def watch(name: str) -> Markdown:
    """Return what the run called `name` has finished and where it stands; draw its phase 1.

    A checkpoint is some seconds old, where contexts are large some minutes.

    Raises:
        RecordError: no run of this name is in work, or was interrupted.
    """
    path, folder = record_path(name), checkpoint.folder(name)
    parts = [*_finished(folder), *_in_work(folder)]
    holder = lock.holder(name)
    if not parts and not holder:
        there = f"; its record is {shown(path)}" if path.is_file() else ""
        raise RecordError(f"No run called {name} is in work or interrupted here{there}.")
    who = "中断している"
    if holder:
        about = escaped(f"process {holder.get('process')}、{holder.get('host')}")
        who = f"実行中（{about}）"
    traces = [part.pop("phase1") for part in parts]
    if any(len(trace) for trace in traces):
        figures.convergence(pd.concat(traces, ignore_index=True).assign(run=name), figures.axes())
    text = table(pd.DataFrame(parts)) if parts else "まだ checkpoint がない。"
    return Markdown(f"`{name}` は{who}。\n\n{text}")


def _finished(folder: Path) -> list[dict[str, Any]]:
    found = {path: checkpoint.read_result(path) for path in sorted(folder.glob("*.result"))}
    return [
        _part(path, "完了", one.phase1, number(one.val_ppl, 1))
        for path, one in found.items()
        if one
    ]


def _in_work(folder: Path) -> list[dict[str, Any]]:
    """Return where the size in work stands: in phase 2 where that has a state, else in phase 1."""
    paths = {phase: _newest(folder.glob(f"*.{phase}*.safetensors")) for phase in PHASES}
    known = {phase: path and states.about(path) for phase, path in paths.items()}
    first, second = known["phase1"], known["phase2"]
    trace = pd.DataFrame(first["trace"] if first else {})
    if paths["phase2"] and second:
        rows, said = second["trace"], f"Phase 2 エポック {second['epoch']}"
        return [_part(paths["phase2"], said, trace, _reached(rows[-1]) if rows else DASH)]
    if paths["phase1"] and first:
        return [_part(paths["phase1"], f"Phase 1 反復 {len(trace) + 1}", trace, DASH)]
    return []


def _reached(row: dict[str, Any]) -> str:
    """Return the PPL of an epoch on the text that chooses it, which may be development."""
    if "val_loss" in row:
        return number(float(np.exp(row["val_loss"])), 1)
    return f"{number(float(np.exp(row['dev_loss'])), 1)}（開発）"


def _newest(paths: Iterable[Path]) -> Path | None:
    """Return the file that was written last; phase 2 has one for every learning rate tried."""
    return max(paths, key=lambda path: path.stat().st_mtime_ns, default=None)


def _part(path: Path, state: str, phase1: Any, ppl: str) -> dict[str, Any]:
    seed, samples = path.name.split("-")[:2]
    trace = pd.DataFrame(phase1).assign(seed=int(seed), samples=int(samples))
    last = trace["convergence_rate"].iloc[-1] if len(trace) else None
    return {
        "シード": seed,
        "サンプル数": samples,
        "状態": state,
        "収束率": percent(last, 0),
        "Val PPL": ppl,
        "phase1": trace.assign(label=samples),
    }


def runs_table(rows: pd.DataFrame) -> Markdown:
    """Return the results of runs, one row per run, seed and size (from `frames.frame`)."""
    columns: dict[str, object] = {
        "run": rows["run"],
        "シード": [number(v, 0) for v in rows["seed"]],
        "サンプル数": [number(v, 0) for v in rows["samples"]],
        "トークン": [number(v, 0) for v in rows["train_tokens"]],
        "P1 反復": [number(v, 0) for v in rows["phase1_iterations"]],
        **{METRICS[m].column: [metric(m, v) for v in rows[m]] for m in COLUMNS},
        "最良/全エポック": [
            f"{number(a, 0)}/{number(b, 0)}"
            for a, b in zip(rows["best_epoch"], rows["epochs_run"], strict=True)
        ],
        "秒": [number(v, 0) for v in rows["seconds"]],
    }
    return table(pd.DataFrame(columns))


def config_table(config: RunConfig) -> Markdown:
    """Return every knob of a config, its default and what it may be; changed ones are marked."""
    fields = RunConfig.model_fields
    values = config.model_dump() | {"name": config.run_name}
    rows = [
        {
            "パラメータ": code(knob),
            "値": knob_value(value),
            "既定値": knob_value(fields[knob].default),
            "変更": "★" if knob != "name" and value != fields[knob].default else "",
        }
        for knob, value in values.items()
    ]
    return table(pd.DataFrame(rows), "パラメータ")


def _columns(points: pd.DataFrame) -> tuple[list[float], list[float]]:
    return points["train_tokens"].tolist(), points["val_ppl"].tolist()


def fits_table(records: Iterable[RunRecord]) -> Markdown:
    """Return the power law of each run over all its sizes; dashes for too few sizes."""
    rows = []
    for record in records:
        points = curve(record)
        enough = points["train_tokens"].nunique() >= LEAST_SIZES
        fit = fit_power_law(*_columns(points)) if enough else None
        rows.append({"run": record.name, **law_row(fit, len(points))})
    few = any(row["α"] == DASH for row in rows)
    note = f"\n\nα はサイズが {LEAST_SIZES} 以上の実行だけで求める。" if few else ""
    return Markdown(f"{table(pd.DataFrame(rows))}{note}")


def law_row(fit: PowerLaw | None, n: int) -> dict[str, str]:
    """Return a power law fitted to `n` sizes as table cells; dashes where there is none."""
    return {
        "α": number(fit.alpha if fit else None, 4),
        "標準誤差": number(fit.stderr if fit else None, 4),
        "A": factor(fit.A if fit else None),
        "R²": number(fit.r_squared if fit else None, 4),
        "n": str(n),
    }
