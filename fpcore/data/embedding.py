"""Frozen token embeddings, also the output head (spec sections 1 and 5)."""

import hashlib
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from scipy import sparse
from scipy.sparse.linalg import svds

from fpcore import stored
from fpcore.config.run_config import RunConfig
from fpcore.data import hub
from fpcore.errors import CorpusError
from fpcore.paths import cache, regular
from fpcore.stats.draws import generator

WINDOW = 4  # tokens to each side, weighted by 1/distance
SMOOTHING = 0.75  # power on the context counts (Levy & Goldberg 2014)
GPT2 = hub.Source(
    "openai-community/gpt2",
    "model",
    "607a30d783dfa663caf39e06633721c8d4cfcd7e",
    "model.safetensors",
)
# Names the code of `ppmi`, `factorise` and `frequency_column`; whoever changes what they give draws
# a new one.
RECIPE = "edfde5bd8d5799535669e121c65e1d792ace67c7703a94895d4f1793eca4aaef"
PPMI = ("ppmi", "ppmi-frequency")
SPREAD = 0.3  # standard deviation of the frequency column; rows have a norm of 1
STORED = ".wte.weight"  # the end of an embedding's name in a file of tensors
NO_EMBEDDING = "not a safetensors file that holds wte.weight"
FORMATS = ("F16", "BF16", "F32", "F64")  # as safetensors names them
RANDOM_SEED = 0  # draws the random embedding; a run's seeds must not change the frozen part


def load_embedding(
    config: RunConfig, conversations: list[torch.Tensor], vocabulary: int
) -> torch.Tensor:
    """Return the embedding matrix W_e, [V, E] float32, mean row norm 1 unless it is GPT-2's.

    `conversations` are the token ids of the whole training pool, whatever the run's size; the
    result for `ppmi` is cached.

    Raises:
        CorpusError: no such file or no network; shapes that do not fit `embed_dim` or V.
    """
    if config.embedding in PPMI:
        return _cached_ppmi(config, conversations, vocabulary)
    if config.embedding == "random":
        draw = torch.randn(
            vocabulary, config.embed_dim, generator=generator(RANDOM_SEED, "embedding")
        )
        unit: torch.Tensor = draw / draw.norm(dim=1).mean()
        return unit
    weights = _stored(config.embedding)
    if weights.shape != (vocabulary, config.embed_dim):
        raise CorpusError(
            f"embedding {config.embedding} is {weights.shape[0]} x {weights.shape[1]}, but the "
            f"tokenizer has {vocabulary} types and embed_dim is {config.embed_dim}."
        )
    return weights


def embedding_digest(
    config: RunConfig, conversations: list[torch.Tensor], weights: torch.Tensor
) -> str:
    """Return a digest of what an embedding W_e [V, E] is made from, or of its values if given.

    The last bits of a factorisation change with the processor and the number of threads, which
    makes no other run of it, just as those of the training itself do.
    """
    if config.embedding in PPMI:
        return _recipe(config, conversations, len(weights))
    return tensor_digest(weights)


def tensor_digest(tensor: torch.Tensor) -> str:
    """Return a digest (16 hexadecimal digits) of a tensor's shape, format and values, any shape."""
    head = f"{tuple(tensor.shape)}:{tensor.dtype}:".encode()
    return hashlib.sha256(head + tensor.contiguous().numpy().tobytes()).hexdigest()[:16]


def ppmi(conversations: list[torch.Tensor], vocabulary: int) -> sparse.csr_array:
    """Return the positive pointwise mutual information of types and their contexts, [V, V].

    Counts are weighted by 1/distance within WINDOW tokens of the same conversation; the context
    distribution is smoothed with the power SMOOTHING (Levy & Goldberg 2014).

    Raises:
        CorpusError: no conversation has two tokens.
    """
    counts = _cooccurrence(conversations, vocabulary)
    total = counts.sum()
    if not total:
        raise CorpusError("embedding ppmi needs conversations of at least 2 tokens.")
    words = np.asarray(counts.sum(axis=1)).ravel() / total
    contexts = np.asarray(counts.sum(axis=0)).ravel() ** SMOOTHING
    contexts /= contexts.sum()
    pairs = counts.tocoo()
    rows, columns = pairs.coords
    information = np.log(pairs.data / total) - np.log(words[rows]) - np.log(contexts[columns])
    kept = information > 0
    return sparse.csr_array(
        (information[kept], (rows[kept], columns[kept])), shape=(vocabulary, vocabulary)
    )


def factorise(matrix: sparse.csr_array, width: int) -> torch.Tensor:
    """Return U·√S of the truncated SVD, [V, width], the rows of types in use of mean norm 1.

    The solver's signs are chance: they change with the processor and the number of threads, and
    LayerNorm takes the mean of a row away, so that other signs make another embedding. Here the
    largest entry of every column is positive, negative, positive, …: fixed, and without a common
    sign that the mean would hold.

    Raises:
        CorpusError: `width` is not below the number of types with any information.
    """
    # Types that never occur have zero rows and columns, and would only slow ARPACK down.
    used = np.flatnonzero(np.diff(matrix.indptr) + np.diff(matrix.tocsc().indptr))
    if width >= len(used):
        raise CorpusError(
            f"embedding ppmi cannot have {width} columns: only {len(used)} types of the corpus "
            "stand beside others; lower embed_dim or use a larger corpus."
        )
    # A fixed start makes ARPACK repeatable.
    u, s, _ = svds(matrix[used][:, used], k=width, v0=np.ones(len(used)))
    order, columns = np.argsort(-s), np.arange(width)
    u = u[:, order]
    u *= np.sign(u[np.abs(u).argmax(0), columns]) * (-1.0) ** columns
    vectors = u * np.sqrt(s[order])
    vectors /= np.linalg.norm(vectors, axis=1).mean()
    rows = np.zeros((matrix.shape[0], width))
    rows[used] = vectors
    return torch.tensor(rows, dtype=torch.float32)


def frequency_column(conversations: list[torch.Tensor], vocabulary: int) -> torch.Tensor:
    """Return the logarithm of how often each type occurs, [V], of mean 0 and fixed spread.

    Pointwise mutual information divides the frequency of words out, and a tied head without a bias
    cannot put it back. GPT-2's embedding, which this one stands for, was trained as such a head,
    and knows it. Counts are raised by one; types in use have a mean of 0 and a standard deviation
    of SPREAD, and types that never occur lie below.
    """
    counts = torch.bincount(torch.cat(conversations), minlength=vocabulary)
    logs = (counts + 1).double().log()
    used = logs[counts > 0]
    spread = used.std(correction=0)
    return ((logs - used.mean()) * (SPREAD / spread if spread else 0.0)).float()


def _made(config: RunConfig, conversations: list[torch.Tensor], vocabulary: int) -> torch.Tensor:
    """Return a PPMI embedding [V, E]; where its last column is the frequency, E - 1 are PPMI's."""
    matrix = ppmi(conversations, vocabulary)
    if config.embedding == "ppmi":
        return factorise(matrix, config.embed_dim)
    column = frequency_column(conversations, vocabulary)[:, None]
    return torch.cat([factorise(matrix, config.embed_dim - 1), column], dim=1)


def _cooccurrence(conversations: list[torch.Tensor], vocabulary: int) -> sparse.csr_array:
    ids = torch.cat(conversations).numpy()
    owner = np.repeat(np.arange(len(conversations)), [len(c) for c in conversations])
    counts = sparse.csr_array((vocabulary, vocabulary))
    for distance in range(1, WINDOW + 1):
        same = owner[distance:] == owner[:-distance]
        pair = (ids[:-distance][same], ids[distance:][same])
        weight = np.full(len(pair[0]), 1 / distance)
        counts = counts + sparse.coo_array((weight, pair), shape=counts.shape).tocsr()
    return counts + counts.T


def _cached_ppmi(
    config: RunConfig, conversations: list[torch.Tensor], vocabulary: int
) -> torch.Tensor:
    path = cache("embeddings") / _recipe(config, conversations, vocabulary)
    content = stored.read(path)
    if content is None:
        content = save({"wte.weight": _made(config, conversations, vocabulary)})
        stored.write(path, content)
    weights: torch.Tensor = load(content)["wte.weight"]
    return weights


def _recipe(config: RunConfig, conversations: list[torch.Tensor], vocabulary: int) -> str:
    """Name a PPMI embedding by its texts, its shape and the recipe of the code that makes it."""
    lengths = torch.tensor([len(c) for c in conversations])
    texts = [tensor_digest(torch.cat(conversations)), tensor_digest(lengths)]
    text = "-".join(map(str, [*texts, vocabulary, config.embed_dim, RECIPE]))
    return f"{config.embedding}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _stored(source: str) -> torch.Tensor:
    """Read `wte.weight` from a safetensors file: the hub's for `gpt2`, else a local one."""
    path = regular(source)
    if source == "gpt2":
        path = hub.fetch(GPT2, "embedding gpt2", "use embedding ppmi")
    if path is None:
        raise CorpusError(f"embedding {source} is not there, or is not a file.")
    try:
        with safe_open(path, framework="pt") as tensors:
            name = _only([n for n in tensors.keys() if f".{n}".endswith(STORED)], source)  # noqa: SIM118
            _check_format(tensors.get_slice(name), source)
            weights: torch.Tensor = tensors.get_tensor(name).float()
    except (SafetensorError, OSError, RuntimeError, MemoryError) as error:
        what = "more than the memory holds" if isinstance(error, MemoryError) else NO_EMBEDDING
        raise CorpusError(f"embedding {source} is {what}.") from None
    if not weights.isfinite().all():
        raise CorpusError(
            f"wte.weight of embedding {source} holds a value that is not finite in float32."
        )
    if not weights.any():
        raise CorpusError(f"wte.weight of embedding {source} is zero throughout.")
    return weights


def _only(names: list[str], source: str) -> str:
    if not names:
        raise CorpusError(f"embedding {source} is {NO_EMBEDDING}.")
    if len(names) > 1:
        raise CorpusError(
            f"embedding {source} holds {' and '.join(sorted(names))}; it may hold one of them."
        )
    return names[0]


def _check_format(weights: Any, source: str) -> None:
    """Refuse a tensor before it is read: what is no matrix of floating-point numbers."""
    if len(weights.get_shape()) != 2:
        raise CorpusError(f"wte.weight of embedding {source} must be a matrix.")
    if weights.get_dtype() not in FORMATS:
        raise CorpusError(
            f"wte.weight of embedding {source} is stored as {weights.get_dtype()}; "
            f"{', '.join(FORMATS)} are read."
        )
