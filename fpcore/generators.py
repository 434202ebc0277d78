"""Random generators that depend on what they are for, and on nothing else.

Each draw names its purpose, so resuming, sharing or reordering work cannot change a result, and
phase 2 cannot disturb phase 1.
"""

import hashlib

import torch


def generator(
    seed: int, *purpose: str | int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Return a generator made from the seed and its purpose, for example (42, "noise", 7, 0)."""
    text = "/".join(str(word) for word in (seed, *purpose))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return torch.Generator(device).manual_seed(number)


def noise(seed: int, iteration: int, chunk: int, like: torch.Tensor) -> torch.Tensor:
    """Draw standard normal noise, shaped as `like`, for a chunk of a phase-1 iteration."""
    source = generator(seed, "noise", iteration, chunk, device=like.device)
    return torch.randn(like.shape, generator=source, dtype=like.dtype, device=like.device)
