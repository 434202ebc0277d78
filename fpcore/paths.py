"""Where things live, independent of the working directory."""

import os
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PARAMS = ROOT / "params"


def home() -> Path:
    """Return the folder that holds `reports/` and `.cache/`.

    The repository root, or `FPCORE_HOME` where that is set (tests and trials use it so that they
    leave the committed records alone).
    """
    return Path(os.environ.get("FPCORE_HOME") or ROOT).expanduser().resolve()


def reports() -> Path:
    """Return the folder of reports."""
    return home() / "reports"


def runs() -> Path:
    """Return the folder of records and executed run notebooks."""
    return reports() / "runs"


def cache(kind: str) -> Path:
    """Return the folder for what can be made again (tokenizers, embeddings); ignored by git."""
    return home() / ".cache" / kind


def shown(path: Path) -> str:
    """Return `path` as messages show it: relative to `home()` or the repository where possible."""
    for base in (home(), ROOT):
        if path.resolve().is_relative_to(base):
            return path.resolve().relative_to(base).as_posix()
    return str(path)


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` so that a reader sees the old file or the whole new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
