"""Files that can be made again, each with a digest of its content: a damaged one is no file."""

import hashlib
from pathlib import Path

from fpcore.paths import shown, write_atomically

LINE = 65  # bytes of the digest in hexadecimal digits, and a line end


def write(path: Path, content: bytes) -> None:
    """Store `content` under its digest, in one step.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    write_atomically(path, _line(content) + content)


def read(path: Path) -> bytes | None:
    """Return what `write` stored; None where there is none, or, which is said, it is damaged."""
    try:  # a pipe and a device could be without an end
        found = b"" if path.exists() and not path.is_file() else path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError:
        found = b""  # a ring of links, or what may not be read
    try:
        return content(found)
    except ValueError:
        say_damaged(path)
        return None


def content(found: bytes) -> bytes:
    """Return what `write` stored, from all that is in its file.

    Raises:
        ValueError: it is damaged, or was not written by `write`.
    """
    if found[:LINE] != _line(found[LINE:]):
        raise ValueError("another digest")
    return found[LINE:]


def say_damaged(path: Path) -> None:
    """Say that what is at `path` is not taken."""
    what = "a folder, no file" if path.is_dir() else "damaged, or of another version"
    print(f"{shown(path)} is {what}, so what it should hold is made again.")


def _line(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode() + b"\n"
