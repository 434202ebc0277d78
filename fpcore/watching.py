"""How far a run is that another process trains: read from its checkpoint."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fpcore import checkpoint, lock, plots, states
from fpcore.errors import RecordError
from fpcore.paths import shown
from fpcore.records import record_path
from fpcore.tables import Markdown, number, percent, table

PHASES = ("phase1", "phase2")


def watch(name: str) -> Markdown:
    """Return what the run called `name` has finished and where it stands; draw its phase 1.

    A checkpoint is some seconds old, where contexts are large some minutes.

    Raises:
        RecordError: no run of this name is in work, or was interrupted.
    """
    path, folder = record_path(name), checkpoint.folder(name)
    parts = [*_finished(folder), *_standing(folder)]
    holder = lock.holder(name)
    if not parts and not holder:
        there = f"; its record is {shown(path)}" if path.is_file() else ""
        raise RecordError(f"No run called {name} is in work or interrupted here{there}.")
    who = "中断している"
    if holder:
        who = f"実行中（process {holder.get('process')}、{holder.get('host')}）"
    traces = [part.pop("phase1") for part in parts]
    if any(len(trace) for trace in traces):
        plots.convergence(pd.concat(traces, ignore_index=True).assign(run=name), plots.axes())
    text = table(pd.DataFrame(parts)) if parts else "まだ checkpoint がない。"
    return Markdown(f"`{name}` は{who}。\n\n{text}")


def _finished(folder: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_bytes())
        found.append(_part(path, "完了", result["phase1"], result["val_ppl"]))
    return found


def _standing(folder: Path) -> list[dict[str, Any]]:
    """Return where the size in work stands: in phase 2 where that has a state, else in phase 1."""
    paths = {phase: next(folder.glob(f"*.{phase}.safetensors"), None) for phase in PHASES}
    known = {phase: path and states.about(path) for phase, path in paths.items()}
    first, second = known["phase1"], known["phase2"]
    trace = pd.DataFrame(first["trace"] if first else {})
    if paths["phase2"] and second:
        losses = [row["val_loss"] for row in second["trace"]]
        ppl = float(np.exp(losses[-1])) if losses else None
        return [_part(paths["phase2"], f"Phase 2 エポック {second['epoch']}", trace, ppl)]
    if paths["phase1"] and first:
        return [_part(paths["phase1"], f"Phase 1 反復 {len(trace) + 1}", trace, None)]
    return []


def _part(path: Path, state: str, phase1: Any, ppl: float | None) -> dict[str, Any]:
    seed, samples = path.name.split("-")[:2]
    trace = pd.DataFrame(phase1).assign(seed=int(seed), samples=int(samples))
    last = trace["convergence_rate"].iloc[-1] if len(trace) else None
    return {
        "シード": seed,
        "サンプル数": samples,
        "状態": state,
        "収束率": percent(last, 0),
        "Val PPL": number(ppl, 1),
        "phase1": trace.assign(label=samples),
    }
