"""Runs that are killed at random moments, and go on: in real processes, with papermill and without.

`pytest -m slow tests/system/test_faults.py` kills 20 times in every case.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from helpers.toy import conversation, stable, written

from fpcore.paths import ROOT

KNOBS: dict[str, Any] = {
    "name": "toy",
    "tokenizer": "bpe-300",
    "embed_dim": 16,
    "context_dim": 48,
    "samples": [10, 40],
    "val_samples": 5,
    "max_iter": 150,
    "phase1_batch": 64,
    "epochs": 80,
    "patience": 80,
    "phase2_batch": 32,
    "select_on": "dev",
    "device": "cpu",
    "precision": "float32",
}
WITHOUT = "import fpcore, sys; fpcore.run(fpcore.RunConfig.load(sys.argv[1]))"
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    corpus = written(folder / "toy.jsonl", [conversation(number) for number in range(60)])
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(KNOBS | {"corpus": str(corpus)}))
    return path


class Command:
    """The same command again and again, in a home of its own."""

    def __init__(self, way: str, params: Path, home: Path) -> None:
        self.home = home
        self._log = home.with_suffix(".log")
        if way == "python":
            self._words = [sys.executable, "-c", WITHOUT, str(params)]
        else:
            knobs = params.read_text("utf-8")
            words = ["papermill", str(ROOT / "notebooks" / "run.ipynb"), str(home / "out.ipynb")]
            self._words = [sys.executable, "-m", *words, "-y", knobs, "--log-output"]
        home.mkdir()

    def start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"FPCORE_HOME": str(self.home), "OMP_NUM_THREADS": "1"}
        with self._log.open("wb") as log:
            return subprocess.Popen(
                self._words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that a signal can go to the group, as Ctrl-C does
            )

    def finish(self) -> dict[str, Any]:
        """Run to the end, and return the record without what may differ."""
        process = self.start()
        assert process.wait(300) == 0, self._log.read_text("utf-8", "replace")[-3000:]
        record = json.loads((self.home / "reports" / "runs" / "toy.json").read_bytes())
        assert isinstance(record, dict)
        return dict(stable(record))


@pytest.fixture(scope="module")
def undisturbed(
    params: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], float]:
    """The record of a run that nothing disturbs, and the seconds it takes."""
    command = Command("python", params, tmp_path_factory.mktemp("whole") / "home")
    start = time.monotonic()
    return command.finish(), time.monotonic() - start


def kill_and_go_on(
    way: str, number: signal.Signals, kills: int, params: Path, home: Path, seconds: float
) -> dict[str, Any]:
    """Kill a run `kills` times in work, at moments drawn by seed and home; return its record.

    Where a run ends before it is killed, its record is set aside and it begins anew.
    """
    draw = random.Random(f"{way} {number} {home.name}")
    command = Command(way, params, home)
    hit = 0
    while hit < kills:
        process = command.start()
        moment = time.monotonic() + draw.uniform(0.2, 1.0) * seconds
        while process.poll() is None and time.monotonic() < moment:
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, number)
            process.wait(60)
            hit += 1
        record = home / "reports" / "runs" / "toy.json"
        if record.exists():
            record.unlink()
    return command.finish()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("way", ["python", "papermill"])
def test_a_killed_run_ends_with_the_same_record(
    way: str,
    number: signal.Signals,
    params: Path,
    undisturbed: tuple[dict[str, Any], float],
    tmp_path: Path,
) -> None:
    whole, seconds = undisturbed
    assert kill_and_go_on(way, number, 3, params, tmp_path / "home", seconds) == whole
    left = list((tmp_path / "home" / ".cache" / "checkpoints").glob("*"))
    assert left == []


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("way", ["python", "papermill"])
def test_twenty_kills(
    way: str,
    number: signal.Signals,
    params: Path,
    undisturbed: tuple[dict[str, Any], float],
    tmp_path: Path,
) -> None:
    """After every fourth kill the record is looked at, so that no later run repairs it."""
    whole, seconds = undisturbed
    for part in range(5):
        home = tmp_path / f"home{part}"
        assert kill_and_go_on(way, number, 4, params, home, seconds) == whole


def test_the_kernel_of_a_killed_notebook_ends(params: Path, tmp_path: Path) -> None:
    command = Command("papermill", params, tmp_path / "home")
    process = command.start()
    while not (children := psutil.Process(process.pid).children(recursive=True)):
        time.sleep(0.05)
    time.sleep(3)
    process.kill()
    process.wait()
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_two_processes_on_one_name(params: Path, tmp_path: Path) -> None:
    """One works, the other says who holds the name, and disturbs nothing."""
    long = tmp_path / "long.yaml"
    long.write_text(params.read_text("utf-8").replace("max_iter: 150", "max_iter: 5000"))
    command = Command("python", long, tmp_path / "home")
    first = command.start()
    holder = tmp_path / "home" / ".locks" / "toy.json"
    while not holder.is_file():
        assert first.poll() is None
        time.sleep(0.02)
    environment = os.environ | {"FPCORE_HOME": str(command.home)}
    words = [sys.executable, "-c", WITHOUT, str(long)]
    try:
        second = subprocess.run(words, env=environment, capture_output=True, text=True)
        assert first.poll() is None
    finally:
        first.kill()
        first.wait()
    assert second.returncode != 0
    assert f"toy is being trained by process {first.pid} on " in second.stderr
    assert "fpcore.watch('toy')" in second.stderr


@pytest.mark.parametrize("most", [100, 2_000, 12_000, 40_000])
def test_a_full_disk_is_one_sentence_and_destroys_nothing(
    params: Path, tmp_path: Path, undisturbed: tuple[dict[str, Any], float], most: int
) -> None:
    """No file can grow beyond some bytes: locks, tokenizer, states and record come in turn."""
    home = tmp_path / "home"
    runs = home / "reports" / "runs"
    runs.mkdir(parents=True)
    earlier = json.dumps({"name": "toy", "config": {}, "results": [{"samples": 5}]}).encode()
    (runs / "toy.json").write_bytes(earlier)
    limited = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))\n"
        "import fpcore, sys; fpcore.run(fpcore.RunConfig.load(sys.argv[1]), force=True)"
    )
    environment = os.environ | {"FPCORE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", limited, str(params)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    last = done.stderr.splitlines()[-1]
    assert last.startswith("fpcore.errors.StorageError: ") and "File too large; free" in last
    assert (runs / "toy.json").read_bytes() == earlier
    assert [path.name for path in runs.iterdir()] == ["toy.json"]
    freed = subprocess.run(
        [sys.executable, "-c", limited.replace(f"({most}, {most})", "(2**30, 2**30)"), str(params)],
        env=environment,
    )
    assert freed.returncode == 0
    assert stable(json.loads((runs / "toy.json").read_bytes())) == undisturbed[0]


def test_a_folder_that_cannot_be_written_is_one_sentence(params: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    environment = os.environ | {"FPCORE_HOME": str(tmp_path / "file" / "home")}
    words = [sys.executable, "-c", WITHOUT, str(params)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    last = done.stderr.splitlines()[-1]
    assert last.startswith("fpcore.errors.StorageError: ") and "Not a directory; free" in last
    assert "FPCORE_HOME" in last
