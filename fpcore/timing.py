"""Seconds by stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Counts on from the seconds that were measured before."""

    def __init__(self, before: float = 0.0) -> None:
        self._start = time.perf_counter() - before

    def seconds(self) -> float:
        """Return the seconds so far."""
        return time.perf_counter() - self._start


@contextmanager
def timed(seconds: dict[str, float], stage: str, device: torch.device) -> Iterator[None]:
    """Add the time until the device has done the work within it to `seconds[stage]`."""
    watch = Stopwatch(seconds.get(stage, 0.0))
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds[stage] = round(watch.seconds(), 3)
