"""The check behind every notebook's parameters cell.

Papermill takes any name and guesses types, so a misspelt knob would silently do nothing. Each
notebook therefore reads its parameters through `check` (or `run_config`), which knows which names
were given: those assigned in the notebook's own cell (first line `# Parameters: …`) and in the
one that papermill injects (first line `# Parameters`).
"""

import ast
import re
from collections.abc import Collection, Mapping
from typing import Any

from fpcore.config import checked
from fpcore.config.checked import check_share
from fpcore.config.run_config import RunConfig
from fpcore.errors import ConfigError, quoted, suggestion

HEADS = (r"# Parameters:", r"# Parameters\s*$")  # the notebook's cell, and papermill's
BEGIN = "the first line of the cell that sets them must begin with # Parameters:"
LINES = "The parameters cell must be lines of the form name = value"
WORDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    list: "a list, such as [a, b]",
}


def check(namespace: dict[str, Any], **types: type) -> dict[str, Any]:
    """Return the parameters of a notebook, by name, with text understood as papermill means it.

    Args:
        namespace: the notebook's `globals()`.
        types: the names that are parameters, and the type of each (str, bool, int or list; object
            where what uses the value checks it).

    Raises:
        ConfigError: a name that is not a parameter, or a value of another type.
    """
    values = _given(namespace, types)
    for name, kind in types.items():
        if kind is not object and type(values[name]) is not kind:
            hint = checked.quoting(name, values[name]) if kind is str else ""
            raise ConfigError(f"{name} must be {WORDS[kind]}, not {quoted(values[name])}{hint}.")
        if kind is list and not all(isinstance(item, str) for item in values[name]):
            raise ConfigError(
                f"{name} must be a list of names, not {quoted(values[name])}; put each that looks "
                f"like a number or a date in quotes, such as {name}: ['2024', 'v5-small']."
            )
    return values


def run_config(namespace: dict[str, Any]) -> tuple[RunConfig, bool, str]:
    """Return the config that the parameters of the `run` notebook describe, `force` and `share`.

    A knob that the notebook's own cell does not list has its default, and can still be given. Where
    that cell was changed, the values of it that nothing else was given for are named.

    Raises:
        ConfigError: as `check` and `RunConfig` do.
    """
    types = {
        name: str if field.annotation is str else object
        for name, field in RunConfig.model_fields.items()
    }
    known = types | {"force": bool, "share": str, "lang": str}
    values = _given(namespace, known, optional={*types, "lang"})
    values.pop("lang", None)  # no knob: it changes words alone
    force, share = values.pop("force"), values.pop("share")
    if type(force) is not bool:
        raise ConfigError(f"force must be {WORDS[bool]}, not {quoted(force)}.")
    check_share(share)
    config = RunConfig(**values)
    _say_changed(config, {*types} - _injected(namespace.get("In", [])))
    return config, force, share


def _say_changed(config: RunConfig, own: set[str]) -> None:
    """Name the knobs of the notebook's own cell that are not the defaults.

    JupyterLab saves a changed cell into the notebook, and every later run would take it.
    """
    fields = RunConfig.model_fields
    found = [
        f"{name} = {quoted(value)} (default {quoted(fields[name].default)})"
        for name, value in config.model_dump().items()
        if name in own and value != fields[name].default
    ]
    if found:
        print(
            f"The parameters cell of the notebook itself says {', '.join(found)}, and this run was "
            "given nothing else; later runs of this file take that, too."
        )


def _given(
    namespace: dict[str, Any], types: Mapping[str, type], optional: Collection[str] = ()
) -> dict[str, Any]:
    for name in _assigned(namespace.get("In", [])):
        if name not in types:
            raise ConfigError(
                f"{name} is not a parameter of this notebook{suggestion(name, types)}."
            )
    known = {name: kind for name, kind in types.items() if name in namespace}
    missing = [name for name in types if name not in known and name not in optional]
    if missing:
        raise ConfigError(f"The parameters cell must set {', '.join(missing)}.")
    return {name: _understood(namespace[name], kind) for name, kind in known.items()}


def _understood(value: Any, kind: type) -> Any:
    """Read the text of a value that is not meant to be text: "[25, 50]", "false", "null"."""
    if kind is str or not isinstance(value, str):
        return value
    try:
        return checked.parse(value)
    except ValueError:
        return value


def _parsed(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ConfigError(f"{LINES}.") from None


def _name(statement: ast.stmt) -> str:
    """Return the one name that a line of a parameters cell assigns."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    inner = any(isinstance(node, ast.NamedExpr) for node in ast.walk(statement))
    if len(targets) == 1 and isinstance(targets[0], ast.Name) and not inner:
        return targets[0].id
    raise ConfigError(f"{LINES}, not {quoted(ast.unparse(statement))}.")


def _assigned(cells: list[str]) -> list[str]:
    """Return the names that the latest parameters cells assign, the notebook's and papermill's.

    Code that is run outside of a notebook has no cells.
    """
    own, injected = _places(cells)
    if any(cells) and not own:
        raise ConfigError(f"No parameters cell was run; {BEGIN}.")
    if injected and injected[0] < own[0]:
        raise ConfigError(
            "The values that papermill was given are overwritten by the parameters cell below "
            'them; give that cell the tag "parameters".'
        )
    latest = [cells[found[-1]] for found in (own, injected) if found]
    return [name for source in latest for name in _names(source)]


def _injected(cells: list[str]) -> set[str]:
    """Return the names that papermill was given."""
    found = _places(cells)[1]
    return {*_names(cells[found[-1]])} if found else set()


def _places(cells: list[str]) -> list[list[int]]:
    """Return where the notebook's own parameters cells are, and where papermill's."""
    return [[n for n, cell in enumerate(cells) if _begins(cell, head)] for head in HEADS]


def _names(source: str) -> list[str]:
    return [_name(statement) for statement in _parsed(source)]


def _begins(cell: str, head: str) -> bool:
    return re.match(head, cell.split("\n", 1)[0]) is not None
