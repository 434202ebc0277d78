"""A kept model as a folder for elsewhere: it needs neither this repository's reports nor its cache.

`model.safetensors` holds the blocks and the embedding, `config.json` what the model is rebuilt from
and what its record says of it, `tokenizer.json` the tokenizer in the format of `tokenizers`, and
`README.md` a model card.
"""

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from fpcore.data.embedding import tensor_digest
from fpcore.errors import ModelError, StorageError
from fpcore.paths import file_content, hidden, remove, shown, unwritable
from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult
from fpcore.runs import states
from fpcore.runs.model_card import card
from fpcore.runs.models import EMBEDDING, Kept, Recipe, blocks, readable, rebuilt, tokenizer_from

TENSORS, CONFIG, TOKENIZER, CARD = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "README.md",
)


def write(kept: Kept, record: RunRecord, result: SizeResult, target: Path) -> None:
    """Write a kept model to a new or an empty folder, all of it or nothing.

    Raises:
        StorageError: the folder holds something, or cannot be written.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise StorageError(f"{shown(target)} is there, and no empty folder; name a new one.")
    said = kept.recipe.model_dump() | {"model": kept.digest}
    temporary = hidden(target)
    try:
        temporary.mkdir(parents=True)
        weights = kept.model.embedding.weight.float().cpu()
        states.write(temporary / TENSORS, blocks(kept.model) | {EMBEDDING: weights}, said)
        (temporary / CONFIG).write_bytes(_pretty(said))
        (temporary / TOKENIZER).write_text(kept.tokenizer.to_str(), encoding="utf-8")
        (temporary / CARD).write_text(card(kept, record, result, target.name), encoding="utf-8")
        temporary.replace(target)
    except OSError as error:
        raise unwritable(target, error) from None
    finally:
        remove(temporary)


def read(source: Path) -> Kept:
    """Return the model of a folder that `write` made.

    Raises:
        ModelError: a file is missing, damaged, or not of this model.
    """
    own, recipe, digest = _tensors(source / TENSORS, source / CONFIG)
    weights = own.pop(EMBEDDING)
    with readable(source / TOKENIZER):
        tokenizer = tokenizer_from(file_content(source / TOKENIZER), recipe)
    kept = rebuilt(own, recipe, weights, tokenizer)
    if kept.digest != digest:
        raise ModelError(f"{shown(source)} holds another model than its config.json tells of.")
    return kept


def _tensors(path: Path, config: Path) -> tuple[dict[str, Tensor], Recipe, str]:
    """Return tensors, recipe and digest of a model, of which both files have to tell the same."""
    with readable(path):
        _check_file(path)
        own, said = states.loaded(path)
        digest = said.pop("model")
        recipe = Recipe.model_validate(said)
        if EMBEDDING not in own or tensor_digest(own[EMBEDDING]) != recipe.embedding:
            raise ValueError("another embedding")
    with readable(config):
        if file_content(config) != _pretty(said | {"model": digest}):
            raise ValueError(f"it does not say what {TENSORS} says")
    return own, recipe, digest


def _check_file(path: Path) -> None:
    """Refuse what is no ordinary file, which could be without an end."""
    if path.exists() and not path.is_file():
        raise ValueError("no ordinary file")


def _pretty(said: dict[str, Any]) -> bytes:
    return (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode()
