import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fpcore.stats.metrics import (
    bits_per_byte,
    convergence_rate,
    effective_rank,
    perplexity,
    unigram_loss,
)


def matrix(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("d", [1, 2, 7])
def test_effective_rank_of_the_identity_is_its_width(d: int) -> None:
    assert effective_rank(torch.eye(d)) == pytest.approx(d, rel=1e-12)


def test_effective_rank_of_a_single_direction_is_one() -> None:
    assert effective_rank(matrix([1, 2, 3], [2, 4, 6], [-1, -2, -3], [0, 0, 0])) == 1


def test_effective_rank_by_hand() -> None:
    # σ = 3, 1, so p = 3/4, 1/4 and exp(H) = (4/3)^(3/4) · 4^(1/4)
    expected = (4 / 3) ** 0.75 * 4**0.25
    assert effective_rank(matrix([3, 0], [0, 1])) == pytest.approx(expected, rel=1e-12)
    # The same σ, turned: rows (3, 0) and (0, 1) seen along other axes.
    turned = matrix([3 * 0.6, 3 * 0.8], [-0.8, 0.6], [0, 0])
    assert effective_rank(turned) == pytest.approx(expected, rel=1e-12)
    # Not the squares: those would be p = 9/10, 1/10.
    assert expected != pytest.approx((10 / 9) ** 0.9 * 10**0.1, rel=0.1)


def test_effective_rank_of_fewer_rows_than_columns() -> None:
    assert effective_rank(matrix([2, 0, 0, 0], [0, 0, 2, 0])) == pytest.approx(2, rel=1e-12)
    assert effective_rank(matrix([5, 1, 2, 3])) == 1


def test_centering_removes_the_mean_and_is_off_by_default() -> None:
    around = matrix([1, 0], [-1, 0], [0, 1], [0, -1])
    shifted = around + matrix([100, 0])
    assert effective_rank(around) == pytest.approx(2, rel=1e-12)
    assert effective_rank(shifted) < 1.1
    assert effective_rank(shifted, centered=True) == pytest.approx(2, rel=1e-10)


def test_effective_rank_without_any_direction_is_one() -> None:
    assert effective_rank(torch.zeros(4, 3)) == 1
    assert effective_rank(torch.ones(4, 3), centered=True) == 1


@pytest.mark.parametrize("shape", [(500, 40), (40, 500), (40, 40)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_effective_rank_agrees_with_the_singular_values(
    shape: tuple[int, int], dtype: torch.dtype
) -> None:
    source = torch.Generator().manual_seed(6)
    contexts = torch.randn(shape, generator=source, dtype=dtype)
    contexts *= torch.linspace(0.05, 3, shape[1], dtype=dtype)
    sigma = torch.linalg.svdvals(contexts.double())
    p = sigma / sigma.sum()
    expected = math.exp(-(p * p.log()).sum().item())
    assert effective_rank(contexts) == pytest.approx(expected, abs=1e-8)


def test_effective_rank_leaves_its_argument_alone() -> None:
    contexts = matrix([1, 2], [3, 5])
    effective_rank(contexts, centered=True)
    assert torch.equal(contexts, matrix([1, 2], [3, 5]))


CONTEXTS = st.tuples(st.integers(1, 6), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-9, 9).map(float))
)


@given(CONTEXTS, st.booleans())
def test_effective_rank_stays_between_one_and_the_rank(
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]], centered: bool
) -> None:
    value = effective_rank(torch.tensor(values), centered)
    assert 1 - 1e-9 <= value <= min(values.shape) + 1e-9


@given(CONTEXTS, st.integers(0, 100), st.floats(1e-6, 1e6))
def test_effective_rank_ignores_rotation_and_scale(
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]], seed: int, scale: float
) -> None:
    contexts, d = torch.tensor(values), values.shape[1]
    source = torch.Generator().manual_seed(seed)
    rotation = torch.linalg.qr(torch.randn(d, d, generator=source, dtype=torch.float64)).Q
    turned = effective_rank(contexts @ rotation * scale)
    assert turned == pytest.approx(effective_rank(contexts), abs=1e-5)


def test_arrays_are_as_good_as_tensors() -> None:
    assert effective_rank(np.eye(4)) == pytest.approx(4)
    assert effective_rank(np.diag([2, 2])) == pytest.approx(2)
    assert convergence_rate(np.ones((2, 2)), np.zeros((2, 2)), 2) == 1


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_effective_rank_of_extreme_values(scale: float) -> None:
    assert effective_rank(scale * torch.eye(3, dtype=torch.float64)) == pytest.approx(3)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (2, 2, 2), ()])
def test_effective_rank_refuses_what_is_no_matrix(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="non-empty"):
        effective_rank(torch.zeros(shape))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_effective_rank_refuses_what_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        effective_rank(matrix([1, 2], [value, 3]))


def test_convergence_rate_by_hand() -> None:
    # Mean squares 0, 0.25 (exactly the threshold), 0.125 and 4.
    new = matrix([1, 1], [1.5, 0.5], [0.5, 0], [2, 2])
    old = matrix([1, 1], [1, 1], [0, 0], [0, 0])
    assert convergence_rate(new, old, 0.25) == 2 / 4
    assert convergence_rate(new, old, 0.2500001) == 3 / 4
    assert convergence_rate(new, old, 0) == 0
    assert convergence_rate(old, new, 100) == 1


def test_convergence_rate_of_no_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        convergence_rate(torch.zeros(0, 3), torch.zeros(0, 3), 0.1)
    assert convergence_rate(torch.zeros(1, 3), torch.zeros(1, 3), 0.1) == 1.0


def test_perplexity_by_hand() -> None:
    assert perplexity(0) == 1
    assert perplexity(math.log(50)) == pytest.approx(50)
    assert perplexity(1000) == math.inf
    assert math.isnan(perplexity(math.nan)) or perplexity(math.nan) == math.inf


def test_bits_per_byte_by_hand() -> None:
    # Three tokens of probability 1/4 are 6 bits; they make 12 bytes.
    assert bits_per_byte(3 * math.log(4), 12) == pytest.approx(0.5)


def test_unigram_by_hand() -> None:
    # Counts 3, 1, 0, 0 with one added each are 4, 2, 1, 1 of 8: p = 1/2, 1/4, 1/8, 1/8.
    train, held_out = torch.tensor([0, 0, 1, 0]), torch.tensor([0, 0, 1, 3])
    expected = (math.log(2) + math.log(4) + math.log(8)) / 3  # the first token is not predicted
    assert unigram_loss(train, held_out, 4) == pytest.approx(expected, rel=1e-12)


def test_unigram_of_a_flat_text_is_the_vocabulary() -> None:
    flat = torch.arange(50)
    assert math.exp(unigram_loss(flat, flat, 50)) == pytest.approx(50)
