"""Where a record comes from: the code that made it, and the machine that ran it.

The code is known by what it says, not by the bytes or the names of its files, and by role: a
comment, a docstring or a move between the files of a role changes no digest, a changed sign does.
"""

import ast
import hashlib
import os
import platform
import subprocess
import tokenize
import uuid
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from fpcore.config.run_config import RunConfig
from fpcore.paths import ROOT
from fpcore.stats.draws import first_stream

# What makes the numbers, by role. Storing states and going on from them changes none.
ROLES = {
    "data": (
        "data.chats",
        "data.corpus",
        "data.dataset",
        "data.embedding",
        "data.files",
        "data.tokens",
    ),
    "model": (
        "model.blocks",
        "model.column_sums",
        "model.fused",
        "model.head",
        "model.optimiser",
        "model.packed",
        "model.precision",
        "model.tuning",
        "stats.draws",
    ),
    "phase 1": (
        "trainers.chunk_loss",
        "trainers.phase1",
        "trainers.sweep",
        "trainers.token_half",
    ),
    "contexts": ("trainers.capture", "trainers.contexts"),
    "phase 2": ("trainers.phase2",),
    "metrics": ("stats.metrics", "trainers.texts"),
    "trial": ("runs.ranks", "runs.training"),
    "n-grams": ("trainers.kneser_ney",),
    "networks": ("trainers.network_training", "trainers.networks"),
    "baselines": ("runs.baseline",),
}
CONTROL = ("data", "model", "contexts", "phase 2", "metrics", "trial")
RUN = (*CONTROL, "phase 1")
KNESER_NEY = ("data", "metrics", "n-grams", "baselines")
NEURAL = ("data", "model", "metrics", "networks", "baselines")
FOLDER = Path(__file__).parent.parent
PACKAGES = ("numpy", "safetensors", "scipy", "tokenizers", "torch")
LAYOUT = {tokenize.INDENT: "{", tokenize.DEDENT: "}", tokenize.NEWLINE: ";"}
UNSAID = (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER)


def roles_of(config: RunConfig) -> tuple[str, ...]:
    """Return the roles that a run uses: controls have no phase 1."""
    return RUN if config.contexts == "trained" else CONTROL


def code_digests(roles: Iterable[str]) -> dict[str, str]:
    """Return a digest of the code of each role, under `code/<role>`."""
    return {f"code/{role}": _of_modules(ROLES[role]) for role in roles}


def digest(definitions: Iterable[tuple[str, str]]) -> str:
    """Return the digest of definitions as `said` returns them, whatever their order."""
    return hashlib.sha256(repr(sorted(definitions)).encode()).hexdigest()[:16]


def said(source: str) -> list[tuple[str, str]]:
    """Return every top-level definition of a module: its name, and its text as it counts.

    Comments, docstrings and imports do not count, nor does white space but for what is inside
    what. The text comes from the source, because the syntax tree differs between versions of
    Python.
    """
    tree = ast.parse(source)
    docstrings = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = source.splitlines(keepends=True)
    return [
        (_name(node), _text(lines[_first(node) - 1 : node.end_lineno], docstrings, _first(node)))
        for node in tree.body
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)
    ]


def _of_modules(modules: Iterable[str]) -> str:
    paths = [FOLDER / f"{name.replace('.', '/')}.py" for name in modules]
    return digest([pair for path in paths for pair in said(path.read_text(encoding="utf-8"))])


def _first(node: ast.stmt) -> int:
    """Return the first line of a definition, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return ",".join(ast.unparse(target) for target in targets)
    return str(getattr(node, "name", type(node).__name__))


def _text(lines: list[str], docstrings: set[int], first: int) -> str:
    """Join the tokens of a definition that starts at line `first` of its module."""
    found = tokenize.generate_tokens(iter(lines).__next__)
    depth = (tokenize.INDENT, tokenize.DEDENT)
    kept = (t for t in found if t.start[0] + first - 1 not in docstrings or t.type in depth)
    return " ".join(_words(kept, lines))


def _words(tokens: Iterator[tokenize.TokenInfo], lines: list[str]) -> Iterator[str]:
    """Yield tokens as text; a formatted string is one, as it was before Python 3.12."""
    depth, start = 0, (0, 0)
    for token in tokens:
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_START":
            start, depth = (start if depth else token.start), depth + 1
        elif kind == "FSTRING_END":
            depth -= 1
            if not depth:
                yield _between(lines, start, token.end)
        elif not depth and token.type not in UNSAID:
            yield LAYOUT.get(token.type, token.string)


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the source from `start` to `end` (lines from 1, columns from 0)."""
    part = lines[start[0] - 1 : end[0]]
    part[-1] = part[-1][: end[1]]
    part[0] = part[0][start[1] :]
    return "".join(part)


def device_name(device: torch.device) -> str:
    """Return what a device is: the model of a GPU, because another one gives other last bits."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def processor() -> str:
    """Return the model of the processor, as Linux names it, or what Python knows of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def machine_id() -> str:
    """Return a word that is the same for all runs of a machine, and tells nothing else of it.

    A machine without a network address is known by its name alone: Python would draw an address,
    another one for every process.
    """
    address = uuid.getnode()
    drawn = address >> 40 & 1  # RFC 9562, section 6.10
    text = f"fpcore {platform.node()} {'' if drawn else address}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def load() -> float | None:
    """Return how many threads the machine had to run in the last minute; None if it cannot tell."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def environment(device: torch.device, precision: str, roles: Iterable[str] = RUN) -> dict[str, Any]:
    """Return the versions, the device and the settings that a result may depend on.

    On a GPU the gradients of attention and of recurrent networks are added in any order. What the
    fixed-point model uses is always added in the same one, and what is compiled for it does not
    depend on what a process did before.
    """
    busy = load()
    any_order = device.type == "cuda" and "networks" in roles
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "device": device_name(device),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "machine_id": machine_id(),
        "threads": torch.get_num_threads(),
        **({} if busy is None else {"load": busy}),
        "precision": precision,
        "deterministic": not any_order,
        "first_contexts": first_stream(device),
        "commit": _commit(),
    }


def _commit() -> str | None:
    """Return the commit of the checkout, marked where files differ from it; None without git.

    Reports do not count: a run writes them.
    """
    try:
        commit = _git("describe", "--always", "--abbrev=12")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!reports")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("-dirty" if changed else "")


def _git(*words: str) -> str:
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
