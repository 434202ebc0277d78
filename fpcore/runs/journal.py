"""The journal of a search: what every process tells, a line each, with a digest of what it says."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from fpcore.errors import ConfigError
from fpcore.paths import shown, unwritable

DIGEST = "digest"


class _Backend(JournalFileBackend):
    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write what is told, each with its digest.

        Raises:
            StorageError: the disk is full, or the folder cannot be written.
        """
        try:
            super().append_logs([log | {DIGEST: _digest(log)} for log in logs])
        except OSError as error:
            raise unwritable(Path(self._file_path), error) from None


def opened(path: Path) -> JournalStorage:
    """Return the storage of a search; a new one is empty.

    Raises:
        StorageError: it cannot be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(_Backend(str(path)))
    except OSError as error:
        raise unwritable(path, error) from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time work with a journal.

    Raises:
        StorageError: its lock cannot be written.
    """
    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise unwritable(Path(lock.lock_file), error) from None
    try:
        yield
    finally:
        lock.release()


def check(path: Path) -> None:
    """Take back the line that a full disk or a loss of power has cut; nobody else writes now.

    Raises:
        ConfigError: another line is damaged.
        StorageError: the journal cannot be read or written.
    """
    try:
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            with path.open("r+b") as file:
                file.truncate(len(whole))
    except OSError as error:
        raise unwritable(path, error) from None
    for number, line in enumerate(whole.splitlines(), 1):
        if not _sound(line):
            raise ConfigError(
                f"{shown(path)} is damaged in line {number}, or of another version; restore it, or "
                "remove it to begin the search anew."
            )


def _sound(line: bytes) -> bool:
    try:
        log = json.loads(line)
        return isinstance(log, dict) and log.pop(DIGEST, None) == _digest(log)
    except (ValueError, RecursionError):
        return False


def _digest(log: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(log, sort_keys=True).encode()).hexdigest()
