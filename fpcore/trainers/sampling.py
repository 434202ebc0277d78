"""How a next token is drawn from a model's logits."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """A temperature, 0 for the likeliest token, and what is left out before drawing.

    `top_k` keeps the k likeliest types, `top_p` the fewest that have this share of the probability
    that is then left; None keeps all.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def draw(self, logits: Tensor, source: torch.Generator) -> int:
        """Draw a type by its logits [V]; `source` is on the CPU, the same for every device."""
        if self.temperature == 0:
            return int(logits.argmax())
        types = None
        if self.top_k is not None:
            logits, types = logits.topk(min(self.top_k, len(logits)))
        p = (logits / self.temperature).softmax(0)
        if self.top_p is not None:
            p, order = p.sort(descending=True, stable=True)
            p = p[: int(torch.searchsorted(p.cumsum(0), self.top_p)) + 1]
            types = order[: len(p)] if types is None else types[order[: len(p)]]
        sums = p.cumsum(0, dtype=torch.float64)
        chosen = torch.rand((), generator=source, dtype=torch.float64).item() * float(sums[-1])
        place = min(int(torch.searchsorted(sums, chosen, right=True)), len(sums) - 1)
        return place if types is None else int(types[place])
