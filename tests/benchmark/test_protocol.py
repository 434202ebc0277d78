"""The timed protocol at toy size."""

from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import pytest
import torch
from helpers.counted import COUNTED
from helpers.toy import Toy, WriteCorpus

from fpcore import paths
from fpcore.benchmark import protocol
from fpcore.benchmark.cases import Shapes
from fpcore.benchmark.counts import Counts
from fpcore.benchmark.protocol import STAGES, Protocol, beside_plain, run, write
from fpcore.runs import states


def test_every_size_and_stage_is_timed(
    toy: Toy,
    write_corpus: WriteCorpus,
    conversations: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    config = toy(corpus=str(write_corpus(conversations)), embedding="random")
    source = torch.Generator().manual_seed(0)
    ids = torch.randint(40, (600,), generator=source)
    weights = torch.randn(40, 16, generator=source)
    seconds = run(ids, weights, config, (100, 300), 80)
    assert seconds.index.tolist() == [100, 300] and list(seconds.columns)[:4] == list(STAGES)
    assert (seconds >= 0).all(axis=None) and seconds["phase1"].gt(0).all()
    shapes = Shapes(24, 16, "toy", 200, 32, phase2_tokens=64, steps=20, phase1_batch=64)
    path = write(Protocol({"v5": seconds}, {}, {200: beside_plain(ids, weights, shapes, 1)}))
    text = path.read_text("utf-8")
    assert "| 300 " in text and "plain との比較（200 トークン）" in text
    assert f"全体で {seconds.to_numpy().sum():.1f} 秒" in text


def test_the_times_are_written_before_the_plain_part_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    seconds = pd.DataFrame([[1.0, 2.0, 3.0, 4.0]], [100], STAGES).rename_axis("tokens")
    monkeypatch.setattr(protocol, "load", Mock())
    monkeypatch.setattr(protocol, "load_tokenizer", Mock())
    monkeypatch.setattr(protocol, "training_conversations", lambda *_: [torch.zeros(3)])
    monkeypatch.setattr(protocol, "torch", Mock(wraps=torch, randn=Mock()))
    monkeypatch.setattr(protocol, "run", lambda *_: seconds)
    one = Counts(1, 67 * 10**9)
    monkeypatch.setattr(protocol, "counted", lambda: dict.fromkeys(COUNTED, one))
    monkeypatch.setattr(protocol, "device_name", lambda _: "NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(protocol, "beside_plain", Mock(side_effect=torch.OutOfMemoryError))
    with pytest.raises(torch.OutOfMemoryError):
        protocol.main()
    text = (paths.reports() / "protocol.md").read_text("utf-8")
    assert text.count("全体で 10.0 秒") == 2  # of v5 and of v6
    assert "H100 のカタログ値で計算すると、Phase 1 は 444.9 秒" in text  # 59 · 377 · 20 ms


def test_no_state_is_stored(
    toy: Toy,
    write_corpus: WriteCorpus,
    conversations: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Storing one takes time, and going on from one hides it."""
    monkeypatch.setattr(states, "INTERVAL", 0.0)
    monkeypatch.setattr(states, "SHARE", 0)
    monkeypatch.setattr(states, "write", Mock(side_effect=AssertionError))
    config = toy(corpus=str(write_corpus(conversations)), embedding="random")
    ids = torch.arange(200) % 40
    assert len(run(ids, torch.randn(40, 16), config, (100,), 80)) == 1
