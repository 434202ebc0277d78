"""How far runs are that other processes train: read from their checkpoints."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fpcore.errors import FpcoreError, RecordError
from fpcore.notation import DASH, Markdown, code, escaped, number, percent, table
from fpcore.paths import cache, home, shown
from fpcore.records.record import record_path
from fpcore.reports import figures
from fpcore.runs import checkpoint, lock, states

PHASES = ("phase1", "phase2")
REFRESH = 5.0  # seconds between two looks at what runs
NONE = "いま訓練している実行も、中断している実行もない。"


@dataclass
class Standing:
    """Where a run stands: who holds its name, a row for every seed and size begun, its traces."""

    name: str
    holder: dict[str, Any] | None
    rows: list[dict[str, Any]]
    phase1: list[pd.DataFrame] = field(default_factory=list)
    phase2: list[pd.DataFrame] = field(default_factory=list)

    @property
    def who(self) -> str:
        """Who trains it, if anybody does."""
        if not self.holder:
            return "中断している"
        about = f"process {self.holder.get('process')}、{self.holder.get('host')}"
        return f"実行中（{escaped(about)}）"


def watch(name: str = "") -> Markdown:
    """Return what the run called `name` has finished and where it stands; draw its phase 1.

    Without a name: show all runs that are in work or were interrupted, with their curves, anew
    every few seconds, until none is in work any more or the kernel is interrupted. A checkpoint is
    some seconds old, where contexts are large some minutes.

    Raises:
        RecordError: no run of this name is in work, or was interrupted.
    """
    if not name:
        return _watch_all()
    path, found = record_path(name), _standing(name)
    if not found.rows and not found.holder:
        there = f"; its record is {shown(path)}" if path.is_file() else ""
        raise RecordError(f"No run called {name} is in work or interrupted here{there}.")
    _draw([found])
    text = table(pd.DataFrame(found.rows)) if found.rows else "まだ checkpoint がない。"
    return Markdown(f"`{name}` は{found.who}。\n\n{text}")


def _watch_all() -> Markdown:
    """Show where all runs stand, again and again while one of them is in work."""
    screen = _Screen()
    try:
        while True:
            found = _all()
            text = _listed(found)
            if not any(one.holder for one in found):
                break
            screen.show(text, found)
            time.sleep(REFRESH)
    except KeyboardInterrupt:
        pass
    screen.clear()
    _draw(found)
    return text


def _all() -> list[Standing]:
    """Return where every run stands that is in work or was interrupted, by name."""
    known = [p.name for p in cache("checkpoints").glob("*") if p.is_dir()]
    held = [p.stem for p in (home() / ".locks").glob("*.json")]
    found = []
    for name in sorted({*known, *held}):
        try:
            record_path(name)  # what is no name of a run is none of ours
            one = _standing(name)
        except FpcoreError:
            continue
        found += [one] if one.rows or one.holder else []
    return found


def _listed(found: list[Standing]) -> Markdown:
    rows = [
        {"実行": code(one.name), "いま": one.who} | (one.rows[-1] if one.rows else {})
        for one in found
    ]
    return table(pd.DataFrame(rows).fillna(DASH), "実行") if rows else Markdown(NONE)


def _standing(name: str) -> Standing:
    folder = checkpoint.folder(name)
    found = Standing(name, lock.holder(name), [])
    for part in (*_finished(folder), *_in_work(folder)):
        for phase in PHASES:
            trace = part.pop(phase)
            getattr(found, phase).append(trace.assign(run=name))
        found.rows.append(part)
    return found


def _draw(found: list[Standing]) -> None:
    """Draw convergence by iteration, and where phase 2 has begun its loss by epoch."""
    first, second = (
        [t for one in found for t in getattr(one, phase) if len(t)] for phase in PHASES
    )
    if first:
        figures.convergence(pd.concat(first, ignore_index=True), figures.axes())
    if second:
        rows = pd.concat(second, ignore_index=True)
        column = next((c for c in ("val_loss", "dev_loss") if c in rows), "train_loss")
        label = {"val_loss": "検証損失（nat）", "dev_loss": "開発損失（nat）"}
        shown_as = label.get(column, "訓練損失（nat）")
        figures.curves(rows, "epoch", column, shown_as, figures.axes())


class _Screen:
    """What shows standings in place: the output of a cell, or a terminal."""

    def __init__(self) -> None:
        shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        self._cell = hasattr(shell, "kernel")

    def show(self, text: Markdown, found: list[Standing]) -> None:
        """Show a table and its curves in the place of those before."""
        if not self._cell:
            print(f"\n{text}", flush=True)
            return
        from IPython.display import clear_output, display

        clear_output(wait=True)
        display(text)
        _draw(found)
        for number_of_figure in plt.get_fignums():
            display(plt.figure(number_of_figure))
        plt.close("all")

    def clear(self) -> None:
        """Leave the place to what comes last."""
        if self._cell:
            from IPython.display import clear_output

            clear_output(wait=True)


def _finished(folder: Path) -> list[dict[str, Any]]:
    found = {path: checkpoint.read_result(path) for path in sorted(folder.glob("*.result"))}
    return [
        _part(path, "完了", (one.phase1, one.phase2), number(one.val_ppl, 1))
        for path, one in found.items()
        if one
    ]


def _in_work(folder: Path) -> list[dict[str, Any]]:
    """Return where the size in work stands: in phase 2 where that has a state, else in phase 1."""
    paths = {phase: _newest(folder.glob(f"*.{phase}*.safetensors")) for phase in PHASES}
    known = {phase: path and states.about(path) for phase, path in paths.items()}
    first, second = known["phase1"], known["phase2"]
    trace = first["trace"] if first else {}
    if paths["phase2"] and second:
        rows, said = second["trace"], f"Phase 2 エポック {second['epoch']}"
        return [_part(paths["phase2"], said, (trace, rows), _reached(rows[-1]) if rows else DASH)]
    if paths["phase1"] and first:
        return [_part(paths["phase1"], f"Phase 1 反復 {len(trace) + 1}", (trace, {}), DASH)]
    return []


def _reached(row: dict[str, Any]) -> str:
    """Return the PPL of an epoch on the text that chooses it, which may be development."""
    if "val_loss" in row:
        return number(float(np.exp(row["val_loss"])), 1)
    return f"{number(float(np.exp(row['dev_loss'])), 1)}（開発）"


def _newest(paths: Iterable[Path]) -> Path | None:
    """Return the file that was written last; phase 2 has one for every learning rate tried."""
    return max(paths, key=lambda path: path.stat().st_mtime_ns, default=None)


def _part(path: Path, state: str, traces: tuple[Any, Any], ppl: str) -> dict[str, Any]:
    seed, samples = path.name.split("-")[:2]
    first, second = (pd.DataFrame(t).assign(seed=int(seed), samples=int(samples)) for t in traces)
    last = first["convergence_rate"].iloc[-1] if len(first) else None
    return {
        "シード": seed,
        "サンプル数": samples,
        "状態": state,
        "収束率": percent(last, 0),
        "Val PPL": ppl,
        "phase1": first,
        "phase2": second,
    }
