"""The errors that a reader of the book meets: one clear sentence each."""

import os
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from io import TextIOWrapper
from reprlib import Repr
from typing import NoReturn

MOST = 120  # characters of a quoted value
_SHORT = Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlist = 3, MOST, MOST, 12


class FpcoreError(Exception):
    """A mistake that the user can mend; its text is one sentence that says how.

    It stands on one line, whatever a file, a name or a library put into it.
    """

    def __init__(self, text: str) -> None:
        super().__init__("".join(c if c.isprintable() else "\ufffd" for c in text))

    def _render_traceback_(self) -> list[str]:
        """Let IPython (and so papermill) show the sentence alone, without the stack."""
        return [str(self)]


class ConfigError(FpcoreError, ValueError):
    """A knob, notebook parameter or params file is wrong."""


class CorpusError(FpcoreError):
    """Texts, tokenizer or embedding cannot be had as asked for."""


class RecordError(FpcoreError):
    """A record is missing, unreadable or belongs to another config."""


class TrainingError(FpcoreError):
    """Training itself went wrong, for example numerically."""


class ModelError(FpcoreError):
    """A trained model is missing, damaged or another one than its record tells of."""


class StorageError(FpcoreError):
    """A file cannot be written: a full disk, a read-only folder."""


class HeldError(FpcoreError):
    """Another process works on a run of this name."""


def printable() -> None:
    """Let what a command prints be escaped where the terminal's encoding does not have it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run(command: Callable[[], int | None]) -> NoReturn:
    """Do what a command does and end the process, whatever becomes of what it prints.

    Nothing is wrong where nobody reads it any more; a full disk is said in one sentence.
    """
    printable()
    try:
        status = _status(command)
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        if error.filename is not None:  # it is not about the output
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the end of Python
        broken = isinstance(error, BrokenPipeError)
        status = 0 if broken else f"The output cannot be written: {error.strerror}."
    if isinstance(status, str):
        print(status, file=sys.stderr)
    sys.exit(2 if isinstance(status, str) else status)


def _status(command: Callable[[], int | None]) -> int | str | None:
    try:
        return command()
    except SystemExit as end:
        return end.code


def quoted(value: object) -> str:
    """Return the repr of a value that someone gave, cut to what a sentence can hold."""
    try:
        text = _SHORT.repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= MOST else f"{text[:MOST]}…"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean x?)`` for the known word nearest to `word`, or an empty string."""
    near = get_close_matches(word[:MOST], list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
