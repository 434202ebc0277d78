"""How work is cut and done on a kind of device: the one place that tells devices apart.

A CPU is fast while rows stay in its cache, and starts an operation in no time. A GPU wants few
large operations, each of which it takes several microseconds to start. None of this changes a
result but in the order of its sums.
"""

from dataclasses import dataclass

import torch
from torch.utils._triton import has_triton


@dataclass(frozen=True)
class Tuning:
    """What suits a kind of device."""

    block: int  # elements of the rows that are worked on between two products
    rows: int  # evaluation holds the logits of so many rows at a time …
    columns: int  # … and so many types
    run: int  # among so many elements at a time, the place of the largest is looked for
    logits: int  # training holds at most so many logits at a time
    joined: int  # a text's [c ; x] is laid out once, where it is narrow and has so few elements
    fused: bool  # the loss is PyTorch's attention, tile by tile
    captured: bool  # the steps of the recurrence are captured as a graph
    multiple: int  # widths of products are filled up with zeros to a multiple of this
    transposed: int  # a product with a transposed matrix makes at most so many columns at once
    packed: bool  # the head is laid out once as the device reads it, where that changes no bit
    wide: bool  # a product of bfloat16 factors can be had in float32
    by_rows: bool  # columns are added up by groups of rows, which stay in the cache of a thread
    at_hand: bool  # the host can read a number without waiting for the device
    by_type: bool  # gradients of equal types are added up before they are multiplied
    compiled: bool  # chains of elementwise operations are compiled


TABLE = {
    "cpu": Tuning(
        block=2**19,  # 2 MiB in float32
        rows=1024,
        columns=4096,  # 16 MiB
        run=64,
        logits=2**24,  # 64 MiB
        joined=2**27,  # 512 MiB
        fused=True,
        captured=False,
        multiple=1,
        transposed=1024,  # for more of them, its library may take a quarter longer for each one
        packed=True,
        wide=False,
        by_rows=True,
        at_hand=True,
        by_type=True,
        compiled=False,
    )
}
GPU = Tuning(
    block=2**26,  # whole chunks, and 256 MiB in float32
    rows=8192,
    columns=2**31,  # all of them
    run=2**31,
    logits=2**30,
    joined=0,
    fused=False,
    captured=True,
    multiple=8,  # 16 bytes in bfloat16, below which a GPU takes its slow kernels
    transposed=2**31,  # all of them
    packed=False,
    wide=True,
    by_rows=False,
    at_hand=False,
    by_type=False,  # a frequent type would be one thread's walk over its rows
    compiled=True,
)


def tuning(device: torch.device) -> Tuning:
    """Return what suits a device: the values of its kind, or those of a GPU."""
    return TABLE.get(device.type, GPU)


def compiles(device: torch.device) -> bool:
    """Say whether chains of operations shall be compiled for a device, and a compiler is there."""
    at_hand = has_triton() if device.type == "cuda" else device.type in TABLE
    return tuning(device).compiled and at_hand


def without_tiles() -> bool:
    """Say whether the CPU has bfloat16 instructions but no tiles (AMX).

    What changes no bit of a product was shown on CPUs of this kind, and is not done on others.
    """
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16", False) and not known.get("amx_bf16", False))


def filled(width: int, multiple: int) -> int:
    """Return the least multiple that is not below a width."""
    return -(-width // multiple) * multiple


def pieces(total: int, size: int) -> list[slice]:
    """Cut a range into slices of `size`, the last of which may be shorter."""
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]


def even_pieces(total: int, most: int) -> list[slice]:
    """Cut a range into as few slices as have at most `most`, and about the same size."""
    number = max(1, -(-total // most))
    return pieces(total, max(1, -(-total // number)))
