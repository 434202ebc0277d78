"""Reading token by token: the recurrence of the formulas, one step for each new token."""

import math

import pytest
import torch
from helpers.toy import Build, Toy
from hypothesis import example, given
from hypothesis import strategies as st

from fpcore.config.run_config import RunConfig
from fpcore.model import plain
from fpcore.model.blocks import FixedPointModel
from fpcore.trainers import reading, sampling
from fpcore.trainers.reading import Reader
from fpcore.trainers.sampling import Sampling, continued

SHAPES = [{}, {"layers": 2}, {"input_tokens": 3}, {"layers": 3, "input_tokens": 2}]
BIASES = ["none", "unigram"]


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_says_what_the_formulas_say_after_every_token(
    toy: Toy, build: Build, shape: dict[str, int], bias: str
) -> None:
    config = toy(precision="float64", output_bias=bias, **shape)
    model, ids = build(config, 12)
    if model.token_block.bias is not None:
        model.token_block.bias.data.normal_()
    D, E, L, T = config.context_dim, config.embed_dim, config.layers, config.input_tokens
    first, second = plain.ContextBlock(L, D, E * T).double(), plain.TokenBlock(L, D, E, T).double()
    first.load_state_dict(model.context_block.state_dict())
    second.load_state_dict(model.token_block.state_dict(), strict=False)
    weights = model.embedding.weight
    x = plain.input_vectors(weights, ids, T)
    logits = second(plain.sequential_contexts(first, x, D), x) @ weights.T
    logits = logits if model.token_block.bias is None else logits + model.token_block.bias
    reader = Reader(model)
    for n, token in enumerate(ids.tolist()):
        reader.step(token)
        assert torch.allclose(reader.logits(), logits[n], atol=1e-10)
    at_once = Reader(model)
    at_once.read(ids.tolist())
    assert torch.allclose(at_once.logits(), logits[-1], atol=1e-10)


TEXTS = st.lists(st.integers(0, 3), min_size=1, max_size=9)


@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
def test_what_was_read_before_changes_nothing_and_is_not_read_again(
    texts: list[list[int]],
) -> None:
    model = small_model()
    reader, steps = Reader(model), [0]
    real = reader.step

    def step(token: int) -> None:
        steps[0] += 1
        real(token)

    reader.step = step  # type: ignore[method-assign]
    before: list[int] = []
    for text in texts:
        steps[0] = 0
        reader.read(text)
        shared = reading._shared(before, text)
        assert steps[0] == (len(text) - shared if shared else 0)  # from zero it is read at once
        fresh = Reader(model)
        fresh.read(text)
        assert torch.allclose(reader.logits(), fresh.logits(), atol=1e-10)
        found = zip(reader.contexts(text), fresh.contexts(text), strict=True)
        assert all(torch.allclose(a, b, atol=1e-10) for a, b in found)
        before = text


def small_model() -> FixedPointModel:
    config = RunConfig(embed_dim=5, context_dim=6, layers=2, precision="float64")
    weights = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))
    return FixedPointModel(weights, config, 1)


def test_zero_contexts_are_zero(toy: Toy, build: Build) -> None:
    model, ids = build(toy(), 6)
    reader = Reader(model, zero=True)
    (contexts,) = reader.contexts(ids.tolist())
    assert contexts.shape == (6, 24) and not contexts.any()
    last = Reader(model, zero=True)
    last.read(ids[-1:].tolist())
    assert torch.equal(reader.logits(), last.logits())


HOWS = [Sampling(), Sampling(2.0), Sampling(1.0, 3), Sampling(1.0, None, 0.8), Sampling(0)]


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_a_text_goes_on_by_a_draw_and_a_step_for_each_token(how: Sampling) -> None:
    """More of them than are drawn at once, each with the source's next number."""
    model, sources = small_model(), [torch.Generator().manual_seed(3) for _ in range(2)]
    reader, other = Reader(model), Reader(model)
    reader.read([1, 2])
    other.read([1, 2])
    found = continued(reader, how, sources[0], sampling.BLOCK + 50)
    for token in found:
        chance = torch.rand((), generator=sources[1], dtype=torch.float64).item()
        assert token == how.draw(other.logits(), chance)
        other.step(token)
    text = [1, 2, *found]
    assert torch.equal(reader.contexts(text)[0], other.contexts(text)[0])
    assert how.temperature == 0 or len(set(found)) > 1


LOGITS = st.lists(st.floats(-8, 8), min_size=2, max_size=12).map(torch.tensor)
CHANCES = st.floats(0, 1, exclude_max=True)


@given(logits=LOGITS, k=st.integers(1, 14), chance=CHANCES)
def test_top_k_draws_from_the_k_likeliest(logits: torch.Tensor, k: int, chance: float) -> None:
    least = logits.sort(descending=True).values[min(k, len(logits)) - 1]
    for temperature in (0.5, 1.0, 3.0):
        assert logits[Sampling(temperature, top_k=k).draw(logits, chance)] >= least
    assert logits[Sampling(0).draw(logits, chance)] == logits.max()
    assert logits[Sampling(1.0, top_k=1).draw(logits, chance)] == logits.max()


@example(logits=torch.tensor([-4e-10, 0.0]), share=0.25, k=None, chance=0.0)
@given(
    logits=LOGITS,
    share=st.floats(0.01, 1),
    k=st.none() | st.integers(1, 5),
    chance=CHANCES,
)
def test_top_p_draws_from_the_fewest_that_have_the_share(
    logits: torch.Tensor, share: float, k: int | None, chance: float
) -> None:
    ordered = logits.sort(descending=True).values[:k]
    p = ordered.softmax(0)
    kept = int((p.cumsum(0) - p < share - 1e-6).sum())  # what the others before it have is less
    for number in (chance, math.nextafter(1, 0)):  # the last of them, too
        drawn = Sampling(1.0, k, share).draw(logits, number)
        own = p[int((ordered > logits[drawn]).sum())]
        rank = int((p > own).sum())  # logits that hardly differ have equal probabilities
        assert rank < kept or share - float(p[: rank or 1].sum()) > -1e-5


@pytest.mark.parametrize("how", HOWS[:-1], ids=str)
def test_draws_follow_the_probabilities(how: Sampling) -> None:
    logits = torch.tensor([0.0, 2.0, 1.0, -1.0, 1.5])
    count = 4000
    chances = torch.rand(count, generator=torch.Generator().manual_seed(1)).tolist()
    drawn = torch.tensor([how.draw(logits, chance) for chance in chances])
    found = torch.bincount(drawn, minlength=5) / count
    p = (logits / how.temperature).softmax(0)
    kept = {None: 5, 3: 3}[how.top_k] if how.top_p is None else 3
    p = torch.where(p >= p.sort(descending=True).values[kept - 1], p, 0.0)
    assert torch.allclose(found, p / p.sum(), atol=0.03)
