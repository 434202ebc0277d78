"""YAML as plain data: no tags, no aliases, no key twice, and no more than a file of parameters."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BeforeValidator

from fpcore.errors import ConfigError
from fpcore.paths import shown

MAX_NAME = 80  # characters; leaves room for suffixes within the 255 of common file systems
NAME = rf"[A-Za-z0-9][A-Za-z0-9_.+-]{{0,{MAX_NAME - 1}}}"
MAX_BYTES = 2**20


def _whole(value: Any) -> Any:
    """Let 1e2 (text to YAML, a float to papermill) stand for 100; refuse booleans and text."""
    value = _exponent(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool | str):
        raise ValueError("not a number")
    return value


def _real(value: Any) -> Any:
    """Let 5e-2 (text to YAML 1.1) stand for 0.05; refuse booleans, NaN and infinities."""
    value = _exponent(value)
    if isinstance(value, bool | str) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("not a number")
    return value


def _exponent(value: Any) -> Any:
    """Read a number with an exponent but no point, which YAML 1.1 leaves as text."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d{1,9}(\.\d{0,20})?[eE][-+]?\d{1,3}", value):
        return float(value)
    return value


def _distinct(values: list[int]) -> list[int]:
    if len(set(values)) != len(values):
        raise ValueError("repeated value")
    return values


Whole = Annotated[int, BeforeValidator(_whole)]


Real = Annotated[float, BeforeValidator(_real)]


Distinct = AfterValidator(_distinct)


def short(value: Any) -> str:
    """Return the value of a knob as the name of a run holds it."""
    if isinstance(value, list):
        return "-".join(str(v) for v in value)
    text = Path(value).stem if isinstance(value, str) else json.dumps(value)
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", text)


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
