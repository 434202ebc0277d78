"""The seed's own data path: UltraChat and GPT-2's embeddings, from a mirror of the hub."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.hub_mirror import PARQUET, WIDTH, Mirror, served, write_files
from helpers.toy import conversation

from fpcore.data.corpus import ULTRACHAT
from fpcore.data.embedding import GPT2
from fpcore.paths import ROOT

READ = """
import sys
from fpcore import RunConfig
from fpcore.data import corpus, embedding
c = RunConfig(corpus="ultrachat", tokenizer="gpt2", embedding="gpt2", embed_dim=8, samples=[3],
              val_samples=2)
data = corpus.load(c)
print(repr((data.train[0], data.val[1], len(data.train))))
print(embedding.load_embedding(c, [], 50257).shape)
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    folder = tmp_path_factory.mktemp("mirror")
    write_files(folder, 1020)  # the seed's validation ends with conversation 1019
    with served(folder) as found:
        yield found


@pytest.fixture
def run(mirror: Mirror, tmp_path: Path) -> Run:
    """Run Python with the mirror as the hub, and a cache and home of this test."""
    mirror.asked.clear()

    def process(*words: str, offline: bool = False) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        environment |= {"HF_ENDPOINT": mirror.address, "HF_HOME": str(tmp_path / "hf")}
        environment |= {"FPCORE_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": str(int(offline))}
        return subprocess.run(
            [sys.executable, *words], env=environment, capture_output=True, text=True, cwd=tmp_path
        )

    return process


def test_files_come_from_pinned_revisions_once(mirror: Mirror, run: Run) -> None:
    first = run("-c", READ)
    assert first.returncode == 0, first.stderr
    text, shape = first.stdout.splitlines()
    assert text == repr((conversation(0), conversation(1001), 1000))
    assert shape == f"torch.Size([50257, {WIDTH}])"
    asked = {path for path, _ in mirror.asked}
    assert f"/datasets/{ULTRACHAT.repository}/resolve/{ULTRACHAT.revision}/{PARQUET}" in asked
    assert f"/{GPT2.repository}/resolve/{GPT2.revision}/model.safetensors" in asked
    assert not [path for path in asked if "/main" in path]
    mirror.asked.clear()
    assert run("-c", READ).stdout == first.stdout  # a revision never changes
    assert run("-c", READ, offline=True).stdout == first.stdout
    assert mirror.asked == []


def test_a_broken_download_goes_on_where_it_stopped(mirror: Mirror, run: Run) -> None:
    mirror.breaks = 1
    done = run("-c", READ)
    assert done.returncode == 0 and mirror.breaks == 0, done.stderr
    weights = [asked for path, asked in mirror.asked if path.endswith("model.safetensors")]
    assert weights[-1].startswith("bytes=") and int(weights[-1][6:].split("-")[0]) >= 10 * 2**20


def test_without_a_network_or_offline_one_sentence_says_what_to_do(
    mirror: Mirror, run: Run
) -> None:
    done = run("-c", READ, offline=True)
    assert done.returncode != 0 and mirror.asked == []
    assert done.stderr.splitlines()[-1] == (
        "fpcore.errors.CorpusError: corpus ultrachat needs HuggingFaceH4/ultrachat_200k from the "
        "Hugging Face hub, which could not be reached or read (LocalEntryNotFoundError); check the "
        "network and HF_HUB_OFFLINE, or use corpus chitchat."
    )


def test_the_published_config_runs_offline(mirror: Mirror, run: Run, tmp_path: Path) -> None:
    """`params/v5.yaml` at two sizes through papermill; only widths are those of the mirror."""
    assert run("-c", READ).returncode == 0
    mirror.asked.clear()
    from fpcore import RunConfig

    knobs: dict[str, Any] = RunConfig.load("v5").model_dump() | {"force": False, "share": ""}
    knobs |= {"samples": [2, 4], "embed_dim": WIDTH, "context_dim": 12, "max_iter": 6, "epochs": 2}
    words = ["-m", "papermill", str(ROOT / "notebooks" / "run.ipynb"), "out.ipynb", "-y"]
    done = run(*words, json.dumps(knobs), offline=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert mirror.asked == []
    record = json.loads((tmp_path / "home" / "reports" / "runs" / "v5.json").read_text())
    assert [r["samples"] for r in record["results"]] == [2, 4]
    splits = {"training_pool": [0, 999], "validation": [1000, 1019], "vocabulary": 50257}
    assert splits.items() <= record["data"].items() and "development" not in record["data"]
    for result in record["results"]:
        assert result["phase1_iterations"] == 6 and result["epochs_run"] >= 1
        assert len(result["val_loss_sums"]) == 20
        missing = {key for key, value in result.items() if value is None}
        assert missing == {"trained_parameters", "chosen"}
