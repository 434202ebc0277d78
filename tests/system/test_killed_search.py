"""A search whose first process is killed while two others train: none lost, none done twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml
from helpers.toy import conversation, written

from fpcore import Search
from fpcore.records.searches import SearchRecord
from fpcore.runs.searching import search

TRIALS = 12
SCRIPT = """
import sys
from fpcore import Search, search
if __name__ == "__main__":
    search(Search.load(sys.argv[1]), workers=2)
"""


def test_a_search_goes_on_after_kill_9(home: Path, tmp_path: Path) -> None:
    corpus = written(tmp_path / "toy.jsonl", [conversation(number) for number in range(60)])
    base = {
        "corpus": str(corpus), "tokenizer": "bpe-300", "embed_dim": 16, "context_dim": 24,
        "samples": [20], "val_samples": 5, "max_iter": 8, "phase1_batch": 128, "epochs": 40,
        "phase2_batch": 8, "select_on": "dev", "device": "cpu", "precision": "float32",
    }  # fmt: skip
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    given = {
        "title": "探す", "question": "?", "base": str(tmp_path / "base.yaml"), "trials": TRIALS,
        "ranges": {"phase2_lr": {"log": [0.001, 0.1]}}, "seeds": [1, 2],
    }  # fmt: skip
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(given))
    (tmp_path / "script.py").write_text(SCRIPT)
    with subprocess.Popen([sys.executable, str(tmp_path / "script.py"), str(path)]) as process:
        trials = home / "reports" / "searches" / "own" / "trials.json"
        end = time.monotonic() + 240
        while not trials.is_file() or len(SearchRecord.load("own").trials) < 2:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
    before = SearchRecord.load("own").trials
    assert len(before) < TRIALS
    record = search(Search.load(path), workers=1)
    assert len(record.trials) == TRIALS
    kept = [(trial.knobs, trial.losses) for trial in record.trials]
    assert all((trial.knobs, trial.losses) in kept for trial in before)
    knobs = [trial.knobs["phase2_lr"] for trial in record.trials]
    assert len({*knobs}) == TRIALS and record.base.state == "complete"
