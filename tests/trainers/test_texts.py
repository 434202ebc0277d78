"""A text as phase 2 reads it: what is laid out once says what is joined batch by batch."""

import math

import pytest
import torch
from helpers.toy import Build, Toy, Tuned
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpcore.model.blocks import Inputs
from fpcore.trainers.phase2 import Phase2Result, train_tokens
from fpcore.trainers.texts import ALIGNED, NARROW, Text, Texts

LAID_OUT = 2**20  # elements, of which no text here has as many


def drawn(tokens: int, widths: tuple[int, int, int], layers: int, dtype: torch.dtype) -> Text:
    """A text with random contexts of width D and T input vectors of width E, (D, E, T)."""
    D, E, T = widths
    source = torch.Generator().manual_seed(tokens)
    contexts = [torch.randn(tokens, D, generator=source, dtype=dtype) for _ in range(layers)]
    table = torch.randn(7, E, generator=source, dtype=dtype)
    index = torch.randint(7, (tokens, T), generator=source)
    return Text.of(contexts, Inputs(table, index), torch.arange(tokens))


@given(
    tokens=st.integers(2, 90),
    widths=st.tuples(st.integers(1, 40), st.integers(1, 20), st.integers(1, 3)),
    layers=st.integers(1, 3),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_any_rows_are_contexts_and_input_vectors_side_by_side(
    tokens: int,
    widths: tuple[int, int, int],
    layers: int,
    ends: tuple[float, float],
    dtype: torch.dtype,
) -> None:
    """And they begin where every product has the same bits, wherever they come from."""
    text = drawn(tokens, widths, layers, dtype)
    start, stop = sorted(math.floor(end * (tokens - 1)) for end in ends)
    part = slice(start, max(stop, start + 1))
    first, further = text.rows(part)
    vectors = text.inputs.table[text.inputs.index[part]].flatten(1)
    assert text.joined is not None
    assert torch.equal(first, torch.cat([text.contexts[0][part], vectors], 1))
    assert len(further) == layers - 1
    assert all(map(torch.equal, further, (c[part] for c in text.contexts[1:])))
    assert first.data_ptr() % ALIGNED == 0


@pytest.mark.parametrize(
    ("widths", "most", "laid_out"),
    [
        ((NARROW - 6, 3, 2), LAID_OUT, True),
        ((NARROW - 5, 3, 2), LAID_OUT, False),
        ((4, 3, 2), 40, True),  # 4 positions of 10 columns
        ((4, 3, 2), 39, False),
    ],
)
def test_wide_and_large_inputs_are_joined_batch_by_batch(
    tuned: Tuned, widths: tuple[int, int, int], most: int, laid_out: bool
) -> None:
    tuned(joined=most)
    text = drawn(5, widths, 1, torch.float32)
    assert (text.joined is not None) == laid_out


def test_no_batch_is_copied_from_what_is_laid_out() -> None:
    """All of 16 rows begin aligned, whatever the width."""
    text = drawn(65, (5, 4, 1), 1, torch.float32)
    assert text.joined is not None
    for start in range(0, 64, 16):
        rows, _ = text.rows(slice(start, start + 16))
        assert rows.data_ptr() == text.joined[start:].data_ptr()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    batch=st.integers(5, 70),
    precision=st.sampled_from(["float32", "bfloat16", "float64"]),
)
def test_a_training_is_the_same_to_the_last_bit(
    build: Build, toy: Toy, tuned: Tuned, shape: tuple[int, int], batch: int, precision: str
) -> None:
    """Of so many layers and input tokens."""
    layers, tokens = shape
    knobs = {"layers": layers, "input_tokens": tokens, "phase2_batch": batch, "epochs": 3}
    config = toy(precision=precision, **knobs)
    found = []
    for most in (LAID_OUT, 0):
        tuned(joined=most)
        model, ids = build(config, 150)
        source = torch.Generator().manual_seed(1)
        size, dtype = (len(ids), config.context_dim), model.embedding.weight.dtype
        contexts = [torch.randn(size, generator=source, dtype=dtype) for _ in range(layers)]
        text = Text.of(contexts, model.inputs(ids), ids)
        assert (text.joined is not None) == (most > 0)
        texts = Texts(text, text)
        result = train_tokens(model.token_block, model.embedding.weight, texts, config)
        found.append((result, dict(model.token_block.named_parameters())))
    (one, first), (other, second) = found
    assert seen(one) == seen(other)
    assert all(torch.equal(first[name], second[name]) for name in first)


def seen(result: Phase2Result) -> tuple[object, ...]:
    """What a result says."""
    return result.best_epoch, result.val, result.trace
