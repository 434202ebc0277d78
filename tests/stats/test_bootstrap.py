"""The paired bootstrap over conversations, against values worked out by hand."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcore.stats.uncertainty import paired_bootstrap

LOSS = st.floats(0, 100, allow_nan=False)
CONVERSATIONS = st.lists(st.tuples(LOSS, LOSS, st.integers(1, 50)), min_size=2, max_size=8)


def test_two_conversations_by_hand() -> None:
    """Draws are (2, 0), (1, 1), (0, 2) with 1/4, 1/2, 1/4: so the interval is both extremes.

    Gaps 1 of 2 tokens and -4 of 16: 0.5 and -0.25 per token, and together -3 of 18.
    """
    d = paired_bootstrap([3, 30], [4, 26], [2, 16], seed=1)
    assert d.difference == pytest.approx(-3 / 18)
    assert (d.low, d.high) == (-0.25, 0.5)
    assert (d.conversations, d.seeds, d.direction) == (2, (1, 1), "unclear")
    assert d.relative_ppl == pytest.approx([math.exp(x) - 1 for x in (-3 / 18, -0.25, 0.5)])


def test_the_interval_is_that_of_all_possible_draws() -> None:
    a, b = np.array([5.0, 9.0, 2.0, 7.0, 1.0]), np.array([6.5, 9.1, 2.9, 6.0, 1.3])
    n = np.array([3, 11, 2, 5, 4])
    exact = [
        (b - a)[list(drawn)].sum() / n[list(drawn)].sum() for drawn in product(range(5), repeat=5)
    ]
    d = paired_bootstrap(a, b, n, seed=3, draws=200_000)
    assert [d.low, d.high] == pytest.approx(np.quantile(exact, [0.025, 0.975]), abs=2e-3)


def test_pairs_of_seeds_are_drawn_together() -> None:
    """Each pair differs by 1 per token, though the seeds lie 10 apart: no spread at all."""
    counts = np.array([2.0, 3.0, 4.0])
    a = np.stack([0 * counts, 10 * counts])
    d = paired_bootstrap(a, a + counts, counts, seed=1)
    assert [d.difference, d.low, d.high] == pytest.approx([1, 1, 1])
    assert d.direction == "up"


def test_unequal_numbers_of_seeds_are_drawn_apart() -> None:
    """b's two seeds are 0 and 4 per token: its mean is 0, 2 or 4 with 1/4, 1/2, 1/4; a is 1."""
    counts = np.array([2.0, 3.0, 4.0])
    d = paired_bootstrap(counts, np.stack([0 * counts, 4 * counts]), counts, seed=1)
    assert d.seeds == (1, 2)
    assert [d.difference, d.low, d.high] == pytest.approx([1, -1, 3])


def test_unpaired_seeds_vary_for_themselves() -> None:
    """a is 0 or 4, b 0, 0 or 0: the difference is minus a's mean, whatever b draws."""
    counts = np.array([2.0, 3.0])
    a = np.stack([0 * counts, 4 * counts])
    d = paired_bootstrap(a, np.zeros((3, 2)), counts, seed=1)
    assert [d.difference, d.low, d.high] == pytest.approx([-2, -4, 0])


def test_one_conversation_gives_no_interval() -> None:
    d = paired_bootstrap([3, 0], [5, 0], [4, 0], seed=1)
    assert (d.difference, d.conversations, d.direction) == (0.5, 1, "unknown")
    assert math.isnan(d.low)
    assert math.isnan(d.high)


def test_one_model_does_not_differ_from_itself() -> None:
    d = paired_bootstrap([3, 5, 8], [3, 5, 8], [1, 2, 3], seed=1)
    assert (d.difference, d.low, d.high, d.direction) == (0, 0, 0, "same")


def test_a_large_conversation_widens_the_interval() -> None:
    """The same gaps per token, spread over equal conversations or with half the tokens in one."""
    gap = np.linspace(-1, 1, 25)
    even, heavy = np.full(25, 40.0), np.array([500.0] + [500 / 24] * 24)
    widths = [
        d.high - d.low
        for n in (even, heavy)
        for d in [paired_bootstrap(0 * n, gap * n, n, seed=1, draws=4000)]
    ]
    assert widths[1] > 1.5 * widths[0]


def test_the_seed_decides_the_draws() -> None:
    rows = [1.0, 4.0, 2.0, 8.0], [2.0, 3.0, 3.0, 7.0], [5, 6, 7, 8]
    assert paired_bootstrap(*rows, seed=1) == paired_bootstrap(*rows, seed=1)
    assert paired_bootstrap(*rows, seed=1, draws=50) != paired_bootstrap(*rows, seed=2, draws=50)


@given(CONVERSATIONS)
def test_swapping_turns_the_difference_round(rows: list[tuple[float, float, int]]) -> None:
    a, b, n = zip(*rows, strict=True)
    there, back = (paired_bootstrap(*pair, n, seed=1, draws=200) for pair in ((a, b), (b, a)))
    assert back.difference == pytest.approx(-there.difference)
    assert [back.low, back.high] == pytest.approx([-there.high, -there.low])


@given(CONVERSATIONS, st.floats(-3, 3))
def test_a_shift_of_every_token_shifts_the_interval(
    rows: list[tuple[float, float, int]], shift: float
) -> None:
    a, b, n = (np.array(column, float) for column in zip(*rows, strict=True))
    before = paired_bootstrap(a, b, n, seed=1, draws=200)
    after = paired_bootstrap(a, b + shift * n, n, seed=1, draws=200)
    assert before.low <= before.high
    got = [after.difference, after.low, after.high]
    want = [before.difference + shift, before.low + shift, before.high + shift]
    assert got == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "counts", "draws"),
    [
        ([1, 2], [1, 2, 3], [1, 1], 10),
        ([1, 2], [1, 2], [[1, 1]], 10),
        ([1, math.nan], [1, 2], [1, 1], 10),
        ([1, 2], [1, 2], [0, 0], 10),
        ([1, 2], [1, 2], [1, -1], 10),
        ([1, 2], [1, 2], [1, 1], 0),
    ],
)
def test_bad_input_is_refused(
    a: list[float], b: list[float], counts: list[int], draws: int
) -> None:
    with pytest.raises(ValueError, match="must be"):
        paired_bootstrap(a, b, counts, seed=1, draws=draws)
