"""How far the work is, and how long it takes: a line that renews itself, and seconds by stage.

In a notebook the line replaces the one before it; on a terminal likewise, cut to its width. Where
lines are kept (in a log, and by papermill, whose log shows all that a notebook shows) there is one
every ten seconds.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import psutil
from tqdm.utils import disp_len, disp_trim

if TYPE_CHECKING:
    import torch

LIVE, KEPT = 3.0, 10.0  # seconds between two lines that replace each other, and that are kept
NOTES: list[str] = []  # what stays above the line, where a notebook clears all that was shown
MARK = "▸ "  # begins every line that will be replaced, so that a log can be read for them
WIDTH = 20  # letters of a bar
SHOWN = {"convergence_rate": "convergence {:.0%}", "val_loss": "loss {:.3f}",
         "dev_loss": "loss {:.3f}", "train_loss": "loss {:.3f}", "loss": "loss {:.4f}"}  # fmt: skip


class Progress:
    """Shows lines as they come, at most one in `interval` seconds, and none under pytest."""

    def __init__(self, interval: float | None = None) -> None:
        self._interval = (KEPT if _kept() else LIVE) if interval is None else interval
        self._last = -self._interval
        self._quiet = "PYTEST_CURRENT_TEST" in os.environ

    def update(self, line: str) -> None:
        """Show a line that the next one replaces; skipped where one was shown just before."""
        if not self._quiet and time.monotonic() - self._last >= self._interval:
            self._show(MARK + line.removeprefix(MARK))
            self._last = time.monotonic()

    def finish(self, text: str) -> None:
        """Show what stays."""
        if not self._quiet:
            self._show(text)
            if not _in_notebook() and sys.stderr.isatty():
                print(file=sys.stderr)
        NOTES.clear()

    def _show(self, text: str) -> None:
        if _in_notebook():
            from IPython.display import clear_output

            clear_output(wait=True)
            print(*NOTES, text, sep="\n", flush=True)
        elif sys.stderr.isatty():
            columns = shutil.get_terminal_size().columns - 1  # a second line would stay
            lines = [_cut(line, columns) for line in text.split("\n")]
            print("\r\x1b[K" + "\n".join(lines), end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Print what stays above the lines of the run that begins, whatever the terminal's encoding."""
    encoding = sys.stdout.encoding or "utf-8"
    NOTES[:] = [text.encode(encoding, "backslashreplace").decode(encoding)]
    print(*NOTES)


@dataclass
class Plan:
    """What a run trains: the conversations of every seed and size, by title, in their order."""

    sizes: dict[str, int]
    started: float = field(default_factory=lambda: time.monotonic())
    shares: dict[str, float] = field(default_factory=dict)  # what is done of those begun here

    def place(self, title: str) -> str:
        """Return which of how many a title is; nothing for one that is not planned."""
        titles = [*self.sizes]
        return f" ({titles.index(title) + 1}/{len(titles)})" if title in self.sizes else ""

    def left(self, title: str, share: float) -> float | None:
        """Return the seconds until all is done, about, once a share of a title is.

        None where too little is done to tell. Time is taken to grow as the conversations do.
        """
        if title not in self.sizes:
            return None
        for earlier in self.shares:
            self.shares[earlier] = 1.0 if earlier != title else self.shares[earlier]
        self.shares[title] = max(share, self.shares.get(title, 0.0))
        done = sum(self.sizes[own] * part for own, part in self.shares.items())
        later = [*self.sizes][[*self.sizes].index(title) + 1 :]
        rest = sum(self.sizes[own] for own in later) + self.sizes[title] * (1 - self.shares[title])
        enough = done > 0.02 * (done + rest)
        return (time.monotonic() - self.started) / done * rest if enough else None


_plan: ContextVar[Plan | None] = ContextVar("plan", default=None)


@contextmanager
def planned(name: str, seeds: Iterable[int], samples: Iterable[int]) -> Iterator[None]:
    """Let bars say which seed and size of a run they are, and how long all will take."""
    sizes = {f"{name} seed {seed} size {size}": size for seed, size in product(seeds, samples)}
    token = _plan.set(Plan(sizes))
    try:
        yield
    finally:
        _plan.reset(token)


class Bar:
    """Turns the trace rows of a training into a bar with the time left, of its stage and in all."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress, self._title = progress, title

    def stage(self, name: str, total: int) -> Callable[[dict[str, Any]], None]:
        """Return a callback that counts the `total` rows that a stage has before it.

        Where rows are numbered, those that were made before it count, too.
        """
        start, done = time.monotonic(), 0

        def on_row(row: dict[str, Any]) -> None:
            nonlocal done
            done += 1
            number = int(row.get("iteration", row.get("epoch", done)))
            whole = total + number - done
            elapsed = time.monotonic() - start
            left = elapsed / done * (whole - number)
            self._progress.update(self._line(name, (number, whole), row, left))

        return on_row

    def _line(self, name: str, at: tuple[int, int], row: dict[str, Any], left: float) -> str:
        number, whole = at
        share = number / max(1, whole)
        full = round(WIDTH * min(1.0, share))
        plan = _plan.get()
        place = plan.place(self._title) if plan else ""
        of_all = plan.left(self._title, _of_both(name, share)) if plan else None
        parts = [
            f"{self._title}{place} {name} |{'█' * full}{'·' * (WIDTH - full)}| {number}/{whole}"
        ]
        parts += [text.format(row[key]) for key, text in SHOWN.items() if key in row][:1]
        parts += [f"{clock(left)} left"]
        parts += [f"about {clock(of_all)} in all"] if of_all is not None else []
        return ", ".join(parts)


def _of_both(name: str, share: float) -> float:
    """Return what a share of a stage is of a seed and size: a phase is a half."""
    return {"phase 1": share / 2, "phase 2": (1 + share) / 2}.get(name, share)


def _kept() -> bool:
    """Whether lines are kept: in a file or pipe, and in a notebook that papermill executes."""
    if not _in_notebook():
        return not sys.stderr.isatty()
    try:
        parent = psutil.Process().parent()
        command = " ".join(parent.cmdline()) if parent else ""
    except psutil.Error:
        return False
    return "papermill" in command or "fpcore.runs.notebook" in command


def _cut(line: str, columns: int) -> str:
    """Return a line that has room on a terminal."""
    return line if disp_len(line) <= columns else disp_trim(line, columns)


def _in_notebook() -> bool:
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


def clock(seconds: float) -> str:
    """Return a duration as minutes:seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Stopwatch:
    """Counts on from the seconds that were measured before."""

    def __init__(self, before: float = 0.0) -> None:
        self._start = time.perf_counter() - before

    def seconds(self) -> float:
        """Return the seconds so far."""
        return time.perf_counter() - self._start


@contextmanager
def timed(seconds: dict[str, float], stage: str, device: "torch.device") -> Iterator[None]:
    """Add the time until the device has done the work within it to `seconds[stage]`."""
    watch = Stopwatch(seconds.get(stage, 0.0))
    yield
    if device.type == "cuda":
        import torch  # whoever only watches or executes notebooks does not wait for it

        torch.cuda.synchronize(device)
    seconds[stage] = round(watch.seconds(), 3)
