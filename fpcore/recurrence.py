"""The true recurrence of the ContextBlock, a token after the other (spec section 2).

Shapes: S steps taken at a time, D context width. `rows` are W_x·x + b of those steps by layer,
each [S, D].
"""

import torch
from torch import Tensor

from fpcore.model import EPS, ContextBlock


class Steps:
    """Takes steps from a zero context; each call goes on where the last one ended."""

    size = 4096  # steps whose contexts are collected at a time

    def __init__(self, block: ContextBlock) -> None:
        D = block.context_dim
        self._weights = [linear.weight[:, :D].contiguous() for linear, _ in block.layers()]
        self._norms = [(norm.weight, norm.bias) for _, norm in block.layers()]
        self._c = self._weights[0].new_zeros(D)

    def take(self, rows: list[Tensor]) -> list[Tensor]:
        """Return the contexts of every layer after each step, [S, D]."""
        contexts, self._c = self._walk(self._c, rows)
        return contexts

    def _walk(self, c: Tensor, rows: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        walked: list[list[Tensor]] = [[] for _ in rows]
        for token in zip(*(layer.unbind() for layer in rows), strict=True):
            for row, weight, (scale, shift), steps in zip(
                token, self._weights, self._norms, walked, strict=True
            ):
                z = torch.addmv(row, weight, c).relu_().add_(c)
                c = torch.layer_norm(z, c.shape, scale, shift, EPS)
                steps.append(c)
        return [torch.stack(steps) for steps in walked], c


class CapturedSteps(Steps):
    """The same on a GPU: the steps are captured once as a CUDA graph and then replayed.

    A step is a few small kernels, so launching them one by one would take most of the time.
    """

    size = 256

    def __init__(self, block: ContextBlock) -> None:
        super().__init__(block)
        D, layers = block.context_dim, len(self._weights)
        self._rows = [self._c.new_zeros(self.size, D) for _ in range(layers)]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # once outside the graph, so that libraries set up
            self._walk(self._c, [rows[:1] for rows in self._rows])
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._contexts, last = self._walk(self._c, self._rows)
            self._c.copy_(last)

    def take(self, rows: list[Tensor]) -> list[Tensor]:
        """Return the contexts of every layer after each step, [S, D], S at most `size`."""
        steps = len(rows[0])
        for static, layer in zip(self._rows, rows, strict=True):
            static[:steps] = layer
        self._graph.replay()
        return [layer[:steps] for layer in self._contexts]
