"""What may be said of a difference, against values worked out by hand."""

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fpcore.stats.priors import Prior, prior_of
from fpcore.stats.uncertainty import (
    Difference,
    Values,
    difference,
    differences,
    seeds_needed,
    simultaneous,
)
from fpcore.stats.variance import (
    UNKNOWN,
    Variance,
    combined,
    effective_number,
    half_width,
    over_conversations,
    resolution,
)

NUMBERS = st.floats(-1e3, 1e3, allow_nan=False)
COUNTS = st.lists(st.integers(1, 50), min_size=2, max_size=8)


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


def test_one_seed_is_held_to_the_conversations_where_they_are_known() -> None:
    sides: dict[int, tuple[Values, Values]] = {1: ({42: 0.0}, {42: 1.0})}
    wide = differences(sides, {1: Variance(1.0, 9.0)})[1]
    assert wide.direction == "unclear" and wide.high == pytest.approx(1 + stats.t.ppf(0.975, 9))
    assert differences(sides, {1: Variance(0.01, 9.0)})[1].direction == "up"


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


def test_the_spread_over_seeds_is_that_of_all_sizes() -> None:
    """Gaps 0, 2 and 0, 4: errors 1 and 4, so 2.5 on (1 + 4)² / (1² + 4²) = 1.47 degrees.

    Where its own error is larger than that, it is taken; 0, 0 is no gap.
    """
    zero: Values = {1: 0.0, 2: 0.0}
    found = differences(
        {10: (zero, {1: 0.0, 2: 2.0}), 20: (zero, {1: 0.0, 2: 4.0}), 30: (zero, zero)}, {}
    )
    t = stats.t.ppf(0.975, 25 / 17)
    assert found[10].high == pytest.approx(1 + t * math.sqrt(2.5))
    assert found[20].high == pytest.approx(2 + t * math.sqrt(4))
    assert found[30].low == found[30].high == 0 and found[30].direction == "same"


@given(
    st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=5),
    st.integers(0, 5),
    st.floats(0.5, 0.999),
)
def test_other_sizes_never_hide_the_spread_of_one(
    gaps: list[list[float]], borders: int, level: float
) -> None:
    """A share at 0 or 1 has no spread; and no size spreads less than its own seeds do."""
    zero: Values = dict.fromkeys(range(3), 0.0)
    own = {n: (zero, dict[int | None, float](enumerate(gap))) for n, gap in enumerate(gaps)}
    flat = {-n: (zero, dict.fromkeys(zero, 1.0)) for n in range(1, borders + 1)}
    with_flat, without = differences(own | flat, {}, level), differences(own, {}, level)
    for n, sides in own.items():
        assert with_flat[n].by_seeds.value >= difference(*sides).by_seeds.value
        assert with_flat[n].by_seeds.dof == pytest.approx(without[n].by_seeds.dof)


def test_sizes_of_other_numbers_of_seeds_do_not_mix() -> None:
    sides: dict[int, tuple[Values, Values]] = {
        1: ({1: 0.0, 2: 0.0}, {1: 0.0, 2: 2.0}),
        2: ({1: 0.0, 2: 0.0, 3: 0.0}, {1: 9.0, 2: 0.0, 3: -9.0}),
    }
    assert differences(sides, {})[1] == difference(*sides[1])


def test_errors_of_seeds_and_conversations_add_up() -> None:
    """Satterthwaite: (1 + 3)² / (1²/2 + 3²/6) = 8 degrees of freedom."""
    whole = combined(Variance(1.0, 2.0), Variance(3.0, 6.0))
    assert whole.value == 4.0 and whole.dof == pytest.approx(8.0)
    assert combined(Variance(1.0, 2.0), UNKNOWN) == Variance(1.0, 2.0)
    assert not combined(UNKNOWN).known
    d = differences({0: ({1: 0.0, 2: 0.0}, {1: 4.0, 2: 6.0})}, {0: Variance(3.0, 6.0)})[0]
    assert d.variance == combined(Variance(1.0, 1.0), Variance(3.0, 6.0))
    assert d.high - 5 == pytest.approx(half_width(d.variance, 0.95))


def sized(values: Iterable[float], dof: float) -> list[dict[int, Variance]]:
    """Comparisons at one size."""
    return [{1: Variance(float(value), dof)} for value in values]


def test_alike_spreads_are_drawn_to_their_mean_and_unlike_ones_are_left() -> None:
    """Drawn variances of one true value, and of values that differ by chance a hundredfold."""
    rng = np.random.default_rng(0)
    drawn = rng.chisquare(4, 200) / 4
    alike = prior_of(sized(drawn, 4.0)).variance
    assert alike.value == pytest.approx(1, rel=0.1) and alike.dof == 8  # twice one's own, at most
    unlike = prior_of(sized(drawn * np.exp(rng.normal(0, 2, 200)), 4.0)).variance
    assert 0.3 < unlike.dof < 2
    assert not prior_of(sized([1.0, 2.0, 3.0, 4.0, 5.0, 0.0], 4.0)).variance.known


@given(st.floats(0.5, 20), st.integers(10, 20))
def test_the_prior_is_that_of_the_scaled_chi_squared_that_was_drawn_from(
    dof: float, own: int
) -> None:
    """The quantiles of s² ~ F(own, dof) stand for a sample of it."""
    shares = (np.arange(4000) + 0.5) / 4000
    found = prior_of(sized(3 * stats.f.ppf(shares, own, dof), own)).variance
    assert found.dof == pytest.approx(min(dof, 2 * own), rel=0.15) and found.value == pytest.approx(
        3, rel=0.15
    )


def test_sizes_have_scales_of_their_own() -> None:
    """Spreads at the second size are nine times those at the first in every comparison."""
    found = prior_of([{1: Variance(v, 2.0), 2: Variance(9.0 * v, 2.0)} for v in range(1, 7)])
    assert found.scales == pytest.approx({1: 1 / 3, 2: 3.0})
    gaps: Values = {1: 0.0, 2: 2.0}  # variance 1 on 1 degree of freedom
    sides = {n: (dict.fromkeys(gaps, 0.0), gaps) for n in (1, 2)}
    d = differences(sides, {}, prior=Prior(scales=found.scales))
    mean = (3 + 1 / 3) / 2  # of the errors without their scales; that of the first size is 3
    assert d[1].by_seeds.value == pytest.approx(3 / 3)
    assert d[2].by_seeds.value == pytest.approx(mean * 3) and 1 < d[2].by_seeds.dof < 2


def test_a_prior_weighs_as_much_as_its_degrees_of_freedom() -> None:
    """Gaps 0 and 2 have the error 1 on 1 degree: (1·1 + 3·5) / (1 + 3) = 4 on 4."""
    sides: dict[int, tuple[Values, Values]] = {0: ({1: 0.0, 2: 0.0}, {1: 0.0, 2: 2.0})}
    prior = Prior(Variance(5.0, 3.0))
    assert differences(sides, {}, prior=prior)[0].by_seeds == Variance(4.0, 4.0)
    alike: dict[int, tuple[Values, Values]] = {0: ({1: 0.0, 2: 0.0}, {1: 2.0, 2: 2.0})}
    assert differences(alike, {}, prior=prior)[0].by_seeds == Variance(15 / 4, 4.0)
    same: dict[int, tuple[Values, Values]] = {0: ({1: 1.0, 2: 2.0}, {1: 1.0, 2: 2.0})}
    assert differences(same, {}, prior=prior)[0].direction == "same"


def test_conversations_of_equal_length_by_hand() -> None:
    """Gaps per token 1, 2, 3 on 10 tokens each: standard error of the mean 1/√3, t(2)."""
    found = over_conversations([10, 20, 30], [10, 10, 10])
    assert found.value == pytest.approx(1 / 3) and found.dof == pytest.approx(2)


def test_a_long_conversation_does_not_hide_its_own_error() -> None:
    """The variance is unbiased for gaps per token of equal spread, whatever the lengths."""
    rng, counts = np.random.default_rng(0), np.array([500, 20, 20, 20, 20, 20])
    gaps = rng.normal(0, 1, (20_000, 6))
    known = float(np.mean([over_conversations(gap * counts, counts).value for gap in gaps[:4000]]))
    true = float(((gaps * counts).sum(1) / counts.sum()).var())
    assert known == pytest.approx(true, rel=0.06)


def test_a_large_conversation_leaves_few_degrees_of_freedom() -> None:
    gap = np.linspace(-1, 1, 25)
    even, heavy = np.full(25, 40.0), np.array([500.0] + [500 / 24] * 24)
    known = [over_conversations(gap * n, n) for n in (even, heavy)]
    assert known[0].dof == pytest.approx(24) and known[1].dof == pytest.approx(2.84, abs=0.01)
    assert half_width(known[1], 0.95) > 3 * half_width(known[0], 0.95)


@given(COUNTS)
def test_the_effective_number_is_at_most_the_number(counts: list[int]) -> None:
    assert 1 <= effective_number(counts) <= len(counts) + 1e-9
    assert effective_number([7] * len(counts)) == pytest.approx(len(counts))


@given(COUNTS, st.floats(-3, 3))
def test_a_shift_of_every_token_leaves_the_error(counts: list[int], shift: float) -> None:
    n = np.array(counts, float)
    gaps = np.sin(np.arange(len(n))) * n
    assert over_conversations(gaps + shift * n, n).value == pytest.approx(
        over_conversations(gaps, n).value, abs=1e-9
    )


def test_one_conversation_has_no_error() -> None:
    assert not over_conversations([3, 0], [5, 0]).known
    assert over_conversations([3, 9, 0], [1, 3, 0]) == over_conversations([3, 9], [1, 3])


@pytest.mark.parametrize(
    ("gaps", "counts"),
    [([1, 2], [1, 1, 1]), ([[1, 2]], [[1, 1]]), ([1, math.nan], [1, 1]), ([1, 2], [0, 0]),
     ([1, 2], [1, -1])],
)  # fmt: skip
def test_bad_input_is_refused(gaps: list[float], counts: list[int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        over_conversations(gaps, counts)


def test_simultaneous_levels() -> None:
    assert simultaneous(1) == simultaneous(0) == 0.95
    assert simultaneous(50) == pytest.approx(0.999)


@pytest.mark.parametrize(("seeds", "level"), [(3, 0.95), (5, 0.99), (10, 0.999)])
def test_a_difference_of_the_resolution_is_told_in_80_percent(seeds: int, level: float) -> None:
    """Against drawn seeds whose spread is known beforehand, as that of the resolution is."""
    variance = Variance(1.0 / seeds, seeds - 1.0)
    size, rng = resolution(variance, level), np.random.default_rng(seeds)
    drawn = size + rng.normal(size=(40_000, seeds))
    t = drawn.mean(1) / (drawn.std(1, ddof=1) / math.sqrt(seeds))
    told = (t > stats.t.ppf((1 + level) / 2, seeds - 1)).mean()
    assert told == pytest.approx(0.8, abs=0.06)


def measured(spread: float, text: float) -> Difference:
    """A difference of 1 of three seeds, with a variance over conversations."""
    gaps: Values = {1: 1 - spread, 2: 1.0, 3: 1 + spread}
    texts = {0: Variance(text, 30.0)} if text else {}
    return differences({0: (dict.fromkeys(gaps, 0.0), gaps)}, texts)[0]


@pytest.mark.parametrize("spread", [0.05, 2.0, 20.0])
def test_the_seeds_needed_are_the_fewest_with_power(spread: float) -> None:
    n = seeds_needed(measured(spread, 0), 1.0, 0.95)
    sizes = [resolution(Variance(spread**2 / k, k - 1.0), 0.95) for k in (n, max(2, n - 1))]
    assert sizes[0] <= 1 and (n == 2 or sizes[1] > 1)


def test_no_number_of_seeds_helps_where_conversations_limit() -> None:
    assert math.isinf(seeds_needed(measured(2.0, 0.2), 1.0, 0.95))
    assert math.isfinite(seeds_needed(measured(2.0, 0.02), 1.0, 0.95))
    assert math.isnan(seeds_needed(difference({1: 1.0}, {1: 2.0}), 1.0, 0.95))
