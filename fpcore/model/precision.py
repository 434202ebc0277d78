"""In which number formats a run stores and multiplies, resolved once from config and device.

bfloat16 keeps the range of float32 with 8 bits of precision. Where a device multiplies it
natively, a product is several times faster than in float32; the library rounds the factors and
adds up in float32. Everything else stays in float32: sums, norms, LayerNorm, softmax, parameters,
gradients and Adam.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from fpcore.config.run_config import RunConfig
from fpcore.errors import ConfigError

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


@contextmanager
def rounded_products(product: torch.dtype) -> Iterator[None]:
    """Within it, float32 products round their factors: to bfloat16 on a CPU, TF32 on a GPU.

    The result stays in float32, so code needs no casts. It suits small products; for large ones
    it is cheaper to round the factors once.
    """
    matmul = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    on_gpu = torch.backends.cuda.matmul
    before, before_on_gpu = matmul.fp32_precision, on_gpu.fp32_precision
    rounded = product == torch.bfloat16
    matmul.fp32_precision = "bf16" if rounded else "ieee"
    on_gpu.fp32_precision = "tf32" if rounded else "ieee"
    try:
        yield
    finally:
        on_gpu.fp32_precision = before_on_gpu
        matmul.fp32_precision = before
