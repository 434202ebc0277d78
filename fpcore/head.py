"""The tied, frozen head: cross-entropy of h·W_eᵀ, never holding all logits of a batch.

Shapes: B positions, V types, E embedding width.
"""

import torch
from torch import Tensor

ROWS, COLUMNS = 1024, 4096  # of the logits that evaluation holds at a time: 16 MiB in float32
LOGITS = 2**30  # elements of logits that training holds at a time where attention is not fused

_attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


def cross_entropy(h: Tensor, weights: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean loss of h [B, E] against the targets [B], and its gradient [B, E] for h.

    The head [V, E] is frozen, so its own gradient is never formed. Products are in the format of
    `weights`, the rest is in that of `h`.
    """
    rounded = h.to(weights.dtype)
    expected, log_sum = expectation(rounded, weights)
    target = weights[targets].to(h.dtype)
    loss = (log_sum - (rounded.to(h.dtype) * target).sum(1)).mean()
    return loss, (expected.to(h.dtype) - target).div_(len(h))


def expectation(h: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return softmax(h·W_eᵀ)·W_e [B, E] and the logarithm of the softmax's divisor [B].

    This is attention in which the embedding is both keys and values, so on a CPU PyTorch's fused
    attention does it, tile by tile in the cache. The operator itself is called, because the
    public function keeps the divisor to itself.
    """
    if h.device.type != "cpu":
        return chunked_expectation(h, weights)
    keys = weights[None, None]
    expected, log_sum = _attention(h[None, None], keys, keys, scale=1.0)
    return expected[0, 0], log_sum[0, 0]


def chunked_expectation(
    h: Tensor, weights: Tensor, elements: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return what `expectation` does, in ordinary operators and chunks of rows.

    Where the logits of a chunk do not fit, chunks of half the size are tried.
    """
    elements = elements or LOGITS
    rows = max(1, elements // len(weights))
    try:
        return _chunked(h, weights, rows)
    except torch.OutOfMemoryError:
        if rows == 1:
            raise
    return chunked_expectation(h, weights, elements // 2)


def _chunked(h: Tensor, weights: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    expected, log_sums = torch.empty_like(h), []
    for part in pieces(len(h), rows):
        logits = h[part] @ weights.T
        if logits.dtype == torch.bfloat16:
            logits = logits.float()
        log_sum = logits.logsumexp(1, keepdim=True)
        p = logits.sub_(log_sum).exp_()
        torch.mm(p.to(weights.dtype), weights, out=expected[part])
        log_sums.append(log_sum[:, 0])
    return expected, torch.cat(log_sums)


def predict(h: Tensor, weights: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of each target in nats and the likeliest type, both [B]; the first of ties.

    The vocabulary is cut as well as the rows, so that the weights of a tile are read once.
    """
    best, own = h.new_full((2, len(h)), -torch.inf)
    likeliest, log_sums = torch.zeros_like(targets), []
    for columns in pieces(len(weights), COLUMNS):
        logits = h @ weights[columns].T
        top, index = logits.max(1)
        likeliest = torch.where(top > best, index + columns.start, likeliest)
        best = torch.maximum(best, top)
        place = targets - columns.start
        inside = (place >= 0) & (place < logits.shape[1])
        at = place.clamp(0, logits.shape[1] - 1).unsqueeze(1)
        own = torch.where(inside, logits.gather(1, at)[:, 0], own)
        log_sums.append(logits.sub_(top.unsqueeze(1)).exp_().sum(1).log_().add_(top))
    return torch.stack(log_sums).logsumexp(0) - own, likeliest


def pieces(total: int, size: int) -> list[slice]:
    """Cut a range into slices of `size`, the last of which may be shorter."""
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]
