"""CUDA graphs without CUDA: what is captured is recorded, and done again into the same outputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Recording(TorchDispatchMode):
    """Operations with their arguments and outputs, as they are called within it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[tuple[Any, tuple[Any, ...], dict[str, Any], list[Tensor]]] = []
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self._remember(func, args, kwargs or {})
        out = func(*args, **(kwargs or {}))
        self.steps.append((func, args, kwargs or {}, _tensors(out)))
        return out

    def _remember(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Keep what lies in the memory that an operation writes to, from before the first one."""
        for n, argument in enumerate(func._schema.arguments):
            if argument.alias_info and argument.alias_info.is_write:
                for tensor in _tensors(kwargs.get(argument.name, args[n : n + 1])):
                    memory = tensor.untyped_storage()
                    self._before.setdefault(memory.data_ptr(), (memory, memory.clone()))

    def undo(self) -> None:
        """Give all memory that was written to what it held before: a capture computes nothing."""
        for memory, before in self._before.values():
            memory.copy_(before)

    def work(self) -> list[str]:
        """Return the operations by name, without memory that is only taken: some is kept."""
        names = [str(func) for func, *_ in self.steps]
        return [name for name in names if not name.startswith("aten.new_empty")]

    def replay(self) -> None:
        """Do everything again, on what the arguments hold now; views need nothing."""
        for func, args, kwargs, outputs in self.steps:
            if not func.is_view:
                again = _tensors(func(*args, **kwargs))
                for old, new in zip(outputs, again, strict=True):
                    old.copy_(new)


class Cuda:
    """Stands for `torch.cuda`: the current device, streams, and graphs that record.

    `log` holds what was done, on which device and in which stream; `warm` and `captured` are the
    operations of either, by name.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.current: Any = "cuda:0"
        self.log: list[tuple[str, Any]] = []
        self.warm: list[str] = []
        self.captured: list[str] = []
        for name in ("device", "stream", "graph"):
            patch.setattr(torch.cuda, name, getattr(self, name))
        patch.setattr(torch.cuda, "Stream", self._made("stream"))
        patch.setattr(torch.cuda, "current_stream", self._made("current stream"))
        patch.setattr(torch.cuda, "CUDAGraph", self._graph)

    def _made(self, what: str) -> Any:
        def make() -> Mock:
            self.log.append((what, self.current))
            return Mock()

        return make

    def _graph(self) -> Mock:
        graph = Mock()
        graph.replay.side_effect = lambda: self._replay(graph)
        return graph

    def _replay(self, graph: Mock) -> None:
        self.log.append(("replay", self.current))
        graph.recording.replay()

    @contextmanager
    def device(self, device: torch.device) -> Iterator[None]:
        """Make a device the current one."""
        before, self.current = self.current, device
        yield
        self.current = before

    @contextmanager
    def stream(self, stream: Mock) -> Iterator[None]:
        """Record what warms up."""
        with Recording() as recording:
            yield
        self.warm = recording.work()

    @contextmanager
    def graph(self, graph: Mock) -> Iterator[None]:
        """Record what is captured."""
        self.log.append(("capture", self.current))
        with Recording() as recording:
            yield
        recording.undo()
        graph.recording = recording
        self.captured = recording.work()


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
