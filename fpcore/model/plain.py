"""The model and its trainers as the formulas of the spec read: ordinary PyTorch, never tuned.

It is the oracle of the tests and the yardstick of the benchmarks, so it shares nothing with the
fast path but the parameter names (states can be copied), the config and the random draws.
Whole texts are kept as x [N, E·T].
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fpcore.config.run_config import RunConfig
from fpcore.stats.draws import first_contexts, noise

Seen = tuple[list[Tensor], Tensor, Tensor]  # contexts [L][N, D], x [N, E·T] and ids [N] of a text


class ContextBlock(nn.Module):
    """c ← LayerNorm(c + ReLU(Linear([c ; x]))), L times; returns the output of every layer."""

    def __init__(self, layers: int, d: int, x_width: int) -> None:
        super().__init__()
        self.linears = nn.ModuleList(nn.Linear(d + x_width, d) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(layers))

    def forward(self, c: Tensor, x: Tensor) -> list[Tensor]:
        """Return the contexts [B, D] of every layer, from c [B, D] and x [B, E·T]."""
        outputs = []
        for linear, norm in zip(self.linears, self.norms, strict=True):
            c = norm(c + torch.relu(linear(torch.cat([c, x], dim=1))))
            outputs.append(c)
        return outputs


class TokenBlock(nn.Module):
    """h ← LayerNorm(res(h) + ReLU(Linear([c^(l) ; h]))), L times, narrowing from E·T to E."""

    def __init__(self, layers: int, d: int, e: int, t: int) -> None:
        super().__init__()
        widths = [e * t - (e * t - e) * layer // layers for layer in range(layers + 1)]
        self.linears = nn.ModuleList(nn.Linear(d + a, b) for a, b in pairwise(widths))
        self.residuals = nn.ModuleList(
            nn.Linear(a, b) if a != b else nn.Identity() for a, b in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(b) for b in widths[1:])

    def forward(self, contexts: list[Tensor], x: Tensor) -> Tensor:
        """Return h [B, E] from the contexts of every layer and x [B, E·T]."""
        h = x
        for linear, res, norm, c in zip(
            self.linears, self.residuals, self.norms, contexts, strict=True
        ):
            h = norm(res(h) + torch.relu(linear(torch.cat([c, h], dim=1))))
        return h


def input_vectors(weights: Tensor, ids: Tensor, t: int) -> Tensor:
    """Return x [N, E·T] of ids [N]: LayerNorm(W_e[id]) of the last T tokens, W_e being [V, E].

    Oldest first, zeros before the start.
    """
    single = F.layer_norm(weights[ids], weights.shape[1:])
    padded = torch.cat([single.new_zeros(t - 1, single.shape[1]), single])
    return torch.cat([padded[j : j + len(ids)] for j in range(t)], dim=1)


def train_contexts(
    block: ContextBlock, x: Tensor, config: RunConfig, seed: int, first: Tensor | None = None
) -> tuple[Tensor, list[dict[str, Any]]]:
    """Train on x [N, E·T] (spec section 2): return the last P [N, D], and a row per iteration.

    `first` is what iteration 1 draws, where it has been drawn.
    """
    n, size = len(x), config.phase1_batch
    P = first_contexts(seed, x.new_empty(n, config.context_dim), 0.01) if first is None else first
    adam = torch.optim.Adam(block.parameters(), lr=config.phase1_lr)
    w, rows = config.dist_reg_weight, []
    for iteration in range(2, config.max_iter + 1):
        previous = torch.roll(P, 1, dims=0)
        chunks = list(zip(previous.split(size), P.split(size), x.split(size), strict=True))
        outputs, fixed, diverse = [], [], []
        adam.zero_grad()
        for k, (before, old, vectors) in enumerate(chunks):
            draw = noise(seed, iteration, k, old)
            C = block(before + config.context_noise * draw, vectors)[-1]
            fixed.append(((C - old) ** 2).mean())
            diverse.append(-torch.linalg.matrix_norm(C - C.mean(0)) / len(old))
            ((1 - w) * fixed[-1] + w * diverse[-1]).div(len(chunks)).backward()
            outputs.append(C.detach())
        norm = nn.utils.clip_grad_norm_(block.parameters(), config.gradient_clip)
        gain = block.norms[-1].state_dict()["weight"].mean().item()
        adam.step()
        C = torch.cat(outputs)
        rate = (((C - P) ** 2).mean(1) < config.convergence_threshold).double().mean().item()
        share = [len(old) / n for _, old, _ in chunks]
        fixed_loss = sum(s * v.item() for s, v in zip(share, fixed, strict=True))
        diversity_loss = sum(s * v.item() for s, v in zip(share, diverse, strict=True))
        rows.append(
            {
                "iteration": iteration,
                "convergence_rate": rate,
                "loss": (1 - w) * fixed_loss + w * diversity_loss,
                "fixed_point_loss": fixed_loss,
                "diversity_loss": diversity_loss,
                "grad_norm": norm.item(),
                "clipped": norm.item() > config.gradient_clip,
                "layernorm_gain": gain,
            }
        )
        P = C
        if iteration >= 5 and rate >= config.min_converged_ratio:
            break
    return P, rows


@torch.no_grad()
def training_contexts(block: ContextBlock, P: Tensor, x: Tensor) -> list[Tensor]:
    """Return the contexts [N, D] of every layer: one noise-free pass, token i reading P[i-1].

    P is [N, D] and x [N, E·T].
    """
    return list(block(torch.cat([torch.zeros_like(P[:1]), P[:-1]]), x))


@torch.no_grad()
def sequential_contexts(block: ContextBlock, x: Tensor, d: int) -> list[Tensor]:
    """Return the contexts [N, D] of every layer by the true recurrence from zero; x is [N, E·T]."""
    c, steps = x.new_zeros(1, d), []
    for i in range(len(x)):
        layers = block(c, x[i : i + 1])
        steps.append(layers)
        c = layers[-1]
    return [torch.cat(layer) for layer in zip(*steps, strict=True)]


def train_epoch(
    block: TokenBlock, adam: torch.optim.Adam, text: Seen, weights: Tensor, batch: int
) -> float:
    """Train one epoch (spec section 3): return the mean loss in nats, each batch before its update.

    `weights` is the head W_e, [V, E].
    """
    contexts, x, ids = text
    total = 0.0
    for rows in torch.arange(len(ids) - 1).split(batch):
        adam.zero_grad()
        h = block([c[rows] for c in contexts], x[rows])
        loss = F.cross_entropy(h @ weights.T, ids[rows + 1])
        loss.backward()
        nn.utils.clip_grad_norm_(block.parameters(), 1.0)
        adam.step()
        total += loss.item() * len(rows)
    return total / (len(ids) - 1)


@torch.no_grad()
def evaluate(block: TokenBlock, text: Seen, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss in nats [N-1] and the correctness [N-1] of each prediction.

    `weights` is the head W_e, [V, E].
    """
    contexts, x, ids = text
    logits = block([c[:-1] for c in contexts], x[:-1]) @ weights.T
    correct = logits.argmax(1) == ids[1:]
    return F.cross_entropy(logits, ids[1:], reduction="none"), correct
