"""Where a record comes from: the code that made it, and the machine that ran it."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from fpcore.paths import ROOT

# What makes the numbers. Storing states and going on from them changes none, so it is left out.
SOURCES = (
    "baselines corpus dataset embedding experiment generators head loss metrics model phase1 "
    "phase2 precision recurrence sweep tokens trial"
).split()
PACKAGES = ("numpy", "safetensors", "scipy", "tokenizers", "torch")


def code_digests(sources: Iterable[str] = SOURCES) -> dict[str, str]:
    """Return a digest of every source file of this package that produces results."""
    folder = Path(__file__).parent
    return {
        f"code/{name}.py": hashlib.sha256((folder / f"{name}.py").read_bytes()).hexdigest()[:16]
        for name in sources
    }


def environment(device: torch.device, precision: str) -> dict[str, Any]:
    """Return the versions, the device and the settings that a result may depend on."""
    on_gpu = device.type == "cuda"
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "precision": precision,
        "deterministic": not on_gpu,  # sums by type use atomic additions there
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
