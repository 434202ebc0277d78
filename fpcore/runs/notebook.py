"""Execute a notebook with papermill, in a process of its own that ends with this one."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml

from fpcore.errors import FpcoreError
from fpcore.paths import NOTEBOOKS, replacing
from fpcore.runs.progress import MARK

HUNG = 600.0  # seconds in which processes that work use more than IDLE of a processor
IDLE = 0.02  # a kernel that waits uses less than half of this
CHECK = 1.0  # seconds between two looks
PARENT = "FPCORE_PARENT"  # environment: the process without which a notebook must not go on


class NotebookError(FpcoreError):
    """A notebook that was executed for the book ended with an error."""


def execute(
    notebook: str,
    output: Path,
    parameters: dict[str, Any],
    on_line: Callable[[str], None],
    environment: dict[str, str] | None = None,
    gone: Callable[[], bool] = lambda: False,
) -> None:
    """Execute `notebooks/<notebook>.ipynb` and store it at `output`, whole or not at all.

    `on_line` is given the lines of progress that the notebook logs; `environment` is added to that
    of this process. Once `gone` says that nobody waits for it any more, it is ended.

    Raises:
        NotebookError: the notebook failed, was killed or hung; the text says which, or is the last
            line that it said.
        StorageError: the folder of `output` cannot be written.
    """
    command = [sys.executable, "-m", "fpcore.runs.notebook", str(NOTEBOOKS / f"{notebook}.ipynb")]
    given = ["--parameters_yaml", yaml.safe_dump(parameters), "--log-output", "--no-progress-bar"]
    own = {PARENT: str(os.getpid())} | (environment or {})
    with replacing(output, ".ipynb") as temporary:
        _follow([*command, str(temporary), *given], on_line, _inherited() | own, gone)


def tidy(path: Path) -> None:
    """Drop what papermill notes about itself: paths of this machine, and times that only differ."""
    import nbformat  # takes a second, but not where papermill has loaded it

    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell.id = f"cell-{number}"  # papermill draws a new id for the cell that it injects
    nbformat.write(notebook, path)


def _inherited() -> dict[str, str]:
    """Return the environment without what Dask sets for its workers and slows training.

    With a threshold for trimming, every tensor of 128 KB and more is given back to the system and
    asked for again: phase 1 took up to twice as long.
    """
    return {name: value for name, value in os.environ.items() if name != "MALLOC_TRIM_THRESHOLD_"}


def _follow(
    command: list[str],
    on_line: Callable[[str], None],
    environment: dict[str, str],
    gone: Callable[[], bool],
) -> None:
    """Run a command to its end, and pass its lines of progress on."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
    ) as process:
        watch = _Watch(process.pid, gone)
        last = ""
        try:
            assert process.stdout is not None
            for line in process.stdout:
                last = line.strip() or last
                if line.startswith(MARK):
                    on_line(line.rstrip())
            if process.wait():
                raise NotebookError(watch.reason or _reason(process.returncode, last))
        finally:
            watch.stop()
            watch.kill()


def _reason(code: int, last: str) -> str:
    if code < 0:
        return f"its notebook was ended by signal {-code}"
    if "DeadKernelError" in last:
        return "its kernel died: it was killed, or the memory was full"
    return last


class _Watch:
    """Ends a process and its children when they use no processor for a long time, or for nobody."""

    def __init__(self, pid: int, gone: Callable[[], bool]) -> None:
        self.reason, self._gone = "", gone
        self._process, self._stopped = psutil.Process(pid), threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def _run(self) -> None:
        since, used = time.monotonic(), self._seconds()
        while not self._stopped.wait(CHECK):
            now = self._seconds()
            waited = time.monotonic() - since
            if self._gone():
                self.reason = "nobody waits for it any more"
                self.kill()
                return
            if abs(now - used) > IDLE * HUNG:  # less than before where a child has ended
                since, used = time.monotonic(), now
            elif waited > HUNG:
                self.reason = f"it hung: no processor used for {waited:.0f} seconds"
                self.kill()
                return

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.Error:
            return []

    def _seconds(self) -> float:
        total = 0.0
        for process in self._tree():
            try:
                times = process.cpu_times()
                total += times.user + times.system
            except psutil.Error:
                continue
        return total

    def kill(self) -> None:
        """End the process and its children."""
        for process in self._tree():
            try:
                process.kill()
            except psutil.Error:
                continue


def main() -> None:
    """Be papermill's command, and tidy what it made, until the process that started it is gone."""
    output, parent = Path(sys.argv[2]), int(os.environ[PARENT])
    threading.Thread(target=_end_with, args=(parent, output), daemon=True).start()
    from papermill.cli import papermill  # takes long, and the parent may be gone meanwhile

    try:
        papermill()
    except SystemExit as end:
        if end.code:
            raise
    tidy(output)


def _end_with(parent: int, output: Path) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    output.unlink(missing_ok=True)  # nobody is left to take it
    os._exit(1)  # the kernel, its child, looks after its own parent in the same way


if __name__ == "__main__":
    main()
