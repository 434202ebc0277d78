"""What was found in a file: figures, settings and rows of traces, each with its line."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from fpcore.errors import FpcoreError

MOST = 200  # sentences that are said of one file
Phase = Literal["phase1", "phase2"]


class ImportingError(FpcoreError):
    """A file that cannot be imported; `lines` are its sentences, one for each place."""

    def __init__(self, *lines: str) -> None:
        more = len(lines) - MOST
        shown = [*lines[:MOST], *([f"… and {more} more."] if more > 0 else [])]
        super().__init__(" ".join(shown))
        self.lines = [str(FpcoreError(line)) for line in shown]


@dataclass(frozen=True)
class Place:
    """What a value is said of: its run, seed and size; a report says the run in several words.

    `above` are the words of the headings, of which one may be the run.
    """

    run: frozenset[str] = frozenset()
    seed: int | None = None
    samples: int | None = None
    above: frozenset[str] = frozenset()

    @property
    def words(self) -> frozenset[str]:
        """All words."""
        return self.run | self.above


@dataclass(frozen=True)
class Figure:
    """A value of a field; `half` is half a unit of its last digit."""

    line: int
    place: Place
    field: str
    value: Any
    half: float = 0.0


@dataclass(frozen=True)
class Row:
    """A row of a trace: an iteration of phase 1, or an epoch of phase 2."""

    line: int
    place: Place
    phase: Phase
    step: int
    values: dict[str, float]


@dataclass
class Found:
    """All that a reader finds in a file.

    `whole`: a machine wrote the traces, so that their ends are the ends of the training.
    """

    figures: list[Figure] = field(default_factory=list)
    settings: list[Figure] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    whole: bool = True

    def refuse(self, line: int, text: str) -> None:
        """Keep what is wrong in a line."""
        self.problems.append((line, text))

    def note(self, text: str) -> None:
        """Keep what the user should know, once."""
        if text not in self.notes:
            self.notes.append(text)

    @property
    def everything(self) -> list[Figure | Row]:
        """Figures, settings and rows."""
        return [*self.figures, *self.settings, *self.rows]

    def each(self, change: Callable[[Place], Place]) -> None:
        """Change what figures and rows are said of."""
        self.figures = [replace(one, place=change(one.place)) for one in self.figures]
        self.rows = [replace(one, place=change(one.place)) for one in self.rows]

    def only(self, keep: Callable[[Place], bool], settings: Callable[[Place], bool]) -> None:
        """Forget the figures and rows, and the settings, of other places."""
        self.figures = [one for one in self.figures if keep(one.place)]
        self.rows = [one for one in self.rows if keep(one.place)]
        self.settings = [one for one in self.settings if settings(one.place)]
