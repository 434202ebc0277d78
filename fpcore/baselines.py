"""Models that the fixed-point model must beat to be worth its training."""

import torch
from torch import Tensor


def unigram_loss(train: Tensor, held_out: Tensor, vocabulary: int) -> float:
    """Return the mean loss in nats of a unigram model on the predicted tokens of a text.

    `train` [N] and `held_out` [M] are token ids; counts are smoothed by adding one per type, and
    the first held-out token is left out, as nothing predicts it in the other models either.
    """
    counts = torch.bincount(train, minlength=vocabulary).double() + 1
    log_p = (counts / counts.sum()).log()
    return float(-log_p[held_out[1:]].mean())
