"""Both phases as one would write them at once: modules, autograd, a cross-entropy in pieces.

It shares the blocks with `model.plain`, which reads as the formulas do and may pay for it; the
benchmark times both, so that nobody is compared with a slow yardstick.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fpcore.config.run_config import RunConfig
from fpcore.model import plain

ROWS = 1024  # positions whose logits are held at a time


def iterate(
    block: plain.ContextBlock, adam: torch.optim.Adam, P: Tensor, x: Tensor, config: RunConfig
) -> Tensor:
    """Run one iteration of phase 1 on P [N, D] and x [N, E·T]; return the new contexts [N, D]."""
    size, w = config.phase1_batch, config.dist_reg_weight
    adam.zero_grad()
    chunks = list(zip(torch.roll(P, 1, 0).split(size), P.split(size), x.split(size), strict=True))
    outputs, losses = [], []
    for before, old, vectors in chunks:
        C = block(before + config.context_noise * torch.randn_like(before), vectors)[-1]
        spread = torch.linalg.matrix_norm(C - C.mean(0)) / len(C)
        loss = (1 - w) * F.mse_loss(C, old) - w * spread
        (loss / len(chunks)).backward()
        outputs.append(C.detach())
        losses.append(loss.item())
    nn.utils.clip_grad_norm_(block.parameters(), config.gradient_clip)
    adam.step()
    return torch.cat(outputs)


def train_epoch(
    block: plain.TokenBlock,
    adam: torch.optim.Adam,
    text: plain.Seen,
    weights: Tensor,
    batch: int,
) -> float:
    """Train one epoch of phase 2, as `plain.train_epoch`; return its mean loss in nats."""
    contexts, x, ids = text
    total = 0.0
    for start in range(0, len(ids) - 1, batch):
        rows = slice(start, min(start + batch, len(ids) - 1))
        adam.zero_grad()
        h = block([c[rows] for c in contexts], x[rows])
        slopes = []
        for part, targets in zip(h.split(ROWS), ids[1:][rows].split(ROWS), strict=True):
            own = part.detach().requires_grad_()
            loss = F.cross_entropy(own @ weights.T, targets, reduction="sum") / len(h)
            slopes.append(torch.autograd.grad(loss, own)[0])
            total += loss.item() * len(h)
        h.backward(torch.cat(slopes))
        nn.utils.clip_grad_norm_(block.parameters(), 1.0)
        adam.step()
    return total / (len(ids) - 1)
