"""Random generators that depend on what they are for, and on nothing else.

Each draw names its purpose, so resuming, sharing or reordering work cannot change a result, and
phase 2 cannot disturb phase 1.
"""

import hashlib
import math

import torch
from torch import Tensor

FACTORS = (0x21F0AAAD, 0x735A2D97)  # the odd factors of the well-tested hash "lowbias32"
RADIUS = 62 * math.log(2) + 1e-5  # a little above the largest logarithm, so no root is negative


def generator(
    seed: int, *purpose: str | int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Return a generator made from the seed and its purpose, for example (42, "noise", 7, 0)."""
    text = "/".join(str(word) for word in (seed, *purpose))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return torch.Generator(device).manual_seed(number)


class Noise:
    """Standard normal noise [B, D] for a chunk of a phase-1 iteration, drawn by rows.

    PyTorch's own generator is serial, and on a CPU it would take longer than a bfloat16 product.
    Here every row and every pair of columns gets a random key; the hash of their sum makes the 32
    bits of a pair of numbers. So any rows can be drawn, by any number of threads, on any device.
    """

    def __init__(self, seed: int, iteration: int, chunk: int, like: Tensor) -> None:
        rows, self._width = like.shape
        self._half = (self._width + 1) // 2
        keys = torch.empty(rows + self._half, dtype=torch.int32)
        keys.random_(-(2**31), 2**31, generator=generator(seed, "noise", iteration, chunk))
        rows_columns = keys.to(like.device).split([rows, self._half])
        self._rows, self._columns = rows_columns[0].unsqueeze(1), rows_columns[1]

    def draw(self, part: slice, out: Tensor) -> Tensor:
        """Fill `out` with the noise of some rows, and return it."""
        bits = _hash(self._rows[part] + self._columns)
        left, right = out.split([self._half, self._width - self._half], dim=1)
        # Box and Muller: a radius from all bits, of which the high ones count, and an angle from
        # the low 16. The quarter keeps the logarithm finite where all bits are zero.
        radius = bits.to(out.dtype)
        torch.addcmul(radius.new_tensor(0.25), radius, radius, out=radius)
        torch.sub(radius.new_tensor(RADIUS), radius.log_(), out=radius).sqrt_()
        angle = left.copy_(bits.bitwise_left_shift_(16)).mul_(math.pi / 2**31)
        torch.sin(angle[:, : right.shape[1]], out=right).mul_(radius[:, : right.shape[1]])
        angle.cos_().mul_(radius)
        return out


def noise(seed: int, iteration: int, chunk: int, like: Tensor) -> Tensor:
    """Draw standard normal noise, shaped as `like`, for a chunk of a phase-1 iteration."""
    return Noise(seed, iteration, chunk, like).draw(slice(None), torch.empty_like(like))


def _hash(bits: Tensor) -> Tensor:
    """Mix 32-bit integers in place."""
    for factor in FACTORS:
        bits.bitwise_xor_(bits >> 15).mul_(factor)
    return bits
