"""What a search leaves behind: its trials in one file, and the records of the best ones beside."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fpcore.config.checked import NAME
from fpcore.errors import RecordError
from fpcore.paths import file_content, reports, shown, write_atomically
from fpcore.records.record import RunRecord, SizeResult
from fpcore.records.values import Lines, Loss, Word

BEST = 5  # trials that are trained again


class SearchTrial(BaseModel):
    """One trial: its knobs, and the development losses of its epochs so far, in nats.

    A `pruned` one was stopped in the middle, a `failed` one diverged; a complete one has a `loss`,
    the least of them, and its `result`, of which validation chose nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    number: int = Field(ge=0)
    state: Literal["complete", "pruned", "failed"]
    knobs: dict[Word, Lines]
    losses: dict[int, Loss]
    loss: Loss | None = None
    seconds: Annotated[float, Field(ge=0)]
    result: SizeResult | None = None


class SearchRecord(BaseModel):
    """The trials of a search in their order, what it asked for, and the code that ran them.

    `first` are the knobs of the base.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = 1
    name: str = Field(pattern=rf"^{NAME}$")
    search: dict[Word, Lines]
    first: dict[Word, Lines]
    digests: dict[Word, Word]
    trials: list[SearchTrial]

    @property
    def complete(self) -> list[SearchTrial]:
        """The trials that came to their end, the best first; of equals the first."""
        done = [trial for trial in self.trials if trial.state == "complete"]
        return sorted(done, key=lambda trial: (trial.loss, trial.number))

    @property
    def base(self) -> SearchTrial:
        """The trial of the base.

        Raises:
            RecordError: it has not been trained yet.
        """
        for trial in self.trials:
            if trial.knobs == self.first and trial.state == "complete":
                return trial
        raise RecordError(f"The search {self.name} has not trained its base; run it again.")

    @property
    def best(self) -> list[SearchTrial]:
        """The trials that are trained again: the base, then the best others."""
        others = [trial for trial in self.complete if trial.knobs != self.first]
        return [self.base, *others[:BEST]]

    def save(self) -> Path:
        """Write the file in one piece, and return where it is."""
        path = folder(self.name) / "trials.json"
        write_atomically(path, (self.model_dump_json(indent=1) + "\n").encode())
        return path

    @classmethod
    def load(cls, name: str) -> Self:
        """Read the trials of a search.

        Raises:
            RecordError: there are none, or the file is damaged.
        """
        path = folder(name) / "trials.json"
        try:
            return cls.model_validate_json(file_content(path))
        except FileNotFoundError:
            raise RecordError(f"There is no {shown(path)}; run the search first.") from None
        except (OSError, ValidationError):
            raise RecordError(f"{shown(path)} is no readable file of trials.") from None


def folder(name: str) -> Path:
    """Return the folder of a search."""
    return reports() / "searches" / name


def load_best(name: str) -> dict[int, RunRecord]:
    """Return the records of the best trials that were trained again, by number of trial.

    Raises:
        RecordError: one is damaged.
    """
    found: dict[int, RunRecord] = {}
    for path in sorted(folder(name).glob("trial*.json")):
        if path.stem.removeprefix("trial").isdigit():
            try:
                record = RunRecord.model_validate_json(file_content(path))
            except (OSError, ValidationError):
                raise RecordError(f"{shown(path)} is no readable record.") from None
            found[int(path.stem.removeprefix("trial"))] = record
    return dict(sorted(found.items()))


def save_best(name: str, number: int, record: RunRecord) -> None:
    """Write the record of a trial that was trained again, beside the trials."""
    text: dict[str, Any] = record.model_dump()
    content = json.dumps(text, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    write_atomically(folder(name) / f"trial{number}.json", content.encode())
