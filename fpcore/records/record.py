"""The record of a run: what is stored and read. Reports read nothing else."""

import json
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from fpcore.config.checked import NAME
from fpcore.errors import RecordError, quoted, suggestion
from fpcore.paths import file_content, runs, shown, write_atomically
from fpcore.records.result import SizeResult
from fpcore.records.values import (
    Ends,
    Line,
    Lines,
    Seconds,
    Time,
    Whole,
    Word,
    Words,
    check_kinds,
)

# Dates, timings and the machine: all that may differ between two runs of one config.
VOLATILE = ("seconds", "environment", "started", "shared_iterations")
Model = TypeVar("Model", bound=BaseModel)
SCHEMA: Final = 1  # the form of a record; a number above it is a newer one
DOCUMENT = r"^[A-Za-z0-9][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*)*\.md$"


class Origin(BaseModel):
    """The file that figures were imported from: its name, its digest, and its name of the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Line
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    run: Line | None = None


def _today(source: Any) -> Any:
    """Read what figures that were imported from print were called before."""
    return "imported" if source == "published" else source


class RunRecord(BaseModel):
    """One run: its config, what it was made from, what it gave, and where and when.

    `digests` maps `vocabulary`, `embedding`, `validation_ids`, `development_ids`,
    `training_ids/<samples>` and `code/<file>` to digests; `data` says which conversations went
    where. `source` is `measured` for runs of this book, `imported` for figures that were made
    elsewhere; then `origin` is the file that they were read from, `document` where it is in
    reports/ (if it is a report that stands there), `seconds` the time of the whole run and `alpha`
    its exponent over all sizes (from figures with more digits than print gives). Whatever the file
    does not tell is None or left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = SCHEMA
    name: str = Field(pattern=rf"^{NAME}$")
    source: Annotated[Literal["measured", "imported"], BeforeValidator(_today)] = "measured"
    origin: Origin | None = None
    label: Line | None = None
    document: str | None = Field(None, pattern=DOCUMENT)
    seconds: Seconds | None = None
    alpha: float | None = None
    config: dict[Word, Lines]
    digests: dict[Word, Word] = Field(default_factory=dict)
    data: dict[Word, Word | Whole | Ends | Words | dict[Word, Whole]] = Field(default_factory=dict)
    results: list[SizeResult] = Field(min_length=1)
    environment: dict[Word, Lines] = Field(default_factory=dict)
    started: Time | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        check_kinds(self.config)
        places = [(result.seed, result.samples) for result in self.results]
        if len(set(places)) != len(places):
            raise ValueError("the same seed and size twice")
        counts = {tuple(r.val_token_counts) for r in self.results if r.val_token_counts is not None}
        if len(counts) > 1:
            raise ValueError("different validation texts")
        return self

    @property
    def seeds(self) -> int:
        """The number of seeds; 1 where the record does not say."""
        return len({result.seed for result in self.results})

    @property
    def sizes(self) -> list[int]:
        """The sizes (training conversations) of the results, smallest first."""
        return sorted({result.samples for result in self.results})

    @property
    def largest(self) -> int:
        """The largest size."""
        return self.sizes[-1]

    def at(self, samples: int) -> list[SizeResult]:
        """Return the results at a size, one for each seed."""
        return [result for result in self.results if result.samples == samples]

    def where(self, keep: Callable[[SizeResult], bool]) -> Self:
        """Return the record with some of its results alone."""
        return self.model_copy(update={"results": [r for r in self.results if keep(r)]})

    @property
    def path(self) -> Path:
        """Where the record is stored."""
        return record_path(self.name)

    def save(self) -> None:
        """Write the record in one piece, replacing an earlier one of the same name."""
        text = _pretty(self.model_dump(), "") + "\n"
        write_atomically(self.path, text.encode())


def columns(trace: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the rows of a trace by column, as records hold them."""
    return {key: [row[key] for row in trace] for key in trace[0]}


def record_path(name: str) -> Path:
    """Return the file of the record called `name`.

    Raises:
        RecordError: a name that could lead out of the folder of records.
    """
    if not re.fullmatch(NAME, name):
        raise RecordError(f"{name!r} cannot be the name of a run; give a name such as v5-small.")
    return runs() / f"{name}.json"


def load_record(name: str) -> RunRecord:
    """Read the record called `name`.

    Raises:
        RecordError: there is none, or its file is damaged.
    """
    path = record_path(name)
    if not path.is_file():
        near = suggestion(name, (p.stem for p in _files()))
        raise RecordError(f"There is no record {shown(path)}{near}; run its config first.")
    return _read(path)


@dataclass(frozen=True)
class Shelf:
    """All records, in the order of their names, and why the other files cannot be read."""

    records: list[RunRecord] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


def read_shelf() -> Shelf:
    """Read every record; a file that is none is listed, and hidden files are passed over."""
    shelf = Shelf()
    for path in _files():
        try:
            shelf.records.append(_read(path))
        except RecordError as error:
            shelf.unreadable[shown(path)] = str(error)
    return shelf


def load_records() -> list[RunRecord]:
    """Read every record, in the order of their names; one line names the files that are none."""
    shelf = read_shelf()
    say_left_out(shelf.unreadable)
    return shelf.records


def say_left_out(files: Iterable[str]) -> None:
    """Print one line that names the files that could not be read, if there are any."""
    if names := ", ".join(files):
        print(f"Left out, as they cannot be read: {names}.", file=sys.stderr)


def _files() -> list[Path]:
    """Return the files that are called as records are; hidden ones belong to other programs."""
    return sorted(path for path in runs().glob("*.json") if not path.name.startswith("."))


def _read(path: Path) -> RunRecord:
    if not re.fullmatch(NAME, path.stem):
        raise RecordError(f"{shown(path)} is called as no run can be; rename it.")
    try:
        record = parsed(RunRecord, path)
    except (ValidationError, OSError) as error:
        raise RecordError(f"{shown(path)} {unreadable(error)}") from None
    if record.name != path.stem:
        name = quoted(record.name)
        raise RecordError(f"{shown(path)} holds a record called {name}; rename one of them.")
    return record


def parsed(model: type[Model], path: Path) -> Model:
    """Read a file of JSON as what it should be.

    Raises:
        OSError, ValidationError: it cannot be read, or is something else; `unreadable` says why.
    """
    return model.model_validate_json(file_content(path).removeprefix(BOM_UTF8))


def unreadable(error: ValidationError | OSError) -> str:
    """Say of a file why it is no record, and what to do."""
    wrong = [] if isinstance(error, OSError) else error.errors(include_url=False)
    given = next((e["input"] for e in wrong if e["loc"] == ("schema_version",)), None)
    if type(given) is int and given > SCHEMA:
        return f"was made by a newer fpcore (schema {given}, here {SCHEMA}); update fpcore."
    return (
        f"is not a readable record ({_reason(error)}); restore it, or delete it and run its "
        "config again."
    )


def _reason(error: ValidationError | OSError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    said = f"{where}: {first['msg']}" if where else first["msg"]
    return " ".join(said.split())[:200]


def _pretty(value: Any, indent: str) -> str:
    """Write JSON for reading in a diff: one line per key, and per list of plain values."""
    inner = indent + " "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{json.dumps(k)}: {_pretty(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        lines = [inner + _pretty(item, inner) for item in value]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
