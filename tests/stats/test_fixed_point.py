"""The diagnostics on maps whose rate and fixed point are known."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fpcore.stats.fixed_point import TOLERANCE, distance, settle

GOAL = torch.tensor([[4.0, 3.0], [0.0, 5.0], [-3.0, 4.0], [5.0, 0.0]], dtype=torch.float64)


def towards(goal: Tensor, rates: Tensor) -> Callable[[Tensor], Tensor]:
    """Every row comes nearer to its goal by its own rate."""
    return lambda z: goal + rates[:, None] * (z - goal)


def test_a_contraction_by_hand() -> None:
    """From 0 towards (4, 3) by halves: changes 2.5 and 1.25 to lengths 2.5 and 3.75."""
    found = settle(towards(GOAL[:1], torch.tensor([0.5])), torch.zeros(1, 2).double(), 2, 1.0)
    one, two = found.trace.to_dict("records")
    assert (one["median"], one["max"], one["converged"]) == (1, 1, 0)  # 2.5² / 2 is above 1
    assert two["median"] == pytest.approx(1 / 3) and two["converged"] == 1
    assert math.isnan(one["rms"]) and math.isnan(one["local_median"])
    assert two["rms"] == two["local_median"] == 0.5
    assert found.contexts.tolist() == [[3, 2.25]]


@given(st.lists(st.floats(-0.95, 0.95), min_size=4, max_size=4), st.integers(2, 6))
def test_rates_and_residuals_of_any_contraction(rates: list[float], steps: int) -> None:
    """Step k leaves r^k of the way: the change is (1 - r)·r^(k-1) of a row's first distance."""
    r = torch.tensor(rates, dtype=torch.float64)
    start = GOAL + torch.tensor([[1.0, 0], [0, 2], [3, 0], [0, 4]])
    last = settle(towards(GOAL, r), start, steps, 0.03).trace.iloc[-1]
    before, new = (start - GOAL) * r[:, None] ** (steps - 1), (start - GOAL) * r[:, None] ** steps
    relative = (new - before).norm(dim=1) / (GOAL + new).norm(dim=1)
    assert last["max"] == pytest.approx(float(relative.max()), rel=1e-6, abs=1e-12)
    assert last["fixed"] == float((relative < TOLERANCE).double().mean())
    alike = settle(towards(GOAL, r[:1].repeat(4)), start, 2, 0.03).trace.iloc[-1]
    if abs(rates[0]) > 0.01:
        for column in ("rms", "local_q10", "local_median", "local_q90"):
            assert alike[column] == pytest.approx(abs(rates[0]), rel=1e-9)


def test_rows_of_different_rates() -> None:
    """All start 1 away, so the first changes are 0.9, 0.7, 0.5 and 0.3, the next r times that."""
    r = torch.tensor([0.1, 0.3, 0.5, 0.7], dtype=torch.float64)
    row = settle(towards(GOAL, r), GOAL + torch.tensor([1.0, 0]), 2, 0.03).trace.iloc[-1]
    first, second = (1 - r).square().sum(), ((1 - r) * r).square().sum()
    assert row["rms"] == pytest.approx(math.sqrt(second / first))
    assert row["local_median"] == pytest.approx(0.4)
    assert (row["local_q10"], row["local_q90"]) == pytest.approx((0.16, 0.64))


def chain(inputs: Tensor, rate: float) -> Callable[[Tensor], Tensor]:
    """c[i] = rate·c[i-1] + input[i], with zero before the first."""
    return lambda z: rate * torch.cat([torch.zeros_like(z[:1]), z[:-1]]) + inputs


def test_a_change_moves_on_to_the_next_row() -> None:
    """Where the changes of rows differ, only the row before tells the rate."""
    inputs = torch.tensor([[8.0], [1], [-4], [3], [16]], dtype=torch.float64)
    found = settle(chain(inputs, 0.5), torch.ones(5, 1).double() * 3, 3, 0.03, shift=1).trace
    second = found.iloc[1]
    assert {second[c] for c in ("rms", "local_q10", "local_median", "local_q90")} == {0.5}
    assert settle(chain(inputs, 0.5), torch.zeros(5, 1).double(), 2, 0.03).trace["rms"][1] != 0.5


def test_a_chain_is_exact_after_as_many_steps_as_rows() -> None:
    """By hand: 8, 4 + 1, 2.5 - 4, -0.75 + 2; every step makes one row more exact."""
    inputs = torch.tensor([[8.0], [1], [-4], [2]], dtype=torch.float64)
    found = settle(chain(inputs, 0.5), torch.full((4, 1), 9.0).double(), 6, 0.03, shift=1)
    assert found.contexts.flatten().tolist() == [8, 5, -1.5, 1.25]
    assert found.trace["fixed"].tolist() == [0, 0.25, 0.5, 0.75, 1, 1]


def test_at_the_fixed_point_nothing_is_left_to_shrink() -> None:
    trace = settle(towards(GOAL, torch.full((4,), 0.5)), GOAL, 3, 0.03).trace
    assert trace["fixed"].tolist() == trace["converged"].tolist() == [1, 1, 1]
    assert (trace["max"] == 0).all() and trace["rms"].isna().all()
    assert trace["local_median"].isna().all()


def test_changes_of_rounding_do_not_count_as_contraction() -> None:
    """One row is off by more than TOLERANCE and halves; the other jumps about at 1e-9."""
    goal = torch.ones(2, 1, dtype=torch.float64)
    wobble = iter([1e-9, -1e-9, 3e-9, 2e-9])

    def step(z: Tensor) -> Tensor:
        return torch.stack([goal[0] + (z[0] - goal[0]) / 2, goal[1] + next(wobble)])

    trace = settle(step, goal + torch.tensor([[0.5], [0]]), 4, 0.03).trace
    assert trace["rms"].iloc[1:].tolist() == [0.5, 0.5, 0.5]
    assert trace["local_q90"].iloc[1:].tolist() == [0.5, 0.5, 0.5]


def test_every_iterate_is_shown_with_its_number() -> None:
    seen: list[tuple[int, float]] = []
    start = torch.full((1, 1), 8.0)
    settle(lambda z: z / 2, start, 3, 0.03, on_iterate=lambda k, z: seen.append((k, float(z))))
    assert seen == [(0, 8), (1, 4), (2, 2), (3, 1)]


def test_quantiles_of_a_distance_by_hand() -> None:
    """Gaps of 0, 1, 2, 3 and 4 from vectors of length 10; linear between neighbours."""
    goal = torch.tensor([[6.0, 8.0]]).repeat(5, 1)
    moved = goal + torch.arange(5)[:, None] * torch.tensor([0.8, -0.6])
    found = distance(moved, goal)
    want = {"median": 0.2, "q90": 0.36, "q99": 0.396, "max": 0.4}
    assert found == pytest.approx(want, rel=1e-6)
