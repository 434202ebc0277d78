"""Many runs on Dask workers: a cluster of this machine, and one started by hand."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
import yaml
from distributed import Client, LocalCluster
from helpers.toy import conversation
from helpers.toy import written as written_corpus

from fpcore.book.making import Book
from fpcore.config.run_config import RunConfig
from fpcore.errors import ConfigError
from fpcore.paths import ROOT
from fpcore.records.record import load_record
from fpcore.runs import cluster, notebook
from fpcore.runs.jobs import Job
from fpcore.runs.notebook import NotebookError, execute
from fpcore.runs.standings import Row, Table

TOY: dict[str, Any] = {
    "tokenizer": "bpe-300",
    "embed_dim": 16,
    "context_dim": 24,
    "samples": [10],
    "val_samples": 5,
    "max_iter": 8,
    "phase1_batch": 128,
    "epochs": 3,
    "phase2_batch": 64,
    "device": "cpu",
}
LONG = {"max_iter": 800, "phase1_batch": 40}
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def toy(tmp_path: Path) -> dict[str, Any]:
    corpus = written_corpus(tmp_path / "toy.jsonl", [conversation(number) for number in range(60)])
    return TOY | {"corpus": str(corpus)}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start processes that end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def process(*words: str, cwd: Path, log: str) -> subprocess.Popen[bytes]:
        environment = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
        environment |= {"FPCORE_HOME": str(tmp_path / "home")}
        with (tmp_path / log).open("wb") as out:
            made = subprocess.Popen(
                words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        started.append(made)
        return made

    yield process
    for made in started:
        made.kill()
        made.wait()


def written(folder: Path, configs: dict[str, dict[str, Any]]) -> str:
    """Write params files and return their paths as a parameter."""
    for name, knobs in configs.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(knobs), encoding="utf-8")
    return json.dumps([str(folder / f"{name}.yaml") for name in configs])


def book(start: Start, folder: Path, **knobs: Any) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "papermill", str(ROOT / "notebooks" / "book.ipynb")]
    words += [str(folder / "book.ipynb"), "--log-output"]
    for name, value in knobs.items():
        words += ["-p", name, str(value)]
    return start(*words, cwd=folder, log="book.log")


def worker_of(process: subprocess.Popen[bytes], name: str) -> psutil.Process:
    """Wait until a worker trains the run `name`, and return the worker."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                words = child.cmdline()
                if "fpcore.runs.notebook" in words and f"name: {name}\n" in "".join(words):
                    return child.parent()
            except psutil.Error:
                continue
        time.sleep(0.05)
    raise AssertionError(f"{name} was not started")


def test_one_config_fails_and_one_worker_is_killed(
    tmp_path: Path, toy: dict[str, Any], start: Start
) -> None:
    """Five records and one clear failure; the killed worker's run is tried once more."""
    good = {f"run{n}": toy | {"seeds": [n]} for n in range(5)}
    good["run1"] |= LONG
    given = written(tmp_path, {"bad": toy | {"samples": [1000]}} | good)
    made = book(start, tmp_path, configs=given, workers=2)
    worker = worker_of(made, "run1")
    states = tmp_path / "home" / ".cache" / "checkpoints" / "run1"
    while not list(states.glob("*.phase1.safetensors")):
        assert made.poll() is None
        time.sleep(0.05)
    worker.kill()
    assert made.wait(400) != 0
    log = (tmp_path / "book.log").read_text("utf-8")
    last = [line for line in log.splitlines() if line.strip()][-1]
    assert last.startswith("bad failed: ") and "samples asks for 1000" in last and " | " not in last
    runs = tmp_path / "home" / "reports" / "runs"
    assert {path.stem for path in runs.glob("*.json")} == set(good)
    assert {path.stem for path in runs.glob("*.ipynb")} == set(good)
    assert "実行中（2 回目）" in log
    assert json.loads((runs / "run1.json").read_bytes())["config"]["seeds"] == [1]


def test_scheduler_and_workers_started_by_hand(
    tmp_path: Path, toy: dict[str, Any], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers have folders of their own; records and notebooks come back over the wire."""
    file = tmp_path / "scheduler.json"
    words = (sys.executable, "-m", "distributed.cli.dask_scheduler")
    quiet = ("--no-dashboard", "--host", "127.0.0.1")
    first = ("--port", "0", "--scheduler-file", str(file), *quiet)
    started = [start(*words, *first, cwd=tmp_path, log="s.log")]
    for number in (1, 2):
        folder = tmp_path / f"worker{number}"
        folder.mkdir()
        words = (sys.executable, "-m", "distributed.cli.dask_worker")
        options = ("--scheduler-file", str(file), "--nthreads", "1", *quiet)
        started.append(start(*words, *options, cwd=folder, log=f"w{number}.log"))
    while not file.is_file() or not file.read_text():
        time.sleep(0.1)
    address = json.loads(file.read_text())["address"]
    configs = {"one": toy, "two": toy | {"max_iter": 10}}
    long = written(tmp_path, {"long": toy | LONG})
    made = book(start, tmp_path, configs=written(tmp_path, configs), scheduler=address)
    assert made.wait(300) == 0, (tmp_path / "book.log").read_text("utf-8")[-3000:]
    runs = tmp_path / "home" / "reports" / "runs"
    assert {path.name for path in runs.iterdir()} == {
        f"{name}.{suffix}" for name in configs for suffix in ("json", "ipynb")
    }
    two = json.loads((runs / "two.json").read_bytes())["results"][0]
    assert two["shared_iterations"] == 8  # it followed `one` to the same worker
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path / "home"))
    before = (runs / "one.json").read_bytes()
    three, one = (
        RunConfig(**toy | {"name": n, "seeds": [s]}) for n, s in (("three", 3), ("one", 42))
    )
    again = Book()
    again.train([three, one], force=False, scheduler=address)
    assert (again.runs, again.failures) == (["three", "one"], [])
    assert (runs / "one.json").read_bytes() == before  # sent to the worker, and reused there
    assert not (tmp_path / "home" / ".cache" / "checkpoints").exists()
    used = [tmp_path / f"worker{n}" / "fpcore-worker" / "reports" / "runs" for n in (1, 2)]
    assert {p.stem for folder in used for p in folder.glob("*.json")} == {"one", "two", "three"}
    _end_with_the_scheduler(started, book(start, tmp_path, configs=long, scheduler=address))
    last = (tmp_path / "book.log").read_text("utf-8").strip().splitlines()[-1]
    assert last == "long failed: the connection to its scheduler was lost"


def _end_with_the_scheduler(
    started: list[subprocess.Popen[bytes]], made: subprocess.Popen[bytes]
) -> None:
    """Kill the scheduler while a worker trains: all of them end, with all that they started."""
    scheduler, *workers = started
    family = [psutil.Process(process.pid) for process in (made, *workers)]
    while not any("name: long\n" in words for words in map(_words, _tree(family))):
        assert made.poll() is None
        time.sleep(0.1)
    left = _tree(family)
    scheduler.kill()
    end = time.monotonic() + 15
    while any(map(_words, left)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(_words, left)), [_words(process) for process in left]


def _words(process: psutil.Process) -> str:
    """Return the command of a process; nothing where it has ended."""
    try:
        return " ".join(process.cmdline()) if process.is_running() else ""
    except psutil.Error:
        return ""


def _tree(family: list[psutil.Process]) -> list[psutil.Process]:
    return [*family, *(child for p in family for child in p.children(recursive=True))]


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGSTOP, 2), (signal.SIGINT, 1)])
def test_a_hung_or_interrupted_worker_costs_only_its_own_run(
    number: signal.Signals,
    workers: int,
    home: Path,
    toy: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another worker takes over, if need be a new one, and ends what the first one left."""
    monkeypatch.setitem(cluster.SETTINGS, "distributed.scheduler.worker-ttl", "6s")
    real = Table.show
    stopped: list[psutil.Process] = []

    def show(table: Table) -> None:
        real(table)
        states = home / ".cache" / "checkpoints" / "long"
        if not stopped and list(states.glob("*.phase1.safetensors")):
            worker = next(
                child.parent()
                for child in psutil.Process().children(recursive=True)
                if "fpcore.runs.notebook" in child.cmdline()
                and "name: long\n" in child.cmdline()[-3]
            )
            assert worker in psutil.Process().children(recursive=True)
            stopped.append(worker)
            worker.send_signal(number)

    monkeypatch.setattr(Table, "show", show)
    made = Book()
    configs = [RunConfig(**toy | {"name": "long"} | LONG), RunConfig(**toy | {"name": "short"})]
    made.train(configs, force=False, workers=workers)
    assert (made.runs, made.failures) == (["long", "short"], [])
    assert len(stopped) == 1
    assert load_record("long").results[0].phase1_iterations == LONG["max_iter"]


def test_a_hung_kernel_is_ended(
    home: Path, toy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "HUNG", 3.0)
    monkeypatch.setattr(notebook, "CHECK", 0.2)
    checkpoints = home / ".cache" / "checkpoints" / "long"

    def stop() -> None:
        while not list(checkpoints.glob("*.phase1.safetensors")):
            time.sleep(0.05)
        for child in psutil.Process().children(recursive=True):
            if "ipykernel_launcher" in child.cmdline():
                child.suspend()

    threading.Thread(target=stop, daemon=True).start()
    knobs = RunConfig(**toy | {"name": "long"} | LONG).model_dump()
    output = home / "reports" / "runs" / "long.ipynb"
    with pytest.raises(NotebookError, match="it hung: no processor used for"):
        execute("run", output, knobs | {"force": False, "share": ""}, print)
    assert not output.exists()


@pytest.mark.parametrize("knobs", [{"max_itr": 3}, {"corpus": "no.txt"}])
def test_a_notebook_that_fails_leaves_nothing(
    home: Path, toy: dict[str, Any], knobs: dict[str, Any]
) -> None:
    given = RunConfig(**toy).model_dump() | {"force": False, "share": ""} | knobs
    with pytest.raises(NotebookError) as caught:
        execute("run", home / "reports" / "runs" / "x.ipynb", given, print)
    assert next(iter(knobs)) in str(caught.value)
    assert list((home / "reports" / "runs").iterdir()) == []


def test_no_scheduler_or_no_worker_at_the_address(
    toy: dict[str, Any], start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 2)
    config = RunConfig(**toy)
    for address in ("tcp://127.0.0.1:9", "nonsense", "tcp://127.0.0.1:x"):
        with pytest.raises(ConfigError, match="cannot be reached"):
            Book().train([config], force=False, scheduler=address)
    file = tmp_path / "scheduler.json"
    words = (sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0")
    options = ("--scheduler-file", str(file), "--no-dashboard", "--host", "127.0.0.1")
    start(*words, *options, cwd=tmp_path, log="s.log")
    while not file.is_file() or not file.read_text():
        time.sleep(0.1)
    address = json.loads(file.read_text())["address"]
    with pytest.raises(ConfigError, match="has no worker; start one with `dask worker"):
        Book().train([config], force=False, scheduler=address)


def test_jobs_are_given_up_that_no_worker_is_left_for(
    toy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    jobs = [Job(name, toy, False, name) for name in ("one", "two")]
    table = Table({job.name: Row(job.name) for job in jobs})
    left = LocalCluster(n_workers=0, processes=False, dashboard_address=None)
    with left, Client(left.scheduler_address) as client:
        made, failures = cluster._Conductor(client, [jobs], table, 1).run()
    assert (made, failures) == ([], dict.fromkeys(("one", "two"), cluster.LEFT))


STRANGER = """
import os, sys, urllib.request
from distributed import Client
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for address in sys.argv[1:3]:
    try:
        Client(address, timeout=3)
        print("reached", address)
    except Exception as error:
        print(type(error).__name__)
for port in sys.argv[3:]:
    for page in ("", "status", "info/main/workers.html", "json/counts.json"):
        try:
            url = f"http://127.0.0.1:{port}/{page}"
            print("served", urllib.request.urlopen(url, timeout=3).url)
        except OSError:
            pass
"""


def test_nobody_else_reaches_a_cluster_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its scheduler nor a page of it, nor from another machine."""
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    with dask.config.set(cluster.SETTINGS), cluster._cluster(1) as local:
        own = psutil.Process()
        ports = [
            connection.laddr
            for process in (own, *own.children(recursive=True))
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert ports and {address.ip for address in ports} == {"127.0.0.1"}
        address = local.scheduler_address
        words = [address, address.replace("tls:", "tcp:"), *(str(a.port) for a in ports)]
        done = subprocess.run(
            [sys.executable, "-c", STRANGER, *words],
            capture_output=True,
            text=True,
            cwd="/",
            env={"PATH": os.environ["PATH"], "HOME": "/"},
        )
    assert len(done.stdout.split()) == 2, done.stdout + done.stderr
    assert "reached" not in done.stdout and "served" not in done.stdout
