"""Interpolated modified Kneser-Ney n-grams (Chen & Goodman 1999), over whole vocabularies.

Shapes: N tokens of the training text, V types, n the order, H contexts seen, B positions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

ROWS = 1024  # positions whose distributions are held at a time
KINDS = 3  # a level has a discount for counts of 1, of 2, and of 3 or more
Ids = NDArray[np.int64]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """What the counts of one order say.

    `shares` [H, V] are discounted counts over the total of their context, `rest` [H] is the mass
    that the discounts leave to the order below.
    """

    shares: sparse.csr_array
    rest: Array


class KneserNey:
    """An n-gram model of one text, read as a single sequence.

    The highest order counts occurrences; the others count the different types that precede an
    n-gram, and the lowest is interpolated with the uniform distribution. So every type has a
    probability, and they sum to 1.
    """

    def __init__(
        self, ids: Ids, vocabulary: int, order: int, discount: float | None = None
    ) -> None:
        """Count the n-grams of `ids` [N] up to `order`.

        `discount` is taken off every count, as in Kneser & Ney's own model; without one, the
        counts of 1, of 2 and of 3 or more have discounts estimated from the text.

        Raises:
            ValueError: a text with fewer than `order` tokens, an order below 1, or a discount
                that is not above 0 and at most 1.
        """
        if not 1 <= order <= len(ids):
            raise ValueError(f"order must be from 1 to the {len(ids)} tokens, not {order}")
        if discount is not None and not 0 < discount <= 1:
            raise ValueError(f"discount must be above 0 and at most 1, not {discount}")
        self.vocabulary, self.order, self._discount = vocabulary, order, discount
        self._keys: list[Ids] = []
        codes = [np.zeros(len(ids) + 1, np.int64)]  # [length][start]: which n-gram starts there
        for length in range(1, order + 1):
            starts = len(ids) - length + 1
            pairs = codes[-1][:starts] * vocabulary + ids[length - 1 :]
            keys, code = np.unique(pairs, return_inverse=True)
            self._keys.append(keys)
            codes.append(code)
        self._levels = [
            self._level(length, codes[length], codes[length + 1] if length < order else None)
            for length in range(1, order + 1)
        ]

    def probabilities(self, contexts: Ids) -> Array:
        """Return p(next type) [B, V] after contexts [B, n-1], oldest first, -1 before the start."""
        p = np.full((len(contexts), self.vocabulary), 1 / self.vocabulary)
        for length, level in enumerate(self._levels):
            rows = self._find(contexts[:, contexts.shape[1] - length :])
            seen = np.flatnonzero((rows >= 0) & (level.rest[rows] < 1))
            at = rows[seen]
            p[seen] = level.shares[at].toarray() + level.rest[at, None] * p[seen]
        return p

    def losses(self, ids: Ids) -> tuple[Array, NDArray[np.bool_]]:
        """Return losses in nats and hits of the tokens of a text `ids` [M] but the first, [M-1].

        A hit is the likeliest type, the first of ties.
        """
        padded = np.concatenate([np.full(self.order - 1, -1), ids])
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.order)[1:]
        losses, correct = [], []
        for start in range(0, len(windows), ROWS):
            part = windows[start : start + ROWS]
            p = self.probabilities(part[:, :-1])
            losses.append(-np.log(p[np.arange(len(part)), part[:, -1]]))
            correct.append(p.argmax(1) == part[:, -1])
        return np.concatenate(losses), np.concatenate(correct)

    def _level(self, length: int, code: Ids, longer: Ids | None) -> Level:
        """Return the level of n-grams of `length`, from those one token longer if there are any."""
        keys = self._keys[length - 1]
        if longer is not None:  # count once for every type that precedes
            _, first = np.unique(longer, return_index=True)
            code = code[first + 1]
        counts = np.bincount(code, minlength=len(keys))
        context, word = np.divmod(keys, self.vocabulary)
        contexts = len(self._keys[length - 2]) if length > 1 else 1
        total = np.bincount(context, counts, contexts)
        taken = self._taken(counts)
        divisor = np.maximum(total, 1)
        shares = (counts - taken) / divisor[context]
        rest = np.where(total > 0, np.bincount(context, taken, contexts) / divisor, 1.0)
        shape = (contexts, self.vocabulary)
        return Level(sparse.csr_array((shares, (context, word)), shape=shape), rest)

    def _taken(self, counts: Ids) -> Array:
        """Return what is taken off each count."""
        if self._discount is None:
            return discounts(counts)[np.minimum(counts, KINDS)]
        return np.where(counts > 0, self._discount, 0.0)

    def _find(self, contexts: Ids) -> Ids:
        """Return the numbers [B] of contexts [B, length], -1 for those that the text has not."""
        found = np.zeros(len(contexts), np.int64)
        for keys, token in zip(self._keys, contexts.T, strict=False):
            wanted = found * self.vocabulary + token
            place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
            found = np.where((found >= 0) & (token >= 0) & (keys[place] == wanted), place, -1)
        return found


def discounts(counts: Ids) -> Array:
    """Return what is taken off a count of 0, 1, 2, and 3 or more, from the counts of counts.

    Chen & Goodman's estimates; 0.5, 1 and 1.5 for those that no count or a sparse text leaves
    without one between 0 and the count itself.
    """
    n = np.bincount(counts[counts > 0], minlength=KINDS + 2)[1:].astype(np.float64)
    y = n[0] / (n[0] + 2 * n[1]) if n[0] else 0.0
    taken = np.zeros(KINDS + 1)
    for k in range(1, KINDS + 1):
        estimate = k - (k + 1) * y * n[k] / n[k - 1] if n[k - 1] else 0.0
        taken[k] = estimate if 0 < estimate < k else k / 2
    return taken
