"""The effective rank of a run's contexts, as its result gives it."""

import math

import torch
from torch import Tensor

from fpcore.config.run_config import RunConfig
from fpcore.errors import TrainingError
from fpcore.stats import metrics
from fpcore.stats.draws import generator


def effective_rank(
    contexts: Tensor, config: RunConfig, seed: int, split: str
) -> dict[str, float | int]:
    """Return the effective rank of contexts [N, D] as a share of D, and the rows measured.

    They are fields of SizeResult, for the `split` train or val: as the spec defines it, and of the
    contexts less their mean, which is one direction of its own. Zero contexts have no spectrum, so
    no rank.

    Raises:
        TrainingError: contexts that are not finite.
    """
    if config.contexts == "zero":
        return {}
    if not math.isfinite(metrics.largest(contexts)):
        raise TrainingError(
            f"Phase 1 ended with contexts that are not finite; a phase1_lr below "
            f"{config.phase1_lr} may help."
        )
    total = len(contexts)
    count = min(config.er_rows or total, total)
    order = torch.randperm(total, generator=generator(seed, "effective rank", split))
    rows = contexts if count == total else contexts[order[:count].to(contexts.device)]
    share = metrics.effective_rank(rows) / config.context_dim
    centred = metrics.effective_rank(rows, centered=True) / config.context_dim
    return {f"{split}_er": share, f"{split}_er_centred": centred, f"{split}_er_rows": count}
