"""The model on a text of a few sentences, at toy size, with every step kept for looking at."""

from dataclasses import dataclass, field
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from fpcore.config.run_config import RunConfig
from fpcore.data.corpus import Corpus
from fpcore.data.embedding import factorise, ppmi
from fpcore.data.tokens import load_tokenizer
from fpcore.errors import CorpusError
from fpcore.model.blocks import FixedPointModel, Inputs
from fpcore.stats.draws import generator
from fpcore.trainers.contexts import sequential_contexts, training_contexts
from fpcore.trainers.hooks import Hooks
from fpcore.trainers.phase1 import FIRST_STD, Phase1State, train_contexts
from fpcore.trainers.phase2 import Phase2Result, train_tokens
from fpcore.trainers.texts import Text, Texts

SEED = 42
TOY = {
    "embed_dim": 12, "context_dim": 24, "phase1_lr": 0.01,
    "epochs": 60, "phase2_lr": 0.01, "phase2_batch": 16,
}  # fmt: skip
FROZEN_STEPS = 30
HALF = "\ufffd"  # what a part of a character is decoded to
MOST_TOKENS = 8  # that are looked at to make a character whole


@dataclass
class Lesson:
    """A text and its model: `words` [N], `ids` [N] (renumbered), and `history` [K][N, D].

    `history` holds the contexts after every iteration of phase 1, the drawing one first; `trace`
    is phase 1's own. `frozen` [S][N, D] are the contexts when weights stand still without noise,
    `true` [N, D] those of the true recurrence. `second` is what phase 2 gave on the text itself,
    `chances` [N-1, V] the probabilities that it then gives to every next token.
    """

    config: RunConfig
    words: list[str]
    ids: Tensor
    model: FixedPointModel
    inputs: Inputs
    history: list[Tensor] = field(default_factory=list)
    trace: list[dict[str, Any]] = field(default_factory=list)
    frozen: list[Tensor] = field(default_factory=list)
    true: Tensor = field(init=False)
    second: Phase2Result = field(init=False)
    chances: Tensor = field(init=False)


def lesson(text: str, **knobs: Any) -> Lesson:
    """Train phase 1 on a text, iterate on with frozen weights and without noise, train phase 2.

    Raises:
        ConfigError: a knob of RunConfig that is unknown or wrong.
        CorpusError: a text of too few different tokens.
    """
    config = RunConfig(**TOY | {"device": "cpu", "precision": "float32"} | knobs)
    words, ids = _tokens(text)
    weights = factorise(ppmi([ids], int(ids.max()) + 1), config.embed_dim)
    model = FixedPointModel(weights, config, SEED)
    made = Lesson(config, words, ids, model, model.inputs(ids))
    _settle(made)
    _freeze(made)
    _learn(made)
    return made


def _tokens(text: str) -> tuple[list[str], Tensor]:
    """Return the tokens of a text as they read, and their types numbered from 0."""
    corpus = Corpus("tutorial", [text], [], [], range(1), range(0), range(0))
    tokenizer = load_tokenizer("gpt2", corpus)
    encoded = tokenizer.encode(text).ids
    types, ids = torch.tensor(encoded).unique(return_inverse=True)
    if len(types) <= TOY["embed_dim"]:
        raise CorpusError(
            f"The text has {len(types)} different tokens; it needs more than {TOY['embed_dim']}."
        )
    return _read(tokenizer, encoded), ids


def _read(tokenizer: Tokenizer, encoded: list[int]) -> list[str]:
    """Return the tokens as they read; those that only together make a character are numbered.

    GPT-2's tokens are bytes: one of the characters of a Japanese sentence takes two or three.
    """
    words: list[str] = []
    while len(words) < len(encoded):
        rest = encoded[len(words) : len(words) + MOST_TOKENS]
        whole = (n for n in range(1, len(rest) + 1) if HALF not in tokenizer.decode(rest[:n]))
        count = next(whole, 1)
        text = tokenizer.decode(rest[:count]).replace(HALF, "?").strip() or "␣"
        words += [text] if count == 1 else [f"{text} {k}/{count}" for k in range(1, count + 1)]
    return words


def _settle(made: Lesson) -> None:
    """Phase 1, which renews the contexts `P` in place: a copy of every iteration is kept."""
    P = torch.empty(len(made.ids), made.config.context_dim)
    P.normal_(0, FIRST_STD, generator=generator(SEED, "contexts"))
    made.history.append(P.clone())
    block = made.model.context_block
    first = train_contexts(
        block,
        made.inputs,
        made.config,
        SEED,
        Phase1State(P),
        Hooks(lambda row: made.history.append(P.clone())),
    )
    made.trace = first.trace


def _freeze(made: Lesson) -> None:
    made.true = sequential_contexts(made.model.context_block, made.inputs)[-1]
    P = made.history[-1].clone()
    made.frozen = [P.clone()]
    for _ in range(FROZEN_STEPS):
        training_contexts(made.model.context_block, P, made.inputs, out=P)
        made.frozen.append(P.clone())


def _learn(made: Lesson) -> None:
    """Phase 2 on the text itself."""
    text = Text.of([made.frozen[-1]], made.inputs, made.ids)
    weights, block = made.model.embedding.weight, made.model.token_block
    made.second = train_tokens(block, weights, Texts(text, text), made.config)
    with torch.no_grad():
        made.chances = (block.step(*text.rows(slice(None)))[0] @ weights.T).softmax(1)
