"""Phase 1 shared between runs that differ in `max_iter` alone.

Every draw of phase 1 depends on the seed and the iteration, so such runs take the same path and
stop at different places. A run leaves its state where it stops; a longer one goes on from there,
and ends with the very numbers that it would have had alone.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from fpcore.checkpoint import ELSEWHERE, Reached, fingerprint, read_phase1, write_phase1
from fpcore.config import RunConfig
from fpcore.paths import cache

# What phase 1 neither reads nor is stopped by.
UNREAD = {"max_iter", "epochs", "patience", "phase2_lr", "phase2_batch", "select_on", "er_rows"}


@dataclass(frozen=True)
class Trajectory:
    """The states of one path of phase 1, in a folder of `.cache/phase1/`."""

    folder: Path

    @classmethod
    def of(
        cls, name: str, config: RunConfig, seed: int, ids: Tensor, weights: Tensor
    ) -> "Trajectory":
        """Return the path of a config, seed, text `ids` [N] and embedding in the shared `name`."""
        digest = fingerprint(config, ELSEWHERE | UNREAD, seed, ids, weights, weights.device)
        return cls(cache("phase1") / name / digest)

    def latest(self, max_iter: int, device: torch.device) -> Reached | None:
        """Return the state at the last iteration up to `max_iter`.

        None where there is none, or where its file is damaged.
        """
        stops = sorted(int(path.stem) for path in self.folder.glob("[0-9]*.safetensors"))
        reached = [stop for stop in stops if stop <= max_iter]
        found = read_phase1(self._path(reached[-1]), device) if reached else None
        return found and replace(found, shared=found.state.iterations)

    def keep(self, reached: Reached) -> None:
        """Store the state of a run that stopped, in one piece."""
        write_phase1(self._path(reached.state.iterations), reached)

    def _path(self, iteration: int) -> Path:
        return self.folder / f"{iteration}.safetensors"
