"""When a run need not be trained: there is a record of the same config with the same digests."""

from typing import Any, Protocol

from fpcore.comparable import changed, in_words
from fpcore.config import RunConfig
from fpcore.errors import RecordError
from fpcore.paths import shown
from fpcore.records import RunRecord, load_record, record_path


class Named(Protocol):
    """A config of any kind: a name, and knobs."""

    @property
    def run_name(self) -> str:
        """The name of its record."""
        ...

    def model_dump(self, *, exclude: set[str] | None = None) -> dict[str, Any]:
        """Return its knobs."""
        ...


def earlier_record(config: Named) -> RunRecord | None:
    """Return the record that already has this run's name, if it is of the same config.

    Raises:
        RecordError: it is of another config, of published figures, or damaged.
    """
    path = record_path(config.run_name)
    if not path.exists():
        return None
    record = load_record(config.run_name)
    own = config.model_dump(exclude={"name"})
    before = RunConfig().model_dump() | record.config  # a knob that is younger had its default
    keys = [k for k in own if k not in before or before[k] != own[k]]
    if record.source != "measured" or keys:
        what = "published figures" if record.source != "measured" else f"another {', '.join(keys)}"
        raise RecordError(
            f"{shown(path)} is the record of {what}; give this run another name, or set force to "
            "replace it."
        )
    return record


def is_current(record: RunRecord, digests: dict[str, str]) -> bool:
    """Say, also to the user, whether a record has these digests of data and code."""
    other = changed(record, digests)
    if other:
        names = ", ".join(in_words(digest) for digest in other)
        print(f"{record.name}: trained again, for what it was made from has changed: {names}.")
        return False
    print(f"{record.name}: same config and digests, so its record is reused.")
    return True
