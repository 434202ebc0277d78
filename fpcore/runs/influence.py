"""How far back a model's predictions depend on a token: it is replaced, and they are compared.

Shapes: N tokens of a text, M places in it, D context width, E embedding width, T input tokens, V
types.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from fpcore.model.blocks import Inputs
from fpcore.runs.language_model import LanguageModel


class Influence:
    """Changes of what a model foretells after some places [M] of a text `ids` [N].

    `others` [M, K] are the tokens that replace the last one, the last but one, …, K-th last one of
    each place. There must be K + T tokens before the first place.
    """

    def __init__(self, model: LanguageModel, ids: Tensor, places: Tensor, others: Tensor) -> None:
        network, device = model.network, model.network.embedding.weight.device
        self._zero, self._network = model.config.contexts == "zero", network
        self._contexts = model.contexts(ids)
        both = torch.cat([ids, others.flatten()]).to(device)
        inputs = network.inputs(both)
        rows = inputs.index[:, -1]  # of the table, the token's own
        self._table, self._rows = inputs.table, rows[: len(ids)]
        self._others = rows[len(ids) :].view(others.shape)
        self._terms = network.context_block.terms(inputs.table)
        self._places = places.to(device)

    @torch.no_grad()
    def changes(self) -> Tensor:
        """Return [M, K] how much of the probability of the next token moves: a share from 0 to 1.

        It is the total variation distance of the distributions before and after.
        """
        as_read = [layer[self._places] for layer in self._contexts]
        before = self._foretold(as_read, self._windows(1, replaced=False)[:, -1])
        count = self._others.shape[1]
        found = [(self._after(k) - before).abs().sum(1) / 2 for k in range(1, count + 1)]
        return torch.stack(found, 1).cpu()

    def _after(self, k: int) -> Tensor:
        """Return the distribution [M, V] where the k-th last token is another one."""
        windows = self._windows(k)
        layers = [layer[self._places - k] for layer in self._contexts]
        for step in range(0 if self._zero else k):
            layers = self._network.context_block(layers[-1], self._terms, windows[:, step])
        return self._foretold(layers, windows[:, -1])

    def _windows(self, k: int, replaced: bool = True) -> Tensor:
        """Return the rows [M, k, T] of the table that each of the last k steps reads."""
        before = self._network.input_tokens - 1
        reach = torch.arange(-k - before + 1, 1, device=self._places.device)
        rows = self._rows[self._places[:, None] + reach]
        if replaced:
            rows[:, before] = self._others[:, k - 1]
        return rows.unfold(1, before + 1, 1)

    def _foretold(self, layers: list[Tensor], rows: Tensor) -> Tensor:
        """Return the next token's distribution [M, V] from contexts [L][M, D] and rows [M, T]."""
        block, weights = self._network.token_block, self._network.embedding.weight
        h = block(layers, Inputs(self._table, rows).vectors())
        return F.linear(h, weights, block.bias).softmax(1)
