"""Products with a frozen matrix that is laid out once, in the order in which the CPU reads it.

Otherwise the library lays it out again for every product, which takes a fifth of the time at the
published size.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from fpcore.model.tuning import tuning, without_tiles

Product = Callable[[Tensor], Tensor]


def packed(weights: Tensor, rows: int) -> Product | None:
    """Return the function that makes x·weightsᵀ [R, V] of x [R, E], with weights [V, E] packed.

    `rows` is about how many x has. None where nothing is gained, or the result might be another one
    in its last bits.
    """
    if not tuning(weights.device).packed or weights.dtype != torch.bfloat16:
        return None
    return _product(weights, rows) if without_tiles() and _works() else None


def _product(weights: Tensor, rows: int) -> Product:
    laid_out = torch.ops.mkldnn._reorder_linear_weight(weights, rows)
    multiply = torch.ops.mkldnn._linear_pointwise
    return lambda x: multiply(x, laid_out, None, "none", [], "")


@cache
def _works() -> bool:
    """Say whether this PyTorch has the operators, which are private, and they do what they did."""
    x, weights = torch.eye(2, 4).bfloat16(), torch.arange(12.0).view(3, 4).bfloat16()
    try:
        return torch.equal(_product(weights, 2)(x), x @ weights.T)
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return False
