"""What is measured (spec section 4). Pure functions of tensors."""

import math
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


def effective_rank(contexts: Tensor | NDArray[Any], centered: bool = False) -> float:
    """Return exp(-Σ p log p), p = σ/Σσ, σ the singular values: a number in [1, D].

    Args:
        contexts: [N, D], any N ≥ 1, a tensor or an array.
        centered: subtract the mean row first.

    The singular values come from the eigenvalues of the Gram matrix in float64; values below its
    rounding error count as zero. All-zero contexts have no direction and give 1.

    Raises:
        ValueError: no rows, not a matrix, or a value that is not finite.

    Source: Roy & Vetterli 2007.
    """
    contexts = torch.as_tensor(contexts)
    if contexts.ndim != 2 or contexts.numel() == 0:
        raise ValueError(f"contexts must be a non-empty [N, D] matrix, not {tuple(contexts.shape)}")
    rows = contexts.double()
    if not bool(torch.isfinite(rows).all()):
        raise ValueError("contexts hold a value that is not finite")
    rows = rows - rows.mean(0) if centered else rows
    rows = rows / rows.abs().max().clamp_min(torch.finfo(torch.float64).tiny)  # no overflow
    gram = rows.T @ rows if rows.shape[0] >= rows.shape[1] else rows @ rows.T
    squares = torch.linalg.eigvalsh(gram)
    noise = len(squares) * torch.finfo(torch.float64).eps * squares.max()
    sigma = squares[squares > noise].sqrt()
    if len(sigma) == 0:
        return 1.0
    p = sigma / sigma.sum()
    return float(torch.exp(-(p * p.log()).sum()))


def convergence_rate(
    new: Tensor | NDArray[Any], old: Tensor | NDArray[Any], threshold: float
) -> float:
    """Return the share of rows with mean((new - old)²) < threshold; both [N, D]."""
    change = torch.as_tensor(new).double() - torch.as_tensor(old).double()
    return float(is_converged(change, threshold).double().mean())


def is_converged(change: Tensor, threshold: float) -> Tensor:
    """Return for each row of `change` [N, D] whether its mean square is below the threshold."""
    return change.square().mean(1) < threshold


def perplexity(mean_loss: float) -> float:
    """Return exp of a mean cross-entropy in nats; infinity where it would overflow."""
    return math.exp(mean_loss) if mean_loss < 700 else math.inf


def bits_per_byte(loss_sum: float, text_bytes: int) -> float:
    """Return a summed cross-entropy in nats as bits per byte of the text that it predicts."""
    return loss_sum / math.log(2) / text_bytes
