"""The validation losses of two records by conversation, and how sure their difference is."""

from fpcore.bootstrap import LossDifference, paired_bootstrap
from fpcore.records import RunRecord, SizeResult
from fpcore.uncertainty import LEVEL

SEED = 0  # of the resampling: the same records always give the same interval


def resampled(
    a: RunRecord, b: RunRecord, samples: int, level: float = LEVEL
) -> LossDifference | None:
    """Compare the validation losses of two runs at one size (see `paired_bootstrap`).

    None where a run does not know them by conversation, or where the conversations differ.
    """
    sides = [_known(record, samples) for record in (a, b)]
    counts = {tuple(r.val_token_counts or ()) for side in sides for r in side}
    if not all(sides) or len(counts) != 1 or _texts(a) != _texts(b):
        return None
    first, second = ([r.val_loss_sums or [] for r in side] for side in sides)
    return paired_bootstrap(first, second, counts.pop(), SEED, level=level)


def _known(record: RunRecord, samples: int) -> list[SizeResult]:
    """Return the results at a size in the order of their seeds; none if any lacks its losses."""
    own = [r for r in record.results if r.samples == samples]
    if not all(r.val_loss_sums and r.val_token_counts for r in own):
        return []
    return sorted(own, key=lambda r: r.seed or 0)


def _texts(record: RunRecord) -> str | None:
    return record.digests.get("validation_ids")
