"""What a search leaves behind: its trials in one file, and the records of the best ones beside."""

import json
import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fpcore.config.checked import NAME
from fpcore.config.search import inside, is_range
from fpcore.errors import RecordError
from fpcore.paths import reports, shown, write_atomically
from fpcore.records.record import RunRecord, parsed, say_left_out, unreadable
from fpcore.records.result import SizeResult
from fpcore.records.values import Lines, Loss, Seconds, Step, Word

OF_TRIAL = re.compile(r"trial(0|[1-9][0-9]{0,8})\.json")
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
    losses: dict[Step, Loss]
    loss: Loss | None = None
    seconds: Seconds
    result: SizeResult | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.state == "complete" and (self.loss is None or self.result is None):
            raise ValueError("a trial that is complete without its loss or result")
        return self


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

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        ranges = self.search.get("ranges")
        if not isinstance(ranges, dict) or not all(map(is_range, ranges.values())):
            raise ValueError("search.ranges holds what is no range")
        for number, trial in enumerate(self.trials):
            if trial.number != number:
                raise ValueError("trials are not numbered in their order")
            if not _inside(trial.knobs, ranges):
                raise ValueError(f"trial {number} has knobs outside of the ranges")
        return self

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
            return parsed(cls, path)
        except FileNotFoundError:
            raise RecordError(f"There is no {shown(path)}; run the search first.") from None
        except (OSError, ValidationError) as error:
            raise RecordError(f"{shown(path)} {unreadable(error)}") from None


def _inside(knobs: dict[str, Any], ranges: dict[str, Any]) -> bool:
    known = knobs.keys() == ranges.keys()
    return known and all(inside(value, ranges[knob]) for knob, value in knobs.items())


def folder(name: str) -> Path:
    """Return the folder of a search."""
    return reports() / "searches" / name


def load_best(name: str) -> dict[int, RunRecord]:
    """Return the records of the best trials that were trained again, by number of trial.

    One line names those that cannot be read.
    """
    found: dict[int, RunRecord] = {}
    left_out = []
    for path in sorted(folder(name).glob("trial*.json")):
        if number := OF_TRIAL.fullmatch(path.name):
            try:
                found[int(number[1])] = parsed(RunRecord, path)
            except (OSError, ValidationError):
                left_out.append(shown(path))
    say_left_out(left_out)
    return dict(sorted(found.items()))


def save_best(name: str, number: int, record: RunRecord) -> None:
    """Write the record of a trial that was trained again, beside the trials."""
    text: dict[str, Any] = record.model_dump()
    content = json.dumps(text, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    write_atomically(folder(name) / f"trial{number}.json", content.encode())
