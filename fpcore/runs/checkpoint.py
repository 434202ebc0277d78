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

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from torch import Tensor

from fpcore import stored
from fpcore.config.run_config import IDLE, OFF_THE_PATH, knobs_where
from fpcore.data.embedding import tensor_digest
from fpcore.paths import cache
from fpcore.paths import remove as discard
from fpcore.records.result import SizeResult
from fpcore.runs import forms, states
from fpcore.runs.trial import Trial
from fpcore.trainers.phase1 import Phase1State
from fpcore.trainers.phase2 import Phase2State

# What does not change the numbers of one seed and size, or what the key holds in another form.
ELSEWHERE = {*IDLE, *knobs_where(lambda knob: knob.resolved)}
# What phase 1 neither reads nor is stopped by.
UNREAD = {*OFF_THE_PATH}
RESULT = "result"  # suffix of the file of a finished seed and size
BEST = "best/"  # before the names of the parameters after the best epoch


State = TypeVar("State")


@dataclass(frozen=True)
class Reached(Generic[State]):
    """A state of a phase: the seconds it took, and the iterations taken over from another run."""

    state: State
    seconds: float = 0.0
    shared: int = 0


class Checkpoint:
    """The files of one trial."""

    def __init__(self, trial: Trial) -> None:
        held_out = [tensor_digest(text.ids) for text in (trial.data.val, trial.data.dev)]
        digest = trial.fingerprint(ELSEWHERE, held_out=held_out, rates=trial.rates)
        self._folder, self._trial = folder(trial.config.run_name), trial
        self._key = f"{trial.seed}-{trial.samples}-{digest}"

    def begin(self) -> None:
        """Remove the states of other seeds, sizes and configs, and what a killed process left."""
        for path in self._folder.glob("*"):
            left = path.name.startswith(".")
            if left or (path.suffix == ".safetensors" and not path.name.startswith(self._key)):
                discard(path)

    def result(self) -> SizeResult | None:
        """Return the result, if this trial is finished."""
        return read_result(self._path(RESULT))

    def finish(self, result: SizeResult) -> None:
        """Keep the result, and drop the states that led to it."""
        stored.write(self._path(RESULT), result.model_dump_json().encode())
        for path in self._folder.glob(f"{self._key}.*safetensors"):
            discard(path)

    def keep_phase1(self, reached: Reached[Phase1State]) -> None:
        """Store a state of phase 1 in place of the one before."""
        write_phase1(self._path("phase1.safetensors"), reached)

    def phase1(self) -> Reached[Phase1State] | None:
        """Return the state of phase 1, if there is one."""
        return read_phase1(self._path("phase1.safetensors"), self._trial)

    def keep_phase2(self, rate: float, reached: Reached[Phase2State]) -> None:
        """Store a state of phase 2 at a learning rate, in place of the one before."""
        state = reached.state
        known = {k: v for k, v in vars(state).items() if k not in ("tensors", "best")}
        best = {BEST + name: tensor for name, tensor in state.best.items()}
        known["seconds"] = reached.seconds
        states.write(self._path(f"phase2-{rate}.safetensors"), state.tensors | best, known)

    def phase2(self, rate: float) -> Reached[Phase2State] | None:
        """Return the state of phase 2 at a learning rate, if there is one."""
        path = self._path(f"phase2-{rate}.safetensors")
        found = states.read(path, str(self._trial.device))
        return _phase2(path, *found, self._trial) if found else None

    def _path(self, suffix: str) -> Path:
        return self._folder / f"{self._key}.{suffix}"


class Trajectory:
    """The states of one path of phase 1, which runs that are given one name share."""

    def __init__(self, trial: Trial, share: str) -> None:
        self.folder = cache("phase1") / share / trial.fingerprint(ELSEWHERE | UNREAD)
        self._trial = trial

    def latest(self, max_iter: int) -> Reached[Phase1State] | None:
        """Return the state at the last iteration up to `max_iter`.

        None where there is none; of a damaged one, the state before it.
        """
        stops = (int(p.stem) for p in self.folder.glob("*.safetensors") if p.stem.isdecimal())
        for stop in sorted((stop for stop in stops if stop <= max_iter), reverse=True):
            found = read_phase1(self._path(stop), self._trial)
            if found and found.state.iterations == stop:
                return replace(found, shared=stop)
        return None

    def keep(self, reached: Reached[Phase1State]) -> None:
        """Store the state of a run that stopped, in one piece."""
        write_phase1(self._path(reached.state.iterations), reached)

    def _path(self, iteration: int) -> Path:
        return self.folder / f"{iteration}.safetensors"


def folder(name: str) -> Path:
    """Return the folder of a run's checkpoints."""
    return cache("checkpoints") / name


def remove(name: str) -> None:
    """Remove the checkpoints of a run whose record is saved."""
    shutil.rmtree(folder(name), ignore_errors=True)


def write_phase1(path: Path, reached: Reached[Phase1State]) -> None:
    """Store a state of phase 1, in one piece."""
    state = reached.state
    known = {"trace": state.trace, "seconds": reached.seconds, "shared": reached.shared}
    states.write(path, {"contexts": state.contexts, **state.tensors}, known)


def read_phase1(path: Path, trial: Trial) -> Reached[Phase1State] | None:
    """Return what `write_phase1` stored; None where there is none of this trial."""
    found = states.read(path, str(trial.device))
    if found is None:
        return None
    tensors, known = found
    try:
        contexts = tensors.pop("contexts")
        forms.check1(known, contexts, tensors, trial)
    except (KeyError, ValueError):
        stored.say_damaged(path)
        return None
    state = Phase1State(contexts, known["trace"], tensors)
    return Reached(state, known["seconds"], known["shared"])


def _phase2(
    path: Path, tensors: dict[str, Tensor], known: dict[str, Any], trial: Trial
) -> Reached[Phase2State] | None:
    best = {k.removeprefix(BEST): tensors.pop(k) for k in [*tensors] if k.startswith(BEST)}
    try:
        forms.check2(known, tensors, best, trial)
    except ValueError:
        stored.say_damaged(path)
        return None
    seconds = known.pop("seconds")
    return Reached(Phase2State(**known, tensors=tensors, best=best), seconds)


def read_result(path: Path) -> SizeResult | None:
    """Return the result of a finished seed and size; None where there is none."""
    content = stored.read(path)
    try:
        return None if content is None else SizeResult.model_validate_json(content)
    except ValidationError:
        stored.say_damaged(path)
        return None
