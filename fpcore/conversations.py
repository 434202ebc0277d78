"""The validation losses of two records by conversation, and how sure their difference is."""

import numpy as np

from fpcore.bootstrap import Array, LossDifference, paired_bootstrap
from fpcore.records import RunRecord
from fpcore.uncertainty import LEVEL

SEED = 0  # of the resampling: the same records always give the same interval


def resampled(
    a: RunRecord, b: RunRecord, samples: int, level: float = LEVEL
) -> LossDifference | None:
    """Compare the validation losses of two runs at one size (see `paired_bootstrap`).

    None where a run does not know them by conversation, or where the conversations differ.
    """
    first, second = loss_sums(a, samples), loss_sums(b, samples)
    if first is None or second is None or _texts(a) != _texts(b):
        return None
    if not np.array_equal(first[1], second[1]):
        return None
    return paired_bootstrap(first[0], second[0], first[1], SEED, level=level)


def loss_sums(record: RunRecord, samples: int) -> tuple[Array, Array] | None:
    """Return the validation losses of a run at one size by conversation, in the order of its seeds.

    Sums in nats [seeds, C] and predicted tokens [C]; None where a seed does not know them, or
    where its conversations are others.
    """
    own = sorted((r for r in record.results if r.samples == samples), key=lambda r: r.seed or 0)
    counts = {tuple(r.val_token_counts or ()) for r in own}
    if len(counts) != 1 or not all(r.val_loss_sums and r.val_token_counts for r in own):
        return None
    return np.array([r.val_loss_sums for r in own]), np.array(counts.pop(), np.float64)


def _texts(record: RunRecord) -> str | None:
    return record.digests.get("validation_ids")
