"""What was read, in one sentence, before anything is trained on it."""

from collections.abc import Sequence

from fpcore.data.dataset import Data

BEGINNING = 60  # characters of the first conversation that are shown


def said(data: Data, samples: Sequence[int]) -> str:
    """Say how many conversations and tokens each part of a corpus has, and how it begins.

    `samples` are the sizes of the run, in training conversations.
    """
    corpus, most = data.corpus, max(samples)
    tokens = sum(len(ids) for ids in data.conversations[:most])
    parts = [
        f"{len(corpus.train):,} conversations to train on ({most:,} used, {tokens:,} tokens)",
        f"{len(corpus.dev):,} for development ({len(data.dev.ids):,} tokens)",
        f"{len(corpus.val):,} for validation ({len(data.val.ids):,} tokens)",
    ]
    first = " ".join(corpus.train[0].split())
    cut = first if len(first) <= BEGINNING else f"{first[:BEGINNING]}…"
    shown = "".join(c if c.isprintable() else "\ufffd" for c in cut)
    text = f"corpus {corpus.name}: {', '.join(parts)}; the first begins: {shown}"
    return text + _repeated(data)


def _repeated(data: Data) -> str:
    """Say how many held-out conversations are in the training text word for word."""
    found = [f"{count:,} of {part}" for part, count in data.repeated.items() if count]
    return f"\nIn the training text word for word: {', '.join(found)}." if found else ""
