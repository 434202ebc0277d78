"""What is imported is listed, what is listed is locked, and what is locked is known by its hash."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fpcore.paths import ROOT

LIST = (ROOT / "requirements.txt").read_text("utf-8")
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
LISTED = {
    str(canonicalize_name(name)): version
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", LIST, re.MULTILINE)
}
LOCKED = re.split(r"\n(?=[A-Za-z])", re.sub(r"^#.*\n", "", LOCK, flags=re.MULTILINE))
LINES = [entry.splitlines()[0].removesuffix(" \\") for entry in LOCKED]
ENTRIES = [Requirement(line) for line in LINES]


def imported(folder: str) -> Iterator[str]:
    """Yield the top-level names that the modules of a folder import, at whatever place."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            yield from (name.partition(".")[0] for name in names)


@pytest.mark.parametrize("folder", ["fpcore", "notebooks", "tests"])
def test_what_is_imported_is_listed(folder: str) -> None:
    known = packages_distributions()
    own = {"fpcore", *(path.stem for path in (ROOT / "tests").iterdir())}
    for name in {*imported(folder)} - own - {*sys.stdlib_module_names}:
        assert {canonicalize_name(found) for found in known[name]} & {*LISTED}, name


def test_what_is_listed_is_pinned_and_locked() -> None:
    lines = [line for line in LIST.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(LISTED) + 1 and "-e ." in lines
    for name, version in LISTED.items():
        found = {str(entry.specifier) for entry in ENTRIES if entry.name.lower() == name}
        assert f"=={version}" in found, name
    assert LISTED["torch"] == "2.13.0"
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    assert needs == [f"setuptools=={LISTED['setuptools']}"]


def test_every_locked_file_is_known_by_its_hash_and_has_no_place() -> None:
    assert len(ENTRIES) > 150
    for line, entry in zip(LINES, LOCKED, strict=True):
        assert re.search(r"^    --hash=sha256:[0-9a-f]{64}", entry, re.MULTILINE), line
        assert re.fullmatch(r"==[\w.!+]+", str(Requirement(line).specifier)), line
    assert not re.search(r"://|^-|@ |/tmp|/opt|\+cpu", LOCK, re.MULTILINE)
    machines = [{"platform_machine": m, "sys_platform": "linux"} for m in ("x86_64", "aarch64")]
    for machine in machines:
        for python in ("3.11", "3.12", "3.13"):
            place = machine | {"python_version": python, "python_full_version": f"{python}.0"}
            here = [e.name for e in ENTRIES if e.marker is None or e.marker.evaluate(place)]
            assert len(here) == len({*here}) and "torch" in here


def test_what_locked_packages_need_is_locked() -> None:
    names = {canonicalize_name(entry.name) for entry in ENTRIES}
    todo, seen = [*LISTED], set[str]()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        assert name in names, name
        try:
            needed = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:  # of another platform than this one
            continue
        here = [need for need in needed if not need.marker or need.marker.evaluate({"extra": ""})]
        todo += [canonicalize_name(need.name) for need in here]
    assert len(seen) > 100
