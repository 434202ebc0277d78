"""Work captured once as a CUDA graph and then replayed: one launch in place of thousands."""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch

Outputs = TypeVar("Outputs")


class Captured(Generic[Outputs]):
    """Work on tensors that stay where they are, all on one GPU, and what it returns.

    Streams and graphs belong to the current GPU, which need not be the one that is worked on. So
    everything happens while `device` is the current one. The work is done once before it is
    captured, so that libraries have set up all that it needs; so what it changes is changed, and
    `first` is what it returned.
    """

    def __init__(self, work: Callable[[], Outputs], device: torch.device) -> None:
        self._device = device
        with torch.cuda.device(device):
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self.first = work()
            torch.cuda.current_stream().wait_stream(side)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self.outputs = work()

    def replay(self) -> Outputs:
        """Do the work again on what the tensors hold now; return the outputs, written anew."""
        with torch.cuda.device(self._device):
            self._graph.replay()
        return self.outputs
