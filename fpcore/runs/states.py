"""States of a training on disk: safetensors files, written now and then, whole or not at all."""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fpcore.paths import check_ordinary, replacing
from fpcore.stored import say_damaged

INTERVAL = 1.0  # seconds between two states
SHARE = 50  # or as many times what storing one takes
RATE = 500e6  # bytes per second that a disk is taken to store, until a state has been stored
# What is raised where a file cannot be read as what `write` stores.
DAMAGED = (SafetensorError, OSError, KeyError, ValueError, RecursionError)
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
    """Store tensors and what is to be said about them (plain data), each with its digest.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    content = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    digests = {name: _digest(tensor) for name, tensor in content.items()}
    said = json.dumps({"about": about, "tensors": digests})
    with replacing(path) as temporary:
        try:
            save_file(content, temporary, {"said": said, "digest": _digest_of(said.encode())})
        except SafetensorError as error:
            code = re.search(r"os error (\d+)", str(error))
            raise OSError(int(code[1]), os.strerror(int(code[1]))) if code else error from None


def read(path: Path, device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return what `write` stored; None where there is none, or, which is said, it is damaged."""
    with _told(path):
        tensors, said = loaded(path)
        return {name: tensor.to(device) for name, tensor in tensors.items()}, said
    return None


def loaded(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what `write` stored, the tensors on the CPU.

    Raises:
        FileNotFoundError: there is none.
        SafetensorError, OSError, KeyError, ValueError, RecursionError: it is damaged (`DAMAGED`).
    """
    check_ordinary(path)
    with safe_open(path, "pt") as file:
        said = _said(file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if {name: _digest(tensor) for name, tensor in tensors.items()} != said["tensors"]:
            raise ValueError("other tensors")
        return tensors, said["about"]


def about(path: Path) -> dict[str, Any] | None:
    """Return what was said about the tensors of a file, without reading them; None as `read`."""
    with _told(path):
        check_ordinary(path)
        with safe_open(path, "pt") as file:
            found: dict[str, Any] = _said(file)["about"]
            return found
    return None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say that a file is damaged, where it cannot be read; say nothing where there is none."""
    try:
        yield
    except FileNotFoundError:
        pass
    except DAMAGED:
        say_damaged(path)


def _said(file: Any) -> dict[str, Any]:
    metadata = file.metadata() or {}
    text = metadata["said"]
    if _digest_of(text.encode()) != metadata["digest"]:
        raise ValueError("other words")
    said: dict[str, Any] = json.loads(text)
    return said


def _digest(tensor: Tensor) -> str:
    """Return a digest of a tensor's format, shape and values."""
    head = f"{tensor.dtype}:{tuple(tensor.shape)}:".encode()
    return _digest_of(head, tensor.reshape(-1).view(torch.uint8).numpy().data)


def _digest_of(*parts: "bytes | memoryview") -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
