"""Chains of elementwise operations as one kernel, where the device profits and a compiler is there.

The chain itself is ordinary PyTorch and always works; compiled it gives the same numbers but for
rounding. On a CPU a compiled chain of the noise takes less than half the time, but the records
that were made there have the other rounding, so it is not used.
"""

import itertools
import threading
import time
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental import _config
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves, tree_map_only

from fpcore.model.optimiser import gradient_of
from fpcore.stats.draws import normal_rows

Saved = tuple[Tensor, Tensor]  # LayerNorm's result before scale and shift [R, D], 1/std [R, 1]
Slopes = tuple[Tensor, Tensor, Tensor]  # a gradient's constant [D], and factors [D] and [1]
Rows = tuple[Tensor, Tensor, Tensor, Tensor]  # scale and shift [D], and room for what is saved

EPS = 1e-5  # what every LayerNorm adds to the variance
ROUNDING = 64  # a spread of up to so many units of rounding error counts as none
ROWS = (4096, 8192, 512)  # that kernels are made for, those of other numbers being the same ones
LARGEST = 2**28  # elements of what they are made with: 1 GiB in float32
OPTIONS: dict[str, Any] = {"deterministic": True}  # nothing is chosen by timing
_spent, _numbers = [0.0], itertools.count()
_ONE_AT_A_TIME = threading.RLock()  # whether PyTorch compiles is a setting of the process


class Fused:
    """A chain that writes to tensors it is given, compiled once for texts of every length.

    For each kind of call (formats, widths, what is left out) kernels are made for ROWS rows, in
    this order whatever rows came first. A compiler may make one for few rows and one for many; its
    choices are the kernels' conditions, so at most one of them takes a given number of rows. Rows
    that none takes, such as a single one, are done as the chain is written. So what a text gives
    never depends on what the process did before.
    """

    def __init__(self, chain: Callable[..., None]) -> None:
        self._chain = chain
        self._made: dict[tuple[Any, ...], Callable[..., None]] = {}

    def __call__(self, *given: Any) -> None:
        """Do the chain; a kind of call that is new is compiled before, which is timed."""
        kind = _state(), *(_layout(leaf) for leaf in tree_leaves(given))
        with _ONE_AT_A_TIME:
            if kind not in self._made:
                start = time.perf_counter()
                self._made[kind] = self._compiled(given)
                _spent[0] += time.perf_counter() - start
            with torch.compiler.set_stance("eager_on_recompile"):
                self._made[kind](*given)

    def _compiled(self, given: tuple[Any, ...]) -> Callable[..., None]:
        """Return the chain compiled for calls of this kind, or as it is where nothing compiles."""
        compiled: Callable[..., None] = torch.compile(
            _copied(self._chain), dynamic=True, options=OPTIONS
        )
        try:
            # Otherwise lengths that are equal here would have to be so later.
            with _config.patch(use_duck_shape=False):  # type: ignore[attr-defined]
                for rows in _rows(given):
                    compiled(*tree_map_only(Tensor, _Stands(rows), given))
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # compilers fail in many ways, none of which matters here
            warnings.warn(f"The slower path is used, for nothing compiles: {error}", stacklevel=3)
            return self._chain
        return compiled


def _copied(chain: Callable[..., None]) -> Callable[..., None]:
    """Return a chain as a function of its own: PyTorch keeps kernels and what it met by code."""
    assert isinstance(chain, FunctionType)
    code = chain.__code__.replace(co_name=f"{chain.__name__}_{next(_numbers)}")
    return FunctionType(code, chain.__globals__, closure=chain.__closure__)


def _state() -> tuple[Any, ...]:
    """Return the settings that are no part of a chain, but that PyTorch makes kernels for."""
    products = torch.backends.cuda.matmul
    return (
        products.fp32_precision,
        products.allow_bf16_reduced_precision_reduction,
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        *(torch.is_autocast_enabled(kind) for kind in ("cuda", "cpu")),
        torch.are_deterministic_algorithms_enabled(),
    )


def _rows(given: tuple[Any, ...]) -> list[int]:
    """Return the numbers of rows to make kernels for, as far as there is room."""
    matrices = [t for t in tree_leaves(given) if isinstance(t, Tensor) and t.ndim > 1]
    widest = max((t.stride(0) for t in matrices), default=1)
    return [rows for rows in ROWS if rows * widest <= LARGEST] or [*ROWS[-1:]]


def _layout(leaf: Any) -> Any:
    """Return what a kernel depends on of an argument: all but the number of rows."""
    if isinstance(leaf, Tensor):
        wide = leaf.shape[leaf.ndim > 1 :]
        return leaf.ndim, wide, leaf.stride(), leaf.dtype, leaf.device
    return (type(leaf), leaf.weight.shape) if isinstance(leaf, nn.LayerNorm) else leaf


class _Stands:
    """Makes zeros to compile for: matrices have so many rows, whatever the first text has.

    The compiler is told that all other lengths stay. A tensor that is given twice is one.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._made: dict[int, Tensor] = {}

    def __call__(self, given: Tensor) -> Tensor:
        """Return what stands for a tensor."""
        if isinstance(given, nn.Parameter):
            return given
        if id(given) not in self._made:
            self._made[id(given)] = self._zeros(given)
        return self._made[id(given)]

    def _zeros(self, given: Tensor) -> Tensor:
        if given.ndim < 2:
            made = torch.zeros_like(given)
        elif given._base is None:
            made = given.new_zeros(self._rows, given.shape[1])
        else:  # part of a larger one, as it is
            whole = given.new_zeros(self._rows + 1, given.stride(0))
            made = whole[: self._rows, : given.shape[1]]
        for n in range(given.ndim > 1, given.ndim):
            torch._dynamo.mark_static(made, n)
        return made


def spent() -> float:
    """Return the seconds that compiling has taken in this process."""
    return _spent[0]


def add_noise(
    rows: Tensor,
    columns: Tensor,
    before: Tensor,
    old: Tensor,
    std: Tensor,
    outs: tuple[Tensor, Tensor | None],
) -> None:
    """Write to the first of `outs` [R, D] the contexts of the tokens before, and noise.

    Those are `before` [D] and all but the last of `old` [R, D]; `rows` [R, 1] and `columns` [D/2]
    are keys of the noise, `std` [1] is its standard deviation. The second of `outs`, where it is
    given, gets the same in its format.
    """
    noise = normal_rows(rows, columns, old.shape[1], outs[0].dtype)
    found = torch.cat([before.unsqueeze(0), old[:-1]]) + std * noise
    for out in outs:
        if out is not None:
            out.copy_(found)


def normalise(logits: Tensor, p: Tensor, log_sum: Tensor) -> None:
    """Write the softmax of logits [B, V] to `p` [B, V], and its divisor's logarithm to `log_sum`.

    The latter is [B, 1].
    """
    # So written, a compiler finds maximum and sum in one pass.
    top = logits.amax(1, keepdim=True)
    powers = torch.exp(logits - top)
    whole = powers.sum(1, keepdim=True)
    log_sum.copy_(top + whole.log())
    p.copy_(powers / whole)


def settle(c: Tensor, z: Tensor, rows: Rows, out: Tensor) -> None:
    """Write LayerNorm(c + ReLU(z)) to `out` [R, D], from c and z of that shape."""
    out.copy_(_settle(c, z, rows))


def arrive(
    c: Tensor, z: Tensor, old: Tensor, rows: Rows, rooms: tuple[Tensor, Tensor, Tensor, Tensor]
) -> None:
    """Let LayerNorm(c + ReLU(z)) take the place of `old`, all [R, D].

    `rooms` get the change [R, D] and its norm by row [R, 1]; the sums of the new rows [D] and that
    of their squares [1] are added to the other two, which may be in a wider format. (A compiler
    loses what is added to a tensor without dimensions.)
    """
    change, distance, total, squares = rooms
    new = _settle(c, z, rows)
    found = new - old
    change.copy_(found)
    distance.copy_(found.square().sum(1, keepdim=True).sqrt())
    total.add_(new.sum(0))
    squares.add_(new.square().sum(1).sum(0, keepdim=True))
    old.copy_(new)


def _settle(c: Tensor, z: Tensor, rows: Rows) -> Tensor:
    scale, shift, normed, rstd = rows
    joined = c + torch.relu(z).to(c.dtype)
    variance, mean = torch.var_mean(joined, 1, correction=0, keepdim=True)
    inverse = torch.rsqrt(variance + EPS)
    found = (joined - mean) * inverse
    normed.copy_(found)
    rstd.copy_(inverse)
    return found * scale + shift


def step(c: Tensor, z: Tensor, row: Tensor, norm: tuple[Tensor, Tensor], out: Tensor) -> None:
    """Write LayerNorm(c + ReLU(z + row)) to `out` [D], from c, z and row of that shape."""
    joined = c + torch.relu(z + row)
    out.copy_(F.layer_norm(joined, joined.shape, norm[0], norm[1], EPS))


def conclude(
    told: tuple[Tensor, Tensor, Tensor],
    norm: nn.LayerNorm,
    weight: Tensor,
    knobs: Tensor,
    sums: Tensor,
    slopes: Slopes,
) -> None:
    """Add a chunk's terms of the loss to `sums` [3], and write what its gradient is made of.

    `told` are what `arrive` left of the chunk: norms of changes [B, 1], sums [D], squares [1]; the
    chunk's gradient shall weigh `weight` [1]; dist_reg_weight and the threshold are `knobs` [2].
    """
    distance, total, squares = told
    rows, width, (w, threshold) = len(distance), len(total), knobs.unbind()
    change = distance.square() / width
    square = squares - total.square().sum(0, keepdim=True) / rows
    noise = ROUNDING * torch.finfo(distance.dtype).eps * squares
    spread = torch.where(square > noise, square, 0.0).sqrt()
    few = change.sum(0), -spread, (change < threshold).sum(0)
    sums.add_(torch.cat([one.to(sums.dtype) for one in few]))
    push = weight * w / rows * torch.where(spread > 0, 1 / spread, 0.0)
    slopes[0].copy_(push * (total / rows - norm.bias))
    slopes[1].copy_(-push * norm.weight)
    slopes[2].copy_(weight * 2 * (1 - w) / (rows * width))


def depart(
    slopes: tuple[Tensor, Tensor, Tensor, Tensor],
    saved: Saved,
    norm: nn.LayerNorm,
    z: Tensor,
    out: Tensor | None,
) -> None:
    """Do `go_back` from the loss, whose gradient `slopes` give: constant, two factors, change."""
    constant, slope, pull, change = slopes
    go_back(constant + saved[0] * slope + pull * change, saved, norm, z, out)


def go_back(
    gradient: Tensor, saved: Saved, norm: nn.LayerNorm, z: Tensor, out: Tensor | None
) -> None:
    """Write to `z` and to `out` [R, D] the gradients before ReLU and before LayerNorm.

    `gradient` is that of LayerNorm's output, `z` held the sums before ReLU, `saved` is what a layer
    left. The gradients of scale and shift are added to those of `norm`.
    """
    normed, rstd = saved
    gradient_of(norm.bias).add_(gradient.sum(0))
    gradient_of(norm.weight).add_((gradient * normed).sum(0))
    scaled = gradient * norm.weight
    found = scaled - scaled.mean(1, keepdim=True)
    found = rstd * (found - normed * (scaled * normed).mean(1, keepdim=True))
    z.copy_(torch.where(z > 0, found, 0.0))
    if out is not None:
        out.copy_(found)


noisy = Fused(add_noise)
normalised = Fused(normalise)
settled = Fused(settle)
arrived = Fused(arrive)
concluded = Fused(conclude)
stepped = Fused(step)
departed = Fused(depart)
gone_back = Fused(go_back)
