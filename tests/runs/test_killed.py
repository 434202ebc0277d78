"""One run killed in a process of its own; tests/system/test_faults.py kills in every way."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.toy import Toy, WriteCorpus, stable

import fpcore
from fpcore.runs.checkpoint import folder
from fpcore.trainers.phase1 import Trainer

RUN = "import fpcore, sys; fpcore.run(fpcore.RunConfig.model_validate_json(sys.argv[1]))"


def test_a_killed_run_goes_on_and_ends_with_the_same_record(
    toy: Toy,
    write_corpus: WriteCorpus,
    conversations: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the state that the killed process left: the iterations before it are not run again."""
    corpus = str(write_corpus(conversations))
    config = toy(name="toy", corpus=corpus, samples=[20], max_iter=1500, epochs=2)
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path / "whole"))
    whole = stable(fpcore.run(config).model_dump())
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path / "home"))
    words = [sys.executable, "-c", RUN, config.model_dump_json()]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    while not list(folder("toy").glob("*.phase1.safetensors")):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    iterations: list[int] = []
    real = Trainer.iterate

    def iterate(self: Trainer, iteration: int) -> dict[str, Any]:
        iterations.append(iteration)
        return real(self, iteration)

    monkeypatch.setattr(Trainer, "iterate", iterate)
    assert stable(fpcore.run(config).model_dump()) == whole
    assert iterations[0] > 2  # the first of a run that goes on from nothing
    assert not folder("toy").exists()
