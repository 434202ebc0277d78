"""What trained models do on the validation text, token by token, as plain data for those who read.

Shapes: N tokens of the validation text, whose N - 1 later ones are foretold; D context width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from fpcore.data.tokens import HeldOut
from fpcore.errors import ConfigError
from fpcore.language import said
from fpcore.runs import continuations
from fpcore.runs.influence import Influence
from fpcore.runs.language_model import LanguageModel, load_model
from fpcore.stats.draws import generator
from fpcore.stats.uncertainty import LEVEL
from fpcore.stats.variance import half_width, over_conversations

FAR = 20  # how many tokens back one is replaced
PLACES = 2  # in each conversation, at most
NEAR = 10  # how many tokens back near contexts are compared
QUERIES = 400  # contexts whose nearest one is looked for
NEIGHBOURS = 8  # contexts that are shown
LIKELIEST = 5  # tokens that are shown
EXCERPT = 14  # tokens that are shown before a context
PROMPT = 16  # tokens
Array = NDArray[np.float64]
Chances = list[tuple[str, float]]  # tokens as they read, and their probabilities


@dataclass(frozen=True)
class Reading:
    """What one model says: `losses` [N-1] in nats, and of which kind its contexts are."""

    name: str
    contexts: str
    losses: Array


@dataclass(frozen=True)
class Conversation:
    """A conversation: its tokens as they read, and by token what every model foretold.

    `losses` [tokens, models] are in nats; `likeliest` holds by token and model the likeliest tokens
    and their probabilities. Of the very first token of the text nothing is foretold (NaN).
    """

    number: int
    words: list[str]
    losses: Array
    likeliest: list[list[Chances]]


@dataclass(frozen=True)
class Look:
    """What was seen of one model or two, and of `controls` beside them.

    `readings` are those of a, of b where there is one, and of the controls. `tokens` has a row for
    every foretold token: `conversation`, `position` in it, its `length`, how often its type is in
    the training text (`frequency`), and whether it was in the conversation before (`copied`).
    `changes` has the columns `run`, `contexts`, `conversation`, `back` and `change` (`Influence`).
    `near` says by `back` in which share of pairs of nearest contexts, of a, that token is the same
    (`mean`, `low` to `high` over conversations; `n` pairs), and in which share of any pairs
    (`chance`); `neighbours` shows the nearest contexts of one token. `made` are samples: `source`,
    `kind` (run, network or n-gram), `prompt` and `text`.
    """

    samples: int
    seed: int
    compared: int
    readings: list[Reading]
    tokens: pd.DataFrame
    conversation: Conversation
    changes: pd.DataFrame
    near: pd.DataFrame
    token: int
    neighbours: pd.DataFrame
    made: pd.DataFrame

    @property
    def title(self) -> str:
        """The runs that are looked at."""
        return said(" と ").join(reading.name for reading in self.readings[: self.compared])


def look(
    runs: Sequence[str],
    controls: Sequence[str] = (),
    samples: int | None = None,
    seed: int | None = None,
    conversation: int = 0,
    token: int = 0,
) -> Look:
    """Load the models of one run or two, and of controls, and let them read the validation text.

    `conversation` and `token` (from 0) say what is shown.

    Raises:
        ConfigError: no run or more than two, no such conversation or token, or runs whose
            validation texts differ.
        CorpusError: the texts cannot be had.
        ModelError, RecordError: a model is not kept, or there is no such run.
    """
    runs = [runs] if isinstance(runs, str) else runs
    if not 1 <= len(runs) <= 2:
        raise ConfigError(f"runs must be one run or two, not {len(runs)}.")
    names = [*dict.fromkeys([*runs, *controls])]
    models = [load_model(name, samples, seed) for name in names]
    val, first = models[0].held_out(), models[0]
    _check_same(models, val)
    _check_shown(val, conversation, token)
    train = first.training_text()
    start = int((val.conversation == conversation).nonzero()[0])
    readings = [_reading(name, model, val) for name, model in zip(names, models, strict=True)]
    return Look(
        samples=first.kept.recipe.samples,
        seed=first.kept.recipe.seed,
        compared=len(runs),
        readings=readings,
        tokens=_tokens(val, torch.bincount(train, minlength=first.tokenizer.get_vocab_size())),
        conversation=_conversation(models, readings, val, conversation),
        changes=_changes(models, val, train),
        near=_near(first, val),
        token=token,
        neighbours=_neighbours(first, val, start + token),
        made=continuations.made(models, val.ids[start : start + PROMPT], train),
    )


def _check_same(models: list[LanguageModel], val: HeldOut) -> None:
    first = models[0]
    for model in models[1:]:
        same = model.kept.recipe.vocabulary == first.kept.recipe.vocabulary
        if not same or not torch.equal(model.held_out().ids, val.ids):
            raise ConfigError(
                f"{model.config.run_name} reads another validation text than "
                f"{first.config.run_name}; look at runs of one corpus and tokenizer."
            )


def _check_shown(val: HeldOut, conversation: int, token: int) -> None:
    known = sorted(set(val.conversation.tolist()))
    if conversation not in known:
        raise ConfigError(
            f"conversation must be from {known[0]} to {known[-1]}, not {conversation}."
        )
    length = int((val.conversation == conversation).sum())
    if not 0 <= token < length:
        raise ConfigError(
            f"token must be from 0 to {length - 1} in conversation {conversation}, not {token}."
        )


def _reading(name: str, model: LanguageModel, val: HeldOut) -> Reading:
    losses = model.foretold(val.ids).losses.double().numpy()
    return Reading(name, model.config.contexts, losses)


def _tokens(val: HeldOut, counts: Tensor) -> pd.DataFrame:
    """Return a row for every foretold token; `counts` [V] are those of the training text."""
    rows = pd.DataFrame({"conversation": val.conversation.numpy(), "type": val.ids.numpy()})
    own = rows.groupby("conversation")
    rows["position"] = own.cumcount()
    rows["length"] = own["type"].transform("size")
    rows["frequency"] = counts[val.ids].numpy()
    rows["copied"] = rows.duplicated(["conversation", "type"])
    return rows.iloc[1:].drop(columns="type").reset_index(drop=True)


def _conversation(
    models: list[LanguageModel], readings: list[Reading], val: HeldOut, number: int
) -> Conversation:
    places = (val.conversation == number).nonzero()[:, 0]
    words = [models[0].tokenizer.decode([token]) for token in val.ids[places].tolist()]
    padded = [np.concatenate([[np.nan], reading.losses]) for reading in readings]
    losses = np.stack([own[places.numpy()] for own in padded], 1)
    found = [_likeliest(model, val.ids, places) for model in models]
    return Conversation(number, words, losses, [list(row) for row in zip(*found, strict=True)])


def _likeliest(model: LanguageModel, ids: Tensor, places: Tensor) -> list[Chances]:
    """Return the likeliest tokens at every place; none at the first token of the text."""
    p = model.probabilities(ids, int(places[0]), int(places[-1]))
    chances, types = p.topk(min(LIKELIEST, p.shape[1]))
    found = [
        [(model.tokenizer.decode([token]), chance) for token, chance in zip(*row, strict=True)]
        for row in zip(types.tolist(), chances.tolist(), strict=True)
    ]
    return [*([] for _ in range(len(places) - len(found))), *found]


def _changes(models: list[LanguageModel], val: HeldOut, train: Tensor) -> pd.DataFrame:
    """Replace one of the last tokens by another of the training text, and see what changes."""
    before = FAR + max(model.config.input_tokens for model in models)
    places = _places(val, before, PLACES)
    columns = ["run", "contexts", "conversation", "back", "change"]
    if len(places) == 0:
        return pd.DataFrame(columns=columns)
    own = torch.stack([val.ids[places - back] for back in range(FAR)], 1)
    others = _others(own, train)
    parts = []
    for model in models:
        found = Influence(model, val.ids, places, others).changes().double().numpy()
        part = pd.DataFrame(found, columns=range(1, FAR + 1)).assign(
            run=model.config.run_name,
            contexts=model.config.contexts,
            conversation=val.conversation[places].numpy(),
        )
        parts.append(part.melt(columns[:3], var_name="back", value_name="change"))
    return pd.concat(parts, ignore_index=True)[columns]


def _places(val: HeldOut, before: int, most: int) -> Tensor:
    """Return places with so many tokens of their conversation before them, some of each."""
    rows = pd.Series(val.conversation.numpy())
    enough = rows[rows.groupby(rows).cumcount() >= before]
    drawn = enough.sample(frac=1, random_state=0).groupby(enough).head(most)
    return torch.tensor(sorted(drawn.index))


def _others(own: Tensor, train: Tensor) -> Tensor:
    """Draw tokens of the training text, of the shape of `own` and nowhere the same."""
    source = generator(0, "replaced tokens")
    types = train.unique()
    others = train[torch.randint(len(train), own.shape, generator=source)]
    while len(types) > 1 and (same := others == own).any():
        again = torch.randint(len(train), own.shape, generator=source)
        others = torch.where(same, train[again], others)
    return others


def _near(model: LanguageModel, val: HeldOut) -> pd.DataFrame:
    """Return how often the k-th last token is the same: of nearest contexts, and of any."""
    places = _places(val, NEAR, PLACES)[:QUERIES]
    if len(places) < 2:
        return pd.DataFrame(columns=["back", "mean", "low", "high", "chance", "n"])
    nearest = _similar(model, val, places).argmax(1)
    order = torch.randperm(len(places), generator=generator(0, "any contexts"))
    rows = []
    for back in range(1, NEAR + 1):
        chance = _same(val, places, places[order], back - 1)["mean"]
        same = _same(val, places, nearest, back - 1)
        rows.append({"back": back, "chance": chance, "n": len(places)} | same)
    return pd.DataFrame(rows)


def _same(val: HeldOut, places: Tensor, others: Tensor, back: int) -> dict[str, float]:
    """Return the mean share of places with the same token, `low` and `high` over conversations."""
    same = (val.ids[places - back] == val.ids[(others - back).clamp(min=0)]).double()
    whose = val.conversation[places].cpu()
    sums, counts = whose.bincount(weights=same.cpu()), whose.bincount()
    half = half_width(over_conversations(sums.numpy(), counts.numpy()), LEVEL)
    mean = float(same.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _similar(model: LanguageModel, val: HeldOut, places: Tensor) -> Tensor:
    """Return the cosine of contexts less their mean, [places, N]; -2 in the same conversation."""
    contexts = model.contexts(val.ids)[-1].cpu()
    contexts = contexts - contexts.mean(0)
    contexts = contexts / contexts.norm(dim=1, keepdim=True).clamp(min=1e-30)
    found: Tensor = contexts[places] @ contexts.T
    found[val.conversation[places][:, None] == val.conversation[None]] = -2
    return found


def _neighbours(model: LanguageModel, val: HeldOut, place: int) -> pd.DataFrame:
    """Return the contexts nearest to that of a place, itself first: what was read, what follows."""
    similar = _similar(model, val, torch.tensor([place]))[0]
    values, places = similar.topk(min(NEIGHBOURS, len(similar)))
    found = [(1.0, place), *zip(values.tolist(), places.tolist(), strict=True)]
    rows = []
    for value, at in found:
        start = int((val.conversation == val.conversation[at]).nonzero()[0])
        read = val.ids[max(start, at - EXCERPT + 1) : at + 1].tolist()
        after = model.tokenizer.decode(val.ids[at + 1 : at + 2].tolist())
        rows.append((value, int(val.conversation[at]), model.tokenizer.decode(read), after))
    return pd.DataFrame(rows, columns=["similarity", "conversation", "read", "next"])
