"""A look at trained models at toy size: facts of tokens, and what a replaced token changes."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from helpers.toy import conversation, written

import fpcore
from fpcore.config.baseline import NeuralConfig
from fpcore.errors import ConfigError
from fpcore.runs import looks
from fpcore.runs.influence import Influence
from fpcore.runs.language_model import load_model
from fpcore.runs.looks import Look

RUNS: dict[str, dict[str, Any]] = {
    "one": {"precision": "float64"},
    "other": {"layers": 2, "input_tokens": 3, "precision": "float64", "output_bias": "unigram"},
    "zero": {"contexts": "zero", "input_tokens": 2},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Look]:
    """A look at two runs and a control of toy size."""
    home = tmp_path_factory.mktemp("looks")
    texts = [f"{conversation(n)}\n{conversation(n + 60)}" for n in range(60)]
    corpus, other = (written(home / f"{n}.jsonl", texts[n:]) for n in (0, 1))
    size = {"embed_dim": 8, "context_dim": 12, "samples": [10], "val_samples": 8, "max_iter": 4}
    knobs = {"corpus": str(corpus), "tokenizer": "bpe-300", "epochs": 2, "device": "cpu"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(home))
        for name, more in RUNS.items():
            fpcore.run(fpcore.RunConfig(**size, **knobs, **more, name=name))
        fpcore.run(fpcore.RunConfig(**size, **knobs | {"corpus": str(other)}, name="elsewhere"))
        yield fpcore.look(["one", "other"], ["zero"], conversation=3, token=5)


def test_readings_are_those_of_the_records(made: Look) -> None:
    assert [(r.name, r.contexts) for r in made.readings] == [
        ("one", "trained"), ("other", "trained"), ("zero", "zero")
    ]  # fmt: skip
    for reading in made.readings:
        result = fpcore.load_record(reading.name).results[0]
        sums = made.tokens["conversation"].groupby(made.tokens["conversation"]).size()
        assert sums.tolist() == result.val_token_counts
        assert reading.losses.sum() == pytest.approx(sum(result.val_loss_sums or []), rel=1e-9)
    assert made.title == "one と other" and made.compared == 2


def test_facts_of_tokens_are_those_that_one_counts_by_hand(made: Look) -> None:
    model = load_model("one")
    val, train = model.held_out(), model.training_text().tolist()
    ids, conversations = val.ids.tolist(), val.conversation.tolist()
    for n, row in enumerate(made.tokens.to_dict("records"), 1):
        start = conversations.index(conversations[n])
        assert row == {
            "conversation": conversations[n],
            "position": n - start,
            "length": conversations.count(conversations[n]),
            "frequency": train.count(ids[n]),
            "copied": ids[n] in ids[start:n],
        }


def test_the_conversation_has_the_losses_and_the_likeliest_of_every_model(made: Look) -> None:
    own = (made.tokens["conversation"] == 3).to_numpy()
    shown = made.conversation
    assert len(shown.words) == own.sum() == len(shown.likeliest)
    for n, reading in enumerate(made.readings):
        assert shown.losses[:, n] == pytest.approx(reading.losses[own])
    model = load_model("other")
    val = model.held_out()
    start = int((val.conversation == 3).nonzero()[0])
    text = model.tokenizer.decode(val.ids[: start + 4].tolist())
    assert "".join(shown.words[:4]) == text[-len("".join(shown.words[:4])) :]
    model._reader.read(val.ids[: start + 4].tolist())
    p = model._reader.logits().softmax(0)
    words, chances = zip(*shown.likeliest[4][1], strict=True)
    assert list(chances) == pytest.approx(p.topk(5).values.tolist())
    assert words[0] == model.tokenizer.decode([int(p.argmax())])


def test_the_first_token_of_the_text_is_foretold_by_nothing(made: Look) -> None:
    first = fpcore.look(["one"])
    assert first.conversation.likeliest[0] == [[]] and math.isnan(first.conversation.losses[0, 0])
    assert len(first.conversation.likeliest[1][0]) == 5


@pytest.mark.parametrize("name", RUNS)
def test_a_replaced_token_changes_what_reading_the_changed_text_says(made: Look, name: str) -> None:
    model = load_model(name)
    ids, places = model.held_out().ids, torch.tensor([9, 15, 31])
    others = torch.tensor([[3, 70, 71, 72], [5, 80, 81, 3], [60, 61, 62, 63]])
    found = Influence(model, ids, places, others).changes()
    for row, place in enumerate(places.tolist()):
        before = model.probabilities(ids, place + 1, place + 1)[0]
        for back in range(1, 5):
            changed = ids[: place + 2].clone()
            changed[place + 1 - back] = others[row, back - 1]
            after = model.probabilities(changed, place + 1, place + 1)[0]
            want = float((after - before).abs().sum() / 2)
            assert float(found[row, back - 1]) == pytest.approx(want, abs=1e-5)
    if name == "zero":
        assert not found[:, 2:].any() and found[:, :2].all()


def test_changes_are_of_places_inside_their_conversations(made: Look) -> None:
    rows = made.changes
    assert set(rows["run"]) == {*RUNS} and set(rows["back"]) == set(range(1, looks.FAR + 1))
    assert rows["change"].between(0, 1 + 1e-6).all()
    per = rows.groupby(["run", "back", "conversation"]).size()
    assert per.max() <= looks.PLACES
    lengths = made.tokens.groupby("conversation")["length"].first()
    assert (lengths[rows["conversation"].unique()] > looks.FAR + 3).all()


def test_near_contexts_are_of_other_conversations(made: Look) -> None:
    first, rest = made.neighbours.iloc[0], made.neighbours.iloc[1:]
    assert first["similarity"] == 1 and first["conversation"] == 3
    assert (rest["conversation"] != 3).all() and rest["similarity"].is_monotonic_decreasing
    assert rest["similarity"].between(-1, 1).all()
    assert made.near["mean"].between(0, 1).all() and len(made.near) == looks.NEAR
    assert (made.near["low"] <= made.near["mean"]).all() and (made.near["n"] > 1).all()
    assert made.near["mean"][0] > made.near["chance"][0]  # the last token makes the context


def test_samples_are_of_every_model_and_of_ngrams(made: Look) -> None:
    assert made.made["source"].tolist() == ["one", "other", "zero", "Kneser-Ney (3-gram)"]
    assert made.made["prompt"].nunique() == 1 and made.made["text"].str.len().min() > 20
    again = fpcore.look(["one"], conversation=3)
    assert again.made["text"].tolist() == made.made["text"].iloc[[0, 3]].tolist()


def test_samples_of_a_kept_network_of_the_same_text_stand_beside_them(made: Look) -> None:
    config = load_model("one").config
    shared = config.model_dump(
        include={"corpus", "tokenizer", "embed_dim", "samples", "val_samples", "device"}
    )
    small = {"context_dim": 90, "epochs": 1, "segment": 16, "streams": 4, "learning_rates": [0.01]}
    for name, more in (("net", {}), ("unkept", {"keep_models": False})):
        fpcore.run_baseline(NeuralConfig(name=name, model="lstm", **shared, **small, **more))
    rows = fpcore.look(["one"]).made
    assert rows["source"].tolist() == ["one", "net", "Kneser-Ney (3-gram)"]
    assert rows["kind"].tolist() == ["run", "network", "n-gram"]
    assert rows["text"].str.len().min() > 20


WRONG: list[tuple[list[str], dict[str, Any], str]] = [
    ([], {}, "runs must be one run or two, not 0"),
    (["one", "other", "zero"], {}, "runs must be one run or two, not 3"),
    (["one"], {"conversation": 99}, "conversation must be from 0 to 7, not 99"),
    (["one"], {"token": 10**6}, "token must be from 0 to"),
    (["one", "elsewhere"], {}, "elsewhere reads another validation text than one"),
]


@pytest.mark.parametrize(("runs", "more", "said"), WRONG)
def test_what_cannot_be_looked_at_is_named(
    made: Look, runs: list[str], more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{said}"):
        fpcore.look(runs, **more)
