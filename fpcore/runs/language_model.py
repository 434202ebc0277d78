"""A trained model as a user has it: it continues texts, and says how well it foretells them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from fpcore.config.run_config import RunConfig
from fpcore.data import corpus
from fpcore.data.tokens import HeldOut, held_out, training_conversations
from fpcore.errors import ConfigError, ModelError, quoted
from fpcore.model.head import Head
from fpcore.model.precision import device_of, rounded_products
from fpcore.records.record import RunRecord, load_record, record_path
from fpcore.records.result import SizeResult
from fpcore.runs import exports, models
from fpcore.runs.models import Kept
from fpcore.stats import metrics
from fpcore.stats.draws import generator
from fpcore.trainers.reading import Reader
from fpcore.trainers.sampling import Sampling, continued
from fpcore.trainers.texts import Evaluation, Text

MOST = 2**31 - 1  # a number of tokens, and a seed


def load_model(
    name: str | Path, samples: int | None = None, seed: int | None = None
) -> "LanguageModel":
    """Return a trained model: of a run by its name, or of a folder that `fpcore.models` exported.

    Of a run, `samples` is the size (the largest where it is not given), `seed` one of its seeds
    (the first).

    Raises:
        ModelError: it was never kept, is damaged, or is another one than its record tells of; the
            run has no such size or seed.
        RecordError: there is no such run.
    """
    if not is_run(name) and Path(name).is_dir():
        return LanguageModel(exports.read(Path(name)))
    record = load_record(str(name))
    result = chosen(record, samples, seed)
    return LanguageModel(models.load(record, result))


def is_run(name: str | Path) -> bool:
    """Whether a name is that of a run with a record."""
    return isinstance(name, str) and "/" not in name and record_path(name).is_file()


def chosen(record: RunRecord, samples: int | None, seed: int | None) -> SizeResult:
    """Return the result of a record at a size and seed, or at its largest size and first seed.

    Raises:
        ModelError: it has none, or is of no run of the fixed-point model.
    """
    if record.source != "measured" or "contexts" not in record.config:
        raise ModelError(f"{record.name} is no run of the fixed-point model, so it has no models.")
    size = record.largest if samples is None else samples
    for result in record.at(size):
        if seed in (None, result.seed):
            return result
    seeds = sorted({result.seed for result in record.results if result.seed is not None})
    raise ModelError(
        f"{record.name} has no model of seed {quoted(seed)} and size {quoted(size)}; it has the "
        f"sizes {', '.join(map(str, record.sizes))} and the seeds {', '.join(map(str, seeds))}."
    )


@dataclass(frozen=True)
class Foretold:
    """What a model says of the tokens of a text but the first, which nothing foretells.

    `losses` [N-1] are in nats, `likeliest` [N-1] the types of the highest probability, `targets`
    [N-1] the tokens themselves; all on the CPU.
    """

    losses: Tensor
    likeliest: Tensor
    targets: Tensor


class LanguageModel:
    """A trained model of a run, on the device of its config, or on the CPU where that is not here.

    It reads by the true recurrence, and keeps the contexts of the text that it read last: what
    begins with that text is read on from there, a step for each further token. `network` are its
    blocks, embedding and head.
    """

    def __init__(self, kept: Kept) -> None:
        self.kept, self.config, self.tokenizer = kept, kept.config, kept.tokenizer
        self._device = _device(self.config)
        self.network = kept.model.to(self._device)
        self._product = getattr(torch, kept.recipe.precision)
        self._reader = Reader(self.network, zero=self.config.contexts == "zero")

    def __repr__(self) -> str:
        recipe = self.kept.recipe
        return f"<{self.config.run_name}, seed {recipe.seed}, {recipe.samples} conversations>"

    def generate(
        self,
        prompt: str,
        tokens: int = 50,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> str:
        """Continue a text by some tokens, in the same way for the same seed; return what follows.

        Args:
            prompt: the text, of at least one token.
            tokens: how many follow.
            temperature: what logits are divided by; 0 takes the likeliest token.
            top_k: draws from the k likeliest tokens alone.
            top_p: draws from the fewest tokens that have this share of the probability.
            seed: of the draws.

        Raises:
            ConfigError: an argument that is none of these.
        """
        _check_whole("tokens", tokens, 0)
        _check_whole("seed", seed, 0)
        sampling = _sampling(temperature, top_k, top_p)
        self._reader.read(self._ids("prompt", prompt, 1))
        source = generator(seed, "generated tokens")
        return str(self.tokenizer.decode(continued(self._reader, sampling, source, tokens)))

    def next_tokens(self, prompt: str, k: int = 5) -> list[tuple[str, float]]:
        """Return the k likeliest next tokens of a text, and their probabilities.

        Raises:
            ConfigError: a text without a token, or a k that is no number of tokens.
        """
        _check_whole("k", k, 1)
        self._reader.read(self._ids("prompt", prompt, 1))
        p, types = self._reader.logits().softmax(0).topk(min(k, self.tokenizer.get_vocab_size()))
        return [
            (self.tokenizer.decode([token]), chance)
            for token, chance in zip(types.tolist(), p.tolist(), strict=True)
        ]

    def losses(self, text: str) -> list[float]:
        """Return the loss in nats of every token of a text but the first, as validation has it.

        Raises:
            ConfigError: a text of fewer than two tokens.
        """
        ids = torch.tensor(self._ids("text", text, 2))
        found: list[float] = self.foretold(ids).losses.tolist()
        return found

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of a text as they read; bytes that are no character are a mark."""
        return [self.tokenizer.decode([token]) for token in self.tokenizer.encode(text).ids]

    def val_ppl(self) -> float:
        """Return the perplexity on the validation text of its run: what its record says.

        Raises:
            CorpusError: the texts cannot be had.
        """
        found = self.foretold(self.held_out().ids)
        hits = found.likeliest == found.targets
        return metrics.perplexity(Evaluation.of(found.losses, hits, None).loss)

    def held_out(self) -> HeldOut:
        """Return the validation text of its run.

        Raises:
            CorpusError: the texts cannot be had.
        """
        texts = corpus.load(self.config).val
        return held_out(self.tokenizer, texts, self.config.val_tokens)

    def training_text(self) -> Tensor:
        """Return the tokens [N] that it was trained on.

        Raises:
            CorpusError: the texts cannot be had.
        """
        texts = corpus.load(self.config).train[: self.kept.recipe.samples]
        return torch.cat(training_conversations(self.tokenizer, texts))

    @torch.no_grad()
    def foretold(self, ids: Tensor) -> Foretold:
        """Return what validation would say of a text `ids` [N], of at least two tokens."""
        contexts, block = self.contexts(ids), self.network.token_block
        ids = ids.to(self._device)
        text = Text.of(contexts, self.network.inputs(ids), ids)
        with rounded_products(self._product):
            head = Head(self.network.embedding.weight, self._product, block.bias)
            found = []
            for part in head.tiles(len(text.targets)):
                h, _ = block.step(*text.rows(part))
                found.append(head.predict(h, text.targets[part]))
        losses, likeliest = (torch.cat(parts).cpu() for parts in zip(*found, strict=True))
        return Foretold(losses, likeliest, text.targets.cpu())

    @torch.no_grad()
    def probabilities(self, ids: Tensor, first: int, last: int) -> Tensor:
        """Return the distributions [·, V] of the tokens `first` to `last` of a text `ids` [N].

        Nothing foretells the token 0, which has none.
        """
        contexts, block = self.contexts(ids), self.network.token_block
        inputs = self.network.inputs(ids.to(self._device))
        part = slice(max(0, first - 1), last)
        h = block([layer[part] for layer in contexts], inputs.rows(part).vectors())
        return F.linear(h, self.network.embedding.weight, block.bias).softmax(1).cpu()

    def contexts(self, ids: Tensor) -> list[Tensor]:
        """Return the contexts of every layer after each token of a text `ids` [N], each [N, D]."""
        return self._reader.contexts(ids.tolist())

    def _ids(self, name: str, text: str, least: int) -> list[int]:
        """Return the tokens of a text that was given under a name.

        Raises:
            ConfigError: it is none, or has fewer than `least`.
        """
        if not isinstance(text, str):
            raise ConfigError(f"{name} must be text, not {quoted(text)}.")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{name} holds half of a character (a surrogate).") from None
        ids: list[int] = self.tokenizer.encode(text).ids
        if len(ids) < least:
            raise ConfigError(f"{name} must have at least {least} tokens, not {len(ids)}.")
        return ids


def _device(config: RunConfig) -> torch.device:
    try:
        return device_of(config.device)
    except ConfigError:  # trained on a GPU that this machine has not
        return device_of("cpu")


def _sampling(temperature: float, top_k: int | None, top_p: float | None) -> Sampling:
    """Return how to draw.

    Raises:
        ConfigError: a temperature below 0, no number of types, or no share.
    """
    if type(temperature) not in (int, float) or not 0 <= temperature <= 1e6:
        raise ConfigError(f"temperature must be a number from 0 up, not {quoted(temperature)}.")
    if top_k is not None:
        _check_whole("top_k", top_k, 1)
    if top_p is not None and not (type(top_p) in (int, float) and 0 < top_p <= 1):
        raise ConfigError(f"top_p must be a number above 0, at most 1, not {quoted(top_p)}.")
    return Sampling(temperature, top_k, top_p)


def _check_whole(name: str, value: int, least: int) -> None:
    """Refuse what is no whole number of at least `least`.

    Raises:
        ConfigError: it is none.
    """
    if type(value) is not int or not least <= value <= MOST:
        raise ConfigError(
            f"{name} must be a whole number of at least {least}, not {quoted(value)}."
        )
