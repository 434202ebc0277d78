"""The tied, frozen head: cross-entropy of h·W_eᵀ, never holding all logits of a batch.

Shapes: B positions, V types, E embedding width.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

ROWS, COLUMNS = 1024, 4096  # evaluation holds logits of this shape at a time: 16 MiB in float32
LOGITS = 2**30  # training on a GPU holds at most this many logits at a time
LOGITS_CPU = 2**24  # training on a CPU holds at most this many: 64 MiB in float32
Attention = Callable[..., tuple[Tensor, Tensor]]


class Head:
    """W_e [V, E] as the head: frozen, so its own gradient is never formed.

    Products of training are in the format `product`, the rest is in that of `weights`. The room
    for logits is kept, because a system hands out large new arrays page by page.
    """

    def __init__(self, weights: Tensor, product: torch.dtype | None = None) -> None:
        self._weights = weights
        self._rounded = weights.to(product or weights.dtype)
        self._attention = fused_attention() if fuses(self._rounded) else None
        limit = LOGITS_CPU if weights.device.type == "cpu" else LOGITS
        self._rows = max(1, limit // len(weights))
        self._rooms: dict[torch.dtype, Tensor] = {}

    def cross_entropy(self, h: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean loss of h [B, E] against the targets [B], and its gradient [B, E]."""
        rounded = h.to(self._rounded.dtype)
        if self._attention:
            expected, log_sum = self._fused_mean(rounded, self._attention)
        else:
            expected, log_sum = self._mean(rounded)
        target = self._rounded[targets].to(h.dtype)
        loss = (log_sum - (rounded.to(h.dtype) * target).sum(1)).mean()
        return loss, (expected.to(h.dtype) - target).div_(len(h))

    def predict(self, h: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each target in nats and the likeliest type, both [B]; first of ties.

        B is at most ROWS. The vocabulary is cut as well, so that the weights of a tile are read
        once.
        """
        best, own = h.new_full((2, len(h)), -torch.inf)
        likeliest, log_sums = torch.zeros_like(targets), []
        for columns in pieces(len(self._weights), COLUMNS):
            weights = self._weights[columns]
            logits = torch.mm(h, weights.T, out=self._room(h.dtype, len(h), len(weights)))
            top, index = logits.max(1)
            likeliest = torch.where(top > best, index + columns.start, likeliest)
            best = torch.maximum(best, top)
            place = targets - columns.start
            inside = (place >= 0) & (place < len(weights))
            at = place.clamp(0, len(weights) - 1).unsqueeze(1)
            own = torch.where(inside, logits.gather(1, at)[:, 0], own)
            log_sums.append(_normalise(logits, top))
        return torch.stack(log_sums).logsumexp(0) - own, likeliest

    def _fused_mean(self, h: Tensor, attention: Attention) -> tuple[Tensor, Tensor]:
        """Return softmax(h·W_eᵀ)·W_e [B, E] and the logarithm of the softmax's divisor [B].

        This is attention in which the embedding is both keys and values, which PyTorch's fused
        attention does tile by tile in the cache.
        """
        keys = self._rounded[None, None]
        expected, log_sum = attention(h[None, None], keys, keys, scale=1.0)
        return expected[0, 0], log_sum[0, 0]

    def _mean(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `_fused_mean` does, in ordinary operators and chunks of rows.

        Where the logits of a chunk do not fit, chunks of half the size are tried.
        """
        try:
            parts = [self._mean_of_rows(h[part]) for part in pieces(len(h), self._rows)]
        except torch.OutOfMemoryError:
            if self._rows == 1:
                raise
            self._rows //= 2
            self._rooms.clear()
            return self._mean(h)
        expected, log_sums = zip(*parts, strict=True)
        return torch.cat(expected), torch.cat(log_sums)

    def _mean_of_rows(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `_mean` does for a chunk: products are rounded, the softmax is not."""
        shape = len(h), len(self._weights)
        logits = torch.mm(h, self._rounded.T, out=self._room(h.dtype, *shape))
        p = logits if h.dtype == self._weights.dtype else self._room(self._weights.dtype, *shape)
        p.copy_(logits)
        log_sum = _normalise(p, p.amax(1))
        return logits.copy_(p) @ self._rounded, log_sum

    def _room(self, dtype: torch.dtype, rows: int, columns: int) -> Tensor:
        """Return an array [rows, columns] that the next call of the same format may overwrite."""
        room = self._rooms.get(dtype)
        if room is None or room.numel() < rows * columns:
            room = self._weights.new_empty(rows * columns, dtype=dtype)
            self._rooms[dtype] = room
        return room[: rows * columns].view(rows, columns)


def fuses(weights: Tensor) -> bool:
    """Say whether PyTorch's fused attention is the fastest way on the device of `weights`.

    In bfloat16 it is so only on CPUs with tile instructions (AMX).
    """
    if weights.device.type != "cpu":
        return False
    tiles = torch.cpu.get_capabilities().get("amx_bf16", False)
    return weights.dtype != torch.bfloat16 or bool(tiles)


@cache
def fused_attention() -> Attention | None:
    """Return PyTorch's fused attention for CPUs, with the divisor's logarithm as second result.

    The operator itself is private, because the public function keeps the divisor to itself. So it
    is tried on a small product first; None where this PyTorch has none that gives what it should.
    """
    h, keys = torch.eye(2, 4), torch.arange(12.0).view(3, 4) / 4
    logits = h @ keys.T
    try:
        found: Attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        expected, log_sum = found(h[None, None], keys[None, None], keys[None, None], scale=1.0)
        right = torch.allclose(expected[0, 0], logits.softmax(1) @ keys, atol=1e-5)
        right = right and torch.allclose(log_sum[0, 0], logits.logsumexp(1), atol=1e-5)
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return None
    return found if right else None


def _normalise(logits: Tensor, top: Tensor) -> Tensor:
    """Turn logits [B, C] into probabilities in place; return the logs of the divisors [B].

    `top` are the rows' maxima. The likeliest probability is at least 1/C, so it has a logarithm.
    """
    return top - torch.softmax(logits, 1, out=logits).amax(1).log()


def pieces(total: int, size: int) -> list[slice]:
    """Cut a range into slices of `size`, the last of which may be shorter."""
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]
