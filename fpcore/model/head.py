"""The tied, frozen head: cross-entropy of h·W_eᵀ, never holding all logits of a batch.

Shapes: B positions, V types, E embedding width.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fpcore.model.fused import normalised
from fpcore.model.optimiser import gradient_of
from fpcore.model.packed import Product, packed
from fpcore.model.precision import product
from fpcore.model.tuning import compiles, filled, pieces, tuning

Attention = Callable[..., tuple[Tensor, Tensor]]


class Head:
    """W_e [V, E] as the head: frozen, so its own gradient is never formed; `bias` [V] is trained.

    Products of training are in the format `factors`, the rest is in that of `weights`. Types that
    fill up the vocabulary to a width that suits the device have a logit of minus infinity. The room
    for logits is kept, because a system hands out large new arrays page by page; products with
    packed weights make their own.
    """

    def __init__(
        self, weights: Tensor, factors: torch.dtype | None = None, bias: nn.Parameter | None = None
    ) -> None:
        self._tuned, self._types, self._bias = tuning(weights.device), len(weights), bias
        gap = filled(self._types, self._tuned.multiple) - self._types
        self._weights = F.pad(weights, (0, 0, 0, gap)) if gap else weights
        self._rounded = self._weights.to(factors or weights.dtype)
        fused = bias is None and fuses(self._rounded)  # attention forms no gradient of a bias
        self._attention = fused_attention() if fused else None
        self._rows = max(1, self._tuned.logits // len(self._weights))
        self._block = max(1, self._tuned.block // len(self._weights))
        self._packed = None if fused else self._both_packed()
        self._rooms: dict[tuple[torch.dtype, int], Tensor] = {}

    def _both_packed(self) -> tuple[Product, Product] | None:
        """Return h ↦ h·W_eᵀ and p ↦ p·W_e with packed weights, where the device profits."""
        to_types, back = (packed(w, self._rows) for w in (self._rounded, self._rounded.T))
        return (to_types, back) if to_types and back else None

    def cross_entropy(self, h: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean loss of h [B, E] against the targets [B], and its gradient [B, E].

        The gradient of a bias is set.
        """
        rounded = h.to(self._rounded.dtype)
        if self._attention:
            expected, log_sum = self._fused_mean(rounded, self._attention)
        else:
            expected, log_sum = self._mean(rounded, targets)
        target = self._rounded.index_select(0, targets).to(h.dtype)
        own = (rounded * target).sum(1)
        if self._bias is not None:
            own += self._bias[targets]
            gradient = gradient_of(self._bias)
            gradient -= self._counts(targets)
            gradient /= len(h)
        return (log_sum - own).mean(), (expected - target).div_(len(h))

    def _counts(self, targets: Tensor) -> Tensor:
        """Return how often each type is a target, [V]; whole numbers, so in any order the same.

        PyTorch's own counting would make the host wait for a GPU.
        """
        assert self._bias is not None
        return torch.zeros_like(self._bias).index_add_(
            0, targets, self._bias.new_ones(len(targets))
        )

    def tiles(self, positions: int) -> list[slice]:
        """Cut the positions of a text into pieces for `predict`."""
        return pieces(positions, self._tuned.rows)

    def predict(self, h: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each target in nats and the likeliest type, both [B]; first of ties.

        B is at most that of `tiles`. The vocabulary may be cut as well, so that the weights of a
        tile are read once.
        """
        best, own = h.new_full((2, len(h)), -torch.inf)
        likeliest, log_sums = torch.zeros_like(targets), []
        for columns in pieces(self._types, self._tuned.columns):
            logits = self._tile(h, columns)
            top, index = largest(logits, self._tuned.run)
            likeliest = torch.where(top > best, index + columns.start, likeliest)
            best = torch.maximum(best, top)
            place = targets - columns.start
            inside = (place >= 0) & (place < logits.shape[1])
            at = place.clamp(0, logits.shape[1] - 1).unsqueeze(1)
            own = torch.where(inside, logits.gather(1, at)[:, 0], own)
            log_sums.append(_normalise(logits, top))
        return torch.stack(log_sums).logsumexp(0) - own, likeliest

    def _tile(self, h: Tensor, columns: slice) -> Tensor:
        """Return the logits [B, C] of some types, the last of them with what fills them up."""
        last = columns.stop == self._types
        weights = self._weights[columns.start : None if last else columns.stop]
        logits = torch.mm(h, weights.T, out=self._room(h.dtype, len(h), len(weights)))
        if self._bias is not None:
            own = self._bias[columns]
            logits[:, : len(own)].add_(own)
        return self._without_filling(logits, columns.start)

    def _without_filling(self, logits: Tensor, start: int = 0) -> Tensor:
        """Set the logits of types that do not exist to minus infinity, in place."""
        own = self._types - start
        if own < logits.shape[1]:
            logits[:, own:].fill_(-torch.inf)
        return logits

    def _fused_mean(self, h: Tensor, attention: Attention) -> tuple[Tensor, Tensor]:
        """Return softmax(h·W_eᵀ)·W_e [B, E] and the logarithm of the softmax's divisor [B].

        This is attention in which the embedding is both keys and values, which PyTorch's fused
        attention does tile by tile in the cache.
        """
        keys = self._rounded[None, None]
        expected, log_sum = attention(h[None, None], keys, keys, scale=1.0)
        return expected[0, 0], log_sum[0, 0]

    def _mean(self, h: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `_fused_mean` does, in ordinary operators and chunks of rows.

        Where the logits of a chunk do not fit, chunks of half the size are tried.
        """
        while (found := self._tried(h, targets)) is None:
            # Only here has the error, whose traceback holds what did not fit, let go of it.
            self._rows //= 2
        if len(found) == 1:
            return found[0]
        expected, log_sums = zip(*found, strict=True)
        return torch.cat(expected), torch.cat(log_sums)

    def _tried(self, h: Tensor, targets: Tensor) -> list[tuple[Tensor, Tensor]] | None:
        """Return what `_mean_of_rows` does for every chunk; None where smaller ones might fit."""
        if self._bias is not None:
            gradient_of(self._bias).zero_()
        try:
            parts = pieces(len(h), self._rows)
            return [self._mean_of_rows(h[part], targets[part]) for part in parts]
        except torch.OutOfMemoryError:
            self._rooms.clear()
            if self._rows == 1:
                raise
            return None

    def _mean_of_rows(self, h: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `_mean` does for a chunk: products are rounded, the softmax is not.

        The divisor's logarithm is the target's logit less that of its probability.
        """
        if self._tuned.wide:
            return self._wide_mean(h)
        logits, at, store = self._logits(h), targets.unsqueeze(1), self._weights.dtype
        log_sum = logits.gather(1, at).squeeze(1).to(store)
        if self._bias is not None:
            log_sum += self._bias[targets]
        blocks = zip(logits.split(self._block), at.split(self._block), strict=True)
        p = torch.cat([self._probabilities(*block) for block in blocks]).squeeze(1)
        self._count(logits)
        expected = self._packed[1](logits) if self._packed else logits @ self._rounded
        if float(p.min()) < torch.finfo(store).tiny:  # too small to have a logarithm
            return expected, self._log_sum(h)
        return expected, log_sum - p.log()

    def _wide_mean(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `_mean_of_rows` does, with products in a wider format than their factors."""
        store, weights = self._weights.dtype, self._rounded
        logits = self._without_filling(self._biased(product(h, weights.T, store)))
        p, log_sum = torch.empty_like(logits, dtype=h.dtype), logits.new_empty(len(h))
        if compiles(h.device):
            normalised(logits, p, log_sum.unsqueeze(1))
        else:
            logs = torch.log_softmax(logits, 1)
            torch.sub(logits[:, 0], logs[:, 0], out=log_sum)
            torch.exp(logs, out=p)
        self._count(p)
        return product(p, weights, store), log_sum

    def _logits(self, h: Tensor) -> Tensor:
        """Return h·W_eᵀ [R, V], rounded as the factors are."""
        if self._packed:
            return self._packed[0](h)
        room = self._room(h.dtype, len(h), len(self._rounded))
        return torch.mm(h, self._rounded.T, out=room)

    def _log_sum(self, h: Tensor) -> Tensor:
        """Return the logarithm of the softmax's divisor [R] from the logits, made once more."""
        logits, found = self._logits(h), []
        for part in pieces(len(h), self._block):
            some = self._biased(logits[part].to(self._weights.dtype))
            found.append(self._without_filling(some).logsumexp(1))
        return torch.cat(found)

    def _biased(self, logits: Tensor) -> Tensor:
        """Add the bias to logits [R, V] in place."""
        if self._bias is not None:
            logits[:, : self._types].add_(self._bias)
        return logits

    def _count(self, p: Tensor) -> None:
        """Add the expected counts of probabilities [R, V] to the gradient of the bias."""
        if self._bias is not None:
            gradient = gradient_of(self._bias)
            gradient += p[:, : self._types].sum(0, dtype=gradient.dtype)

    def _probabilities(self, logits: Tensor, at: Tensor) -> Tensor:
        """Turn logits [R, V] into probabilities in place; return those of the types `at` [R, 1].

        There are so few rows that they stay in the cache. What is returned is not rounded.
        """
        store = self._weights.dtype
        p = logits if logits.dtype == store else self._room(store, *logits.shape).copy_(logits)
        found = torch.softmax(self._without_filling(self._biased(p)), 1, out=p).gather(1, at)
        if p is not logits:
            logits.copy_(p)
        return found

    def _room(self, dtype: torch.dtype, rows: int, columns: int) -> Tensor:
        """Return room [rows, columns]; the next call of the same format and width overwrites it."""
        room = self._rooms.get((dtype, columns))
        if room is None or room.shape[0] < rows:
            with torch.inference_mode(False):  # an evaluation outside of that mode uses it as well
                room = self._weights.new_empty(rows, columns, dtype=dtype)
            self._rooms[dtype, columns] = room
        return room if room.shape[0] == rows else room[:rows]


def fuses(weights: Tensor) -> bool:
    """Say whether PyTorch's fused attention is the fastest way on the device of `weights`.

    In bfloat16 it is so only on CPUs with tile instructions (AMX).
    """
    if not tuning(weights.device).fused:
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


def largest(rows: Tensor, run: int) -> tuple[Tensor, Tensor]:
    """Return the largest element of every row [B, C] and its place, the first of equals, both [B].

    A CPU looks for a value by many elements at once, for a place by one after another. So it finds
    the run of elements that has the value, and the place within it.
    """
    whole = rows.shape[1] // run * run
    if not whole:
        value, place = rows.max(1)
        return value, place
    runs = rows[:, :whole].unflatten(1, (-1, run))
    top, number = runs.amax(2).max(1)
    own = runs.gather(1, number[:, None, None].expand(-1, 1, run))[:, 0]
    index = number * run + own.argmax(1)
    if whole == rows.shape[1]:
        return top, index
    value, place = rows[:, whole:].max(1)
    return torch.maximum(top, value), torch.where(value > top, place + whole, index)
