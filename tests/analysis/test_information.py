"""What a model was built from, by its config."""

from typing import Any

import pytest
from helpers.records import record

from fpcore.analysis.information import LEVELS, knowledge


@pytest.mark.parametrize(
    ("config", "level"),
    [
        ({}, "embedding"),
        ({"embedding": "gpt2"}, "elsewhere"),
        ({"embedding": "a.safetensors", "built_from": "training"}, "elsewhere"),
        ({"embedding": "random"}, "tokenizer"),
        ({"built_from": "training"}, "own"),
        ({"built_from": "training", "tokenizer": "gpt2"}, "tokenizer"),
        ({"model": "lstm"}, "embedding"),
        ({"model": "lstm", "own_embedding": True}, "tokenizer"),
        ({"model": "kneser-ney"}, "tokenizer"),
        ({"model": "kneser-ney", "built_from": "training"}, "own"),
        ({"model": "kneser-ney", "counts": "pool"}, "pool"),
    ],
    ids=str,
)
def test_what_a_model_knows(config: dict[str, Any], level: str) -> None:
    assert knowledge(record("one", config)) == level and level in LEVELS
