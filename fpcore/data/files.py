"""Conversations in files of one's own: a reader for each format.

| format | one conversation is |
|---|---|
| `.txt` | a line; or a block of lines, where blank lines part blocks of several |
| `.jsonl` | a line: an object, see `chats` |
| `.parquet` | a row, as in `chats` |
"""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpcore.data import chats
from fpcore.errors import CorpusError
from fpcore.paths import regular

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAX_CHARACTERS = 1_000_000_000  # that a corpus may have
MAX_ROWS = 10_000_000  # that it may have, blank ones included
MAX_LINE = 4 * chats.MAX_CHARACTERS  # characters; JSON writes some as six
ROWS = 1024  # rows read from it at a time
VALUE = 64  # bytes that a value takes beside its text
MIN_BLOCKS, MAX_BLOCK = 3, 100  # blocks of a text, and lines of most, that make it dialogues


def read_file(source: str) -> list[str]:
    """Read one conversation per line, block or row; blank ones are left out, which is said.

    Raises:
        CorpusError: no such file, another format, unreadable, empty, or too long.
    """
    path = regular(source)
    if path is None:
        raise CorpusError(f"corpus {source} is not there, or is not a file; give its full path.")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        *others, last = READERS
        raise CorpusError(
            f"corpus {source} must be chitchat, ultrachat, or a {', '.join(others)} or {last} file."
        )
    try:
        texts = _bounded(source, reader(path))
    except UnicodeDecodeError:
        raise CorpusError(f"corpus {source} cannot be read: it is not UTF-8 text.") from None
    except MemoryError:
        raise CorpusError(f"corpus {source} is more than the memory holds; cut it.") from None
    except OSError as error:
        raise CorpusError(f"corpus {source} cannot be read: {_reason(error)}.") from None
    return _filled(source, texts)


def _filled(source: str, texts: list[str]) -> list[str]:
    filled = [text for text in texts if text.strip()]
    if not filled:
        raise CorpusError(f"corpus {source} is empty; it needs one conversation per line or row.")
    if len(filled) < len(texts):
        print(f"corpus {source}: {len(texts) - len(filled)} conversations without text left out.")
    return filled


def _bounded(source: str, texts: Iterable[str]) -> list[str]:
    kept, total = [], 0
    for text in texts:
        kept.append(text)
        total += len(text)
        if total > MAX_CHARACTERS:
            raise CorpusError(
                f"corpus {source} has more than {MAX_CHARACTERS:,} characters; cut it."
            )
        if len(kept) > MAX_ROWS:
            raise CorpusError(_too_many(source))
    return kept


def _too_many(source: str) -> str:
    return f"corpus {source} has more than {MAX_ROWS:,} lines or rows; cut it."


def _reason(error: BaseException) -> str:
    """Return what a library says went wrong, in one line without its full stop."""
    told = (getattr(error, "strerror", None) or str(error)).strip()
    return told.splitlines()[0].rstrip(".") if told else type(error).__name__


def _lines(path: Path) -> Iterator[str]:
    # Not str.splitlines(), which would also cut at form feeds and other marks inside a text.
    number = 0
    with path.open(encoding="utf-8-sig", newline=None) as file:
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise CorpusError(
                    f"line {number} of corpus {path.name} has more than {MAX_LINE:,} characters."
                )
            yield line.removesuffix("\n")


def _plain(path: Path) -> Iterator[str]:
    """Yield the lines of a text that are not blank, or its blocks where those are dialogues."""
    lines = _bounded(path.name, _lines(path))
    parts = groupby(lines, lambda line: bool(line.strip()))
    blocks = [list(block) for filled, block in parts if filled]
    if _are_dialogues(blocks):
        print(
            f"corpus {path.name}: blank lines part blocks of several lines, so each of its "
            f"{len(blocks)} blocks is read as one conversation; without blank lines, each line is."
        )
        blocks = [["\n".join(block)] for block in blocks]
    where = "conversation {} of corpus " + path.name
    texts = (text for block in blocks for text in block)
    for number, text in enumerate(texts, start=1):
        yield chats.conversation({"text": text}, where.format(number))


def _are_dialogues(blocks: list[list[str]]) -> bool:
    """Tell dialogues from conversations of one line each with a blank line here and there."""
    several = sum(1 < len(block) <= MAX_BLOCK for block in blocks)
    return len(blocks) >= MIN_BLOCKS and 2 * several > len(blocks)


def _json_lines(path: Path) -> Iterator[str]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        where = f"line {number} of corpus {path.name}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):  # ValueError: also a number of thousands of digits
            raise CorpusError(f"{where} is not JSON; each line must be one object.") from None
        yield chats.conversation(row, where)


def parquet_rows(path: Path) -> Iterator[str]:
    """Yield the conversation of every row of a parquet file.

    Raises:
        CorpusError: it is not a readable parquet file, has too many rows, or one of them holds no
            conversation.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = _texts(file)
            keys = [f"{field.name} ({field.type})" for field in file.schema_arrow]
        with pq.ParquetFile(path, read_dictionary=names) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise CorpusError(_too_many(path.name))
            for number, row in enumerate(_rows(file, names, path.name), start=1):
                yield chats.conversation(row, f"row {number} of corpus {path.name}", keys)
    except MemoryError:
        raise CorpusError(f"corpus {path.name} is more than the memory holds; cut it.") from None
    except (pa.ArrowException, OSError, OverflowError, ValueError) as error:
        reason = _reason(error)
        raise CorpusError(f"corpus {path.name} is not readable parquet: {reason}.") from None


def _texts(file: "pq.ParquetFile") -> list[str]:
    """Name the columns with texts in the fields that `chats` knows; dates, say, say nothing."""
    leaves = [file.schema.column(number) for number in range(len(file.schema))]
    return [
        leaf.path
        for leaf in leaves
        if leaf.path.split(".")[0] in chats.FIELDS and leaf.logical_type.type in {"STRING", "JSON"}
    ]


def _rows(file: "pq.ParquetFile", names: list[str], corpus: str) -> Iterator[dict[str, Any]]:
    """Yield rows; a small file can unfold to more than the memory holds, so each is weighed first.

    Texts come as a dictionary, in which one that is repeated stands once.
    """
    number = 0
    for batch in file.iter_batches(ROWS, columns=names):
        step = 1 if _weight(batch.columns) > MAX_LINE else ROWS
        for part in (batch.slice(start, step) for start in range(0, len(batch), step)):
            if step == 1 and _weight(part.columns) > MAX_LINE:
                raise CorpusError(
                    f"row {number + 1} of corpus {corpus} has more than {MAX_LINE:,} bytes."
                )
            yield from part.to_pylist()
            number += len(part)


def _weight(columns: "Iterable[pa.Array]") -> int:
    """Return the bytes that values take once they are unfolded."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = 0
    for column in columns:
        total += VALUE * len(column)
        if isinstance(column, pa.DictionaryArray):
            lengths = pc.binary_length(column.dictionary).take(column.indices)
            total += pc.sum(lengths).as_py() or 0
        elif isinstance(column, pa.StructArray):
            total += _weight(column.flatten())
        elif isinstance(column, pa.MapArray):
            total += _weight([column.keys, column.items])
        elif isinstance(column, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
            total += _weight([column.flatten()])
        else:
            total += column.nbytes
    return total


# The formats by the suffix of a file; a reader yields the text of every conversation.
READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    ".txt": _plain,
    ".jsonl": _json_lines,
    ".parquet": parquet_rows,
}
