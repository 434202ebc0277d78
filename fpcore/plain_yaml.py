"""YAML as plain data: no tags, no aliases, no key twice, and no more than a file of parameters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from fpcore.errors import ConfigError
from fpcore.paths import shown

MAX_BYTES = 2**20


class _Loader(yaml.SafeLoader):
    """Refuses what could unfold to more than the file (aliases), or hide a value (keys twice)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases such as *name are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for n, key in enumerate(keys) if key in keys[:n]), None)
        if twice is not None:
            raise yaml.YAMLError(f"{twice} is given twice")
        return super().construct_mapping(node, deep)


def parse(text: str) -> Any:
    """Return what a YAML text says.

    Raises:
        ValueError: it is not YAML, or more than plain data.
    """
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        problem = " ".join(str(error).split())  # ValueError: an odd date, a number of 5000 digits
        raise ValueError(problem[:200]) from None


def read_mapping(path: Path, missing: Callable[[], str]) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        ConfigError: `missing()` where it cannot be read; else what is wrong with it.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{shown(path)} has more than {MAX_BYTES:,} bytes; it is no params.")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):  # ValueError: not UTF-8, or a zero byte in the path
        raise ConfigError(missing()) from None
    try:
        found = parse(text)
    except ValueError as error:
        raise ConfigError(f"{shown(path)} is not readable YAML: {error}.") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{shown(path)} must hold lines of the form 'name: value'.")
    return {str(key): value for key, value in found.items()}
