"""A study: a grid of knobs over one base config, described by a YAML file."""

from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fpcore.config.checked import NAME, read_mapping, short
from fpcore.config.run_config import RunConfig, knobs_where
from fpcore.errors import ConfigError, quoted, suggestion
from fpcore.paths import PARAMS, shown

FIELDS = {
    "name": "ASCII letters, digits and . _ + -, as its file is called",
    "title": "a text, the heading of the report",
    "question": "a text, what the study shall answer",
    "base": "the name of a config in params/, or the path of a YAML file",
    "grid": "a mapping of knobs to lists of different values",
    "also": "a list of mappings of knobs to values, further runs outside the grid",
}
# What makes two runs incomparable, or cannot be told apart by the name of a run.
FIXED = knobs_where(lambda knob: not knob.in_study)


class Study(BaseModel):
    """Runs that differ from `base` in the knobs of a grid, every combination once.

    `also` adds single runs outside the grid. A run is called after the base and what differs from
    it, so that studies over one base share the runs that they have in common.

    Raises:
        ConfigError: an unknown field or knob, a wrong type, or an impossible value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=rf"^{NAME}$")
    title: str = Field(min_length=1)
    question: str = Field(min_length=1)
    base: str
    grid: dict[str, list[Any]] = Field(min_length=1)
    also: list[dict[str, Any]] = []

    @field_validator("grid")
    @classmethod
    def _distinct(cls, grid: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for values in grid.values():
            if not values or any(value in values[:n] for n, value in enumerate(values)):
                raise ValueError("no values, or a repeated one")
        return grid

    @classmethod
    def load(cls, source: str | Path) -> "Study":
        """Read `params/studies/<source>.yaml`, or the YAML file at the path `source`.

        Raises:
            ConfigError: no such file, or no study in it.
        """
        path = _path(source)
        fields = read_mapping(path, lambda: _missing(path))
        try:
            study = cls(**fields | {"name": path.stem})
            study._check()
        except ValidationError as error:
            raise ConfigError(f"{shown(path)}: {_sentence(error)}.") from None
        except ConfigError as error:
            raise ConfigError(f"{shown(path)}: {error}") from None
        return study

    def configs(self) -> list[RunConfig]:
        """Return the config of every run: the grid in its order, then `also`; the base is there."""
        base = RunConfig.load(self.base)
        points = [dict(zip(self.grid, values, strict=True)) for values in self._points()]
        runs = [_varied(base, knobs) for knobs in [*points, *self.also]]
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

    def _points(self) -> list[tuple[Any, ...]]:
        return list(product(*self.grid.values()))


def _varied(base: RunConfig, knobs: dict[str, Any]) -> RunConfig:
    """Return the base with some knobs changed, named after what then differs."""
    varied = RunConfig(**base.model_dump() | knobs)
    own, new = base.knobs(), varied.knobs()
    parts = [f"{k}{short(v)}" for k, v in new.items() if v != own[k]]
    return RunConfig(**new | {"name": "-".join([base.run_name, *parts])})


def _path(source: str | Path) -> Path:
    path = Path(source).expanduser()
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        return path
    return PARAMS / "studies" / f"{source}.yaml"


def _missing(path: Path) -> str:
    near = suggestion(path.stem, (p.stem for p in (PARAMS / "studies").glob("*.yaml")))
    return f"There is no readable study {shown(path)}{near}."


def _sentence(error: ValidationError) -> str:
    """Say which fields are wrong, and what they must be."""
    wrong = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors())
    return "; ".join(
        f"{key} must be {FIELDS[key]}"
        if key in FIELDS
        else f"{quoted(key)[1:-1]} is not a field of a study{suggestion(key, FIELDS)}"
        for key in wrong
    )
