"""Random generators that depend on what they are for, and on nothing else.

Each draw names its purpose, so resuming, sharing or reordering work cannot change a result, and
phase 2 cannot disturb phase 1.
"""

import hashlib
import math

import torch
from torch import Tensor

FIRST_ROWS = 4096  # rows of the first contexts that share the keys of their columns
FACTORS = (0x21F0AAAD, 0x735A2D97)  # the odd factors of the well-tested hash "lowbias32"
RADIUS = 62 * math.log(2) + 1e-5  # a little above the largest logarithm, so no root is negative


def generator(
    seed: int, *purpose: str | int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Return a generator made from the seed and its purpose, for example (42, "noise", 7, 0)."""
    text = "/".join(str(word) for word in (seed, *purpose))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return torch.Generator(device).manual_seed(number)


class Room:
    """Where noise is drawn, one block of rows after another: so it stays in the cache.

    Its numbers have the format of `like`, on whose device it lies.
    """

    def __init__(self, like: Tensor) -> None:
        self.quarter, self.most = like.new_full((), 0.25), like.new_full((), RADIUS)
        self._bits = like.new_empty((2, 0), dtype=torch.int32)
        self._numbers = like.new_empty(3, 0)

    def of(self, rows: int, columns: int) -> tuple[list[Tensor], list[Tensor]]:
        """Return two arrays of 32 bits and three of numbers, all [rows, columns]."""
        size = rows * columns
        if size > self._bits.shape[1]:
            self._bits = self._bits.new_empty(2, size)
            self._numbers = self._numbers.new_empty(3, size)
        both = self._bits[:, :size], self._numbers[:, :size]
        bits, numbers = ([one.view(rows, columns) for one in some] for some in both)
        return bits, numbers


class Noise:
    """Standard normal noise [B, D] for a chunk of a phase-1 iteration, drawn by rows.

    PyTorch's own generator is serial, and on a CPU it would take longer than a bfloat16 product.
    Here every row and every pair of columns gets a random key; the hash of their sum makes the 32
    bits of a pair of numbers. So any rows can be drawn, by any number of threads, on any device.

    `keys` are those of `rows` rows and ⌈D/2⌉ pairs of columns, and lie on the device.
    """

    def __init__(self, keys: Tensor, rows: int, room: Room) -> None:
        self._half, self._room = len(keys) - rows, room
        by_row, self._columns = keys.split([rows, self._half])
        self._rows = by_row.unsqueeze(1)

    def keys(self, part: slice) -> tuple[Tensor, Tensor]:
        """Return the keys of some rows [R, 1] and of all columns, as `normal_rows` takes them."""
        return self._rows[part], self._columns

    def draw(self, part: slice, out: Tensor) -> Tensor:
        """Fill `out` with the noise of some rows, and return it."""
        (bits, spare), (radius, angle, sine) = self._room.of(len(out), self._half)
        torch.add(self._rows[part], self._columns, out=bits)
        _hash(bits, spare)
        # Box and Muller: a radius from all bits, of which the high ones count, and an angle from
        # the low 16. The quarter keeps the logarithm finite where all bits are zero.
        radius.copy_(bits)
        torch.addcmul(self._room.quarter, radius, radius, out=radius)
        torch.sub(self._room.most, radius.log_(), out=radius).sqrt_()
        # Sines of rows that lie one behind the other take half as long as those of parts of rows.
        angle.copy_(bits.bitwise_left_shift_(16)).mul_(math.pi / 2**31)
        torch.sin(angle, out=sine)
        left, right = out.split([self._half, out.shape[1] - self._half], dim=1)
        torch.mul(angle.cos_(), radius, out=left)
        torch.mul(sine[:, : right.shape[1]], radius[:, : right.shape[1]], out=right)
        return out


def normal_rows(rows: Tensor, columns: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    """Return what `Noise.draw` gives, but for rounding, from `Noise.keys`: for compilers.

    It changes nothing in place, and makes every number by itself: to join two halves, a compiler
    would write them to memory first.
    """
    place = torch.arange(width, device=rows.device)
    late = place >= len(columns)
    bits = rows + columns[torch.where(late, place - len(columns), place)]
    for factor in FACTORS:
        bits = (bits ^ (bits >> 15)) * factor
    number = bits.to(dtype)
    radius = (RADIUS - (0.25 + number * number).log()).sqrt()
    angle = (bits << 16).to(dtype) * (math.pi / 2**31)
    return (angle - late.to(dtype) * (math.pi / 2)).cos() * radius


class Noises:
    """The noise of all chunks, of so many rows each, of one phase-1 iteration after another.

    `like` [.., D] gives width, format and device. `draws` has the noise of every chunk, from keys
    that stay where they are on the device.
    """

    def __init__(self, seed: int, chunks: list[int], like: Tensor) -> None:
        half = (like.shape[1] + 1) // 2
        self._seed, self._sizes = seed, [rows + half for rows in chunks]
        self._keys = torch.empty(sum(self._sizes), dtype=torch.int32, device=like.device)
        parts, room = self._keys.split(self._sizes), Room(like)
        self.draws = [Noise(part, rows, room) for part, rows in zip(parts, chunks, strict=True)]
        self._ahead: dict[int, Tensor] = {}

    def renew(self, iteration: int) -> None:
        """Give all chunks the keys of an iteration.

        They are drawn on the CPU, the same for every device, and copied at once: a copy for each
        chunk would make the device wait.
        """
        keys = self._ahead.pop(iteration, None)
        self._keys.copy_(self._drawn(iteration) if keys is None else keys, non_blocking=True)

    def draw_ahead(self, iteration: int) -> None:
        """Draw the keys of an iteration that is to come, while the device is at work."""
        self._ahead = {iteration: self._drawn(iteration)}

    def _drawn(self, iteration: int) -> Tensor:
        pinned = self._keys.device.type == "cuda"  # from such memory no copy need be waited for
        keys = torch.empty(len(self._keys), dtype=torch.int32, pin_memory=pinned)
        for k, part in enumerate(keys.split(self._sizes)):
            source = generator(self._seed, "noise", iteration, k)
            part.random_(-(2**31), 2**31, generator=source)
        return keys


def noise(seed: int, iteration: int, chunk: int, like: Tensor) -> Tensor:
    """Draw standard normal noise, shaped as `like`, for a chunk of a phase-1 iteration."""
    rows, width = like.shape
    keys = torch.empty(rows + (width + 1) // 2, dtype=torch.int32)
    keys.random_(-(2**31), 2**31, generator=generator(seed, "noise", iteration, chunk))
    draw = Noise(keys.to(like.device), rows, Room(like))
    return draw.draw(slice(None), torch.empty_like(like))


def first_stream(device: torch.device) -> str:
    """Say which random stream the contexts of iteration 1 come from on a device."""
    return "generator" if device.type == "cpu" else "hashed rows"


def first_contexts(seed: int, out: Tensor, std: float) -> Tensor:
    """Fill `out` [N, D] with the contexts of iteration 1, N(0, std²), and return it.

    PyTorch's generators give other numbers on every kind of device. So only the CPU, where records
    were made with it, uses its own.
    """
    if first_stream(out.device) == "generator":
        return out.normal_(0, std, generator=generator(seed, "contexts"))
    return hashed_contexts(seed, out, std)


def hashed_contexts(seed: int, out: Tensor, std: float) -> Tensor:
    """Fill `out` [N, D] with normal numbers that are the same on every device, but for rounding.

    They are drawn as noise is, of iteration 1, which has none; in pieces of rows, so that few rows
    share a key, and drawing takes little memory.
    """
    for k, part in enumerate(out.split(FIRST_ROWS)):
        wide = torch.empty_like(part, dtype=torch.promote_types(out.dtype, torch.float32))
        part.copy_(noise(seed, 1, k, wide).mul_(std))
    return out


def _hash(bits: Tensor, spare: Tensor) -> None:
    """Mix 32-bit integers in place, with as much room to spare."""
    for factor in FACTORS:
        torch.bitwise_right_shift(bits, 15, out=spare)
        bits.bitwise_xor_(spare).mul_(factor)
