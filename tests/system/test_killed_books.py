"""Books of two runs that are killed in every way, a process or the whole group, and go on.

`pytest -m slow tests/system/test_killed_books.py` kills FPCORE_KILLS times (100).
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from helpers.toy import conversation, stable, written

from fpcore.paths import ROOT

KILLS = int(os.environ.get("FPCORE_KILLS", "100"))
MARK = "FPCORE_TEST_OF_KILLS"  # environment of every process of a book
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
END = 15  # seconds
KNOBS: dict[str, Any] = {
    "tokenizer": "bpe-300",
    "embed_dim": 16,
    "context_dim": 48,
    "samples": [10, 40],
    "val_samples": 5,
    "max_iter": 150,
    "phase1_batch": 64,
    "epochs": 80,
    "phase2_batch": 32,
    "select_on": "dev",
    "device": "cpu",
    "precision": "float32",
}


class Killed:
    """The same book again and again, in a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        # The corpus stands in the records, so it is one for all homes.
        texts = [conversation(number) for number in range(60)]
        corpus = written(folder.parent / "toy.jsonl", texts)
        paths = [folder / f"run{number}.yaml" for number in range(2)]
        for number, path in enumerate(paths):
            path.write_text(yaml.safe_dump(KNOBS | {"corpus": str(corpus), "seeds": [number]}))
        words = ["papermill", str(ROOT / "notebooks" / "book.ipynb"), str(folder / "out.ipynb")]
        configs = json.dumps([str(path) for path in paths])
        self._words = [sys.executable, "-m", *words, "--log-output", "-p", "configs", configs]
        self._folder = folder

    def start(self) -> subprocess.Popen[bytes]:
        own = {"FPCORE_HOME": str(self.home), MARK: str(self._folder), "OMP_NUM_THREADS": "1"}
        with (self._folder / "log").open("wb") as log:
            return subprocess.Popen(
                self._words,
                env=os.environ | own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def alive(self) -> list[psutil.Process]:
        """Return every process that a book has started, wherever it now stands."""
        found = []
        for process in psutil.process_iter():
            try:
                own = process.environ().get(MARK) == str(self._folder)
                if own and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def records(self) -> dict[str, Any]:
        paths = sorted((self.home / "reports" / "runs").glob("run*.json"))
        return {path.stem: stable(json.loads(path.read_bytes())) for path in paths}

    def finish(self) -> dict[str, Any]:
        """Run to the end, and return the records without what may differ."""
        assert self.start().wait(900) == 0, (self._folder / "log").read_text("utf-8")[-3000:]
        return self.records()


def kill(book: Killed, draw: random.Random, process: subprocess.Popen[bytes]) -> None:
    """Send a signal to the group, or to one of all its processes; the book ends or goes on."""
    number = draw.choice(SIGNALS)
    target = draw.choice([None, process.pid, *(p.pid for p in book.alive())])
    if target is None:
        os.killpg(process.pid, number)
    else:
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(target, number)
    if target in (None, process.pid):
        process.wait(END)
    else:
        process.wait(900)  # of a worker or a kernel: the book goes on, or says what failed
    end = time.monotonic() + END
    while book.alive() and time.monotonic() < end:
        time.sleep(0.2)
    assert not (left := book.alive()), (number, target, [p.cmdline() for p in left])


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_a_book_that_is_killed_ends_with_the_same_records(tmp_path: Path) -> None:
    # A shell's background jobs ignore Ctrl-C, and so would all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole, start = Killed(tmp_path / "whole"), time.monotonic()
    records, book = whole.finish(), Killed(tmp_path / "killed")
    seconds, draw, killed = time.monotonic() - start, random.Random(KILLS), 0
    while killed < KILLS:
        process = book.start()
        with suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0.05, 0.9) * seconds)
        ended = process.poll() is not None
        if not ended:
            kill(book, draw, process)
            killed += 1
            print(f"kill {killed}: exit {process.poll()}", flush=True)
        if ended or killed % 10 == 0 or killed == KILLS:
            assert book.finish() == records
            for path in (book.home / "reports" / "runs").glob("run*.json"):
                path.unlink()
    assert not list((book.home / "reports" / "runs").glob(".*"))
