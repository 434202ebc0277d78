"""The recurrent baseline: one LSTM layer (Hochreiter & Schmidhuber 1997)."""

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor] | None


class Lstm(nn.Module):
    """An LSTM from width E to its own width W; B streams of T tokens."""

    def __init__(self, input_width: int, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_width, width, batch_first=True)

    def forward(self, x: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Return outputs [B, T, W] for inputs [B, T, E], and the state to go on from.

        The state carries no gradient: backpropagation ends at the start of the segment.
        """
        h, (hidden, cell) = self.lstm(x, state)
        return h, (hidden.detach(), cell.detach())

    @torch.no_grad()
    def read(self, x: Tensor) -> Tensor:
        """Return outputs [M, W] for a whole text [M, E], the state carried from its start."""
        h: Tensor = self.lstm(x[None])[0][0]
        return h
