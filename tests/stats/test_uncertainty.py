"""What may be said of a difference, against values worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcore.stats.uncertainty import difference

NUMBERS = st.floats(-1e3, 1e3, allow_nan=False)


def test_pairs_of_seeds() -> None:
    """Differences 1, 2, 3: mean 2, standard error 1/√3, t(0.975, 2) = 4.30265."""
    d = difference({1: 10.0, 2: 20.0, 3: 30.0}, {1: 11.0, 2: 22.0, 3: 33.0})
    assert (d.a, d.b, d.seeds) == (20.0, 22.0, 3)
    assert d.low == pytest.approx(2 - 4.30265 / math.sqrt(3), abs=1e-4)
    assert d.high == pytest.approx(2 + 4.30265 / math.sqrt(3), abs=1e-4)
    assert d.direction == "unclear"
    sure = difference({1: 10.0, 2: 20.0, 3: 30.0}, {1: 12.0, 2: 22.1, 3: 32.2})
    assert sure.direction == "up"  # though the seeds spread far wider than the gap


def test_runs_without_common_seeds() -> None:
    """Welch: variances 1 and 1 on 3 seeds each, so 4 degrees of freedom, t = 2.77645."""
    d = difference({1: 9.0, 2: 10.0, 3: 11.0}, {4: 19.0, 5: 20.0, 6: 21.0})
    half = 2.77645 * math.sqrt(2 / 3)
    assert [d.low, d.high] == pytest.approx([10 - half, 10 + half], abs=1e-4)
    assert d.direction == "up"


def test_only_common_seeds_count() -> None:
    d = difference({1: 1.0, 2: 2.0, 9: 100.0}, {1: 1.5, 2: 2.5})
    assert (d.a, d.b, d.seeds, d.direction) == (1.5, 2.0, 2, "up")


def test_one_seed_gives_the_sign_alone() -> None:
    d = difference({1: 2.0}, {1: 1.0, 2: 5.0})  # on the seed that both have
    assert (d.difference, d.seeds, d.direction) == (-1.0, 1, "down")
    assert math.isnan(d.low) and math.isnan(d.high)
    assert difference({None: 2.0}, {None: 1.0}).direction == "down"


def test_same_and_unknown() -> None:
    assert difference({1: 2.0}, {1: 2.0}).direction == "same"
    assert difference({1: 2.0, 2: 3.0}, {1: 2.0, 2: 3.0}).direction == "same"
    assert difference({1: math.nan}, {1: 2.0}).direction == "unknown"
    assert difference({}, {1: 2.0}).direction == "unknown"
    assert math.isnan(difference({1: 0.0}, {1: 2.0}).relative)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6))
def test_swapping_turns_the_difference_round(pairs: list[tuple[float, float]]) -> None:
    a, b = (
        dict[int | None, float]((seed, pair[side]) for seed, pair in enumerate(pairs))
        for side in (0, 1)
    )
    there, back = difference(a, b), difference(b, a)
    turned = {"up": "down", "down": "up"}
    assert back.direction == turned.get(there.direction, there.direction)
    assert back.difference == -there.difference


def test_enormous_differences_have_an_interval() -> None:
    """The scale changes nothing, though squares of the errors are beyond the largest float."""
    small = difference({1: 1.0, 2: 1.0}, {1: 2.0, 2: 4.0})
    large = difference({1: 1e100, 2: 1e100}, {1: 2e100, 2: 4e100})
    assert large.high == pytest.approx(small.high * 1e100)
    assert large.low == pytest.approx(small.low * 1e100)
