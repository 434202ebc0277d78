"""Train many configs, compare them, and collect what was made."""

import hashlib
import json
import time
import uuid
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fpcore.config.run_config import OFF_THE_PATH, RunConfig
from fpcore.errors import ConfigError, FpcoreError, quoted
from fpcore.paths import reports, shown, together
from fpcore.runs.jobs import Job
from fpcore.runs.notebook import NotebookError, execute
from fpcore.runs.progress import Progress, clock


@dataclass
class Book:
    """What one execution of the `book` notebook has made, and what it could not make.

    `runs` are the names of the records, in the order of the configs; `failures` are one sentence
    each.
    """

    runs: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def train(
        self,
        configs: Sequence[str | RunConfig],
        force: bool,
        scheduler: str = "",
        workers: int = 0,
        pages: bool = True,
    ) -> None:
        """Execute `run` for every config (itself, or a name or path); a failure stops no other.

        Without `pages`, only records count: runs whose records are current are not executed.
        Where and how many at once: `cluster.train`. Configs that differ in `max_iter` and in what
        phase 1 does not read alone (`OFF_THE_PATH`) share phase 1, the shortest first.

        Raises:
            ConfigError: no scheduler or worker at the address `scheduler`.
        """
        from fpcore.runs import cluster  # it loads torch and Dask

        jobs = self._jobs(configs, force)
        there = [] if pages or force else _recorded(list(jobs.values()))
        chains = _chains([job for job in jobs.values() if job.name not in there])
        made, failed = cluster.train(chains, scheduler, workers) if chains else ([], {})
        self.runs += [name for name in jobs if name in (*there, *made)]
        self.failures += [f"{name} failed: {failed[name]}" for name in jobs if name in failed]

    def compare(self) -> None:
        """Execute `compare` for the first run and each of the others."""
        others = self.runs[1:]
        self._make({f"{self.runs[0]} vs {b}": partial(self._compare, b) for b in others})

    def scaling(self) -> None:
        """Execute `scaling` for the runs of this book."""
        self._make({"scaling": self._scaling} if self.runs else {})

    def check(self) -> None:
        """Raise NotebookError if anything failed, after all the rest was made."""
        if self.failures:
            raise NotebookError(" | ".join(self.failures))
        print("All parts of the book were made.")

    def _jobs(self, configs: Sequence[str | RunConfig], force: bool) -> dict[str, Job]:
        jobs: dict[str, Job] = {}
        for source in configs:
            try:
                config = source if isinstance(source, RunConfig) else RunConfig.load(source)
                name = config.run_name
                if name in jobs:
                    raise ConfigError(f"an earlier config is called {name}, too.")
                jobs[name] = Job(name, config.model_dump(), force, uuid.uuid4().hex)
            except ConfigError as error:
                self.failures.append(f"{_called(source)} failed: {error}")
        return jobs

    def _make(self, parts: dict[str, Callable[[Progress], Path]]) -> None:
        lines: list[str] = []
        for title, part in parts.items():
            progress, start = Progress(), time.monotonic()
            try:
                made = shown(part(progress))
                lines.append(f"{title}: {made} in {clock(time.monotonic() - start)}")
            except FpcoreError as error:
                lines.append(f"{title} failed: {error}")
                self.failures.append(lines[-1])
            progress.finish("\n".join(lines))

    def _compare(self, other: str, progress: Progress) -> Path:
        first = self.runs[0]
        target = reports() / together([first, other])
        given = {"a": first, "b": other}
        execute("compare", target / "compare.ipynb", given, progress.update)
        return target / "report.md"

    def _scaling(self, progress: Progress) -> Path:
        target = reports() / "scaling" / f"{together(self.runs)}.ipynb"
        execute("scaling", target, {"runs": self.runs}, progress.update)
        return target


def _called(source: str | RunConfig) -> str:
    """Return what a sentence calls a config that was given."""
    return source.run_name if isinstance(source, RunConfig) else quoted(str(source))[1:-1]


def _recorded(jobs: list[Job]) -> list[str]:
    """Return, and say, which runs have current records."""
    from fpcore.runs.current import current  # it loads torch

    found = [record.name for record in current(job.config for job in jobs)]
    if found:
        print(f"{len(found)} of {len(jobs)} runs have current records, which are read as they are.")
    return found


def _chains(jobs: list[Job]) -> list[list[Job]]:
    """Put jobs that take the same path of phase 1 into one chain, the shortest first."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        path = job.config.model_dump(exclude={"name", *OFF_THE_PATH})
        digest = hashlib.sha256(json.dumps(path, sort_keys=True).encode()).hexdigest()[:12]
        own = "" if job.config.contexts == "trained" else f"-{job.name}"  # no phase 1 to share
        groups.setdefault(f"book-{digest}{own}", []).append(job)
    return [_chain(share, group) for share, group in groups.items()]


def _chain(share: str, jobs: list[Job]) -> list[Job]:
    """Return jobs in the order in which each can go on where the one before stopped."""
    if len(jobs) == 1:
        return jobs
    order = sorted(jobs, key=lambda job: job.config.max_iter)
    return [replace(job, share=share, last=job is order[-1]) for job in order]


def main() -> None:
    """Make the browsable book: `python -m fpcore.book build`."""
    parser = ArgumentParser(prog="python -m fpcore.book", description=main.__doc__)
    parser.add_argument("command", choices=["build"])
    parser.parse_args()
    from fpcore.book import site  # it loads nbconvert

    print(shown(site.build()))
