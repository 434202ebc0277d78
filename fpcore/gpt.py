"""The attention baseline: a small causal pre-norm transformer (Radford et al. 2019).

Positions are sinusoids (Vaswani et al. 2017), so they take no parameters.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LAYERS = 2
HEADS = 4
FEED_FORWARD = 4  # times the width


class Gpt(nn.Module):
    """LAYERS transformer layers of width W over windows of at most `window` tokens."""

    def __init__(self, input_width: int, width: int, window: int) -> None:
        super().__init__()
        self.window = window
        same = input_width == width
        self.enter = nn.Identity() if same else nn.Linear(input_width, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                HEADS,
                FEED_FORWARD * width,
                dropout=0.0,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(LAYERS)
        )
        self.positions: Tensor
        self.mask: Tensor
        self.register_buffer("positions", sinusoids(window, width), persistent=False)
        blocked = torch.full((window, window), -math.inf).triu(1)
        self.register_buffer("mask", blocked, persistent=False)

    def forward(self, x: Tensor, state: None = None) -> tuple[Tensor, None]:
        """Return outputs [B, T, W] for inputs [B, T, E], T ≤ window; no state is carried."""
        length = x.shape[1]
        h = self.enter(x) + self.positions[:length]
        for layer in self.layers:
            layer = cast(nn.TransformerEncoderLayer, layer)
            h = layer(h, src_mask=self.mask[:length, :length], is_causal=True)
        return h, state

    @torch.no_grad()
    def read(self, x: Tensor) -> Tensor:
        """Return outputs [M, W] for a whole text [M, E], each position once.

        Windows move on by half their length and give their second half (the first one all of
        it), so every position after the first half window sees at least `window` / 2 before it.
        """
        half = self.window // 2
        rows = max(2, math.ceil(len(x) / half)) * half
        padded = F.pad(x, (0, 0, 0, rows - len(x)))  # causal: what is padded behind is never seen
        windows = padded.unfold(0, self.window, half).transpose(1, 2)
        h, _ = self(windows)
        return torch.cat([h[0, :half], h[:, half:].flatten(0, 1)])[: len(x)]


def sinusoids(length: int, width: int) -> Tensor:
    """Return position vectors [length, width]: sines, then cosines, of falling frequencies."""
    frequencies = 10_000 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(length)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1)[:, :width]
