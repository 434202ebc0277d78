"""Conversations, and which of them train, develop and validate (spec section 5).

Validation is reserved first, development second; training takes the first n of the rest:

| corpus | validation | development | training pool |
|---|---|---|---|
| ultrachat | conversations 1000 … 1000+v-1 | the next v, if it selects | conversations 0 … 999 |
| any other | the last v | the v before them | all before those |

where v is `val_samples`, or where that is null MOST, or one in SHARE of a corpus that has fewer
than SHARE · MOST. A conversation can be in one split only.
"""

import hashlib
import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from fpcore.config.run_config import RunConfig
from fpcore.data import hub
from fpcore.data.files import parquet_rows, read_file
from fpcore.errors import CorpusError
from fpcore.stats.draws import generator

ULTRACHAT = hub.Source(
    "HuggingFaceH4/ultrachat_200k",
    "dataset",
    "8049631c405ae6576f93f445c6b8166f76f5505a",
    "data/train_sft-00000-of-*.parquet",
)
MOST, SHARE = 200, 10  # held-out conversations where val_samples is null
ULTRACHAT_POOL = 1000  # the seed validates on 1000-1019, so training must stay below


@dataclass(frozen=True)
class Corpus:
    """Texts of the three splits, and the index of each one's conversations in the whole corpus.

    `train` is the whole pool: tokenizer and embeddings are built from it, whatever the run's size.
    """

    name: str
    train: list[str]
    dev: list[str]
    val: list[str]
    train_range: range
    dev_range: range
    val_range: range

    @property
    def digest(self) -> str:
        """Digest of the training pool, the key of everything that is built from it."""
        digest = hashlib.sha256()
        for text in self.train:
            digest.update(f"{len(text)}:{text}".encode())
        return digest.hexdigest()[:16]

    def repeated(self, samples: int) -> dict[str, int]:
        """Count the held-out conversations that say what one of the first `samples` says."""
        known = set(self.train[:samples])
        held = {"development": self.dev, "validation": self.val}
        return {name: sum(text in known for text in texts) for name, texts in held.items()}


def load(config: RunConfig) -> Corpus:
    """Read the conversations of `config.corpus` and split them.

    Raises:
        CorpusError: file missing, unreadable or too small; no network; training would reach into
            the reserved conversations.
    """
    if config.corpus == "ultrachat":
        _check_pool(config, ULTRACHAT_POOL)  # before anything is downloaded
        texts = _ultrachat(ULTRACHAT_POOL + 2 * (config.val_samples or MOST))
    elif config.corpus == "chitchat":
        texts = _chitchat()
    else:
        texts = read_file(config.corpus)
    return split(config, texts)


def split(config: RunConfig, texts: list[str]) -> Corpus:
    """Reserve validation and development conversations of `texts` and leave the rest to train."""
    v = config.val_samples or max(1, min(MOST, len(texts) // SHARE))
    if config.corpus == "ultrachat":
        v = config.val_samples or MOST
        train = range(ULTRACHAT_POOL)
        val = range(ULTRACHAT_POOL, ULTRACHAT_POOL + v)
        dev = range(val.stop, val.stop + v if config.select_on == "dev" else val.stop)
        if len(texts) < dev.stop:
            raise CorpusError(_too_few(config, len(texts), v))
    else:
        train = range(max(0, len(texts) - 2 * v))
        dev = range(train.stop, train.stop + v)
        val = range(dev.stop, dev.stop + v)
        if max(config.samples) > len(train):
            raise CorpusError(_too_few(config, len(texts), v))
    _check_pool(config, len(train))
    _check_disjoint(train, dev, val)
    pool, development, validation = ([texts[i] for i in part] for part in (train, dev, val))
    drawn = _drawn(pool, config.data_seed)
    return Corpus(config.corpus, drawn, development, validation, train, dev, val)


def _drawn(pool: list[str], seed: int) -> list[str]:
    """Return the training conversations in the order in which runs take them."""
    if not seed:
        return pool
    order = torch.randperm(len(pool), generator=generator(seed, "training conversations"))
    return [pool[i] for i in order.tolist()]


def _check_pool(config: RunConfig, pool: int) -> None:
    if max(config.samples) > pool:
        raise CorpusError(
            f"samples asks for {max(config.samples)} training conversations, but {config.corpus} "
            f"has {pool} before the ones reserved for validation; ask for at most {pool}."
        )


def _check_disjoint(*parts: range) -> None:
    """Guard the rule itself, so that no later change of `split` can break it silently."""
    if len({i for part in parts for i in part}) != sum(len(part) for part in parts):
        raise CorpusError("Training, development and validation conversations overlap.")


def _too_few(config: RunConfig, count: int, v: int) -> str:
    return (
        f"{config.corpus} has {count} conversations, but samples asks for {max(config.samples)} "
        f"and {v} are reserved for validation and {v} for development: lower samples or "
        "val_samples."
    )


def _chitchat() -> list[str]:
    """Return the conversations of the chitchat-dataset package, utterances joined by newlines."""
    import chitchat_dataset

    data = json.loads(Path(chitchat_dataset._PATH).read_text(encoding="utf-8"))
    return [
        "\n".join(utterance["text"] for turn in conversation["messages"] for utterance in turn)
        for conversation in data.values()
    ]


def _ultrachat(count: int) -> list[str]:
    """Return the first `count` conversations of UltraChat 200k, contents joined by newlines."""
    path = hub.fetch(ULTRACHAT, "corpus ultrachat", "use corpus chitchat")
    return list(islice(parquet_rows(path), count))
