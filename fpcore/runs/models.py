"""Trained models on disk: the blocks of every seed and size, in a folder for each run.

`.cache/models/<run>/<seed>-<size>-<digest>.safetensors` holds the blocks, and as JSON in its header
what the model is rebuilt from. Its digest is the one that the record tells: so a record has its own
models still while another training of that run stores new ones. The frozen embedding and the
tokenizer lie in the caches of their kinds, under the digests of their contents, once for all models
that share them. What is read is checked to the last bit, and nothing in it is run.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from tokenizers import Tokenizer
from torch import Tensor

from fpcore import stored
from fpcore.config.baseline import NeuralConfig
from fpcore.config.run_config import RunConfig
from fpcore.data.dataset import Data
from fpcore.data.embedding import tensor_digest
from fpcore.data.tokens import load_tokenizer, vocabulary_digest
from fpcore.errors import ConfigError, ModelError
from fpcore.model.blocks import FixedPointModel
from fpcore.paths import cache, remove, shown
from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult
from fpcore.runs import forms, states
from fpcore.runs.trial import Trial

EMBEDDING = "wte.weight"  # the name of the frozen embedding where it is stored
AGAIN = "run its config again with force (-p force True)"


class Recipe(BaseModel):
    """What a model is rebuilt from beside its blocks.

    `precision` is the format of the products that it was trained with, `vocabulary` and `embedding`
    are digests of the tokenizer and of the embedding's values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    config: dict[str, Any]
    seed: int
    samples: int
    precision: str
    vocabulary: str
    embedding: str


@dataclass(frozen=True)
class Kept:
    """A trained model, its tokenizer, and what it was rebuilt from."""

    model: FixedPointModel
    tokenizer: Tokenizer
    recipe: Recipe
    digest: str

    @property
    def config(self) -> RunConfig:
        """The config of its run."""
        return RunConfig(**self.recipe.config)


def keep(trial: Trial, model: FixedPointModel) -> str:
    """Store a trained model, where its config says so; return its digest in any case.

    Raises:
        StorageError: the disk is full, or the cache cannot be written.
    """
    recipe = Recipe(
        config=trial.config.model_dump(),
        seed=trial.seed,
        samples=trial.samples,
        precision=trial.precision.name,
        vocabulary=trial.data.vocabulary_digest,
        embedding=tensor_digest(trial.data.weights),
    )
    own = blocks(model)
    digest = digest_of(own, recipe)
    if trial.config.keep_models:
        keep_shared(trial.config, trial.data, recipe)
        path = file_of(trial.config.run_name, trial.seed, trial.samples, digest)
        states.write(path, own, recipe.model_dump())
    return digest


def keep_shared(config: RunConfig | NeuralConfig, data: Data, recipe: Recipe) -> None:
    """Store the embedding and the tokenizer, unless another model has.

    Raises:
        StorageError: the disk is full, or the cache cannot be written.
    """
    embedding, vocabulary = _embedding(recipe.embedding), _vocabulary(recipe.vocabulary)
    if states.read(embedding) is None:
        states.write(embedding, {EMBEDDING: data.weights}, {})
    if stored.read(vocabulary) is None:
        corpus = data.corpus
        if config.built_from == "training":
            corpus = replace(corpus, train=corpus.train[: max(config.samples)])
        stored.write(vocabulary, load_tokenizer(config.tokenizer, corpus).to_str().encode())


def load(record: RunRecord, result: SizeResult) -> Kept:
    """Return the model that a record tells of in one of its results.

    Raises:
        ModelError: it was never kept, was removed, is another than the record's, or is damaged.
    """
    path, digest = kept_at(record, result)
    return read(path, digest)


def kept_at(record: RunRecord, result: SizeResult) -> tuple[Path, str]:
    """Return the file and the digest of the model that a record tells of in one of its results.

    Raises:
        ModelError: it was never kept, was removed, or is another than the record's.
    """
    where = f"{record.name}, seed {result.seed}, size {result.samples}"
    if result.model_digest is None:
        raise ModelError(f"{where}: its record is older than kept models; {AGAIN}.")
    path = path_of(record.name, result)
    if not path.exists():
        raise ModelError(f"{where}: {_why_not(record, path)}; {AGAIN}.")
    return path, result.model_digest


def _why_not(record: RunRecord, path: Path) -> str:
    """Say why a model is not there."""
    if others := sorted(path.parent.glob(f"{path.stem.rpartition('-')[0]}-*.safetensors")):
        other = others[0].stem.rpartition("-")[2]
        return f"the model kept is {other}, but the record is of {path.stem.rpartition('-')[2]}"
    if not record.config.get("keep_models", True):
        return "its model was not kept, as keep_models was false"
    return f"its model is not in {shown(path.parent)} (removed, or trained on another machine)"


def read(path: Path, digest: str) -> Kept:
    """Return the model that a file of the cache holds.

    Raises:
        ModelError: it is damaged, is no kept model, or has another digest; or its embedding or
            tokenizer is.
    """
    with readable(path):
        own, said = states.loaded(path)
        recipe = Recipe.model_validate(said)
        if digest_of(own, recipe) != digest:
            raise ValueError("another digest than its name and its record")
    return rebuilt(own, recipe, embedding_of(recipe), tokenizer_of(recipe))


def rebuilt(own: dict[str, Tensor], recipe: Recipe, weights: Tensor, tokenizer: Tokenizer) -> Kept:
    """Put a model together from its blocks and its embedding [V, E].

    Raises:
        ModelError: they do not fit together.
    """
    try:
        config = RunConfig(**recipe.config)
        forms.check_blocks(own, weights, config)
    except (ConfigError, ValueError) as error:
        raise ModelError(f"The model does not fit its config ({str(error).rstrip('.')}).") from None
    model = FixedPointModel(weights, config, recipe.seed)
    model.load_state_dict(own, strict=False)
    return Kept(model, tokenizer, recipe, digest_of(own, recipe))


def embedding_of(recipe: Recipe) -> Tensor:
    """Return the embedding [V, E] of a kept model."""
    path = _embedding(recipe.embedding)
    with readable(path):
        weights = states.loaded(path)[0][EMBEDDING]
        if tensor_digest(weights) != recipe.embedding:
            raise ValueError("another embedding")
        return weights


def tokenizer_of(recipe: Recipe) -> Tokenizer:
    """Return the tokenizer of a kept model."""
    path = _vocabulary(recipe.vocabulary)
    with readable(path):
        return tokenizer_from(stored.content(path.read_bytes()), recipe)


def tokenizer_from(content: bytes, recipe: Recipe) -> Tokenizer:
    """Return the tokenizer that a file in the format of `tokenizers` holds.

    Raises:
        ValueError: it holds another one, or none.
    """
    try:
        tokenizer = Tokenizer.from_str(content.decode())
    except Exception:  # the library raises nothing narrower
        raise ValueError("no tokenizer") from None
    if vocabulary_digest(tokenizer) != recipe.vocabulary:
        raise ValueError("another tokenizer")
    return tokenizer


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what goes wrong in reading a file of a model into one sentence.

    Raises:
        ModelError: in its place.
    """
    try:
        yield
    except FileNotFoundError:
        raise ModelError(f"{shown(path)} is not there; {AGAIN}.") from None
    except states.DAMAGED as error:
        reason = " ".join(str(error).split())[:120]
        raise ModelError(
            f"{shown(path)} is damaged, or no file of a model ({reason}); {AGAIN}."
        ) from None


def blocks(model: FixedPointModel) -> dict[str, Tensor]:
    """Return the parameters of both blocks by name, on the CPU."""
    tensors = model.state_dict().items()
    return {name: tensor.cpu() for name, tensor in tensors if name.startswith(forms.BLOCKS)}


def digest_of(own: dict[str, Tensor], recipe: Recipe) -> str:
    """Return the digest (16 hexadecimal digits) of all that a model's predictions depend on.

    The blocks, the embedding and the tokenizer, that is, and what the config makes of contexts.
    """
    parts = {name: tensor_digest(tensor) for name, tensor in own.items()}
    kinds = {knob: recipe.config.get(knob) for knob in ("contexts", "layers", "input_tokens")}
    known = parts | kinds | {"vocabulary": recipe.vocabulary, "embedding": recipe.embedding}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def folder(name: str) -> Path:
    """Return the folder of a run's models."""
    return cache("models") / name


def tidy(record: RunRecord) -> None:
    """Remove the models that a run has stored before, once the record of newer ones is saved."""
    own = [path_of(record.name, result) for result in record.results]
    for path in folder(record.name).glob("*"):
        if path not in own:
            remove(path)


def path_of(name: str, result: SizeResult) -> Path:
    """Return where the model of a result of a run is kept."""
    return file_of(name, result.seed, result.samples, result.model_digest)


def file_of(name: str, seed: int | None, samples: int, digest: str | None) -> Path:
    """Return where the model of a seed and size of a run is kept."""
    return folder(name) / f"{seed}-{samples}-{digest}.safetensors"


def _embedding(digest: str) -> Path:
    return cache("embeddings") / f"{digest}.safetensors"


def _vocabulary(digest: str) -> Path:
    return cache("tokenizers") / f"{digest}.json"
