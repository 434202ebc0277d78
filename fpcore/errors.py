"""The errors that a reader of the book meets: one clear sentence each."""

from collections.abc import Iterable
from difflib import get_close_matches


class FpcoreError(Exception):
    """A mistake that the user can mend; its text is one sentence that says how."""

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


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean x?)`` for the known word nearest to `word`, or an empty string."""
    near = get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
