"""A neural baseline around its body: inputs and head tied, and its size matched.

Shapes: B streams, T tokens of a segment, M tokens of a text, V types, E embedding width.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fpcore.baseline_config import NeuralConfig
from fpcore.errors import ConfigError
from fpcore.generators import generator
from fpcore.gpt import HEADS, Gpt
from fpcore.lstm import Lstm
from fpcore.model import FixedPointModel

TOLERANCE = 0.1  # by which the number of trained parameters may miss the fixed-point model's
LSTM_RATIO = 4  # width of an LSTM over that of an embedding of its own


class TiedModel(nn.Module):
    """Embedding → body → linear layer → LayerNorm → logits h·W_eᵀ, without a bias.

    The embedding is the fixed-point model's frozen one, `weights` [V, E], or one of the model's
    own. Inputs are LayerNorm(W_e[token]) without parameters, as in the fixed-point model.
    """

    def __init__(self, weights: Tensor, config: NeuralConfig, width: int, seed: int) -> None:
        super().__init__()
        own = config.own_embedding
        embed = width if own else weights.shape[1]
        inner = width * LSTM_RATIO if own and config.model == "lstm" else width
        self.weights = nn.Parameter(
            torch.empty(len(weights), embed) if own else weights.clone(), requires_grad=own
        )
        self.body = (
            Lstm(embed, inner) if config.model == "lstm" else Gpt(embed, inner, config.segment)
        )
        self.leave = nn.Identity() if inner == embed else nn.Linear(inner, embed)
        self.norm = nn.LayerNorm(embed)
        self._initialise(generator(seed, "baseline", config.model))

    def forward(self, ids: Tensor, state: object = None) -> tuple[Tensor, object]:
        """Return h [B, T, E] after each of the tokens `ids` [B, T], and the body's state."""
        h, state = self.body(self._inputs(ids), state)
        return self.norm(self.leave(h)), state

    @torch.no_grad()
    def read(self, ids: Tensor) -> Tensor:
        """Return h [M, E] after each token of a text [M], read as one text from its start."""
        h: Tensor = self.norm(self.leave(self.body.read(self._inputs(ids))))
        return h

    def trained_parameters(self) -> int:
        """Return the number of parameters that training changes."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def _inputs(self, ids: Tensor) -> Tensor:
        return F.layer_norm(F.embedding(ids, self.weights), self.weights.shape[1:])

    @torch.no_grad()
    def _initialise(self, source: torch.Generator) -> None:
        """Draw every trained matrix from N(0, 1/columns); biases start at zero."""
        norms = [m for m in self.modules() if isinstance(m, nn.LayerNorm)]
        kept = {id(p) for norm in norms for p in norm.parameters()}
        for parameter in self.parameters():
            if not parameter.requires_grad or id(parameter) in kept or parameter.is_meta:
                continue
            if parameter.ndim > 1:
                parameter.normal_(0, 1 / math.sqrt(parameter.shape[1]), generator=source)
            else:
                parameter.zero_()


def matched(weights: Tensor, config: NeuralConfig, seed: int) -> TiedModel:
    """Return a model whose number of trained parameters is nearest the fixed-point model's.

    Raises:
        ConfigError: no width comes within TOLERANCE.
    """
    target = fixed_point_parameters(weights, config)
    step = HEADS if config.model == "gpt" else 1
    best, near, width = step, -1, step
    while (count := _count(weights, config, width)) < 2 * target:
        if near < 0 or abs(count - target) < abs(near - target):
            best, near = width, count
        width += step
    if abs(near - target) > TOLERANCE * target:
        raise ConfigError(
            f"{config.name}: no {config.model} has within {TOLERANCE:.0%} of the {target} trained "
            "parameters of the fixed-point model; raise context_dim, or lower the types of the "
            "tokenizer."
        )
    return TiedModel(weights, config, best, seed)


def fixed_point_parameters(weights: Tensor, config: NeuralConfig) -> int:
    """Return the trained parameters of the fixed-point model at the same setting."""
    with torch.device("meta"):
        model = FixedPointModel(weights.to("meta"), config.fixed_point(), 0)
    blocks = (model.context_block, model.token_block)
    return sum(p.numel() for block in blocks for p in block.parameters())


def _count(weights: Tensor, config: NeuralConfig, width: int) -> int:
    with torch.device("meta"):
        return TiedModel(weights.to("meta"), config, width, 0).trained_parameters()
