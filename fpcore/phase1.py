"""Phase 1: train the ContextBlock until the contexts settle (spec section 2).

The recurrence is replaced by one parallel step per iteration: the input context of token i is the
context P[i-1] of the previous iteration. `P` [N, D] is updated in place, chunk by chunk.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fpcore.config import RunConfig
from fpcore.errors import TrainingError
from fpcore.generators import generator, noise
from fpcore.metrics import is_converged
from fpcore.model import ContextBlock, Inputs

FIRST_STD = 0.01  # of the contexts that iteration 1 draws
FIRST_STOP = 5  # the first iteration that may stop on the convergence rate


@dataclass
class Sums:
    """What one iteration adds up over its chunks, weighted by tokens; kept on the device."""

    fixed: Tensor
    diverse: Tensor
    converged: Tensor

    @classmethod
    def zero(cls, like: Tensor) -> "Sums":
        """Return sums of nothing, in double precision on the device of `like`."""
        return cls(*(torch.zeros((), dtype=torch.float64, device=like.device) for _ in range(3)))


@dataclass
class Phase1:
    """The result: the last contexts P [N, D] (noise included) and one trace row per iteration.

    A row has `iteration` (from 2: iteration 1 only draws), `convergence_rate`, `loss`,
    `fixed_point_loss`, `diversity_loss` (token-weighted means, the two terms before their
    weights), `grad_norm` (before clipping) and `clipped`.
    """

    contexts: Tensor
    trace: list[dict[str, Any]] = field(default_factory=list)

    @property
    def iterations(self) -> int:
        """The iterations run, the drawing one included."""
        return 1 + len(self.trace)


def train_contexts(
    block: ContextBlock,
    inputs: Inputs,
    config: RunConfig,
    seed: int,
    on_iteration: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Phase1:
    """Train `block` on a text and return its last contexts and the trace.

    Raises:
        TrainingError: a loss or gradient that is not finite, with the iteration.
    """
    size = (len(inputs.index), block.context_dim)
    like = inputs.table
    P = torch.empty(size, dtype=like.dtype, device=like.device)
    P.normal_(0, FIRST_STD, generator=generator(seed, "contexts", device=like.device))
    result = Phase1(P)
    adam = torch.optim.Adam(block.parameters(), lr=config.phase1_lr)
    for iteration in range(2, config.max_iter + 1):
        row = _iterate(block, adam, P, inputs, config, seed, iteration)
        result.trace.append(row)
        on_iteration(row)
        if iteration >= FIRST_STOP and row["convergence_rate"] >= config.min_converged_ratio:
            break
    return result


@torch.no_grad()
def training_contexts(block: ContextBlock, P: Tensor, inputs: Inputs, chunk: int) -> list[Tensor]:
    """Return the contexts for phase 2 of every layer, each [N, D]: one noise-free pass.

    The input context of token i is P[i-1], zero for token 0. `P` itself is left alone.
    """
    terms = block.terms(inputs.table)
    outputs = [torch.empty_like(P) for _ in block.linears]
    for rows in _chunks(len(P), chunk):
        c = torch.zeros_like(P[rows])
        first = 1 if rows.start == 0 else 0
        c[first:] = P[rows.start + first - 1 : rows.stop - 1]
        for output, layer in zip(outputs, block(c, terms, inputs.index[rows]), strict=True):
            output[rows] = layer
    return outputs


@torch.no_grad()
def sequential_contexts(block: ContextBlock, inputs: Inputs) -> list[Tensor]:
    """Return the contexts of every layer, each [N, D], by the true recurrence from zero.

    It is what validation uses. The token half is computed once per type, so that a step is one
    small product per layer.
    """
    terms = block.terms(inputs.table)
    like = inputs.table
    size = (len(inputs.index), block.context_dim)
    outputs = [torch.empty(size, dtype=like.dtype, device=like.device) for _ in block.linears]
    c = torch.zeros(1, block.context_dim, dtype=like.dtype, device=like.device)
    for i, index in enumerate(inputs.index.split(1)):
        layers = block(c, terms, index)
        for output, layer in zip(outputs, layers, strict=True):
            output[i] = layer[0]
        c = layers[-1]
    return outputs


@torch.no_grad()
def _iterate(
    block: ContextBlock,
    adam: torch.optim.Adam,
    P: Tensor,
    inputs: Inputs,
    config: RunConfig,
    seed: int,
    iteration: int,
) -> dict[str, Any]:
    """Run one iteration: renew P in place, take one Adam step, return the trace row."""
    for parameter in block.parameters():
        parameter.grad = torch.zeros_like(parameter)
    terms = block.terms(inputs.table)
    term_gradients = [[torch.zeros_like(slot) for slot in slots] for slots in terms]
    sums = Sums.zero(P)
    chunks = list(_chunks(len(P), config.phase1_batch))
    before = P[-1].clone()  # the input context of token 0, and of each chunk's first token
    for k, rows in enumerate(chunks):
        c = config.context_noise * noise(seed, iteration, k, P[rows])
        c[0] += before
        c[1:] += P[rows.start : rows.stop - 1]
        before = P[rows.stop - 1].clone()
        index = inputs.index[rows]
        step = block.step(c, terms, index)
        gradient = _loss_gradient(step.output, P[rows], config, sums).div_(len(chunks))
        block.backward(step, gradient, index, term_gradients)
        P[rows] = step.output
    block.finish_gradient(inputs.table, term_gradients)
    norm = torch.nn.utils.clip_grad_norm_(block.parameters(), config.gradient_clip)
    adam.step()
    return _row(iteration, sums, len(P), float(norm), config)


def _loss_gradient(C: Tensor, old: Tensor, config: RunConfig, sums: Sums) -> Tensor:
    """Return the gradient [B, D] of a chunk's loss by its contexts C, and add to the sums.

    The loss is (1 - w)·mean((C - P)²) + w·(-‖C - mean(C)‖_F / B).
    """
    rows, w = len(C), config.dist_reg_weight
    change = C - old
    spread = C - C.mean(0)
    norm = torch.linalg.vector_norm(spread)
    sums.fixed += change.square().mean() * rows
    sums.diverse -= norm  # -(norm / rows) · rows
    sums.converged += is_converged(change, config.convergence_threshold).sum()
    pull = change.mul_(2 * (1 - w) / change.numel())
    # The norm's gradient is spread / norm: taking the mean off is its own transpose.
    return pull.addcdiv_(spread, norm.clamp_min(torch.finfo(C.dtype).tiny), value=-w / rows)


def _row(iteration: int, sums: Sums, tokens: int, norm: float, config: RunConfig) -> dict[str, Any]:
    fixed, diverse = float(sums.fixed) / tokens, float(sums.diverse) / tokens
    loss = (1 - config.dist_reg_weight) * fixed + config.dist_reg_weight * diverse
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise TrainingError(
            f"Phase 1 on {tokens} tokens met a loss that is not finite in iteration {iteration}; "
            f"a phase1_lr below {config.phase1_lr} may help."
        )
    return {
        "iteration": iteration,
        "convergence_rate": float(sums.converged) / tokens,
        "loss": loss,
        "fixed_point_loss": fixed,
        "diversity_loss": diverse,
        "grad_norm": norm,
        "clipped": norm > config.gradient_clip,
    }


def _chunks(tokens: int, size: int) -> Iterator[slice]:
    for start in range(0, tokens, size):
        yield slice(start, min(start + size, tokens))
