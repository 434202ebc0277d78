"""Books of two runs that are killed in every way, a process or the whole group, and go on.

`pytest -m slow tests/system/test_killed_books.py` kills FPCORE_KILLS times (100): one half with the
cluster that a book starts, the other with a scheduler and workers that were started by hand.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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


class ByHand:
    """A scheduler at a fixed port of this machine and two workers in folders of their own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        quiet = ["--no-dashboard", "--host", "127.0.0.1"]
        worker = ["dask_worker", self.address, "--nthreads", "1", *quiet]
        self._words = [["dask_scheduler", "--port", str(port), *quiet], worker, worker]
        self._folder, self._started = folder, list[subprocess.Popen[bytes]]()

    def start(self) -> None:
        """Start what does not run; without their scheduler the workers end, and start with it."""
        if not self._started or self._started[0].poll() is not None:
            self.stop()
            self._started = []
        for place, words in enumerate(self._words):
            if place < len(self._started) and self._started[place].poll() is None:
                continue
            own = self._folder / f"{words[0]}{place}"
            own.mkdir(exist_ok=True)
            self._started[place : place + 1] = [_begun(words, own)]

    def standing(self) -> set[int]:
        """Return the processes that stay between two books: nothing that a run has started."""
        roots = [psutil.Process(p.pid) for p in self._started if p.poll() is None]
        found = [*roots, *(c for root in roots for c in root.children(recursive=True))]
        return {process.pid for process in found if not _of_a_run(process)}

    def stop(self) -> None:
        for process in self._started:
            process.terminate()
        for process in self._started:
            process.wait(END)


def _begun(words: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", f"distributed.cli.{words[0]}", *words[1:]]
    own = {MARK: str(folder.parent), "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _of_a_run(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any(
            word in process.cmdline() for word in ("fpcore.runs.notebook", "ipykernel_launcher")
        )
    return False


class Killed:
    """The same book again and again, in a home of its own, on a cluster of its own or `by_hand`."""

    def __init__(self, folder: Path, by_hand: ByHand | None = None) -> None:
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
        self._folder, self._by_hand = folder, by_hand
        if by_hand:
            self._words += ["-p", "scheduler", by_hand.address]

    def start(self) -> subprocess.Popen[bytes]:
        if self._by_hand:
            self._by_hand.start()
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
        """Return every process of the book and of its cluster, wherever it now stands."""
        found = []
        for process in psutil.process_iter():
            try:
                own = process.environ().get(MARK) == str(self._folder)
                if own and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def left(self) -> list[psutil.Process]:
        """Return the processes that are alive though their book is over."""
        standing = self._by_hand.standing() if self._by_hand else set()
        return [process for process in self.alive() if process.pid not in standing]

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
    words = "group" if target is None else _words(target)
    if target is None:
        os.killpg(process.pid, number)
    else:
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(target, number)
    if target in (None, process.pid):
        process.wait(END)
    else:
        process.wait(900)  # of a worker or a kernel: the book goes on, or says what failed
    print(f"{number.name} to {words}: exit {process.poll()}", flush=True)
    assert not (left := _after_a_while(book.left)), (number, words, [p.cmdline() for p in left])


def _after_a_while(alive: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    """Return what is alive in the end, of processes that may take END seconds to go."""
    end = time.monotonic() + END
    while alive() and time.monotonic() < end:
        time.sleep(0.2)
    return alive()


def _words(pid: int) -> str:
    with suppress(psutil.Error):
        return " ".join(psutil.Process(pid).cmdline())[:200]
    return "one that has ended"


@pytest.fixture(params=[False, True], ids=["own cluster", "by hand"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Killed, Killed]]:
    """One that is left alone, and one that is killed."""
    # A shell's background jobs ignore Ctrl-C, and so would all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folders = [tmp_path / "whole", tmp_path / "killed"]
    for folder in folders:
        folder.mkdir()
    clusters = [ByHand(folder) if request.param else None for folder in folders]
    whole, killed = (Killed(*own) for own in zip(folders, clusters, strict=True))
    yield whole, killed
    for cluster in clusters:
        if cluster:
            cluster.stop()
    assert not _after_a_while(whole.alive) and not _after_a_while(killed.alive)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_a_book_that_is_killed_ends_with_the_same_records(books: tuple[Killed, Killed]) -> None:
    whole, book = books
    start, draw, killed = time.monotonic(), random.Random(KILLS), 0
    records = whole.finish()
    seconds = time.monotonic() - start
    while killed < KILLS / 2:
        process = book.start()
        with suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0.05, 0.9) * seconds)
        ended = process.poll() is not None
        if not ended:
            kill(book, draw, process)
            killed += 1
            print(f"kill {killed}", flush=True)
        if ended or killed % 10 == 0 or killed >= KILLS / 2:
            assert book.finish() == records
            for path in (book.home / "reports" / "runs").glob("run*.json"):
                path.unlink()
    assert not list((book.home / "reports" / "runs").glob(".*"))
