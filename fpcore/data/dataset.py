"""What training reads: conversations as token ids, and the frozen embedding."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from fpcore.config.run_config import RunConfig
from fpcore.data import corpus as corpora
from fpcore.data import tokens
from fpcore.data.embedding import embedding_digest, load_embedding, tensor_digest
from fpcore.errors import CorpusError

NO_TEXT = tokens.HeldOut(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), 0)


@dataclass(frozen=True)
class Data:
    """Everything that training reads: made once per run, the same for every seed and size."""

    corpus: corpora.Corpus
    conversations: list[Tensor]
    val: tokens.HeldOut
    dev: tokens.HeldOut
    weights: Tensor
    vocabulary_digest: str
    embedding_digest: str
    repeated: dict[str, int] = field(default_factory=dict)

    def training_ids(self, samples: int) -> Tensor:
        """Return the tokens [N] of the first `samples` conversations, with nothing between."""
        return torch.cat(self.conversations[:samples])

    def digests(self, samples: list[int]) -> dict[str, str]:
        """Return digests of the vocabulary, the embedding and the ids of every split and size."""
        return {
            "vocabulary": self.vocabulary_digest,
            "embedding": self.embedding_digest,
            "validation_ids": tensor_digest(self.val.ids),
            "development_ids": tensor_digest(self.dev.ids),
        } | {f"training_ids/{n}": tensor_digest(self.training_ids(n)) for n in samples}

    def splits(self) -> dict[str, Any]:
        """Say which conversations went where (first and last, from 0), and the vocabulary size.

        `embedding_values` is the digest of the embedding's numbers, whose last bits change with the
        machine. `repeated` counts the held-out conversations that are in the largest training text
        word for word.
        """
        corpus = self.corpus
        splits = {
            "training_pool": corpus.train_range,
            "development": corpus.dev_range,
            "validation": corpus.val_range,
        }
        ends = {name: [part[0], part[-1]] for name, part in splits.items() if part}
        values = tensor_digest(self.weights)
        known = {"vocabulary": len(self.weights), "embedding_values": values}
        return ends | known | {"repeated": self.repeated}


def prepare(config: RunConfig) -> Data:
    """Load corpus, tokenizer and embedding, and tokenise the three splits."""
    corpus, largest = corpora.load(config), max(config.samples)
    known = corpus if config.built_from == "pool" else replace(corpus, train=corpus.train[:largest])
    tokenizer = tokens.load_tokenizer(config.tokenizer, known)
    conversations = tokens.training_conversations(tokenizer, known.train)
    _check_size(config, conversations)
    weights = load_embedding(config, conversations, tokenizer.get_vocab_size())
    return Data(
        corpus,
        conversations,
        tokens.held_out(tokenizer, corpus.val, config.val_tokens),
        tokens.held_out(tokenizer, corpus.dev, config.dev_tokens) if corpus.dev else NO_TEXT,
        weights,
        tokens.vocabulary_digest(tokenizer),
        embedding_digest(config, conversations, weights),
        corpus.repeated(largest),
    )


def _check_size(config: RunConfig, conversations: list[Tensor]) -> None:
    n = min(config.samples)
    if sum(len(c) for c in conversations[:n]) < 2:
        raise CorpusError(
            f"The first {n} conversations of {config.corpus} have fewer than 2 tokens; raise the "
            "smallest of samples."
        )
