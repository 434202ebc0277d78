"""The record that already has a run's name: whether it is this run's, and still current.

One of the same config with fewer seeds or sizes is a beginning of this run: what it measured is
kept, and only what is new is trained.
"""

import hashlib
from typing import Any, Protocol

from fpcore.config.run_config import RunConfig
from fpcore.data.dataset import Data
from fpcore.errors import RecordError
from fpcore.paths import shown
from fpcore.records.pairs import changed, in_words
from fpcore.records.record import RunRecord, load_record, record_path

FILES = ("corpus", "embedding")  # knobs that can name a file, in more than one spelling
GROWING = ("seeds", "samples")  # knobs that a longer run has more of
SAMPLE = "some_conversations"  # in a record's data: digests of KNOWN of its conversations
KNOWN = 16
ELSEWHEN = (
    "commit",
    "first_contexts",
    "deterministic",
    "load",
)  # follow from the rest, or change nothing


class Recordable(Protocol):
    """A config of any kind: a name, sizes, and knobs."""

    @property
    def name(self) -> str:
        """The name that was given; empty for one made from the knobs."""
        ...

    @property
    def run_name(self) -> str:
        """The name of its record."""
        ...

    @property
    def label(self) -> str:
        """The architecture in short."""
        ...

    @property
    def tokenizer(self) -> str:
        """The tokenizer, which says how many types there are."""
        ...

    @property
    def embed_dim(self) -> int:
        """The width of the embedding."""
        ...

    @property
    def samples(self) -> list[int]:
        """The sizes, in training conversations."""
        ...

    def model_dump(self, *, exclude: set[str] | None = None) -> dict[str, Any]:
        """Return its knobs."""
        ...


def earlier_record(config: Recordable, grows: bool = False) -> RunRecord | None:
    """Return the record that already has this run's name, if it is of the same config.

    Files may be spelled in another way: `same_texts` tells whether they are the same. Where it
    `grows`, the run may have more seeds and sizes than its record.

    Raises:
        RecordError: it is of another config, of published figures, or damaged.
    """
    path = record_path(config.run_name)
    if not path.exists():
        return None
    record = load_record(config.run_name)
    keys = [key for key in other_knobs(config, record) if key not in FILES]
    if grows and _begins(record, config):
        keys = [key for key in keys if key not in GROWING]
    if record.source != "measured" or keys:
        what = "published figures" if record.source != "measured" else f"another {', '.join(keys)}"
        raise _taken(record, what)
    return record


def other_knobs(config: Recordable, record: RunRecord) -> list[str]:
    """Return the knobs, but for the name, of which a record has another value."""
    own = config.model_dump(exclude={"name"})
    before = RunConfig().model_dump() | record.config  # a knob that is younger had its default
    return [k for k in own if k not in before or before[k] != own[k]]


def _taken(record: RunRecord, what: str) -> RecordError:
    return RecordError(
        f"{shown(record_path(record.name))} is the record of {what}; give this run another name, "
        "or set force to replace it."
    )


def _begins(record: RunRecord, config: Recordable) -> bool:
    """Whether a run goes through all that a record has measured, its seeds first.

    The first seed chooses learning rates, so that it must stay the first; and what the largest
    training text decides must not change with it.
    """
    own = config.model_dump()
    seeds, sizes = (record.config.get(knob, []) for knob in GROWING)
    if own["built_from"] == "training" and max(sizes) != max(config.samples):
        return False
    return own["seeds"][: len(seeds)] == seeds and {*sizes} <= {*config.samples}


def same_machine(record: RunRecord, environment: dict[str, Any]) -> bool:
    """Whether a record was made where it would be made now, so that its numbers would be equal."""
    before = record.environment
    return all(before.get(k) == v for k, v in environment.items() if k not in ELSEWHEN)


def check_texts(config: Recordable, record: RunRecord, data: Data) -> None:
    """Refuse texts that are not those of a record, or those that it had before some were changed.

    Raises:
        RecordError: files that are named otherwise hold something else, or a file of the same name
            holds none of the conversations that the record knows.
    """
    if not changed(record, data.digests(record.sizes)):
        return
    if keys := other_knobs(config, record):
        raise _taken(record, f"another {', '.join(keys)}")
    held = record.data.get(SAMPLE)
    known = set(held) if isinstance(held, list) else set()
    if known and known.isdisjoint(map(_known_by, _texts(data))):
        raise _taken(record, "other texts, although their file had the same name")


def _texts(data: Data) -> list[str]:
    return [*data.corpus.train, *data.corpus.dev, *data.corpus.val]


def sample(data: Data) -> list[str]:
    """Return digests by which some conversations, from all over the corpus, are known again."""
    texts = _texts(data)
    return [_known_by(text) for text in texts[:: max(1, len(texts) // KNOWN)]]


def _known_by(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def is_current(record: RunRecord, digests: dict[str, str]) -> bool:
    """Say, to the user where it is not, whether a record has these digests of data and code."""
    other = changed(record, digests)
    if other:
        names = ", ".join(in_words(digest) for digest in other)
        print(f"{record.name}: trained again, for what it was made from has changed: {names}.")
        return False
    return True
