"""The model once more, in numpy, one formula of the spec per function: the tests' third opinion.

It shares nothing with fpcore, fast or plain, so a mistake that both have in common shows here.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.float64]


def array(tensor: torch.Tensor) -> Array:
    """Copy a tensor, so that later training cannot change what a test expects."""
    return np.array(tensor.detach().double().numpy())


def parameters(module: nn.Module) -> dict[str, Array]:
    return {name: array(value) for name, value in module.state_dict().items()}


def layer_norm(z: Array, scale: Any = 1.0, shift: Any = 0.0) -> Array:
    centred = z - z.mean(1, keepdims=True)
    result: Array = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * scale + shift
    return result


def inputs(embedding: Array, ids: list[int], t: int) -> Array:
    """x_i: the normed vectors of tokens i-t+1 … i, zeros for those before the start."""
    normed = layer_norm(embedding)
    zeros = np.zeros(embedding.shape[1])
    windows = [
        [normed[ids[j]] if j >= 0 else zeros for j in range(i - t + 1, i + 1)]
        for i in range(len(ids))
    ]
    return np.array([np.concatenate(window) for window in windows])


def context_block(p: dict[str, Array], c: Array, x: Array) -> list[Array]:
    """Outputs of every layer of c ← LayerNorm(c + ReLU(W·[c ; x] + b))."""
    outputs = []
    for n in range(len(p) // 4):
        linear = np.hstack([c, x]) @ p[f"linears.{n}.weight"].T + p[f"linears.{n}.bias"]
        c = layer_norm(c + np.maximum(linear, 0), p[f"norms.{n}.weight"], p[f"norms.{n}.bias"])
        outputs.append(c)
    return outputs


def token_block(p: dict[str, Array], contexts: list[Array], x: Array) -> Array:
    """h ← LayerNorm(res(h) + ReLU(W·[c^(l) ; h] + b)) from h = x."""
    h = x
    for n, c in enumerate(contexts):
        linear = np.hstack([c, h]) @ p[f"linears.{n}.weight"].T + p[f"linears.{n}.bias"]
        if f"residuals.{n}.weight" in p:
            h = h @ p[f"residuals.{n}.weight"].T + p[f"residuals.{n}.bias"]
        h = layer_norm(h + np.maximum(linear, 0), p[f"norms.{n}.weight"], p[f"norms.{n}.bias"])
    return h


def chunk_losses(C: Array, P: Array, size: int, w: float) -> list[tuple[int, float, float, float]]:
    """Rows, fixed-point term, diversity term and loss of each chunk."""
    cuts = [*range(0, len(C), size), len(C)]
    result = []
    for start, stop in pairwise(cuts):
        new, old = C[start:stop], P[start:stop]
        fixed = float(((new - old) ** 2).mean())
        diverse = -float(np.sqrt(((new - new.mean(0)) ** 2).sum())) / (stop - start)
        result.append((stop - start, fixed, diverse, (1 - w) * fixed + w * diverse))
    return result


def losses(h: Array, embedding: Array, targets: list[int]) -> Array:
    """Cross-entropy in nats of each target under softmax(h·W_eᵀ)."""
    logits = h @ embedding.T
    top = logits.max(1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(1)) + top[:, 0]
    result: Array = log_sum - logits[np.arange(len(targets)), targets]
    return result
