"""Which metrics of two runs can be compared at all: the text, the vocabulary, the rows of ER."""

from fpcore.records import RunRecord

TEXT_DIGESTS = ("validation_ids", "vocabulary")
TEXT_KNOBS = ("corpus", "tokenizer", "val_samples")  # where digests are not known
OF_TOKENS = ("val_ppl", "val_acc", "unigram_ppl", "alpha")  # depend on text and vocabulary
OF_ROWS = {"val_er": "val_er_rows", "train_er": "train_er_rows"}


def incomparable(a: RunRecord, b: RunRecord) -> dict[str, str]:
    """Return the metrics that cannot be compared between two runs, and why."""
    reasons: dict[str, str] = {}
    different = different_texts(a, b)
    if different:
        why = f"{'、'.join(different)} が違うので、比べられない"
        reasons |= dict.fromkeys(OF_TOKENS, why)
        if _known(a, "val_bytes") != _known(b, "val_bytes"):
            reasons["bits_per_byte"] = why
    overlapping = [record.name for record in (a, b) if overlaps(record)]
    if overlapping:
        why = f"{'、'.join(overlapping)} は訓練と検証が重なるので、比べられない"
        reasons |= dict.fromkeys((*OF_TOKENS, "bits_per_byte"), why)
    for metric, rows in OF_ROWS.items():
        if _known(a, rows) and _known(b, rows) and _known(a, rows) != _known(b, rows):
            reasons[metric] = "測った行数が違うので、比べられない"
    return reasons


def different_texts(a: RunRecord, b: RunRecord) -> list[str]:
    """Return what differs of the validation text and the vocabulary, as far as it is known."""
    if a.digests and b.digests:
        return [f"`{k}`" for k in TEXT_DIGESTS if a.digests.get(k) != b.digests.get(k)]
    known = [k for k in TEXT_KNOBS if k in a.config and k in b.config]
    return [f"`{k}`" for k in known if a.config[k] != b.config[k]]


def overlaps(record: RunRecord) -> bool:
    """Whether the largest training size reaches into the validation conversations."""
    data = record.data
    if "validation" not in data or "training_pool" not in data or not record.results:
        return False
    first, last = data["validation"]
    reached = data["training_pool"][0] + max(r.samples for r in record.results) - 1
    return bool(data["training_pool"][0] <= last and reached >= first)


def _known(record: RunRecord, field: str) -> dict[int, object]:
    """Return a field by size, where it is known."""
    values = {r.samples: getattr(r, field) for r in record.results}
    return {n: value for n, value in values.items() if value is not None}
