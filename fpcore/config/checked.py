"""What a config may be, whatever its kind: plain YAML, checked once, refused in one sentence.

YAML is read as plain data: no tags, no aliases, no key twice, and no more than a file of
parameters.
"""

import errno
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from fpcore.errors import ConfigError, quoted, suggestion
from fpcore.paths import file_content, shown

MAX_NAME = 80  # characters of a name, so that suffixes fit into the 255 of common file systems
NAME = rf"[A-Za-z0-9][A-Za-z0-9_.+-]{{0,{MAX_NAME - 1}}}"
# What ends a line, cannot be shown, or turns the direction in which a line is read.
BREAKS = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
BREAK = re.compile(f"[{BREAKS}\ud800-\udfff]")
DIGITS = 400  # characters of a number; the largest float has 309
MOST_WHOLE = 2**31 - 1  # an index of PyTorch's kernels
LEAST_REAL, MOST_REAL = 1e-38, 1e38  # what float32 holds
MOST_VALUES = 1000  # of a list
MAX_BYTES = 2**16  # in a file of parameters; more is something else


def _whole(value: Any) -> Any:
    """Let 1e2 (text to YAML, a float to papermill) stand for 100; refuse booleans and text."""
    value = _exponent(value)
    if isinstance(value, bool | str):
        raise ValueError("not a number")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and abs(value) > MOST_WHOLE:
        raise ValueError("too large")
    return value


def _real(value: Any) -> Any:
    """Let 5e-2 (text to YAML 1.1) stand for 0.05; refuse booleans, NaN and infinities."""
    value = _exponent(value)
    if isinstance(value, bool | str) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("not a number")
    if isinstance(value, int | float) and value and not LEAST_REAL <= abs(value) <= MOST_REAL:
        raise ValueError("too large or too small")
    return value


def _exponent(value: Any) -> Any:
    """Read a number with an exponent but no point, which YAML 1.1 leaves as text."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d{1,9}(\.\d{0,20})?[eE][-+]?\d{1,3}", value):
        return float(value)
    return value


def beyond(value: Any) -> str:
    """Return what numbers can be computed with, where one that was given cannot; else nothing."""
    values = [_exponent(v) for v in (value if isinstance(value, list) else [value])]
    numbers = [v for v in values if type(v) is int or (type(v) is float and math.isfinite(v))]
    if all(abs(v) <= MOST_WHOLE and (not v or abs(v) >= LEAST_REAL) for v in numbers):
        return ""
    return (
        f" (whole numbers up to {MOST_WHOLE} and others from {LEAST_REAL} to {MOST_REAL} can be "
        "computed with)"
    )


def _distinct(values: list[float]) -> list[float]:
    if len(values) > MOST_VALUES:
        raise ValueError("too many values")
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


def quoting(name: str, value: Any) -> str:
    """Return how to give a text that looks like a number or a date; nothing for what is text."""
    if isinstance(value, str):
        return ""
    return f' (a text that looks like something else needs quotes; to papermill, "-r {name} TEXT")'


class _Loader(yaml.SafeLoader):
    """Refuses what could unfold to more than the file (aliases), or hide a value (keys twice)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases such as *name are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        twice = next((key for key, times in keys.items() if times > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"{quoted(twice)[1:-1]} is given twice")
        return super().construct_mapping(node, deep)


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """Refuse 010, which YAML 1.1 reads as 8, and other numbers that are not as they look."""
    if not re.fullmatch(r"[-+]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?|[-+]?\.\w+", node.value):
        shown = quoted(node.value)[1:-1]
        raise yaml.YAMLError(f"{shown} is no plain decimal number; a text needs quotes")
    if len(node.value) > DIGITS:
        raise yaml.YAMLError(f"{quoted(node.value)[1:-1]} is too long for a number")
    whole = node.tag == "tag:yaml.org,2002:int"
    return (loader.construct_yaml_int if whole else loader.construct_yaml_float)(node)


for _tag in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _decimal)


def parse(text: str) -> Any:
    """Return what a YAML text says.

    Raises:
        ValueError: it is not YAML, or more than plain data.
    """
    if len(text) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} characters")
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
        text = file_content(path, MAX_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a zero byte in the path
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            text = f"{shown(path)} has more than {MAX_BYTES:,} bytes; it is no params."
            raise ConfigError(text) from None
        raise ConfigError(missing()) from None
    try:
        found = parse(text)
    except ValueError as error:
        raise ConfigError(f"{shown(path)} is not readable YAML: {error}.") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{shown(path)} must hold lines of the form 'name: value'.")
    return {str(key): value for key, value in found.items()}


class Checked(BaseModel):
    """A config of any kind; every description completes the sentence "<field> must be …".

    Raises:
        ConfigError: for an unknown field, a wrong type or an impossible value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    file: ClassVar[str] = "params file"

    def __init__(self, /, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise ConfigError(self._sentence(error, given)) from None

    @classmethod
    def folder(cls) -> Path:
        """Return the folder of the files that are loaded by their name."""
        raise NotImplementedError

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """Read `<source>.yaml` of the folder of this kind, or the YAML file at the path `source`.

        A file that gives no `name` takes the file's own.

        Raises:
            ConfigError: no such file, no mapping of fields in it, or a bad field.
        """
        path = cls._path(source)
        given = read_mapping(path, lambda: cls._missing(path))
        try:
            return cls._made(path.stem, given)
        except ConfigError as error:
            raise ConfigError(f"{shown(path)}: {error}") from None

    @classmethod
    def _made(cls, name: str, given: dict[str, Any]) -> Self:
        """Return the config that the file called `name` gives."""
        return cls(**{"name": name} | given)

    @classmethod
    def _path(cls, source: str | Path) -> Path:
        """A bare word is the name of a file; anything that looks like a path is one."""
        try:
            path = Path(source).expanduser()
        except (TypeError, RuntimeError):  # RuntimeError: ~somebody who is not known here
            text = f"A config must be a name or the path of a YAML file, not {quoted(source)}."
            raise ConfigError(text) from None
        if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
            return path
        return cls.folder() / f"{source}.yaml"

    @classmethod
    def _missing(cls, path: Path) -> str:
        near = suggestion(path.stem, (p.stem for p in cls.folder().glob("*.yaml")))
        return f"There is no readable {cls.file} {shown(path)}{near}."

    @classmethod
    def _sentence(cls, error: ValidationError, given: dict[str, Any]) -> str:
        """Say in one sentence which fields are wrong, and what is allowed."""
        problems = error.errors()
        wrong = dict.fromkeys(str(problem["loc"][0]) for problem in problems if problem["loc"])
        together = [str(problem["ctx"]["error"]) for problem in problems if not problem["loc"]]
        return "; ".join([*(cls._refusal(key, given) for key in wrong), *together])

    @classmethod
    def _refusal(cls, key: str, given: dict[str, Any]) -> str:
        fields = cls.model_fields
        if key not in fields:
            return f"{quoted(key)[1:-1]} is not a knob of {cls.__name__}{suggestion(key, fields)}"
        hint = quoting(key, given.get(key)) if fields[key].annotation is str else ""
        value, must = given.get(key), str(fields[key].description)
        hint += "" if str(MOST_WHOLE) in must else beyond(value)
        return f"{key} must be {must}, not {quoted(value)}{hint}"


def check_share(share: object) -> None:
    """Refuse what cannot name the folder in which runs share phase 1.

    Raises:
        ConfigError: neither a name nor empty.
    """
    if not isinstance(share, str) or not re.fullmatch(rf"({NAME})?", share):
        raise ConfigError(f"share must be a name such as study, or empty, not {quoted(share)}.")
