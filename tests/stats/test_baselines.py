import math

import pytest
import torch

from fpcore.stats.metrics import unigram_loss


def test_unigram_by_hand() -> None:
    # Counts 3, 1, 0, 0 with one added each are 4, 2, 1, 1 of 8: p = 1/2, 1/4, 1/8, 1/8.
    train, held_out = torch.tensor([0, 0, 1, 0]), torch.tensor([0, 0, 1, 3])
    expected = (math.log(2) + math.log(4) + math.log(8)) / 3  # the first token is not predicted
    assert unigram_loss(train, held_out, 4) == pytest.approx(expected, rel=1e-12)


def test_unigram_of_a_flat_text_is_the_vocabulary() -> None:
    flat = torch.arange(50)
    assert math.exp(unigram_loss(flat, flat, 50)) == pytest.approx(50)
