"""Which metrics of two runs can be compared at all: the text, the vocabulary, the rows of ER."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from fpcore.records import RunRecord

LINEAGE = Path(__file__).parent / "lineage.json"
WORDS = {
    "vocabulary": "the tokenizer",
    "embedding": "the embedding",
    "validation_ids": "the validation text",
    "development_ids": "the development text",
}
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


def code_of(record: RunRecord) -> dict[str, str]:
    """Return the digests of the code that made a record, by role (`code/<role>`).

    `lineage.json` tells of each older set of digests (`was`) which newer one gave the same
    numbers (`is`); a record that knows the older one counts as made by the newer one.
    """
    code = {key: value for key, value in record.digests.items() if key.startswith("code/")}
    for step in _lineage():
        if step["was"].items() <= code.items():
            code = {k: v for k, v in code.items() if k not in step["was"]} | step["is"]
    return code


def changed(record: RunRecord, digests: dict[str, str]) -> list[str]:
    """Return which of the digests of data and code are other ones in a record."""
    own = record.digests | code_of(record)
    return [key for key, value in digests.items() if own.get(key) != value]


def in_words(digest: str) -> str:
    """Say what a digest is of, for example the code of phase 2."""
    kind, _, rest = digest.partition("/")
    if kind == "code":
        return f"the code of {rest}"
    return f"the training text of size {rest}" if rest else WORDS[digest]


@cache
def _lineage() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(LINEAGE.read_text(encoding="utf-8"))
    return found
