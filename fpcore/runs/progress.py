"""How far the work is, and how long it takes: a line that renews itself, and seconds by stage.

In a notebook the line replaces the one before it (papermill's log keeps them all, the stored
notebook only the last); on a terminal likewise; in any other stream a line every few seconds.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

if TYPE_CHECKING:
    import torch

INTERVAL = 3.0  # seconds between two lines
NOTES: list[str] = []  # what stays above the line, where a notebook clears all that was shown
MARK = "▸ "  # begins every line that will be replaced, so that a log can be read for them


class Progress:
    """Shows lines as they come, at most one in `interval` seconds, and none under pytest."""

    def __init__(self, interval: float | None = None) -> None:
        self._interval = INTERVAL if interval is None else interval
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
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Print what stays above the lines of the run that begins, whatever the terminal's encoding."""
    encoding = sys.stdout.encoding or "utf-8"
    NOTES[:] = [text.encode(encoding, "backslashreplace").decode(encoding)]
    print(*NOTES)


class Bar:
    """Turns the trace rows of a training into a bar with the time left in its stage."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress, self._title = progress, title

    def stage(self, name: str, total: int) -> Callable[[dict[str, Any]], None]:
        """Return a callback that counts rows of a stage."""
        start, done = time.monotonic(), [0]

        def on_row(row: dict[str, Any]) -> None:
            done[0] += 1
            prefix, elapsed = f"{self._title} {name}", time.monotonic() - start
            meter = tqdm.format_meter(done[0], total, elapsed, prefix=prefix, ncols=100)
            self._progress.update(meter)

        return on_row


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
