"""What a model knows beside its training text: a comparison is fair between equals alone."""

from fpcore.records.record import RunRecord

# From the least to the most; "pool" are all training conversations of the corpus.
LEVELS = ("own", "tokenizer", "embedding", "pool")


def knowledge(record: RunRecord) -> str:
    """Return which of LEVELS a model was built from.

    `own` is the training text alone; the tokenizer of the others, and the embedding of those that
    have a frozen one, come from the pool or were pretrained elsewhere; an n-gram model may count
    the pool itself.
    """
    config = record.config
    if config.get("counts") == "pool":
        return "pool"
    if config.get("built_from") == "training":
        return "own"
    frozen = config.get("model") != "kneser-ney" and not config.get("own_embedding")
    return "embedding" if frozen and config.get("embedding") != "random" else "tokenizer"
