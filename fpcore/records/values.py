"""The values that a record may hold: numbers in their bounds, and texts of one line."""

import math
from datetime import datetime
from itertools import pairwise
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, Field

from fpcore.config.checked import BREAK
from fpcore.config.run_config import RunConfig

MOST = 2**63  # what tables and other programs hold of whole numbers
DIGITS = 9  # significant ones of numbers in lists: as many as tell float32 numbers apart
COUNTED = {"iteration": int, "epoch": int, "clipped": bool}  # columns of traces that are no floats


def _kept(values: list[Any]) -> list[Any]:
    """Return a list as records hold it: floats to DIGITS, all else as it is."""
    return [float(f"{v:.{DIGITS}g}") if isinstance(v, float) else v for v in values]


def _trace(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Refuse a trace whose columns are of different lengths, or hold other than their values."""
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError("columns of different lengths")
    for name, column in columns.items():
        kind = COUNTED.get(name, float)
        if not all((v is None and kind is not int) or _is(v, kind) for v in column):
            raise ValueError(f"{name} holds other values than {kind.__name__}")
        if kind is int and any(b <= a for a, b in pairwise([0, *column])):
            raise ValueError(f"{name} does not grow")
    return {name: _kept(column) for name, column in columns.items()}


def check_kinds(config: dict[str, Any]) -> None:
    """Refuse knobs of another kind than today's; their bounds may have been other ones."""
    for knob, (kinds, listed) in KINDS.items():
        value = config.get(knob)
        if knob not in config or (value is None and NoneType in kinds):
            continue
        values = value if isinstance(value, list) else [value]
        fits = isinstance(value, list) in listed
        if not fits or not all(any(_is(v, kind) for kind in kinds) for v in values):
            raise ValueError(f"config.{knob} is of another kind than {DEFAULTS[knob]!r}")


def _kinds(annotation: Any) -> set[type]:
    """Return the plain types that an annotation is made of; whole numbers count as numbers."""
    if get_origin(annotation) is Literal:
        return {type(value) for value in get_args(annotation)}
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if parts := get_args(annotation):
        own = {list} if get_origin(annotation) is list else set()
        return own.union(*map(_kinds, parts))
    return {float if annotation is int else annotation}


def _listed(kinds: set[type], usual: Any) -> set[bool]:
    """Return whether a knob can be a list, or something else: both where it can be either."""
    return {False, True} if list in kinds and not isinstance(usual, list) else {list in kinds}


def _is(value: Any, kind: type) -> bool:
    if type(value) is int:
        return kind in (int, float) and abs(value) < MOST
    if type(value) is float:
        return kind is float and math.isfinite(value)
    return type(value) is kind


def _day(text: str) -> str:
    """Refuse days and times that no calendar and no clock knows."""
    datetime.fromisoformat(text)
    return text


def _one_line(value: Any) -> Any:
    """Refuse texts of several lines, also inside: they could pass for lines of a report.

    Whole numbers of which no table can hold a column are refused, too.
    """
    if isinstance(value, dict):
        _one_line([*value, *value.values()])
    elif isinstance(value, list):
        for item in value:
            _one_line(item)
    elif isinstance(value, str) and BREAK.search(value):
        raise ValueError("a text of more than one line")
    elif type(value) is int and abs(value) >= MOST:
        raise ValueError("a whole number of more than 64 bits")
    return value


# The plain types of each knob, and whether it can be a list.
DEFAULTS = RunConfig().model_dump()
KINDS = {
    knob: (kinds, _listed(kinds, DEFAULTS[knob]))
    for knob, field in RunConfig.model_fields.items()
    for kinds in [_kinds(field.annotation)]
}
# A perfect model has losses of 0 and ratios of 1, which rounding may take to the other side.
ROUNDING = 1e-3
Share = Annotated[float, Field(ge=0, le=1 + ROUNDING)] | None
Positive = Annotated[float, Field(gt=0)] | None
Loss = Annotated[float, Field(ge=-ROUNDING)]
Losses = Annotated[list[Loss], AfterValidator(_kept)]
Count = Annotated[int, Field(ge=1, lt=2**53)] | None
Seconds = Annotated[float, Field(ge=0, le=1e10)]  # three centuries: clocks hold it
Whole = Annotated[int, Field(gt=-MOST, lt=MOST)]
Step = Annotated[int, Field(ge=0, lt=2**53)]
Ends = Annotated[list[Whole], Field(min_length=2, max_length=2)]  # the first and the last
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d([T ][\d:.+Z-]*)?$"), AfterValidator(_day)]
Word = Annotated[str, Field(pattern=r"^[\w.][\w ./:+-]{0,200}$")]  # of no markup
Words = Annotated[list[Word], Field(max_length=100)]
Line = Annotated[str, AfterValidator(_one_line)]
Lines = Annotated[Any, AfterValidator(_one_line)]
Trace = Annotated[dict[Word, list[Any]], AfterValidator(_trace)]
