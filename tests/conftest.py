"""Toy settings shared by the tests; nothing here writes outside pytest's temporary folder."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis.configuration import set_hypothesis_home_dir

from fpcore import RunConfig
from fpcore.model.blocks import FixedPointModel

hypothesis.settings.register_profile(
    "fpcore", deadline=None, derandomize=True, database=None, max_examples=50
)
hypothesis.settings.load_profile("fpcore")
torch.set_num_threads(1)  # toy matrices only lose time on more

Toy = Callable[..., RunConfig]
Build = Callable[..., tuple[FixedPointModel, torch.Tensor]]
WriteCorpus = Callable[..., Path]

WORDS = [a + b for a in "ka ne mi so tu ra".split() for b in "lo wi ten sha pek gru".split()]


@pytest.fixture(scope="session", autouse=True)
def _session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("home")
    set_hypothesis_home_dir(folder / "hypothesis")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(folder))
        yield


def conversation(number: int) -> str:
    """Two to four utterances of random words, the common ones first in WORDS."""
    draw = random.Random(number)
    weights = [1 / (rank + 1) for rank in range(len(WORDS))]
    lines = [draw.choices(WORDS, weights, k=draw.randint(3, 9)) for _ in range(draw.randint(2, 4))]
    return "\n".join(" ".join(line) for line in lines)


@pytest.fixture
def conversations() -> list[str]:
    """The 60 conversations of the toy corpus."""
    return [conversation(number) for number in range(60)]


@pytest.fixture
def write_corpus(tmp_path: Path) -> WriteCorpus:
    """Write texts as the .jsonl corpus of this test."""

    def write(texts: list[str], name: str = "toy.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="utf-8")
        return path

    return write


@pytest.fixture
def toy() -> Toy:
    """The small setting at toy size, with the knobs that a test changes."""

    def config(**knobs: Any) -> RunConfig:
        size = {"embed_dim": 16, "context_dim": 24, "samples": [10, 20], "val_samples": 5}
        length = {"max_iter": 8, "phase1_batch": 128, "epochs": 3, "phase2_batch": 64}
        common = {"tokenizer": "bpe-300", "device": "cpu", "precision": "float32"}
        return RunConfig(**(common | size | length | knobs))

    return config


@pytest.fixture
def build() -> Build:
    """A model with a random embedding of 40 types, and the ids of a random text."""

    def model(
        config: RunConfig, tokens: int, seed: int = 42
    ) -> tuple[FixedPointModel, torch.Tensor]:
        source = torch.Generator().manual_seed(1)
        weights = torch.randn(40, config.embed_dim, generator=source, dtype=torch.float64)
        ids = torch.randint(37, (tokens,), generator=source)  # so that some types do not occur
        return FixedPointModel(weights, config, seed), ids

    return model
