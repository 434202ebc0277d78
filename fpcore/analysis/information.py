"""What a model knows beside its training text: a comparison is fair between equals alone."""

from fpcore.language import template
from fpcore.records.record import RunRecord

# From the least to the most; "pool" are all training conversations of the corpus.
LEVELS = {
    "own": template("訓練テキストだけ"),
    "tokenizer": template("訓練テキストと、全訓練会話で作った tokenizer"),
    "embedding": template("訓練テキストと、全訓練会話で作った tokenizer と埋め込み"),
    "pool": template("全訓練会話"),
    "elsewhere": template("訓練テキストと、ほかのテキストで訓練された埋め込み"),
}
# Embeddings that are made from the corpus, and one that knows nothing.
MADE = (None, "ppmi", "ppmi-frequency", "random")


def knowledge(record: RunRecord) -> str:
    """Return which of LEVELS a model was built from.

    `own` is the training text alone; the tokenizer of the others, and the embedding of those that
    have a frozen one, come from the pool; an n-gram model may count the pool itself. An embedding
    of a file, or GPT-2's, was pretrained `elsewhere`, whatever the rest is built from; GPT-2's
    tokenizer was, too.
    """
    config = record.config
    frozen = config.get("model") != "kneser-ney" and not config.get("own_embedding")
    if config.get("counts") == "pool":
        return "pool"
    if frozen and config.get("embedding") not in MADE:
        return "elsewhere"
    if config.get("built_from") == "training":
        return "tokenizer" if config.get("tokenizer") == "gpt2" else "own"
    return "embedding" if frozen and config.get("embedding") != "random" else "tokenizer"
