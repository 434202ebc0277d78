"""What a run goes on from: its own states after an interruption, or those of a shorter run.

In `.cache/checkpoints/<run>/` every finished seed and size has a file of its result; the one in
work has a state of each phase. A run that goes on takes a state only if everything that decides
its numbers is the same, and so ends with the record of a run that nothing disturbed. The folder is
removed when the record is saved.

In `.cache/phase1/<share>/` runs share phase 1 that differ in `max_iter`, and in what phase 1 does
not read, alone. Every draw depends on the seed and the iteration, so such runs take the same path
and stop at the same place or at different ones: a run leaves its state where it stops, and one that
is as long or longer goes on from there, to the very numbers that it would have had alone.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from fpcore.config.run_config import OFF_THE_PATH, RunConfig, knobs_where
from fpcore.data.dataset import Data
from fpcore.data.embedding import tensor_digest
from fpcore.model.precision import resolve
from fpcore.paths import cache, write_atomically
from fpcore.records.record import SizeResult
from fpcore.runs import states
from fpcore.runs.provenance import code_digests, roles_of
from fpcore.trainers.phase1 import Phase1
from fpcore.trainers.phase2 import Evaluation, Phase2, Standing

# What does not change the numbers of one seed and size, or what the key holds in another form.
ELSEWHERE = {*knobs_where(lambda knob: knob.resolved or knob.acts_on == ("name",))}
# What phase 1 neither reads nor is stopped by.
UNREAD = {*OFF_THE_PATH}


@dataclass(frozen=True)
class Reached:
    """A state of phase 1: the seconds it took, and the iterations taken over from another run."""

    state: Phase1
    seconds: float = 0.0
    shared: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """The files of one seed and size of a run."""

    folder: Path
    key: str

    @classmethod
    def of(
        cls, config: RunConfig, data: Data, seed: int, samples: int, device: torch.device
    ) -> "Checkpoint":
        """Return where a seed and size of a run on this machine is kept."""
        held_out = [tensor_digest(text.ids) for text in (data.val, data.dev)]
        ids, weights = data.training_ids(samples), data.weights
        digest = fingerprint(config, ELSEWHERE, seed, ids, weights, device, held_out=held_out)
        return cls(folder(config.run_name), f"{seed}-{samples}-{digest}")

    def begin(self) -> None:
        """Remove the states of other seeds, sizes and configs, and what a killed process left."""
        for path in self.folder.glob("*"):
            left = path.name.startswith(".")
            if left or (path.suffix == ".safetensors" and not path.name.startswith(self.key)):
                path.unlink(missing_ok=True)

    def result(self) -> SizeResult | None:
        """Return the result, if this seed and size is finished."""
        try:
            return SizeResult.model_validate_json(self._path("json").read_bytes())
        except (OSError, ValidationError):
            return None

    def finish(self, result: SizeResult) -> None:
        """Keep the result, and drop the states that led to it."""
        write_atomically(self._path("json"), result.model_dump_json().encode())
        for phase in ("phase1", "phase2"):
            self._path(f"{phase}.safetensors").unlink(missing_ok=True)

    def keep_phase1(self, reached: Reached) -> None:
        """Store a state of phase 1 in place of the one before."""
        write_phase1(self._path("phase1.safetensors"), reached)

    def phase1(self, device: torch.device) -> Reached | None:
        """Return the state of phase 1, if there is one."""
        return read_phase1(self._path("phase1.safetensors"), device)

    def keep_phase2(self, standing: Standing, seconds: float) -> None:
        """Store a state of phase 2 in place of the one before."""
        known = {k: v for k, v in vars(standing).items() if k != "tensors"} | {"seconds": seconds}
        if standing.best:
            known["best"] = asdict(replace(standing.best, trace=[]))
        states.write(self._path("phase2.safetensors"), standing.tensors, known)

    def phase2(self, device: torch.device) -> tuple[Standing, float] | None:
        """Return the state of phase 2 and the seconds it took, if there is one."""
        found = states.read(self._path("phase2.safetensors"), str(device))
        return _standing(*found) if found else None

    def _path(self, suffix: str) -> Path:
        return self.folder / f"{self.key}.{suffix}"


def folder(name: str) -> Path:
    """Return the folder of a run's checkpoints."""
    return cache("checkpoints") / name


def remove(name: str) -> None:
    """Remove the checkpoints of a run whose record is saved."""
    shutil.rmtree(folder(name), ignore_errors=True)


def fingerprint(
    config: RunConfig,
    ignored: set[str],
    seed: int,
    ids: Tensor,
    weights: Tensor,
    device: torch.device,
    **more: Any,
) -> str:
    """Digest of all that decides the numbers of a training on the text `ids` [N].

    The last bits depend on the threads and on the version of PyTorch, too.
    """
    key = config.model_dump(exclude=ignored) | {
        "seed": seed,
        "ids": tensor_digest(ids.cpu()),
        "embedding": tensor_digest(weights.cpu()),
        "code": code_digests(roles_of(config)),
        "precision": resolve(config, device).name,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        **more,
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


def write_phase1(path: Path, reached: Reached) -> None:
    """Store a state of phase 1, in one piece."""
    state = reached.state
    known = {"trace": state.trace, "seconds": reached.seconds, "shared": reached.shared}
    states.write(path, {"contexts": state.contexts, **state.tensors}, known)


def read_phase1(path: Path, device: torch.device) -> Reached | None:
    """Return what `write_phase1` stored; None where there is none, or where it is damaged."""
    found = states.read(path, str(device))
    if found is None:
        return None
    tensors, known = found
    try:
        state = Phase1(tensors.pop("contexts"), known["trace"], tensors)
        return Reached(state, known["seconds"], known["shared"])
    except KeyError:
        return None


def _standing(tensors: dict[str, Tensor], known: dict[str, Any]) -> tuple[Standing, float] | None:
    try:
        best, trace = known.pop("best"), known["trace"]
        if best is not None:
            best = Phase2(**best | {"trace": trace, "val": Evaluation(**best["val"])})
        seconds = float(known.pop("seconds"))
        return Standing(**known | {"best": best, "tensors": tensors}), seconds
    except (KeyError, TypeError):
        return None


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
