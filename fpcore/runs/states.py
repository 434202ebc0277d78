"""States of a training on disk: safetensors files, written now and then, whole or not at all."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fpcore.paths import replacing

INTERVAL = 1.0  # seconds between two states
SHARE = 50  # or as many times what storing one takes
RATE = 500e6  # bytes per second that a disk is taken to store, until a state has been stored
S = TypeVar("S")


class Keeper(Generic[S]):
    """Stores a state when one is due, so that storing takes a fiftieth of the time at most.

    `size` are the bytes of a state, from which the time for the first one is estimated.
    """

    def __init__(self, store: Callable[[S], None], size: float) -> None:
        self._store = store
        self._due = time.monotonic() + max(INTERVAL, SHARE * size / RATE)

    def __call__(self, state: Callable[[], S]) -> None:
        """Store what `state` returns, or do nothing."""
        start = time.monotonic()
        if start >= self._due:
            self._store(state())
            end = time.monotonic()
            self._due = end + max(INTERVAL, SHARE * (end - start))


def write(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Store tensors and what is to be said about them (plain data).

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    content = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        try:
            save_file(content, temporary, {"about": json.dumps(about)})
        except SafetensorError as error:
            code = re.search(r"os error (\d+)", str(error))
            raise OSError(int(code[1]), os.strerror(int(code[1]))) if code else error from None


def read(path: Path, device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return what `write` stored; None where there is none, or where the file is damaged."""
    try:
        with safe_open(path, "pt", device=device) as file:
            about: dict[str, Any] = json.loads((file.metadata() or {})["about"])
            return {key: file.get_tensor(key) for key in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError):
        return None


def about(path: Path) -> dict[str, Any] | None:
    """Return what was said about the tensors of a file, without reading them; None as `read`."""
    try:
        with safe_open(path, "pt") as file:
            found: dict[str, Any] = json.loads((file.metadata() or {})["about"])
            return found
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError):
        return None
