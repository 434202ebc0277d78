"""Generation, token by token: a step of the recurrence, all logits and the draw."""

import torch
from torch import Tensor

from fpcore.benchmark.cases import SEED, Case, Cases
from fpcore.model import plain
from fpcore.trainers.reading import Reader
from fpcore.trainers.sampling import Sampling, continued


def generation(cases: Cases) -> Case:
    """Return generation by token, named by its number of types; float32 whatever the precision."""
    count, factors = cases.shapes.generated, _factors(cases)
    blocks = cases.plain_context_block(), cases.plain_token_block()[0]
    reader, source = Reader(cases.model("float32")), torch.Generator().manual_seed(SEED)
    reader.read([int(cases.ids[0])])
    return Case(
        f"Generation ({len(cases.weights):,} types)",
        "ms/token",
        count,
        1e3,
        lambda: _plain(cases, *blocks),
        {"float32": lambda: continued(reader, Sampling(), source, count)},
        {"float32": lambda: _products(factors, count)},
    )


@torch.no_grad()
def _plain(cases: Cases, contexts: plain.ContextBlock, tokens: plain.TokenBlock) -> None:
    c, token = cases.weights.new_zeros(1, cases.shapes.context_dim), cases.ids[:1]
    for _ in range(cases.shapes.generated):
        x = plain.input_vectors(cases.weights, token, 1)
        c = contexts(c, x)[-1]
        token = (tokens([c], x) @ cases.weights.T).softmax(1).multinomial(1)[0]


def _factors(cases: Cases) -> list[tuple[Tensor, Tensor]]:
    """Return a vector and a matrix for both blocks and the head, which is the embedding's."""
    s, new = cases.shapes, cases.weights.new_empty
    joined = s.context_dim + s.embed_dim
    matrices = [new(joined, width).normal_() for width in (s.context_dim, s.embed_dim)]
    return [(new(len(m)).normal_(), m) for m in (*matrices, cases.weights.T)]


def _products(factors: list[tuple[Tensor, Tensor]], count: int) -> None:
    for _ in range(count):
        for x, W in factors:
            x @ W
