"""In which number formats a run stores and multiplies, resolved once from config and device.

bfloat16 keeps the range of float32 with 8 bits of precision. Where a device multiplies it
natively, a product is several times faster than in float32; the library rounds the factors and
adds up in float32. Everything else stays in float32: sums, norms, LayerNorm, softmax, parameters,
gradients and Adam.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fpcore.config.run_config import RunConfig
from fpcore.errors import ConfigError
from fpcore.model.tuning import even_pieces, tuning, without_tiles

THREADS = 8  # up to which the pieces of products were compared with the whole
NATIVE_CPU = ("amx_bf16", "avx512_bf16")
NATIVE_CUDA = (8, 0)  # compute capability


@dataclass(frozen=True)
class Precision:
    """The formats of a run; `name` is how records call them."""

    name: str
    store: torch.dtype  # parameters, sums, norms, softmax, gradients
    product: torch.dtype  # what the factors of large matrix products are rounded to
    contexts: torch.dtype  # the contexts P [N, D] between iterations


def resolve(config: RunConfig, device: torch.device) -> Precision:
    """Return the formats that `precision` and `bfloat16_contexts` mean on a device.

    Raises:
        ConfigError: bfloat16 contexts where products are not in bfloat16.
    """
    name = config.precision
    if name == "auto":
        name = "bfloat16" if multiplies_bfloat16(device) else "float32"
    if config.bfloat16_contexts and name != "bfloat16":
        raise ConfigError(
            f"bfloat16_contexts needs bfloat16 products, but precision {config.precision} means "
            f"{name} on this {device.type}; set bfloat16_contexts to false."
        )
    product = getattr(torch, name)
    contexts = torch.bfloat16 if config.bfloat16_contexts else stored_dtype(config)
    return Precision(name, stored_dtype(config), product, contexts)


def device_of(name: str) -> torch.device:
    """Return the device that the knob `device` means on this machine.

    Raises:
        ConfigError: a GPU that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device {name} is not on this machine; use auto or cpu.")
    return device


def stored_dtype(config: RunConfig) -> torch.dtype:
    """Return the format of parameters and sums, which does not depend on the device."""
    return torch.float64 if config.precision == "float64" else torch.float32


def multiplies_bfloat16(device: torch.device) -> bool:
    """Say whether a device has instructions for bfloat16 products."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= NATIVE_CUDA
    return any(torch.cpu.get_capabilities().get(name, False) for name in NATIVE_CPU)


def product(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a·b of matrices; in `dtype`, which may be wider, where the device has such products.

    Elsewhere the result has the format of the factors.
    """
    if a.dtype != dtype and tuning(a.device).wide:
        return torch.mm(a, b, out_dtype=dtype)
    return a @ b


def add_transposed(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add aᵀ·b to `total`, which may be in a wider format; what fills up the factors is cut."""
    for part in _columns(b):
        _add_product(total[:, part], a.T, b[:, part])


def write_transposed(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Write aᵀ·b to `total`, all in one format."""
    parts = _columns(b)
    if len(parts) == 1:  # in a small step, two views more can be told
        torch.mm(a.T, b, out=total)
        return
    for part in parts:
        torch.mm(a.T, b[:, part], out=total[:, part])


def _columns(b: Tensor) -> list[slice]:
    """Cut columns as the device multiplies fastest, where that changes no bit.

    A library may add up in another order for fewer columns: in float64 it does.
    """
    width, most = b.shape[1], tuning(b.device).transposed
    if width <= most or b.dtype == torch.float64 or not pieces_are_whole():
        return [slice(None)]
    return even_pieces(width, most)


def pieces_are_whole() -> bool:
    """Say whether pieces of a product have the bits of the whole on a CPU of this kind.

    Among many threads a library may share out a sum, by the number of columns: from 12 on it does.
    """
    return without_tiles() and torch.get_num_threads() <= THREADS


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    rows, columns = total.shape
    if total.dtype == a.dtype and (rows, columns) == (len(a), b.shape[1]):
        total.addmm_(a, b)
    else:
        total.add_(product(a, b, total.dtype)[:rows, :columns])


@contextmanager
def rounded_products(product: torch.dtype) -> Iterator[None]:
    """Within it, float32 products may round their factors: to bfloat16 on a CPU, TF32 on a GPU.

    A CPU does so where it has tile instructions (AMX); another takes kernels that round nothing,
    and are faster than its usual ones. The result stays in float32, so code needs no casts. It
    suits small products; for large ones it is cheaper to round the factors once. With float32 as
    `product` nothing is rounded, not even in an LSTM, which cuDNN would otherwise compute in TF32;
    and no sum is ever rounded midway.

    PyTorch's older getters refuse to answer while a format is set by operator alone; behind it,
    they answer as before.
    """
    backends, rounded = torch.backends, product == torch.bfloat16
    on_gpu = "tf32" if rounded else "ieee"
    formats: list[tuple[Any, str, object]] = [
        (backends.mkldnn.matmul, "fp32_precision", "bf16" if rounded else "ieee"),  # type: ignore[attr-defined]
        (backends.cuda.matmul, "fp32_precision", on_gpu),
        (backends.cudnn.rnn, "fp32_precision", on_gpu),
        (backends.cuda.matmul, "allow_bf16_reduced_precision_reduction", False),
    ]
    before = [getattr(where, name) for where, name, _ in formats]
    try:
        for where, name, value in formats:
            setattr(where, name, value)
        yield
    finally:
        for (where, name, _), value in zip(formats, before, strict=True):
            setattr(where, name, value)
