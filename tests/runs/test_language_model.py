"""A model in use: it continues texts in the same way for a seed, and its sayings fit together."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.toy import conversation, written

import fpcore
from fpcore.errors import ConfigError
from fpcore.runs.language_model import LanguageModel, load_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageModel]:
    """The model of a run at toy size."""
    home = tmp_path_factory.mktemp("model")
    corpus = written(home / "toy.jsonl", [conversation(number) for number in range(60)])
    size = {"embed_dim": 16, "context_dim": 24, "samples": [20], "val_samples": 5, "max_iter": 8}
    knobs = {"corpus": str(corpus), "tokenizer": "bpe-300", "epochs": 3, "device": "cpu"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(home))
        fpcore.run(fpcore.RunConfig(**size, **knobs, name="toy", precision="float32"))
        yield load_model("toy")


def test_what_is_generated_depends_on_the_seed_alone(model: LanguageModel) -> None:
    one = model.generate("kalo newi", 40, seed=3)
    model.next_tokens("quite another text")
    assert model.generate("kalo newi", 40, seed=3) == one
    assert load_model("toy").generate("kalo newi", 40, seed=3) == one
    assert len({model.generate("kalo newi", 40, seed=seed) for seed in range(5)}) == 5
    assert one.startswith(model.generate("kalo newi", 10, seed=3)[:-3])
    greedy = [model.generate("kalo newi", 20, temperature=0, seed=seed) for seed in (1, 2)]
    assert greedy[0] == greedy[1] == model.generate("kalo newi", 20, top_k=1)
    assert model.generate("kalo newi", 20, top_p=1e-6) == greedy[0]
    assert model.generate("kalo", 0) == ""


def test_a_step_costs_a_step(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    text, read = "kalo newi mi so", list[int]()
    model.next_tokens(text)
    real = model._reader.step

    def step(token: int) -> None:
        read.append(token)
        real(token)

    monkeypatch.setattr(model._reader, "step", step)
    made = model.generate(text, 30, temperature=0)
    assert len(read) == 30
    model.next_tokens(text + made)  # read already, but where other tokens say the same
    model.next_tokens(text + made + " kalo")
    assert len(read) <= 30 + len(model.tokens(text + made + " kalo"))


def test_losses_are_those_of_the_next_tokens(model: LanguageModel) -> None:
    text = "kalo newi kalo\nmiten sosha"
    losses, names = model.losses(text), model.tokens(text)
    assert len(losses) == len(names) - 1 and "".join(names) == text
    ids = model.tokenizer.encode(text).ids
    for n, loss in enumerate(losses):
        model._reader.read(ids[: n + 1])
        chance = float(model._reader.logits().softmax(0)[ids[n + 1]])
        assert -math.log(chance) == pytest.approx(loss, abs=1e-4)


def test_next_tokens_are_the_likeliest_and_their_chances_sum_to_one(model: LanguageModel) -> None:
    found = model.next_tokens("kalo newi", 10**6)
    chances = [chance for _, chance in found]
    assert len(found) == model.tokenizer.get_vocab_size()
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1, abs=1e-5)
    assert model.next_tokens("kalo newi", 2) == found[:2]
    assert model.generate("kalo newi", 1, temperature=0) == found[0][0]


WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("generate", ("",), {}, "prompt must have at least 1 tokens, not 0"),
    ("generate", (3,), {}, "prompt must be text, not 3"),
    ("generate", ("a\ud800",), {}, "prompt holds half of a character"),
    ("generate", ("a", -1), {}, "tokens must be a whole number of at least 0, not -1"),
    ("generate", ("a", 1.5), {}, "tokens must be a whole number"),
    ("generate", ("a",), {"temperature": -0.1}, "temperature must be a number from 0 up"),
    ("generate", ("a",), {"temperature": math.nan}, "temperature must be"),
    ("generate", ("a",), {"top_k": 0}, "top_k must be a whole number of at least 1"),
    ("generate", ("a",), {"top_p": 0}, "top_p must be a number above 0"),
    ("generate", ("a",), {"top_p": 1.1}, "top_p must be"),
    ("generate", ("a",), {"seed": None}, "seed must be a whole number"),
    ("next_tokens", ("a", True), {}, "k must be a whole number of at least 1, not True"),
    ("losses", ("k",), {}, "text must have at least 2 tokens, not 1"),
]


@pytest.mark.parametrize(("call", "given", "more", "said"), WRONG)
def test_a_wrong_argument_is_named(
    model: LanguageModel, call: str, given: tuple[Any, ...], more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{said}"):
        getattr(model, call)(*given, **more)


def test_a_model_of_a_card_that_is_not_here_works_on_the_cpu(
    model: LanguageModel, tmp_path: Path
) -> None:
    kept = model.kept
    recipe = kept.recipe.model_copy(update={"config": kept.recipe.config | {"device": "cuda:7"}})
    other = LanguageModel(type(kept)(kept.model, kept.tokenizer, recipe, kept.digest))
    assert other.next_tokens("kalo") == model.next_tokens("kalo")
