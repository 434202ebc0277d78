"""Execute notebooks with papermill, one process each, and collect what they made."""

import hashlib
import json
import shutil
import subprocess
import sys
import time
import uuid
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import yaml

from fpcore import site
from fpcore.config import RunConfig
from fpcore.errors import ConfigError, FpcoreError
from fpcore.paths import NOTEBOOKS, cache, reports, runs, shown
from fpcore.progress import MARK, Progress, clock


class NotebookError(FpcoreError):
    """A notebook that was executed for the book ended with an error."""


def execute(notebook: str, output: Path, parameters: dict[str, Any], progress: Progress) -> None:
    """Execute `notebooks/<notebook>.ipynb` and store it at `output`, whole or not at all.

    The lines that the notebook logs are shown as progress.

    Raises:
        NotebookError: the notebook failed; the text is the last line that it said.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.{uuid.uuid4().hex}.ipynb")
    command = [sys.executable, "-m", "papermill", str(NOTEBOOKS / f"{notebook}.ipynb")]
    command += [str(temporary), "--parameters_yaml", yaml.safe_dump(parameters)]
    command += ["--log-output", "--no-progress-bar"]
    try:
        last = _follow(command, progress)
        if last is not None:
            raise NotebookError(last)
        tidy(temporary)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def tidy(path: Path) -> None:
    """Drop what papermill notes about itself: paths of this machine, and times that only differ."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell.id = f"cell-{number}"  # papermill draws a new id for the cell that it injects
    nbformat.write(notebook, path)


@dataclass
class Book:
    """What one execution of the `book` notebook has made, and what it could not make.

    `runs` are the names of the records, in the order of the configs; `failures` are one sentence
    each.
    """

    runs: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)
    _given: dict[str, RunConfig] = field(default_factory=dict)

    def train(self, configs: Sequence[str | RunConfig], force: bool) -> None:
        """Execute `run` for every config (itself, or a name or path); a failure stops no other.

        Configs that differ in `max_iter` alone share phase 1: the shortest comes first.
        """
        self._given |= {c.run_name: c for c in configs if isinstance(c, RunConfig)}
        order = [c if isinstance(c, str) else c.run_name for c in configs]
        groups = self._sharing(order)
        queue = sorted(order, key=lambda source: groups.get(source, ("", 0))[1])
        self._make({s: partial(self._train, s, force, groups.get(s, ("", 0))[0]) for s in queue})
        made = dict.fromkeys(self._names[source] for source in order if source in self._names)
        self.runs = list(made)
        for name, _ in groups.values():
            shutil.rmtree(cache("phase1") / name, ignore_errors=True)

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

    def _train(self, source: str, force: bool, share: str, progress: Progress) -> Path:
        config = self._load(source)
        if config.run_name in self.runs:
            raise NotebookError(f"an earlier config is called {config.run_name}, too.")
        output = runs() / f"{config.run_name}.ipynb"
        execute("run", output, config.model_dump() | {"force": force, "share": share}, progress)
        self.runs.append(config.run_name)
        self._names[source] = config.run_name
        return output

    def _load(self, source: str) -> RunConfig:
        return self._given.get(source) or RunConfig.load(source)

    def _sharing(self, sources: list[str]) -> dict[str, tuple[str, int]]:
        """Return, for configs that differ in `max_iter` alone, the name to share and that knob."""
        paths: dict[str, list[tuple[str, int]]] = {}
        for source in dict.fromkeys(sources):
            try:
                config = self._load(source)
            except ConfigError:
                continue  # it fails when its turn comes, and says why
            rest = {k: v for k, v in config.knobs().items() if k != "max_iter"}
            text = json.dumps(rest, sort_keys=True)
            name = f"book-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
            paths.setdefault(name, []).append((source, config.max_iter))
        return {
            source: (name, stop)
            for name, members in paths.items()
            for source, stop in members
            if len(members) > 1
        }

    def _compare(self, other: str, progress: Progress) -> Path:
        first = self.runs[0]
        target = reports() / f"{first}-vs-{other}"
        execute("compare", target / "compare.ipynb", {"a": first, "b": other}, progress)
        return target / "report.md"

    def _scaling(self, progress: Progress) -> Path:
        target = reports() / "scaling" / f"{'-vs-'.join(self.runs)}.ipynb"
        execute("scaling", target, {"runs": self.runs}, progress)
        return target


def _follow(command: list[str], progress: Progress) -> str | None:
    """Run a command, show its lines as progress; return its last line if it failed."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    last = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            last = line.strip() or last
            if line.startswith(MARK):
                progress.update(line.rstrip())
        return last if process.wait() else None
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Make the browsable book: `python -m fpcore.book build`."""
    parser = ArgumentParser(prog="python -m fpcore.book", description=main.__doc__)
    parser.add_argument("command", choices=["build"])
    parser.parse_args()
    print(shown(site.build()))


if __name__ == "__main__":
    main()
