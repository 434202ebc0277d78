"""The progress of many runs at once, as a table that renews itself."""

import time
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from fpcore.runs.progress import MARK, Progress, clock

SHOW = 10.0  # seconds between two tables
WAITING, RUNNING, DONE, FAILED = "待機", "実行中", "完了", "失敗"


@dataclass
class Row:
    """What the table of progress says of a run."""

    name: str
    state: str = WAITING
    worker: str = ""
    progress: str = ""
    attempts: int = 0
    started: float | None = None
    seconds: float = 0.0


@dataclass
class Table:
    """The progress of all runs, shown while they run and when they are done."""

    rows: dict[str, Row]
    progress: Progress = field(default_factory=lambda: Progress(SHOW))
    workers: dict[str, str] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)

    def on_event(self, event: tuple[float, Any]) -> None:
        """Take in what a worker says."""
        said = event[1]
        row = self.rows[said["run"]]
        if row.state in (DONE, FAILED):
            return
        row.worker = self.workers.setdefault(said["worker"], f"#{len(self.workers) + 1}")
        if said["line"] is None:
            row.attempts += 1
            row.started = time.monotonic()
            row.state = RUNNING if row.attempts == 1 else f"{RUNNING}（{row.attempts} 回目）"
        else:
            row.progress = said["line"].removeprefix(MARK).removeprefix(f"{row.name} ")

    def end(self, name: str, state: str, sentence: str) -> None:
        """A run has ended."""
        row = self.rows[name]
        row.state, row.progress = state, ""
        row.seconds = time.monotonic() - row.started if row.started else 0.0
        self.sentences.append(sentence)

    def show(self) -> None:
        """Show the table, if it is time to and something has begun."""
        if self.workers:
            self.progress.update(str(self))

    def finish(self) -> None:
        """Show what stays."""
        self.progress.finish(str(self))

    def __str__(self) -> str:
        now = time.monotonic()
        shown = pd.DataFrame(
            {
                "実行": row.name,
                "状態": row.state,
                "ワーカー": row.worker,
                "時間": clock(row.seconds or (now - row.started if row.started else 0)),
                "進捗": row.progress,
            }
            for row in self.rows.values()
        )
        text = shown.to_markdown(index=False, tablefmt="simple", disable_numparse=True)
        return "\n".join(["", text, *self.sentences])
