"""A study: a grid of knobs over one base config, described by a YAML file."""

import math
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator

from fpcore.config.plan import Plan
from fpcore.config.run_config import RunConfig, knobs_where
from fpcore.errors import ConfigError, quoted
from fpcore.paths import PARAMS

# What makes two runs incomparable, or cannot be told apart by the name of a run.
FIXED = knobs_where(lambda knob: not knob.in_study)


MOST_RUNS = 1000  # of a study, which are all trained; a larger grid is a mistake


class Study(Plan):
    """Runs that differ from `base` in the knobs of a grid, every combination once.

    `also` adds single runs outside the grid. A run is called after the base and what differs from
    it, so that studies over one base share the runs that they have in common.

    Raises:
        ConfigError: an unknown field or knob, a wrong type, or an impossible value.
    """

    file: ClassVar[str] = "study"

    grid: dict[str, list[Any]] = Field(
        min_length=1, description="a mapping of knobs to lists of different values"
    )
    also: list[dict[str, Any]] = Field(
        [], description="a list of mappings of knobs to values, further runs outside the grid"
    )

    @field_validator("grid")
    @classmethod
    def _distinct(cls, grid: dict[str, list[Any]]) -> dict[str, list[Any]]:
        if any(len(values) > MOST_RUNS for values in grid.values()):
            return grid  # which is refused by its size
        for values in grid.values():
            if not values or any(value in values[:n] for n, value in enumerate(values)):
                raise ValueError("no values, or a repeated one")
        return grid

    @classmethod
    def folder(cls) -> Path:
        """Return `params/studies/`."""
        return PARAMS / "studies"

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """Read `params/studies/<source>.yaml`, or the YAML file at the path `source`.

        Raises:
            ConfigError: no such file, no study in it, or one that cannot compare its runs.
        """
        return super().load(source)

    def configs(self) -> list[RunConfig]:
        """Return the config of every run: the grid in its order, then `also`; the base is there.

        Raises:
            ConfigError: more than MOST_RUNS runs, no such base, or a bad knob.
        """
        count = math.prod(map(len, self.grid.values())) + len(self.also)
        if count > MOST_RUNS:
            raise ConfigError(
                f"a study has at most {MOST_RUNS:,} runs, not {quoted(count)}; give its grid "
                "fewer knobs or values."
            )
        base = RunConfig.load(self.base)
        grid = [dict(zip(self.grid, values, strict=True)) for values in self._combinations()]
        runs = [base.varied(**knobs) for knobs in [*grid, *self.also]]
        by_name = {run.run_name: run for run in [*runs, base]}
        return list(by_name.values())

    @property
    def base_name(self) -> str:
        """The name of the run that all others are compared with."""
        return RunConfig.load(self.base).run_name

    def knobs(self) -> list[str]:
        """Return the knobs that the study varies, those of the grid first."""
        return list(dict.fromkeys([*self.grid, *(k for knobs in self.also for k in knobs)]))

    def _check(self) -> None:
        """Refuse what a study cannot compare.

        Raises:
            ConfigError: a knob of FIXED is varied, or epochs are not chosen on development.
        """
        fixed = [knob for knob in self.knobs() if knob in FIXED]
        if fixed:
            raise ConfigError(
                f"a study compares runs on the same texts and seeds, so it cannot vary "
                f"{', '.join(fixed)}; make a base config of its own for each value."
            )
        if any(config.select_on != "dev" for config in self.configs()):
            raise ConfigError(
                f"select_on of the base {self.base} must be dev, as a study chooses its best run "
                "on the development text."
            )

    def _combinations(self) -> list[tuple[Any, ...]]:
        return list(product(*self.grid.values()))
