"""Participation ratio by hand and against singular values; the four measures together."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fpcore.stats import metrics
from fpcore.stats.metrics import participation_ratio, same_rows, spectrum


def test_participation_ratio_by_hand() -> None:
    """Squared singular values 9 and 16: 25² / (81 + 256). Centred, two rows have one direction."""
    rows = torch.tensor([[3.0, 0], [0, 4]])
    assert participation_ratio(rows) == pytest.approx(625 / 337)
    assert participation_ratio(rows, centered=True) == pytest.approx(1)
    assert participation_ratio(torch.eye(5)) == pytest.approx(5)
    assert participation_ratio(torch.zeros(3, 2)) == 1


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_participation_ratio_is_of_the_spectrum(seed: int, scale: float) -> None:
    rows = torch.randn(9, 4, generator=torch.Generator().manual_seed(seed)).double() * scale
    squares = torch.linalg.svdvals(rows).square()
    want = float(squares.sum() ** 2 / squares.square().sum())
    assert participation_ratio(rows) == pytest.approx(want)
    moved = participation_ratio(rows + 7 * scale, centered=True)
    assert moved == pytest.approx(participation_ratio(rows, centered=True))


def test_the_spectrum_is_four_shares() -> None:
    rows = torch.randn(20, 4, generator=torch.Generator().manual_seed(1)) + 3
    assert spectrum(rows) == {
        "er": metrics.effective_rank(rows) / 4,
        "er_centered": metrics.effective_rank(rows, centered=True) / 4,
        "pr": participation_ratio(rows) / 4,
        "pr_centered": participation_ratio(rows, centered=True) / 4,
    }
    assert spectrum(rows)["er_centered"] > 1.2 * spectrum(rows)["er"]  # a common mean hides much


def test_random_rows_are_rows_and_differ() -> None:
    rows = torch.arange(20.0)[:, None]
    found = same_rows(rows, 6, torch.Generator().manual_seed(1))
    assert found.shape == (6, 1) and len(set(found.flatten().tolist())) == 6
    assert torch.equal(found, same_rows(rows, 6, torch.Generator().manual_seed(1)))
    assert sorted(same_rows(rows, 99, torch.Generator()).flatten().tolist()) == list(range(20))
