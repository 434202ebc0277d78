"""What a training needs of memory at least, what is free, and the sentence where it does not fit.

The estimate leaves out what a stage holds for a moment, so that nothing is refused that would run.
"""

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import torch

from fpcore.config.baseline import NeuralConfig
from fpcore.config.run_config import RunConfig
from fpcore.errors import TrainingError
from fpcore.model.precision import stored_dtype
from fpcore.runs.earlier import Recordable
from fpcore.runs.trial import Trial

GB = 1e9
VOCABULARIES = {"gpt2": 50257}
CGROUP = Path("/sys/fs/cgroup")
# What is held at once, and what to lower where it is the most of it.
ADVICE = {
    "contexts": "lower samples or context_dim, or set bfloat16_contexts to true where precision is "
    "bfloat16",
    "inputs": "lower context_dim, layers, input_tokens or samples",
    "parameters": "lower context_dim, layers, embed_dim or input_tokens",
    "parameters of the network": "lower context_dim, layers, embed_dim or input_tokens, with which "
    "it has as many",
    "logits": "lower streams or segment, or take a smaller tokenizer",
    "effective rank": "lower context_dim",
    "embedding": "lower embed_dim, or take a smaller tokenizer",
}


def check(trial: Trial) -> None:
    """Refuse a trial that cannot fit into the memory that is free.

    Raises:
        TrainingError: the text has the estimate, what is free, and what to lower.
    """
    tokens, types = len(trial.ids), len(trial.ids.unique())
    parts = _parts(trial.config, tokens, types, len(trial.data.weights), trial.precision.contexts)
    _compare(parts, _free(trial.device), f"training on {tokens:,} tokens")


def check_network(config: NeuralConfig, vocabulary: int, device: torch.device) -> None:
    """Refuse a baseline that cannot fit: its parameters are as many as the fixed-point model's.

    Raises:
        TrainingError: as `check`.
    """
    logits = config.streams * config.segment * vocabulary
    parts = {
        "embedding": 4 * vocabulary * config.embed_dim,
        "parameters of the network": 4 * 4 * sum(_blocks(config)),  # gradient, both moments
        "logits": 2 * 4 * logits,  # and their gradient
    }
    _compare(parts, _free(device), f"training {config.name}")


def check_embedding(config: Recordable) -> None:
    """Refuse an embedding that cannot fit, before it is drawn or factorised.

    Raises:
        TrainingError: as `check`.
    """
    size = config.tokenizer.removeprefix("bpe-")
    types = VOCABULARIES.get(size) or int(size)
    parts = {"embedding": 4 * types * config.embed_dim}
    _compare(parts, _free(torch.device("cpu")), f"an embedding of {types:,} types")


def _parts(
    config: RunConfig, tokens: int, types: int, vocabulary: int, contexts: torch.dtype
) -> dict[str, int]:
    """Return the bytes of what is held at once in phase 1, and of the spectrum after it."""
    E, D, L, T = config.embed_dim, config.context_dim, config.layers, config.input_tokens
    size, trained = stored_dtype(config).itemsize, config.contexts == "trained"
    first, second = _blocks(config)
    return {
        "contexts": tokens * D * contexts.itemsize * (1 if config.contexts == "zero" else L),
        "inputs": (types * E + types * D * L * T * trained) * size + tokens * T * 8,
        "parameters": ((4 if trained else 1) * first + second) * size,  # gradient, both moments
        "effective rank": 0 if config.contexts == "zero" else 2 * D * D * 8,
        "embedding": vocabulary * E * size,
    }


def _blocks(config: RunConfig | NeuralConfig) -> tuple[int, int]:
    """Return the parameters of the matrices of both blocks (spec section 1)."""
    E, D, L, T = config.embed_dim, config.context_dim, config.layers, config.input_tokens
    return L * D * (D + E * T), L * E * (D + E)


def _compare(parts: dict[str, int], free: float, what: str) -> None:
    needed = sum(parts.values())
    if needed <= free:
        return
    largest = max(parts, key=lambda part: parts[part])
    raise TrainingError(
        f"{what} needs at least {needed / GB:,.1f} GB of memory, most of it for the {largest}, "
        f"but {free / GB:,.1f} GB are free; {ADVICE[largest]}."
    )


def _free(device: torch.device) -> float:
    """Return the bytes that can still be had: of the device, or of this machine and this process.

    What a container or a limit of the process leaves counts as well, and what can be swapped.
    """
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    memory = psutil.virtual_memory()
    left = [memory.available + psutil.swap_memory().free]
    with suppress(OSError, ValueError):  # no such limit: another system, or "max"
        most, used = (int((CGROUP / f"memory.{n}").read_text()) for n in ("max", "current"))
        found = re.search(r"^inactive_file (\d+)$", (CGROUP / "memory.stat").read_text(), re.M)
        left.append(most - used + (int(found[1]) if found else 0))
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        left.append(limit - psutil.Process().memory_info().vms)
    return float(min(left))


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn what a library says when memory is at an end into one sentence.

    Raises:
        TrainingError: in its place.
    """
    try:
        yield
    except MemoryError:
        raise TrainingError(_ended(what)) from None
    except RuntimeError as error:
        if not re.search(r"not enough memory|can't allocate|out of memory", str(error)):
            raise
        raise TrainingError(_ended(what)) from None


def _ended(what: str) -> str:
    return (
        f"{what} needs more memory than there is; lower samples, context_dim or embed_dim, or end "
        "other programs."
    )
