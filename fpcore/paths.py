"""Where things live, independent of the working directory."""

import errno
import hashlib
import os
import platform
import re
import shutil
import stat
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from fpcore.errors import StorageError, quoted
from fpcore.language import spoken

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PARAMS = ROOT / "params"
MAX_JOINED = 180  # characters of the names of runs in that of a file, which may have 255
MAX_SHOWN = 300  # characters of a path in a message
MAX_BYTES = 2**28  # in a file of any kind but a corpus; what is larger is none of ours
LEFT = re.compile(r"\.(\d{1,9})\.[0-9a-f]{32}(\.\w+)?$")  # the end of a `hidden` name
DAY = 86_400  # seconds


def home() -> Path:
    """Return the folder that holds `reports/` and `.cache/`.

    The repository root, or `FPCORE_HOME` where that is set (tests and trials use it so that they
    leave the committed records alone).

    Raises:
        StorageError: FPCORE_HOME can be no folder.
    """
    given = os.environ.get("FPCORE_HOME") or str(ROOT)
    try:
        folder = Path(given).expanduser().resolve()
        if folder.is_dir() or not folder.exists():
            return folder
        reason = "it is no folder"
    except (OSError, RuntimeError) as error:  # too long, a ring of links, ~nobody
        reason = getattr(error, "strerror", None) or "there is no such path"
    raise StorageError(f"FPCORE_HOME is {quoted(given)}, where nothing can be stored: {reason}.")


def reports() -> Path:
    """Return the folder of reports."""
    return home() / "reports"


def runs() -> Path:
    """Return the folder of records and executed run notebooks."""
    return reports() / "runs"


def report(name: str) -> Path:
    """Return the folder of a report; one in English lies in a folder of its own in that."""
    return reports() / name / ("en" if spoken() == "en" else "")


def together(runs: Sequence[str]) -> str:
    """Return what files about several runs are called: their names, joined by `-vs-`.

    Where other runs would have the same (`x-vs-y` and `z`, `x` and `y-vs-z`), or where it is longer
    than file systems allow, a digest of the names follows, after a sign that is in no name.
    """
    joined = "-vs-".join(runs)
    if len(joined) <= MAX_JOINED and len(re.findall("(?=-vs-)", joined)) == len(runs) - 1:
        return joined
    digest = hashlib.sha256("/".join(runs).encode()).hexdigest()[:12]
    return f"{joined[:MAX_JOINED]}~{digest}"


def cache(kind: str) -> Path:
    """Return the folder for what can be made again (tokenizers, embeddings); ignored by git."""
    return home() / ".cache" / kind


def shown(path: Path) -> str:
    """Return `path` as messages show it: relative to `home()` or the repository where possible.

    Long ones are cut, and characters that cannot be printed, such as line ends and bytes that are
    no UTF-8, are replaced.
    """
    text = str(path)
    # Too long, a zero byte, a ring of links, or no home.
    with suppress(OSError, ValueError, RuntimeError, StorageError):
        for base in (ROOT, home()):
            if path.resolve().is_relative_to(base):
                text = path.resolve().relative_to(base).as_posix()
    text = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def file_content(path: Path, most: int = MAX_BYTES) -> bytes:
    """Return what a file holds.

    Raises:
        OSError: there is no such file, it has more than `most` bytes, or it is a pipe, a device or
            a folder, which could be without an end.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no ordinary file")
    with path.open("rb") as file:
        content = file.read(most + 1)  # of files that grow while they are read, too
    if len(content) > most:
        raise OSError(errno.EFBIG, f"more than {most:,} bytes")
    return content


def regular(source: str) -> Path | None:
    """Return the file that a user's path means: from where the user is, or the repository root.

    None where there is none: folders, pipes and devices are no files, nor is what no path can be.
    """
    try:
        found = (path for path in (Path(source).expanduser(), ROOT / source) if path.is_file())
        return next(found, None)
    except (OSError, ValueError, RuntimeError):  # not allowed or too long, a NUL, ~nobody
        return None


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` so that a reader sees the old file or the whole new one, never a part.

    Raises:
        StorageError: as `replacing`.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path, ending: str = "") -> Iterator[Path]:
    """Yield a temporary path; what is written there takes the place of `path` in one step.

    It is on the disk before it does, so that this holds after a loss of power, too. Its name has
    the `ending` that whoever writes it asks for.

    Raises:
        StorageError: the disk is full, or the folder cannot be written; `path` is as before.
    """
    temporary = hidden(path, ending)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        remove(temporary)


def hidden(path: Path, ending: str = "") -> Path:
    """Return a new name beside `path` that tells which process of which machine uses it.

    It is as short for every name.
    """
    return path.with_name(f".{_machine()}.{os.getpid()}.{uuid.uuid4().hex}{ending}")


def sweep(folder: Path) -> None:
    """Remove what processes that were killed have left under `hidden` names.

    Of a process on another machine nothing is known, but what it has not touched for a day is left.
    """
    for path in folder.glob(".*"):
        found = LEFT.search(path.name)
        if not found:
            continue
        here = f".{_machine()}.{found[1]}." in path.name
        with suppress(OSError):  # another process has swept it
            old = time.time() - path.stat().st_mtime > DAY
            if old or (here and not psutil.pid_exists(int(found[1]))):
                remove(path)


def remove(path: Path) -> None:
    """Remove a file or a whole folder, as far as that can be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _machine() -> str:
    """Name the machine, and the container: each numbers its own processes."""
    with suppress(OSError):
        return f"{platform.node()}-{Path('/proc/self/ns/pid').stat().st_ino}"
    return platform.node()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> StorageError:
    """Return the error for a file that cannot be written, which says why."""
    reason = error.strerror or type(error).__name__
    if isinstance(error, IsADirectoryError):
        return StorageError(f"{shown(path)} is a folder where a file belongs; move it away.")
    return StorageError(
        f"{shown(path)} cannot be written: {reason}; free space or allow writing there "
        "(FPCORE_HOME names another folder), and run again: nothing that was stored is lost."
    )
