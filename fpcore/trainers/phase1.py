"""Phase 1: train the ContextBlock until the contexts settle (spec section 2).

The recurrence is replaced by one parallel step per iteration: the input context of token i is the
context P[i-1] of the previous iteration. `P` [N, D] is updated in place, chunk by chunk.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fpcore.config.run_config import RunConfig
from fpcore.errors import TrainingError
from fpcore.model.blocks import ContextBlock, Inputs
from fpcore.model.fused import noisy
from fpcore.model.optimiser import Optimiser, clip
from fpcore.model.precision import resolve, rounded_products
from fpcore.model.tuning import compiles, pieces, tuning
from fpcore.stats.draws import Noise, Noises, first_contexts
from fpcore.trainers.capture import Captured
from fpcore.trainers.chunk_loss import ChunkLoss, Sums
from fpcore.trainers.hooks import SILENT, Hooks, Row
from fpcore.trainers.sweep import Sweep

FIRST_STD = 0.01  # iteration 1 draws contexts with this standard deviation
FIRST_STOP = 5  # the first iteration that may stop on the convergence rate


@dataclass
class Phase1State:
    """Where phase 1 stands, in the end its result: the last contexts, and a row per iteration.

    `contexts` are P [N, D], noise included.

    A row has `iteration` (from 2: iteration 1 only draws), `convergence_rate`, `loss`,
    `fixed_point_loss`, `diversity_loss` (token-weighted means, the two terms before their
    weights), `grad_norm` (before clipping), `clipped` and `layernorm_gain` (the mean scale of the
    last LayerNorm in that iteration: the diversity term grows with it). `tensors` are the block's
    parameters and Adam's moments after the last iteration, by name.
    """

    contexts: Tensor
    trace: list[Row] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    @property
    def iterations(self) -> int:
        """The iterations run, the drawing one included."""
        return 1 + len(self.trace)


def train_contexts(
    block: ContextBlock,
    inputs: Inputs,
    config: RunConfig,
    seed: int,
    start: Phase1State | None = None,
    hooks: Hooks[Phase1State] = SILENT,
) -> Phase1State:
    """Train `block` on a text and return its last contexts and the trace.

    `start` is a state of this run, or of one whose phase 1 differs in `max_iter` alone; training
    continues from it, in place. `hooks` are called after every iteration.

    Raises:
        TrainingError: a loss or gradient that is not finite, with the iteration.
    """
    precision = resolve(config, inputs.table.device)
    result = start or Phase1State(_first(block, inputs, seed, precision.contexts))
    with rounded_products(precision.store):  # factors of large products are rounded already
        trainer = Trainer(block, inputs, config, seed, result)
        while result.iterations < config.max_iter and not _settled(result.trace, config):
            result.trace.append(trainer.iterate(result.iterations + 1))
            result.tensors = trainer.tensors()
            hooks.on_row(result.trace[-1])
            hooks.keep(lambda: result)
    return result


def _first(block: ContextBlock, inputs: Inputs, seed: int, dtype: torch.dtype) -> Tensor:
    """Draw the contexts of iteration 1."""
    P = inputs.table.new_empty(len(inputs.index), block.context_dim, dtype=dtype)
    return first_contexts(seed, P, FIRST_STD)


def _settled(trace: list[Row], config: RunConfig) -> bool:
    """Whether the convergence rate has been reached."""
    late = bool(trace) and trace[-1]["iteration"] >= FIRST_STOP
    return late and trace[-1]["convergence_rate"] >= config.min_converged_ratio


class Trainer:
    """Renews the contexts P [N, D] in place and trains the block, an iteration at a time."""

    def __init__(
        self,
        block: ContextBlock,
        inputs: Inputs,
        config: RunConfig,
        seed: int,
        state: Phase1State,
    ) -> None:
        P, product = state.contexts, resolve(config, inputs.table.device).product
        self._P, self._inputs, self._config = P, inputs, config
        self._optimiser = Optimiser(block, config.phase1_lr)
        self._optimiser.restore(state.tensors)
        self._last_norm = block.layers()[-1][1]
        self._chunks = pieces(len(P), config.phase1_batch)
        rows = min(len(P), config.phase1_batch)
        self._sweep = Sweep(block, inputs, product, self._chunks)
        like = inputs.table.new_empty(0, P.shape[1])
        self._noises = Noises(seed, [part.stop - part.start for part in self._chunks], like)
        self._loss = ChunkLoss(config, rows, like)
        self._compiles, self._captures = compiles(like.device), tuning(like.device).captured
        self._graph: Captured[Tensor] | None = None
        self._std = like.new_full((1,), config.context_noise)  # see ChunkLoss

    def tensors(self) -> dict[str, Tensor]:
        """Return the parameters and Adam's state, by name."""
        return self._optimiser.tensors()

    @torch.no_grad()
    def iterate(self, iteration: int) -> Row:
        """Run one iteration: renew P, take one Adam step, return the trace row."""
        self._noises.renew(iteration)
        found = self._renewed()
        self._optimiser.step()
        if self._captures:
            self._noises.draw_ahead(iteration + 1)
        return _row(iteration, _read(found), len(self._P), self._config)

    def _renewed(self) -> Tensor:
        """Do `_renew`; a GPU captures it the first time, for it would wait for the launches."""
        if not self._captures:
            return self._renew()
        if self._graph:
            return self._graph.replay()
        self._graph = Captured(self._renew, self._P.device)
        return self._graph.first

    def _renew(self) -> Tensor:
        """Renew P and the gradient; return the sums, the gradient's norm and the gain, [5]."""
        sums = Sums.zero(self._P)
        self._sweep.start()
        before = self._P[-1].clone()  # the input context of token 0, and of each block's first
        for k, draw in enumerate(self._noises.draws):
            before = self._chunk(draw, k, before, sums)
        norm = clip(self._sweep.finish(), self._config.gradient_clip)
        return sums.joined(norm, self._last_norm.weight.mean())

    def _chunk(self, draw: Noise, k: int, before: Tensor, sums: Sums) -> Tensor:
        """Renew the contexts of a chunk, add its gradient, and return its last old context."""
        rows = self._chunks[k]
        P, index = self._P[rows], self._inputs.index[rows]
        blocks = self._sweep.blocks(len(P))
        self._loss.start()
        for part in blocks:
            old = P[part]
            c = self._noisy(draw, part, old, before)
            before = old[-1].clone()
            self._sweep.forward(part, c, index[part], old, self._loss)
        self._loss.finish(len(P), 1 / len(self._chunks), self._last_norm, sums)
        for n, part in enumerate(blocks):
            self._sweep.backward(part, n, self._loss)
        self._sweep.finish_chunk(k, len(P))
        return before

    def _noisy(self, draw: Noise, part: slice, old: Tensor, before: Tensor) -> Tensor:
        """Return the input contexts [R, D] of a block: the tokens' before, and noise."""
        c, std = self._sweep.room(part), self._config.context_noise
        if self._compiles:
            noisy(*draw.keys(part), before, old, self._std, (c, self._sweep.rounded(part)))
            return c
        noise = draw.draw(part, self._sweep.spare(part))
        torch.add(before, noise[0], alpha=std, out=c[0])
        torch.add(old[:-1], noise[1:], alpha=std, out=c[1:])
        return c


def _read(found: Tensor) -> list[float]:
    """Read what an iteration found; the one time that the device is waited for."""
    read: list[float] = found.cpu().tolist()
    return read


def _row(iteration: int, read: list[float], tokens: int, config: RunConfig) -> Row:
    """Return a row of the trace from what `Trainer._renew` returns."""
    fixed, diverse, rate = (total / tokens for total in read[:3])
    norm, gain = read[3:]
    loss = (1 - config.dist_reg_weight) * fixed + config.dist_reg_weight * diverse
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise TrainingError(
            f"Phase 1 on {tokens} tokens met a loss that is not finite in iteration {iteration}; "
            f"a phase1_lr below {config.phase1_lr} may help."
        )
    return {
        "iteration": iteration,
        "convergence_rate": rate,
        "loss": loss,
        "fixed_point_loss": fixed,
        "diversity_loss": diverse,
        "grad_norm": norm,
        "clipped": norm > config.gradient_clip,
        "layernorm_gain": gain,
    }
