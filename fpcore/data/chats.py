"""What a row of a corpus says: its text, or the contents of its messages.

| field of a row | holds |
|---|---|
| `text` | the conversation itself |
| `messages` | messages with a `content` (OpenAI) |
| `conversations`, `conversation` | messages with a `value` (ShareGPT), or as above |

A content is a text, a list of parts of which those with a `text` count, or either as JSON. A field
that is null or empty says nothing, and leaves the word to the next one.
"""

import json
from collections.abc import Iterable
from typing import Any

from fpcore.errors import CorpusError, quoted

MESSAGES = ("messages", "conversations", "conversation")
FIELDS = ("text", *MESSAGES)  # of a row, the first one that says anything
CONTENTS = ("content", "value", "text")  # of a message, likewise
MAX_CHARACTERS = 10_000_000  # of a conversation; its tokens take some two hundred times as much


class _UnreadError(Exception):
    """What is wrong with a row, as the end of a sentence."""


def conversation(row: Any, where: str, keys: Iterable[str] = ()) -> str:
    """Return the text of a row; empty where all that it says is empty.

    `where` names the row in messages, and `keys` its fields where those are not all in it.

    Raises:
        CorpusError: it has none of the known fields, or nothing readable in them; too long a text,
            or one that no tokenizer can read.
    """
    try:
        text = _said(row, list(keys))
    except _UnreadError as problem:
        raise CorpusError(
            f"{where} has neither a text nor messages that each have a content: {problem}."
        ) from None
    if len(text) > MAX_CHARACTERS:
        raise CorpusError(
            f"{where} has {len(text):,} characters; a conversation may have {MAX_CHARACTERS:,}."
        )
    return _encodable(text, where)


def _said(row: Any, keys: list[str]) -> str:
    if not isinstance(row, dict):
        raise _UnreadError(f"it is {_kind(row)}")
    found = [field for field in FIELDS if field in row]
    if not found:
        raise _UnreadError(f"its keys are {_listed(keys or row)}")
    problem = None
    for field in found:
        try:
            text = _messages(row[field], field) if field in MESSAGES else _text(row[field])
        except _UnreadError as error:
            problem = problem or error
        else:
            if text.strip():
                return text
    if problem:
        raise problem
    return ""


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise _UnreadError(f"its text is {_kind(value)}")


def _messages(value: Any, field: str) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        return ""
    listed = _parsed(value) if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise _UnreadError(f"its {field} are {_kind(value)}, not a list")
    return "\n".join(_message(message, f"message {n}") for n, message in enumerate(listed, start=1))


def _message(message: Any, where: str) -> str:
    if not isinstance(message, dict):
        raise _UnreadError(f"{where} is {_kind(message)}")
    known = [key for key in CONTENTS if key in message]
    if not known:
        raise _UnreadError(f"{where} has the keys {_listed(message)}")
    return next(filter(None, (_content(message[key], where) for key in known)), "")


def _content(content: Any, where: str) -> str:
    if isinstance(content, str):
        parts = _parsed(content)
        listed = isinstance(parts, list) and parts and all(map(_is_part, parts))
        return _content(parts, where) if listed else content
    if content is None:
        return ""
    if isinstance(content, dict):
        return _message(content, f"the content of {where}")
    if not isinstance(content, list):
        raise _UnreadError(f"the content of {where} is {_kind(content)}")
    return "\n".join(filter(None, (_part(part, where) for part in content)))


def _part(part: Any, where: str) -> str:
    """Return what a part of a content says: an image, say, has a type, but no text."""
    if isinstance(part, str):
        return part
    if _is_part(part) and not any(key in part for key in CONTENTS):
        return ""
    return _message(part, f"a part of {where}")


def _is_part(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str)


def _parsed(text: str) -> Any:
    """Return the list that a text holds as JSON; None where it holds none."""
    if not text.lstrip().startswith("["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _kind(value: Any) -> str:
    kinds = {list: "a list", dict: "an object", str: "a text", bytes: "bytes", bool: "a boolean"}
    number = "a number" if isinstance(value, int | float) else "of another kind"
    return "null" if value is None else kinds.get(type(value), number)


def _listed(keys: Iterable[Any]) -> str:
    return quoted(list(keys))[1:-1] or "none"


def _encodable(text: str, where: str) -> str:
    """Refuse half a character, such as the escape \\ud83d alone, which no tokenizer can read."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CorpusError(f"{where} holds half of a two-part character (a surrogate).") from None
    return text
