"""Peak memory of phase 1 by token: `python -m fpcore.benchmark.peaks KIND TOKENS`, of KINDS.

A process's peak cannot be set back, so each measurement is a process of its own.
"""

import resource
import subprocess
import sys
from pathlib import Path

import torch

from fpcore.config.run_config import RunConfig
from fpcore.model import plain
from fpcore.model.blocks import FixedPointModel
from fpcore.trainers.contexts import training_contexts
from fpcore.trainers.phase1 import train_contexts

CONTEXT_DIM, EMBED_DIM, TYPES = 1_085, 768, 8_192  # the seed's widths; types do not grow it
KINDS = ("plain", "float32", "bfloat16")
TOKENS = (30_000, 150_000)


def bytes_per_token(kind: str) -> float:
    """Return by how many bytes per token the peak grows from 30,000 to 150,000 tokens."""
    small, large = (_peak(kind, tokens) for tokens in TOKENS)
    return (large - small) / (TOKENS[1] - TOKENS[0])


def _peak(kind: str, tokens: int) -> int:
    command = [sys.executable, "-m", "fpcore.benchmark.peaks", kind, str(tokens)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _work(kind: str, tokens: int) -> None:
    """Run two iterations of phase 1 and the pass that makes the contexts of phase 2."""
    config = RunConfig(
        context_dim=CONTEXT_DIM,
        embed_dim=EMBED_DIM,
        max_iter=3,
        precision="float32" if kind == "plain" else kind,
        bfloat16_contexts=kind == "bfloat16",
    )
    source = torch.Generator().manual_seed(1)
    weights = torch.randn(TYPES, EMBED_DIM, generator=source)
    ids = torch.randint(TYPES, (tokens,), generator=source)
    if kind == "plain":
        block = plain.ContextBlock(1, CONTEXT_DIM, EMBED_DIM)
        x = plain.input_vectors(weights, ids, 1)
        P, _ = plain.train_contexts(block, x, config, 1)
        plain.training_contexts(block, P, x)
        return
    model = FixedPointModel(weights, config, 1)
    inputs = model.inputs(ids)
    result = train_contexts(model.context_block, inputs, config, 1)
    training_contexts(model.context_block, result.contexts, inputs, out=result.contexts)


def _own_peak() -> int:
    """Return the peak of this process in bytes.

    Linux counts `ru_maxrss` from before the program was started, when it was its parent's.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    told = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return 1024 * (told[0] if told else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    _work(sys.argv[1], int(sys.argv[2]))
    print(_own_peak())
