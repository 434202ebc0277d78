"""One process at a time on the name of a run."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fpcore.errors import HeldError
from fpcore.paths import cache, unwritable, write_atomically

WAIT = 5.0  # seconds; the kernel of a killed notebook sees within one that its parent is gone
JOB = "FPCORE_JOB"  # environment: several attempts at one job have the same; the last one counts


@contextmanager
def held(name: str) -> Iterator[None]:
    """Hold the name of a run; the system lets it go when the process ends, however it ends.

    Raises:
        HeldError: another process holds it; the text says which one.
        StorageError: the folder of locks cannot be written.
    """
    path = cache("locks") / f"{name}.lock"
    lock = FileLock(path)
    holder = path.with_suffix(".json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _stop_earlier_attempt(lock, holder)
        lock.acquire(timeout=WAIT)
    except Timeout:
        raise HeldError(_sentence(name, _read(holder))) from None
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        write_atomically(holder, json.dumps(_self()).encode())
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _self() -> dict[str, Any]:
    return {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "job": os.environ.get(JOB),
    }


def _read(holder: Path) -> dict[str, Any]:
    try:
        found = json.loads(holder.read_bytes())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _stop_earlier_attempt(lock: FileLock, holder: Path) -> None:
    """Kill the process of an attempt that was given up, such as one whose worker hangs.

    Only where the name is really held (a process number may have gone to another program).
    """
    with suppress(Timeout), lock.acquire(timeout=0):
        return
    found, own = _read(holder), _self()
    if own["job"] and all(found.get(key) == own[key] for key in ("job", "host")):
        with suppress(OSError, TypeError):
            os.kill(found["process"], signal.SIGKILL)


def _sentence(name: str, holder: dict[str, Any]) -> str:
    who = (
        f"process {holder.get('process')} on {holder.get('host')} since {holder.get('since')}"
        if holder
        else "another process"
    )
    return (
        f"{name} is being trained by {who}; watch it with fpcore.watch({name!r}), wait for it, or "
        "give this run another name."
    )
