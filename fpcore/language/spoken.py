"""The language of reports and figures, and the texts that are said in it.

A text stands in the code in Japanese, as a template with named holes: `said("シード n={n}", n=3)`.
Its English is in `english/*.yaml`, keyed by the template as it stands in the code. Holes may say
more than their name:

- `{label!g}は`: a space after it where it ends in a Latin letter or a digit, as Japanese has it;
- `に対して{text!b}`: a space before it where it begins so;
- `{label!c} is`: its first letter is a capital, for the beginning of an English sentence;
- `{n} {n:size|sizes}`: the first word where n is 1, else the second.
"""

import re
import string
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import yaml

from fpcore.errors import ConfigError

Language = Literal["ja", "en"]
CATALOGUES = Path(__file__).parent / "english"
Text = TypeVar("Text", bound=str)
JAPANESE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
_usual: list[Language] = ["ja"]
# Cells of a notebook may each have a context of their own, so a notebook's language is in `_usual`.
_here: ContextVar[Language | None] = ContextVar("language", default=None)


def speak(language: Language) -> None:
    """Let all that is written and drawn from now on use a language.

    Raises:
        ConfigError: a language other than ja or en.
    """
    _usual[0] = _known(language)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Use a language inside a `with`, in this thread alone.

    Raises:
        ConfigError: a language other than ja or en.
    """
    token = _here.set(_known(language))
    try:
        yield
    finally:
        _here.reset(token)


def spoken() -> Language:
    """Return the language that is used."""
    return _here.get() or _usual[0]


def _known(language: Language) -> Language:
    if language not in get_args(Language):
        raise ConfigError(f"lang must be ja or en, not {language!r}.")
    return language


def template(text: Text) -> Text:
    """Mark a text that `said` is given later, so that its English is not forgotten."""
    return text


def said(text: str, /, **holes: object) -> str:
    """Return a text in the language that is used, its holes filled in.

    A text without Japanese that no catalogue has, such as a unit, is the same in every language.

    Raises:
        KeyError: a Japanese text has no English.
    """
    if spoken() == "en":
        text = _english(text)
    return Holes().format(text, **holes) if holes else text


def _english(text: str) -> str:
    known = catalogue()
    if text not in known and JAPANESE.search(text):
        raise KeyError(f"fpcore/language/english/ has no English for {text!r}.")
    return known.get(text, text)


@cache
def catalogue() -> dict[str, str]:
    """Return the English of every template."""
    pages = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(CATALOGUES.glob("*.yaml"))]
    return {japanese: english for page in pages for japanese, english in (page or {}).items()}


class Holes(string.Formatter):
    """Fills the holes of a template."""

    def convert_field(self, value: Any, conversion: Any) -> Any:
        """Glue a text to the Japanese around it, or begin a sentence with it."""
        text = str(value)
        match conversion:
            case "g":
                return f"{text} " if text[-1:].isascii() else text
            case "b":
                return f" {text}" if text[:1].isascii() and text[:1].isalnum() else text
            case "c":
                return text[:1].upper() + text[1:] if text[:1].isascii() else text
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        """Choose between singular and plural; everything else is as Python has it."""
        if "|" in format_spec:
            one, more = format_spec.split("|")
            return one if str(value) == "1" else more
        return str(super().format_field(value, format_spec))
