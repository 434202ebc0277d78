"""What is measured (spec section 4): pure functions of tensors."""

import math
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

ROWS = 4096  # rows copied to float64 at a time
PANELS = 8  # groups of columns in which a Gram matrix is computed
TINY = torch.finfo(torch.float64).tiny
SAFE = (1e-100, 1e100)  # between these, squares neither vanish nor overflow


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
    top = largest(contexts)
    if not math.isfinite(top):
        raise ValueError("contexts hold a value that is not finite")
    scale = 1.0 if SAFE[0] < top < SAFE[1] else max(top, TINY)
    squares = torch.linalg.eigvalsh(_gram(contexts, scale, centered))
    noise = len(squares) * torch.finfo(torch.float64).eps * squares.max()
    sigma = squares[squares > noise].sqrt()
    if len(sigma) == 0:
        return 1.0
    p = sigma / sigma.sum()
    return float(torch.exp(-(p * p.log()).sum()))


def _gram(contexts: Tensor, scale: float, centered: bool) -> Tensor:
    """Return XᵀX of X = contexts / scale in float64, or XXᵀ where that is the smaller.

    It goes by rows and by panels of columns, so that no large float64 copy is made and, as the
    result is symmetric, little more than one half is computed.
    """
    mean = _mean(contexts) if centered else None
    n, width = contexts.shape
    count = n if n < width else min(n, ROWS)
    room = torch.empty(count, width, dtype=torch.float64, device=contexts.device)
    if n < width:
        rows = _scaled(contexts, mean, scale, room)
        return rows @ rows.T
    gram = torch.zeros(2 * contexts.shape[1:], dtype=torch.float64, device=contexts.device)
    width = math.ceil(len(gram) / PANELS)
    for part in contexts.split(ROWS):
        rows = _scaled(part, mean, scale, room[: len(part)])
        for start in range(0, len(gram), width):
            gram[start : start + width, start:].addmm_(
                rows[:, start : start + width].T, rows[:, start:]
            )
    return gram.triu_() + gram.triu(1).T


def _scaled(rows: Tensor, mean: Tensor | None, scale: float, room: Tensor) -> Tensor:
    """Return rows, less the mean, divided by `scale` so that no square overflows, in `room`."""
    rows = room.copy_(rows)
    rows = rows if mean is None else rows.sub_(mean)
    return rows if scale == 1 else rows.div_(scale)


def _mean(contexts: Tensor) -> Tensor:
    """Return the mean row [D] in float64."""
    return torch.stack([part.double().sum(0) for part in contexts.split(ROWS)]).sum(0) / len(
        contexts
    )


def largest(contexts: Tensor) -> float:
    """Return the largest absolute value, infinite or NaN where there is one."""
    ends = [part.aminmax() for part in contexts.split(ROWS)]
    return float(torch.stack([end.abs() for pair in ends for end in pair]).max())


def convergence_rate(
    new: Tensor | NDArray[Any], old: Tensor | NDArray[Any], threshold: float
) -> float:
    """Return the share of rows with mean((new - old)²) < threshold; both [N, D].

    Raises:
        ValueError: no rows, of which there is no share.
    """
    if len(new) == 0:
        raise ValueError("contexts must have at least one row")
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


def participation_ratio(contexts: Tensor, centered: bool = False) -> float:
    """Return (Σλ)² / Σλ² of contexts [N, D], a number in [1, D]; 1 where all are zero.

    λ are the eigenvalues of the Gram matrix, so squared singular values: it weighs the largest
    ones more than effective rank does. Their sums are the trace and the squared Frobenius norm.
    """
    rows = contexts.double()
    rows = rows - rows.mean(0) if centered else rows
    gram = rows.T @ rows
    squares = float(gram.square().sum())
    return float(gram.trace()) ** 2 / squares if squares else 1.0


def spectrum(contexts: Tensor) -> dict[str, float]:
    """Return both measures of contexts [N, D], each as a share of D."""
    D = contexts.shape[1]
    return {
        "er": effective_rank(contexts) / D,
        "er_centered": effective_rank(contexts, centered=True) / D,
        "pr": participation_ratio(contexts) / D,
        "pr_centered": participation_ratio(contexts, centered=True) / D,
    }


def same_rows(contexts: Tensor, count: int, source: torch.Generator) -> Tensor:
    """Return `count` random rows of contexts [N, D], or all of them where there are no more."""
    order = torch.randperm(len(contexts), generator=source)[:count]
    return contexts[order.to(contexts.device)]


def unigram_loss(train: Tensor, held_out: Tensor, vocabulary: int) -> float:
    """Return the mean loss in nats of a unigram model on the predicted tokens of a text.

    `train` [N] and `held_out` [M] are token ids; the first held-out token is left out, as nothing
    predicts it in the other models either.
    """
    return float(-unigram_logs(train, vocabulary)[held_out[1:]].mean())


def unigram_logs(ids: Tensor, vocabulary: int) -> Tensor:
    """Return the logarithms of the types' shares of a text `ids` [N], [V], one added to counts."""
    counts = torch.bincount(ids, minlength=vocabulary).double() + 1
    return (counts / counts.sum()).log()
