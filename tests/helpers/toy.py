"""The toy corpus, and records without what may differ between two runs."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from fpcore import RunConfig
from fpcore.model.blocks import FixedPointModel
from fpcore.records.record import VOLATILE

Toy = Callable[..., RunConfig]
Tuned = Callable[..., None]
Build = Callable[..., tuple[FixedPointModel, torch.Tensor]]
WriteCorpus = Callable[..., Path]

WORDS = [a + b for a in "ka ne mi so tu ra".split() for b in "lo wi ten sha pek gru".split()]


def conversation(number: int) -> str:
    """Two to four utterances of random words, the common ones first in WORDS."""
    draw = random.Random(number)
    weights = [1 / (rank + 1) for rank in range(len(WORDS))]
    lines = [draw.choices(WORDS, weights, k=draw.randint(3, 9)) for _ in range(draw.randint(2, 4))]
    return "\n".join(" ".join(line) for line in lines)


def written(path: Path, texts: list[str]) -> Path:
    """Write texts as a .jsonl corpus, and return its path."""
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="utf-8")
    return path


def stable(value: Any) -> Any:
    """The same data without what may differ between two runs, at any depth."""
    if isinstance(value, dict):
        return {key: stable(item) for key, item in value.items() if key not in VOLATILE}
    return [stable(item) for item in value] if isinstance(value, list) else value
