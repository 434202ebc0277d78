"""Phase 1 shared between runs that differ in `max_iter` alone.

Every draw of phase 1 depends on the seed and the iteration, so such runs take the same path and
stop at different places. A run leaves its state where it stops; a longer one goes on from there,
and ends with the very numbers that it would have had alone.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fpcore.config import RunConfig
from fpcore.embedding import tensor_digest
from fpcore.paths import cache, write_atomically
from fpcore.phase1 import Phase1
from fpcore.precision import resolve
from fpcore.provenance import code_digests

# What phase 1 neither reads nor is stopped by, or what the key holds in another form.
ELSEWHERE = {
    "name", "max_iter", "samples", "seeds", "epochs", "patience", "phase2_lr", "phase2_batch",
    "select_on", "er_rows", "device", "precision",
}  # fmt: skip


@dataclass(frozen=True)
class Trajectory:
    """The states of one path of phase 1, in a folder of `.cache/phase1/`."""

    folder: Path

    @classmethod
    def of(
        cls, name: str, config: RunConfig, seed: int, ids: Tensor, weights: Tensor
    ) -> "Trajectory":
        """Return the path of a config, seed, text `ids` [N] and embedding in the shared `name`."""
        device = weights.device
        key = config.model_dump(exclude=ELSEWHERE) | {
            "seed": seed,
            "ids": tensor_digest(ids.cpu()),
            "embedding": tensor_digest(weights.cpu()),
            "code": code_digests(),
            "precision": resolve(config, device).name,
            "device": str(device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
        text = json.dumps(key, sort_keys=True)
        return cls(cache("phase1") / name / hashlib.sha256(text.encode()).hexdigest()[:16])

    def latest(
        self, max_iter: int, device: torch.device | str = "cpu"
    ) -> tuple[Phase1, float] | None:
        """Return the state at the last iteration up to `max_iter`, and the seconds that it took.

        None where there is none, or where its file is damaged.
        """
        stops = sorted(int(path.stem) for path in self.folder.glob("*.safetensors"))
        reached = [stop for stop in stops if stop <= max_iter]
        return _read(self._path(reached[-1]), str(device)) if reached else None

    def keep(self, state: Phase1, seconds: float) -> None:
        """Store the state of a run that stopped, in one piece."""
        about = {"trace": json.dumps(state.trace), "seconds": repr(seconds)}
        tensors = {"contexts": state.contexts, **state.tensors}
        content = save({k: v.contiguous().cpu() for k, v in tensors.items()}, about)
        write_atomically(self._path(state.iterations), content)

    def _path(self, iteration: int) -> Path:
        return self.folder / f"{iteration}.safetensors"


def _read(path: Path, device: str) -> tuple[Phase1, float] | None:
    try:
        with safe_open(path, "pt", device=device) as file:
            about: dict[str, str] = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        trace: list[dict[str, Any]] = json.loads(about["trace"])
        return Phase1(tensors.pop("contexts"), trace, tensors), float(about["seconds"])
    except (SafetensorError, OSError, KeyError, ValueError):
        return None
