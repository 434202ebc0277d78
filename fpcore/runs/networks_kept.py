"""The trained networks of the neural baselines: kept beside the runs' models, and opened again.

A network is stored as a run's model is (`models.py`): its trained tensors in a file of its own,
the frozen embedding and the tokenizer once for all that share them.
"""

import hashlib
import json
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from fpcore.config.baseline import NeuralConfig
from fpcore.data import corpus
from fpcore.data.dataset import Data
from fpcore.data.embedding import tensor_digest
from fpcore.data.tokens import HeldOut, held_out
from fpcore.errors import ConfigError, ModelError
from fpcore.model.precision import rounded_products
from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult
from fpcore.runs import models, states
from fpcore.runs.models import Recipe
from fpcore.stats import metrics
from fpcore.stats.draws import generator
from fpcore.trainers.network_training import evaluate
from fpcore.trainers.networks import TiedModel, matched
from fpcore.trainers.sampling import Sampling, chances

FROZEN = "weights"  # the embedding, where the network does not train one of its own
KNOBS = ("model", "segment", "own_embedding")  # what its predictions depend on beside its tensors


@dataclass(frozen=True)
class Network:
    """A trained LSTM or GPT on the CPU, its tokenizer, and what it was rebuilt from."""

    model: TiedModel
    tokenizer: Tokenizer
    config: NeuralConfig
    recipe: Recipe

    def held_out(self) -> HeldOut:
        """Return the validation text of its run.

        Raises:
            CorpusError: the texts cannot be had.
        """
        texts = corpus.load(self.config.fixed_point()).val
        return held_out(self.tokenizer, texts, self.config.val_tokens)

    def val_ppl(self) -> float:
        """Return the perplexity on the validation text of its run: what its record says.

        Raises:
            CorpusError: the texts cannot be had.
        """
        with rounded_products(torch.float32):
            return metrics.perplexity(evaluate(self.model, self.held_out()).loss)

    @torch.no_grad()
    def continued(self, ids: list[int], count: int, seed: int = 0) -> list[int]:
        """Go on with a text `ids`, of at least a token, by `count` types, each drawn by a seed.

        The text is read anew for every token, as validation reads it: so no network needs another
        way of reading, and the few tokens of a sample cost little.
        """
        made, how = list(ids), Sampling()
        drawn = chances(generator(seed, "generated tokens"))
        with rounded_products(torch.float32):
            for _ in range(count):
                h = self.model.read(torch.tensor(made))[-1]
                logits = F.linear(h, self.model.weights, self.model.bias)
                made.append(how.draw(logits, next(drawn)))
        return made[len(ids) :]


def keep(config: NeuralConfig, data: Data, seed: int, samples: int, model: TiedModel) -> str:
    """Store a trained network, where its config says so; return its digest in any case.

    Raises:
        StorageError: the disk is full, or the cache cannot be written.
    """
    recipe = Recipe(
        config=config.model_dump(),
        seed=seed,
        samples=samples,
        precision=config.precision,
        vocabulary=data.vocabulary_digest,
        embedding=tensor_digest(data.weights),
    )
    own = _trained(model, config)
    digest = _digest(own, recipe)
    if config.keep_models:
        models.keep_shared(config, data, recipe)
        states.write(models.file_of(config.name, seed, samples, digest), own, recipe.model_dump())
    return digest


def load(record: RunRecord, result: SizeResult) -> Network:
    """Return the network that a baseline's record tells of in one of its results.

    Raises:
        ModelError: it was never kept, was removed, is another than the record's, or is damaged.
    """
    path, digest = models.kept_at(record, result)
    with models.readable(path):
        own, said = states.loaded(path)
        recipe = Recipe.model_validate(said)
        if _digest(own, recipe) != digest:
            raise ValueError("another digest than its name and its record")
    tokenizer = models.tokenizer_of(recipe)
    return _rebuilt(own, recipe, models.embedding_of(recipe), tokenizer)


def _rebuilt(
    own: dict[str, Tensor], recipe: Recipe, weights: Tensor, tokenizer: Tokenizer
) -> Network:
    """Put a network together from its tensors and the embedding [V, E].

    Raises:
        ModelError: they do not fit together.
    """
    try:
        config = NeuralConfig(**recipe.config)
        model = matched(weights, config, recipe.seed)
        model.load_state_dict(own if config.own_embedding else own | {FROZEN: weights})
    except (ConfigError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120].rstrip(".")
        raise ModelError(f"The network does not fit its config ({reason}).") from None
    return Network(model, tokenizer, config, recipe)


def _trained(model: TiedModel, config: NeuralConfig) -> dict[str, Tensor]:
    """Return what was trained by name, on the CPU: all but an embedding that was not."""
    tensors = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    return {k: v for k, v in tensors.items() if config.own_embedding or k != FROZEN}


def _digest(own: dict[str, Tensor], recipe: Recipe) -> str:
    """Return the digest (16 hexadecimal digits) of all that its predictions depend on."""
    parts = {name: tensor_digest(tensor) for name, tensor in own.items()}
    known = parts | {knob: recipe.config.get(knob) for knob in KNOBS}
    known |= {"vocabulary": recipe.vocabulary, "embedding": recipe.embedding}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
