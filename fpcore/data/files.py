"""Conversations in files of one's own: a reader for each format.

One conversation is a line or a row: its `text`, or the contents of its `messages`.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from fpcore.errors import CorpusError
from fpcore.paths import ROOT

ROWS = 64  # rows read from a parquet file at a time
MAX_CHARACTERS = 2**31  # that a corpus from a file may have


def read_file(source: str) -> list[str]:
    """Read one conversation per line or row; blank ones are left out.

    Raises:
        CorpusError: no such file, another format, unreadable, empty, or too long.
    """
    path = _find(source)
    if path.suffix not in READERS:
        *others, last = READERS
        raise CorpusError(
            f"corpus {source} must be chitchat, ultrachat, or a {', '.join(others)} or {last} file."
        )
    try:
        texts = _bounded(source, (text for text in READERS[path.suffix](path) if text.strip()))
    except UnicodeDecodeError:
        raise CorpusError(f"corpus {source} cannot be read: it is not UTF-8 text.") from None
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise CorpusError(f"corpus {source} cannot be read: {reason}.") from None
    if not texts:
        raise CorpusError(f"corpus {source} is empty; it needs one conversation per line or row.")
    return texts


def _bounded(source: str, texts: Iterable[str]) -> list[str]:
    kept, total = [], 0
    for text in texts:
        total += len(text)
        if total > MAX_CHARACTERS:
            raise CorpusError(
                f"corpus {source} has more than {MAX_CHARACTERS:,} characters; cut it."
            )
        kept.append(text)
    return kept


def _find(source: str) -> Path:
    """A relative path is looked for from where the user is, then from the repository root."""
    for path in (Path(source).expanduser(), ROOT / source):
        if path.is_file():
            return path
    raise CorpusError(f"corpus {source} is not there, or is not a file; give its full path.")


def _lines(path: Path) -> Iterator[str]:
    # Not str.splitlines(), which would also cut at form feeds and other marks inside a text.
    with path.open(encoding="utf-8-sig", newline=None) as lines:
        for line in lines:
            yield line.rstrip("\n")


def _json_lines(path: Path) -> Iterator[str]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        where = f"line {number} of corpus {path.name}"
        try:
            yield _conversation(json.loads(line), where)
        except (ValueError, RecursionError):  # ValueError: also a number of thousands of digits
            raise CorpusError(f"{where} is not JSON; each line must be one object.") from None


def parquet_rows(path: Path) -> Iterator[str]:
    """Yield the conversation of every row of a parquet file.

    Raises:
        CorpusError: it is not a readable parquet file, or a row holds no conversation.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = [n for n in ("text", "messages") if n in file.schema_arrow.names]
            number = 0
            # A few rows at a time: a small file can unfold to more than the memory holds.
            for batch in file.iter_batches(ROWS, columns=names):
                for row in batch.to_pylist():
                    yield _conversation(row, f"row {number} of corpus {path.name}")
                    number += 1
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise CorpusError(f"corpus {path.name} is not readable parquet: {reason}") from None


def _conversation(row: Any, where: str) -> str:
    """Return the text of a row: its `text`, or the contents of its `messages`."""
    if isinstance(row, dict):
        if isinstance(row.get("text"), str):
            return _encodable(row["text"], where)
        messages = row.get("messages")
        if isinstance(messages, list) and all(
            isinstance(m, dict) and isinstance(m.get("content"), str) for m in messages
        ):
            return _encodable("\n".join(message["content"] for message in messages), where)
    raise CorpusError(
        f"{where} has neither a text nor a list of messages that each have a content."
    )


def _encodable(text: str, where: str) -> str:
    """Refuse half a character, such as the escape \\ud83d alone, which no tokenizer can read."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CorpusError(f"{where} holds half of a two-part character (a surrogate).") from None
    return text


# The formats by the suffix of a file; a reader yields the text of every conversation.
READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    ".txt": _lines,
    ".jsonl": _json_lines,
    ".parquet": parquet_rows,
}
