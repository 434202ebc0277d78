"""The neural baselines: an LSTM and a small GPT, with tied and frozen or own embeddings.

The LSTM has one layer (Hochreiter & Schmidhuber 1997), the GPT is a causal pre-norm transformer
(Radford et al. 2019) whose positions are sinusoids (Vaswani et al. 2017), so they take no
parameters. Both have as many trained parameters as the fixed-point model.

Shapes: B streams, T tokens of a segment, M tokens of a text, V types, E embedding width.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fpcore.config.baseline import NeuralConfig
from fpcore.errors import ConfigError, quoted, suggestion
from fpcore.model.blocks import FixedPointModel
from fpcore.stats.draws import generator

State = tuple[Tensor, Tensor] | None
LAYERS = 2
HEADS = 4
FEED_FORWARD = 4  # width of the feed-forward layer, in widths of the body
TOLERANCE = 0.1  # the trained parameters may differ by this share from the fixed-point model's


class Lstm(nn.Module):
    """An LSTM from width E to its own width W; B streams of T tokens."""

    step = 1  # its width is a multiple of this
    ratio = 4  # its width over the width of an embedding of its own

    def __init__(self, input_width: int, width: int, window: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_width, width, batch_first=True)

    def forward(self, x: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Return outputs [B, T, W] for inputs [B, T, E], and the state to go on from.

        The state carries no gradient: backpropagation ends at the start of the segment.
        """
        h, (hidden, cell) = self.lstm(x, state)
        return h, (hidden.detach(), cell.detach())

    @torch.no_grad()
    def read(self, x: Tensor) -> Tensor:
        """Return outputs [M, W] for a whole text [M, E], the state carried from its start."""
        h: Tensor = self.lstm(x[None])[0][0]
        return h


class Gpt(nn.Module):
    """LAYERS transformer layers of width W over windows of at most `window` tokens."""

    step = HEADS
    ratio = 1

    def __init__(self, input_width: int, width: int, window: int) -> None:
        super().__init__()
        self.window = window
        same = input_width == width
        self.enter = nn.Identity() if same else nn.Linear(input_width, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                HEADS,
                FEED_FORWARD * width,
                dropout=0.0,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(LAYERS)
        )
        self.positions: Tensor
        self.mask: Tensor
        self.register_buffer("positions", sinusoids(window, width), persistent=False)
        blocked = torch.full((window, window), -math.inf).triu(1)
        self.register_buffer("mask", blocked, persistent=False)

    def forward(self, x: Tensor, state: None = None) -> tuple[Tensor, None]:
        """Return outputs [B, T, W] for inputs [B, T, E], T ≤ window; no state is carried."""
        length = x.shape[1]
        h = self.enter(x) + self.positions[:length]
        for layer in self.layers:
            layer = cast(nn.TransformerEncoderLayer, layer)
            h = layer(h, src_mask=self.mask[:length, :length], is_causal=True)
        return h, state

    @torch.no_grad()
    def read(self, x: Tensor) -> Tensor:
        """Return outputs [M, W] for a whole text [M, E], each position once.

        Windows move on by half their length and give their second half (the first one all of
        it), so every position after the first half window sees at least `window` / 2 before it.
        """
        half = self.window // 2
        rows = max(2, math.ceil(len(x) / half)) * half
        padded = F.pad(x, (0, 0, 0, rows - len(x)))  # causal: what is padded behind is never seen
        windows = padded.unfold(0, self.window, half).transpose(1, 2)
        h, _ = self(windows)
        return torch.cat([h[0, :half], h[:, half:].flatten(0, 1)])[: len(x)]


def sinusoids(length: int, width: int) -> Tensor:
    """Return position vectors [length, width]: sines, then cosines, of falling frequencies."""
    frequencies = 10_000 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(length)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1)[:, :width]


# What a neural baseline can be; its config's `model` is one of these names.
BODIES: dict[str, type[Lstm] | type[Gpt]] = {"lstm": Lstm, "gpt": Gpt}


class TiedModel(nn.Module):
    """Embedding → body → linear layer → LayerNorm → logits h·W_eᵀ, with a bias if asked for.

    The embedding is the fixed-point model's frozen one, `weights` [V, E], or one of the model's
    own. Inputs are LayerNorm(W_e[token]) without parameters, as in the fixed-point model.
    """

    def __init__(self, weights: Tensor, config: NeuralConfig, width: int, seed: int) -> None:
        super().__init__()
        own = config.own_embedding
        embed = width if own else weights.shape[1]
        body = BODIES[config.model]
        inner = width * body.ratio if own else width
        self.weights = nn.Parameter(
            torch.empty(len(weights), embed) if own else weights.clone(), requires_grad=own
        )
        self.body = body(embed, inner, config.segment)
        self.leave = nn.Identity() if inner == embed else nn.Linear(inner, embed)
        self.norm = nn.LayerNorm(embed)
        self.bias: nn.Parameter | None
        start = torch.zeros(len(weights)) if config.output_bias == "unigram" else None
        self.register_parameter("bias", None if start is None else nn.Parameter(start))
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
        ConfigError: no such model, or no width comes within TOLERANCE.
    """
    if config.model not in BODIES:
        raise ConfigError(
            f"{config.name}: model must be kneser-ney or one of {', '.join(BODIES)}, not "
            f"{quoted(config.model)}{suggestion(config.model, BODIES)}."
        )
    target = fixed_point_parameters(weights, config)
    step = BODIES[config.model].step
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
