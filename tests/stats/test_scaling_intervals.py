"""Intervals of both laws: known cases, and how often they hold on synthetic data."""

import math

import numpy as np
import pytest
from scipy import stats

from fpcore.stats import scaling_refits
from fpcore.stats.scaling import fit_power_law, fit_saturating_law
from fpcore.stats.scaling_intervals import (
    power_interval,
    power_prediction,
    saturating_intervals,
    saturating_prediction,
)

SIZES = [62_891, 122_795, 240_132, 473_429, 948_524]


def test_the_interval_of_alpha_is_that_of_a_regression() -> None:
    ppl = [900.0, 700.0, 590.0, 480.0, 430.0]
    fit = stats.linregress(np.log(SIZES), np.log(ppl))
    low, high = power_interval(fit_power_law(SIZES, ppl))
    half = stats.t.ppf(0.975, 3) * fit.stderr
    assert (low, high) == pytest.approx((fit.slope - half, fit.slope + half))


def test_exact_data_leave_no_room() -> None:
    ppl = [math.exp(3.7 + 60 * n**-0.3) for n in SIZES]
    found = saturating_intervals(SIZES, ppl)
    for name, value in {"floor": 3.7, "B": 60.0, "beta": 0.3}.items():
        assert found[name].low == pytest.approx(value, rel=1e-3)
        assert found[name].high == pytest.approx(value, rel=1e-3)
    at = 3e6
    low, high = saturating_prediction(SIZES, ppl, at)
    assert low == pytest.approx(math.exp(3.7 + 60 * at**-0.3), rel=1e-3)
    assert high == pytest.approx(low, rel=1e-3)


def test_three_points_have_no_interval() -> None:
    ppl = [900.0, 700.0, 600.0]
    found = saturating_intervals(SIZES[:3], ppl)
    assert all(math.isnan(end) for interval in found.values() for end in interval)


def test_every_law_inside_the_interval_of_beta_fits_well_enough() -> None:
    """The ends are where the best sum of squares reaches the limit: checked by a plain search."""
    rng = np.random.default_rng(3)
    sizes = np.geomspace(6e4, 1e6, 8)
    loss = 3.7 + 60 * sizes**-0.3 + 0.01 * rng.normal(size=8)
    low, high = saturating_intervals(sizes.tolist(), np.exp(loss).tolist())["beta"]
    least = 8 * fit_saturating_law(sizes.tolist(), np.exp(loss).tolist()).rms ** 2
    limit = least * (1 + stats.f.ppf(0.95, 1, 5) / 5)

    def rss(beta: float) -> float:
        design = np.stack([np.ones(8), sizes**-beta], axis=1)
        return float(np.linalg.lstsq(design, loss, rcond=None)[1][0])

    for end in (low, high):
        assert 0 < end < 10 and rss(end) == pytest.approx(limit, rel=0.02)


def test_predictions_hold_a_new_measurement_more_widely_further_out() -> None:
    ppl = [math.exp(3.7 + 60 * n**-0.3) * (1 + 0.01 * (-1) ** i) for i, n in enumerate(SIZES)]
    for predict in (power_prediction, saturating_prediction):
        near, far = (math.log(b / a) for a, b in (predict(SIZES, ppl, at) for at in (1e6, 1e7)))
        assert 0 < near < far


def test_coverage_of_both_laws_in_few_trials() -> None:
    """At 12 sizes, 200 trials: 95 % within four standard errors."""
    found = scaling_refits.coverage(12, 200)
    assert set(found) == {"alpha", "floor", "B", "beta"}
    assert all(0.89 <= share <= 0.995 for share in found.values()), found


@pytest.mark.slow
def test_coverage_of_both_laws() -> None:
    """12 sizes, log-noise 0.01, 1,000 trials: 92 to 98 %."""
    found = scaling_refits.coverage(12, 1000)
    assert all(0.92 <= share <= 0.98 for share in found.values()), found
