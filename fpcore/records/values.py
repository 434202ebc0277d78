"""The values that a record may hold: numbers in their bounds, and texts of one line."""

import math
from itertools import pairwise
from types import NoneType
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, Field

from fpcore.config.checked import BREAK
from fpcore.config.run_config import RunConfig

COUNTED = {"iteration": int, "epoch": int, "clipped": bool}  # columns of traces that are no floats
# The knobs that may be None.
OPTIONAL = {k for k, f in RunConfig.model_fields.items() if NoneType in get_args(f.annotation)}


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
    return columns


def check_kinds(config: dict[str, Any]) -> None:
    """Refuse knobs of another kind than today's; their bounds may have been other ones."""
    for knob, usual in RunConfig().model_dump().items():
        if knob not in config or (config[knob] is None and knob in OPTIONAL):
            continue
        value = config[knob]
        values = value if isinstance(usual, list) and isinstance(value, list) else [value]
        kind = type(usual[0] if isinstance(usual, list) else usual)
        single = not isinstance(usual, list) or isinstance(value, list)
        kind = float if kind is int else kind
        if not single or not all(_is(v, kind) for v in values):
            raise ValueError(f"config.{knob} is of another kind than {usual!r}")


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is kind


def _one_line(value: Any) -> Any:
    """Refuse texts of several lines, also inside: they could pass for lines of a report."""
    if isinstance(value, dict):
        _one_line([*value, *value.values()])
    elif isinstance(value, list):
        for item in value:
            _one_line(item)
    elif isinstance(value, str) and BREAK.search(value):
        raise ValueError("a text of more than one line")
    return value


# A perfect model has losses of 0 and ratios of 1, which rounding may take to the other side.
ROUNDING = 1e-3
Share = Annotated[float, Field(ge=0, le=1 + ROUNDING)] | None
Positive = Annotated[float, Field(gt=0)] | None
Loss = Annotated[float, Field(ge=-ROUNDING)]
Count = Annotated[int, Field(ge=1, lt=2**53)] | None
Word = Annotated[str, Field(pattern=r"^[\w.][\w ./:+-]{0,200}$")]  # of no markup
Line = Annotated[str, AfterValidator(_one_line)]
Lines = Annotated[Any, AfterValidator(_one_line)]
Trace = Annotated[dict[Word, list[Any]], AfterValidator(_trace)]
