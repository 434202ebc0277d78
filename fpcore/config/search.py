"""A search: knobs of one base config in ranges, tried within a budget, described by a YAML file."""

import math
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from fpcore.config.checked import Distinct, Whole
from fpcore.config.plan import Plan
from fpcore.config.run_config import RunConfig
from fpcore.config.study import FIXED
from fpcore.errors import ConfigError, quoted
from fpcore.paths import PARAMS

KINDS = ("float", "log", "int", "choice")
RANGE = (
    "a mapping of knobs to one of {float: [low, high]}, {log: [low, high]}, {int: [low, high]} and "
    "{choice: [value, value, …]}"
)


class Search(Plan):
    """Trials of `base` with the knobs of `ranges` changed, at its one size, by its first seed.

    The first trial is the base itself, with the knobs of `start`. What the development text likes
    best is trained again with `seeds`, which no trial has seen.

    Raises:
        ConfigError: an unknown field or knob, a wrong type, or an impossible value.
    """

    file: ClassVar[str] = "search"

    start: dict[str, Any] = Field(
        {}, description="a mapping of knobs to values, in which the first trial differs from base"
    )
    ranges: dict[str, dict[str, list[Any]]] = Field(min_length=1, description=RANGE)
    trials: Whole = Field(30, ge=2, le=1000, description="a whole number from 2 to 1000")
    seconds: Whole = Field(
        1200,
        ge=1,
        description="a whole number of at least 1 (seconds of all trials together, after which no "
        "other one begins)",
    )
    seeds: Annotated[list[Annotated[Whole, Field(ge=0, lt=2**31)]], Distinct] = Field(
        [1, 2, 3], min_length=2, description="a list of at least 2 different seeds for the best"
    )
    beside: list[str] = Field(
        [], description="a list of the names of records that the best are compared with"
    )

    @classmethod
    def folder(cls) -> Path:
        """Return `params/searches/`."""
        return PARAMS / "searches"

    def config(self, knobs: dict[str, Any], seeds: list[int] | None = None) -> RunConfig:
        """Return the config of a trial with these knobs; `seeds` in place of the base's first.

        Raises:
            ConfigError: no such base, or a bad value.
        """
        base = RunConfig.load(self.base)
        return base.varied(**self.start | knobs | {"seeds": seeds or base.seeds[:1]})

    @property
    def first(self) -> dict[str, Any]:
        """The knobs of the first trial that are searched."""
        own = self.config({}).model_dump()
        return {knob: own[knob] for knob in self.ranges}

    def _check(self) -> None:
        """Refuse what cannot be searched.

        Raises:
            ConfigError: the text says what.
        """
        if bad := [knob for knob in {*self.ranges, *self.start} if knob in FIXED]:
            raise ConfigError(
                f"a search compares trials on the same texts and seeds, so it cannot vary "
                f"{', '.join(bad)}."
            )
        base = self.config({})
        if base.select_on != "dev" or len(base.samples) != 1:
            raise ConfigError(
                f"the base {self.base} must have one size, and select_on dev, by which trials are "
                "judged."
            )
        for knob, given in self.ranges.items():
            self._check_range(knob, given)
        if len(base.rates) > 1:
            raise ConfigError("phase2_lr must be one number; start can give it.")
        if set(base.seeds) & set(self.seeds):
            raise ConfigError(f"seeds must be others than {base.seeds[0]}, which the trials have.")

    def _check_range(self, knob: str, given: dict[str, list[Any]]) -> None:
        """Refuse a range that is none, holds bad values, or lacks the first trial's.

        Raises:
            ConfigError: the text says what.
        """
        if not is_range(given):
            raise ConfigError(f"ranges must be {RANGE}; that of {quoted(knob)[1:-1]} is none.")
        for value in next(iter(given.values())):
            self.config({knob: value})
        own = self.config({}).model_dump()[knob]
        if not inside(own, given):
            raise ConfigError(
                f"the range of {knob} must hold the value of the first trial, {quoted(own)}, "
                "which start or the base gives."
            )


def is_range(given: Any) -> bool:
    """Whether something is a range of a search: one kind, and values that fit it."""
    if not isinstance(given, dict) or len(given) != 1:
        return False
    kind, values = next(iter(given.items()))
    return kind in KINDS and isinstance(values, list) and _fit(kind, values)


def inside(value: Any, given: dict[str, list[Any]]) -> bool:
    """Whether a range holds a value."""
    kind, values = next(iter(given.items()))
    if kind == "choice":
        return value in values
    number = type(value) is int or (type(value) is float and kind != "int")
    return number and values[0] <= value <= values[1]


def _fit(kind: str, values: list[Any]) -> bool:
    if kind == "choice":
        plain = all(isinstance(value, str | int | float) for value in values)
        return len(values) > 1 and plain and len({*map(str, values)}) == len(values)
    kinds = (int,) if kind == "int" else (int, float)
    numbers = len(values) == 2 and all(type(value) in kinds for value in values)
    return (
        numbers
        and all(map(math.isfinite, values))
        and (kind == "log") * 1e-300 <= values[0] < values[1]
    )
