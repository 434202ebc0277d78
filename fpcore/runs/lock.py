"""One process at a time on the name of a run."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from fpcore.errors import HeldError
from fpcore.paths import file_content, home, unwritable, write_atomically

MAX_NOTE = 2**12  # bytes of a note about who holds a name
WAIT = 5.0  # seconds; the kernel of a killed notebook sees within one that its parent is gone
JOB = "FPCORE_JOB"  # environment: several attempts at one job have the same; the last one counts


@contextmanager
def held(name: str) -> Iterator[None]:
    """Hold the name of a run; the system lets it go when the process ends, however it ends.

    Raises:
        HeldError: another process holds it; the text says which one.
        StorageError: the folder of locks cannot be written.
    """
    path, about = _paths(name)
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _stop_earlier_attempt(lock, about)
        lock.acquire(timeout=WAIT)
    except Timeout:
        raise HeldError(_sentence(name, _read(about))) from None
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        write_atomically(about, json.dumps(_self()).encode())
        yield
    finally:
        with suppress(OSError):
            about.unlink()
        lock.release()


def holder(name: str) -> dict[str, Any] | None:
    """Return who holds the name of a run: `process`, `host`, `since`; None where nobody does.

    Of a process on another host only its own word is known.
    """
    found = _read(_paths(name)[1])
    process, host = found.get("process"), found.get("host")
    if type(process) is not int or process < 1 or not isinstance(host, str):
        return None  # no note of ours
    try:
        if host == socket.gethostname():
            os.kill(process, 0)
    except (OSError, OverflowError):
        return None
    return found


def _paths(name: str) -> tuple[Path, Path]:
    path = home() / ".locks" / f"{name}.lock"  # where deleting the cache does not reach
    return path, path.with_suffix(".json")


def _self() -> dict[str, Any]:
    return {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "job": os.environ.get(JOB),
    }


def _read(about: Path) -> dict[str, Any]:
    try:
        found = json.loads(file_content(about, MAX_NOTE))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _stop_earlier_attempt(lock: FileLock, about: Path) -> None:
    """Kill the process of an attempt that was given up, such as one whose worker hangs.

    Only where the name is really held (a process number may have gone to another program).
    """
    with suppress(Timeout), lock.acquire(timeout=0):
        return
    found, own = _read(about), _self()
    if own["job"] and all(found.get(key) == own[key] for key in ("job", "host")):
        _kill_if_attempt(found.get("process"), own["job"])


def _kill_if_attempt(process: object, job: str) -> None:
    """Kill a process if it really is an attempt at this job: a note may have been edited."""
    if type(process) is not int or process <= 1 or process == os.getpid():
        return
    with suppress(psutil.Error, OSError, OverflowError):
        attempt = psutil.Process(process)
        if attempt.environ().get(JOB) == job:
            attempt.kill()


def _sentence(name: str, who: dict[str, Any]) -> str:
    process = (
        f"process {who.get('process')} on {who.get('host')} since {who.get('since')}"
        if who
        else "another process"
    )
    return (
        f"{name} is being trained by {process}; watch it with fpcore.watch({name!r}), wait for it, "
        "or give this run another name."
    )
