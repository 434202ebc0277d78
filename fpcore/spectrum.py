"""How many directions contexts use, by two measures, centred and not (spec section 4)."""

import torch
from torch import Tensor

from fpcore.metrics import effective_rank


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
