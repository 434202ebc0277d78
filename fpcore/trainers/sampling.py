"""How a next token is drawn from a model's logits."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from fpcore.trainers.reading import Reader

BLOCK = 256  # chances drawn at once


@dataclass(frozen=True)
class Sampling:
    """A temperature, 0 for the likeliest token, and what is left out before drawing.

    `top_k` keeps the k likeliest types, `top_p` the fewest that have this share of the probability
    that is then left; None keeps all.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def draw(self, logits: Tensor, chance: float) -> int:
        """Draw a type by its logits [V] and a number that is uniform from 0 up to below 1."""
        if self.temperature == 0:
            return int(logits.argmax())
        types = None
        if self.top_k is not None:
            logits, types = logits.topk(min(self.top_k, len(logits)))
        p = (logits if self.temperature == 1 else logits / self.temperature).softmax(0)
        if self.top_p is not None:
            p, order = p.sort(descending=True, stable=True)
            p = p[: int(torch.searchsorted(p.cumsum(0), self.top_p)) + 1]
            types = order[: len(p)] if types is None else types[order[: len(p)]]
        sums = p.cumsum(0, dtype=torch.float64).cpu().numpy()  # whose search costs least
        place = min(int(sums.searchsorted(chance * sums[-1], "right")), len(sums) - 1)
        return place if types is None else int(types[place])


@torch.inference_mode()
def continued(reader: Reader, how: Sampling, source: torch.Generator, count: int) -> list[int]:
    """Go on with the text that a reader has read, of at least a token, by `count` drawn types.

    `source` is on the CPU, the same for every device.
    """
    made = []
    for chance in islice(chances(source), count):
        made.append(how.draw(reader.logits(), chance))
        reader.step(made[-1])
    return made


def chances(source: torch.Generator) -> Iterator[float]:
    """Yield numbers that are uniform from 0 up to below 1; drawn in blocks, they are the same."""
    while True:
        yield from torch.rand(BLOCK, generator=source, dtype=torch.float64).tolist()
