import contextlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcore.stats.scaling import (
    PowerLaw,
    fit_power_law,
    fit_saturating_law,
    loss_rms,
    sliding_windows,
)
from fpcore.stats.scaling_intervals import power_prediction, saturating_intervals
from fpcore.stats.scaling_refits import bootstrap_power_law, bootstrap_saturating_law

# The raw-data blocks of the seed document: tokens, and V.PPL of both runs.
TOKENS = [62891, 122795, 240132, 473429, 948524]
V5 = [598.6, 406.9, 298.8, 227.0, 180.0]
V6 = [592.6, 409.8, 305.4, 234.7, 187.4]


@pytest.mark.parametrize(
    ("ppl", "overall", "windows", "delta", "percent"),
    [
        (V5, "-0.44044", ["-0.478 0.993", "-0.399 0.995"], "+0.079", "+16.5"),
        (V6, "-0.42172", ["-0.457 0.993", "-0.383 0.996"], "+0.074", "+16.1"),
    ],
)
def test_published_figures_to_every_printed_digit(
    ppl: list[float], overall: str, windows: list[str], delta: str, percent: str
) -> None:
    assert f"{fit_power_law(TOKENS, ppl).alpha:.5f}" == overall
    fits = sliding_windows(TOKENS, ppl)
    assert [f"{fit.alpha:.3f} {fit.r_squared:.3f}" for fit in fits] == windows
    change = fits[-1].alpha - fits[0].alpha
    assert f"{change:+.3f}" == delta
    assert f"{100 * change / abs(fits[0].alpha):+.1f}" == percent


def test_overall_alpha_of_v5_and_its_difference() -> None:
    five, six = fit_power_law(TOKENS, V5), fit_power_law(TOKENS, V6)
    assert f"{five.alpha:.4f}" == "-0.4404"
    assert f"{six.alpha - five.alpha:+.4f}" == "+0.0187"
    assert 3.182 * five.stderr == pytest.approx(0.085, abs=5e-4)  # t(3) at 97.5 %


def test_windows_say_what_they_cover() -> None:
    first, second = sliding_windows(TOKENS, V5)
    assert (first.tokens, first.n) == ((62891, 473429), 4)
    assert (second.tokens, second.n) == ((122795, 948524), 4)
    assert first == fit_power_law(TOKENS[:4], V5[:4])
    shuffled = [3, 0, 4, 1, 2]
    again = sliding_windows([TOKENS[i] for i in shuffled], [V5[i] for i in shuffled])
    assert again == [first, second]


@pytest.mark.parametrize(("size", "count"), [(2, 4), (3, 3), (5, 1), (6, 0)])
def test_windows_of_other_sizes(size: int, count: int) -> None:
    windows = sliding_windows(TOKENS, V5, size)
    assert [fit.n for fit in windows] == [size] * count


@given(
    st.floats(-2, -0.01) | st.floats(0.01, 2),
    st.floats(0.1, 1e5),
    st.lists(st.integers(10, 10**7), min_size=2, max_size=8, unique=True),
)
def test_exact_power_laws_are_recovered(alpha: float, factor: float, tokens: list[int]) -> None:
    law = fit_power_law(tokens, [factor * n**alpha for n in tokens])
    tight = math.log(max(tokens) / min(tokens))
    assert law.alpha == pytest.approx(alpha, abs=1e-9 / tight)
    assert math.log(law.A) == pytest.approx(math.log(factor), abs=1e-7 / tight)
    assert law(tokens[0]) == pytest.approx(factor * tokens[0] ** alpha, rel=1e-6)
    assert law.n == len(tokens)
    assert law.tokens == (min(tokens), max(tokens))
    if tight > 0.1:
        assert law.r_squared == pytest.approx(1)


def test_fit_by_hand() -> None:
    # log2: points (0, 3), (1, 1), (2, 2) have slope -1/2, mean (1, 2) and intercept 5/2.
    law = fit_power_law([1, 2, 4], [8, 2, 4])
    assert law.alpha == pytest.approx(-0.5)
    assert pytest.approx(2**2.5) == law.A
    # Residuals 1/2, -1, 1/2: their squares sum to 3/2, the total is 2, so R² is 1/4 …
    assert law.r_squared == pytest.approx(0.25)
    # … and the standard error is √((3/2 / (3 - 2)) / 2), the same in any base of logarithm.
    assert law.stderr == pytest.approx(math.sqrt(0.75))


def test_standard_error_by_its_formula() -> None:
    x, y = np.log(TOKENS), np.log(V5)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    residual = y - y.mean() - slope * (x - x.mean())
    expected = math.sqrt((residual**2).sum() / 3 / ((x - x.mean()) ** 2).sum())
    assert fit_power_law(TOKENS, V5).stderr == pytest.approx(expected)


def test_two_points_have_no_standard_error() -> None:
    law = fit_power_law([10, 1000], [100, 10])
    assert law.alpha == pytest.approx(-0.5)
    assert math.isnan(law.stderr)


def test_a_law_predicts() -> None:
    assert PowerLaw(-0.5, math.log(50), 4, 1, 0, 3, (1, 9))(25) == pytest.approx(20)


@pytest.mark.parametrize(
    ("tokens", "ppl"),
    [([], []), ([10], [5]), ([10, 10], [5, 4]), ([10, 20], [5]), ([[10, 20]], [[5, 4]])],
)
def test_too_little_to_fit(tokens: list[float], ppl: list[float]) -> None:
    with pytest.raises(ValueError, match="2 different sizes"):
        fit_power_law(tokens, ppl)


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf])
def test_values_that_have_no_logarithm(bad: float) -> None:
    for tokens, ppl in (([10, 20, bad], [3, 2, 1]), ([10, 20, 30], [3, bad, 1])):
        with pytest.raises(ValueError, match="positive finite"):
            fit_power_law(tokens, ppl)


def test_saturating_law_recovers_its_own_numbers() -> None:
    law = fit_saturating_law(TOKENS, [math.exp(3 + 50 * n**-0.3) for n in TOKENS])
    assert (law.floor, law.B, law.beta) == pytest.approx((3, 50, 0.3), rel=1e-6)
    assert law.rms < 1e-9
    assert (law.n, law.dof) == (5, 2)
    assert law(1e6) == pytest.approx(math.exp(3 + 50 * 1e6**-0.3))


@pytest.mark.parametrize("ppl", [V5, V6])
def test_published_figures_saturate(ppl: list[float]) -> None:
    law = fit_saturating_law(TOKENS, ppl)
    assert law.rms <= 0.004
    assert law.rms == pytest.approx(loss_rms(law, TOKENS, ppl))
    assert loss_rms(fit_power_law(TOKENS, ppl), TOKENS, ppl) > 10 * law.rms


def test_no_start_of_the_saturating_law_is_better() -> None:
    """The fit is a minimum: no nearby floor, factor or exponent has smaller residuals."""
    law = fit_saturating_law(TOKENS, V5)
    for floor in (0.99, 1.0, 1.01):
        for beta in (0.99, 1.0, 1.01):
            powers = np.array(TOKENS, float) ** -(beta * law.beta)
            loss = np.log(V5) - floor * law.floor
            factor = float(powers @ loss / (powers @ powers))
            assert np.sqrt(((loss - factor * powers) ** 2).mean()) >= law.rms - 1e-9


def test_saturating_law_needs_three_sizes() -> None:
    with pytest.raises(ValueError, match="3 different sizes"):
        fit_saturating_law([1, 2], [3, 4])


def test_a_factor_beyond_the_largest_float_is_infinite() -> None:
    fit = fit_power_law([500.0, 1000.0, 2000.0], [4e154, 10.0, 5.0])
    assert math.isinf(fit.A) and fit.alpha < -200


SIZES = st.lists(st.integers(1, 10**15), min_size=2, max_size=6)
LOSSES = st.one_of(
    st.floats(-600, 700),  # nats: from perplexities far below 1 to the largest floats
    st.floats(4.604, 4.606),  # nearly flat
    st.just(math.log(100)),
)


@given(st.data(), SIZES)
@settings(max_examples=200)
def test_any_sizes_and_perplexities_give_fits_or_one_sentence(
    data: st.DataObject, tokens: list[int]
) -> None:
    """No raw arithmetic error and no warning, whatever curve a run has left."""
    count = len(tokens)
    ppl = np.exp(data.draw(st.lists(LOSSES, min_size=count, max_size=count))).tolist()
    for fit in (fit_power_law, fit_saturating_law):
        try:
            law = fit(tokens, ppl)
        except ValueError as error:
            assert "needs" in str(error)
            continue
        assert math.isfinite(law.loss(tokens[0]))
        assert loss_rms(law, tokens, ppl) >= 0
        assert law(1.0) >= 0 and law(10.0 * max(tokens)) >= 0  # infinite beyond floats
    for window in sliding_windows(tokens, ppl, 2):
        assert math.isfinite(window.alpha) or len(set(window.tokens)) == 1
    for other in (saturating_intervals, bootstrap_power_law, bootstrap_saturating_law):
        with contextlib.suppress(ValueError):
            other(tokens, ppl)
    with contextlib.suppress(ValueError):
        assert power_prediction(tokens, ppl, 1.0).low >= 0 or count < 3


@pytest.mark.parametrize(
    ("tokens", "ppl"),
    [
        ([10000, 11000, 12100], [101.0, 100.0, 100.0]),
        ([41683, 42146, 43280], [101.481, 101.104, 101.307]),
    ],
)
def test_flat_curves_have_a_power_law_of_almost_no_slope(
    tokens: list[int], ppl: list[float]
) -> None:
    law, floor = fit_power_law(tokens, ppl), fit_saturating_law(tokens, ppl)
    assert abs(law.alpha) < 0.1 and law(tokens[1]) == pytest.approx(ppl[1], abs=1)
    assert floor(tokens[1]) == pytest.approx(ppl[1], abs=1) and math.isfinite(floor.rms)
