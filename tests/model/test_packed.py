"""Products with packed weights: the bits of ordinary ones, and only where that was shown."""

from unittest.mock import Mock

import pytest
import torch

from fpcore.model.packed import _works, packed


@pytest.mark.parametrize("rows", [1, 37, 512])
@pytest.mark.parametrize("shape", [(300, 16), (1000, 128), (128, 4095)])
def test_no_bit_changes(rows: int, shape: tuple[int, int]) -> None:
    source = torch.Generator().manual_seed(rows)
    x, weights = (torch.randn(n, shape[1], generator=source).bfloat16() for n in (rows, shape[0]))
    for laid_out in (weights, weights.T.contiguous().T):
        product = packed(laid_out, 512)
        if product is None:
            pytest.skip("this processor multiplies as it is")
        assert torch.equal(product(x), x @ weights.T)


@pytest.mark.parametrize("known", [{}, {"amx_bf16": True}, {"avx512_bf16": True, "amx_bf16": True}])
def test_other_processors_multiply_as_they_did(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, bool]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert packed(torch.zeros(4, 4, dtype=torch.bfloat16), 4) is None


def test_float32_is_multiplied_as_it_is() -> None:
    assert packed(torch.zeros(4, 4), 4) is None


def test_operators_that_are_not_what_they_were_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are private: another result or signature leaves the ordinary path."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    weights = torch.zeros(3, 4, dtype=torch.bfloat16)
    for found in (Mock(return_value=torch.zeros(2, 3)), Mock(side_effect=TypeError)):
        with monkeypatch.context() as patch:
            patch.setattr(torch.ops.mkldnn, "_linear_pointwise", found)
            patch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", Mock())
            _works.cache_clear()
            assert packed(weights, 4) is None
    _works.cache_clear()
