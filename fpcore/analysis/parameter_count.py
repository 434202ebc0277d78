"""How many parameters a run trained, by the formulas of its config where its record is older."""

from itertools import pairwise

from fpcore.config.run_config import RunConfig
from fpcore.records.record import RunRecord


def trained_parameters(record: RunRecord) -> int | None:
    """Return how many parameters training changes; None where the record does not tell."""
    told = next((r.trained_parameters for r in record.results if r.trained_parameters), None)
    if told is not None or not set(RunConfig.model_fields) >= set(record.config):
        return told
    if "context_dim" not in record.config:
        return None
    config = RunConfig(**record.config)
    context = config.layers * _layer(config.embed_dim * config.input_tokens, config.context_dim)
    return _token_block(config) + (context if config.contexts == "trained" else 0)


def _token_block(config: RunConfig) -> int:
    """Return the parameters of the TokenBlock, which narrows from E·T to E (spec section 1)."""
    E, L, first = config.embed_dim, config.layers, config.embed_dim * config.input_tokens
    widths = [first - (first - E) * layer // L for layer in range(L + 1)]
    projections = sum((w + 1) * v for w, v in pairwise(widths) if w != v)
    linears = sum((config.context_dim + w + 1) * v for w, v in pairwise(widths))
    return projections + linears + sum(2 * v for v in widths[1:])


def _layer(width: int, D: int) -> int:
    """Return the parameters of a layer of the ContextBlock: linear [D, D + width], LayerNorm."""
    return (D + width + 1) * D + 2 * D
