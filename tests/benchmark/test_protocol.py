"""The timed protocol at toy size."""

from pathlib import Path

import pytest
import torch
from helpers.toy import Toy, WriteCorpus

from fpcore.benchmark.cases import Shapes
from fpcore.benchmark.protocol import STAGES, Protocol, beside_plain, run, write


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
    assert seconds.index.tolist() == [100, 300] and list(seconds.columns) == list(STAGES)
    assert (seconds >= 0).all(axis=None) and seconds["phase1"].gt(0).all()
    shapes = Shapes(24, 16, "toy", 200, 32, phase2_tokens=64, steps=20, phase1_batch=64)
    path = write(Protocol(seconds, {200: beside_plain(ids, weights, shapes, 1)}))
    text = path.read_text("utf-8")
    assert "| 300 " in text and "plain との比較（200 トークン）" in text
    assert f"全体で {seconds.to_numpy().sum():.1f} 秒" in text
