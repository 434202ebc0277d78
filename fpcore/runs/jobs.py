"""A run as a job: what a worker needs to train it anywhere, and what comes back.

A worker that shares this process' home works in it. Any other one works in `fpcore-worker/` of its
own working folder, where its caches and checkpoints stay; records and notebooks come back over
the wire.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpcore.config.run_config import RunConfig
from fpcore.paths import reports, write_atomically
from fpcore.records.record import RunRecord, record_path
from fpcore.runs.lock import JOB
from fpcore.runs.notebook import NotebookError, execute

# Dask sets each of these to 1 in its workers. NumPy's library has one of its own, and with another
# number of threads the last bits of the embedding are other ones.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """One run.

    `share` is the name under which runs share phase 1, `last` whether no other run of that name
    follows. `home` is None where the worker has its own; then `record` is what this name holds so
    far. `number` is the same for every attempt at the job.
    """

    name: str
    knobs: dict[str, Any]
    force: bool
    number: str
    share: str = ""
    last: bool = True
    threads: int | None = None
    home: str | None = None
    record: bytes | None = None

    @property
    def config(self) -> RunConfig:
        """The config of the run."""
        return RunConfig(**self.knobs)


@dataclass(frozen=True)
class Outcome:
    """The files of a run that was trained, or None where they are in the home already."""

    record: bytes | None = None
    notebook: bytes | None = None

    def store(self, name: str) -> None:
        """Write the files, after a look at what came.

        Raises:
            NotebookError: what came back is not the record of this run.
        """
        if self.record is None or self.notebook is None:
            return
        try:
            came = RunRecord.model_validate_json(self.record).name
        except ValueError:
            came = ""
        if came != name:
            raise NotebookError("the worker sent back something else than its record.")
        write_atomically(record_path(name), self.record)
        write_atomically(record_path(name).with_suffix(".ipynb"), self.notebook)


def perform(job: Job, on_line: Callable[[str], None], gone: Callable[[], bool]) -> Outcome:
    """Execute the `run` notebook for a job, in a worker, until `gone` says that nobody waits.

    Raises:
        NotebookError: it failed; the text says why.
    """
    home = Path(job.home) if job.home else Path.cwd() / "fpcore-worker"
    folder = home / reports().name / "runs"
    record, notebook = folder / f"{job.name}.json", folder / f"{job.name}.ipynb"
    environment = {"FPCORE_HOME": str(home), JOB: job.number}
    if job.threads:
        environment |= dict.fromkeys(THREADS, str(job.threads))
    own = {"name": job.name, "force": job.force, "share": job.share}
    parameters = job.config.model_dump() | own
    try:
        if not job.home:
            _put(record, job.record)
        execute("run", notebook, parameters, on_line, environment, gone)
        return Outcome() if job.home else Outcome(record.read_bytes(), notebook.read_bytes())
    finally:
        if job.share and job.last:
            shutil.rmtree(home / ".cache" / "phase1" / job.share, ignore_errors=True)


def _put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, content)
