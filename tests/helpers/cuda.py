"""A GPU as tests use it: what is compiled, what waits, and how much memory there is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from fpcore.model import fused, tuning

needs_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is there")
CARD = torch.device("cuda")
CHAINS = [chain for chain in vars(fused).values() if isinstance(chain, fused.Fused)]


def set_compiled(patch: pytest.MonkeyPatch, compiled: bool) -> None:
    """Compile chains on the card from here on, each anew, or leave them as they are written."""
    patch.setattr(tuning, "GPU", replace(tuning.GPU, compiled=compiled))
    torch._dynamo.reset()
    for chain in CHAINS:
        patch.setattr(chain, "_made", {})


def left_uncompiled() -> list[str]:
    """The chains that were called and that nothing could compile."""
    return [c._chain.__name__ for c in CHAINS if c._chain in c._made.values()]


@contextmanager
def no_waits() -> Iterator[None]:
    """Fail where the host waits for the card."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@contextmanager
def room(size: int) -> Iterator[None]:
    """Leave PyTorch so many bytes more than it holds."""
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(CARD).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + size) / whole)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
