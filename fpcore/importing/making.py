"""A record of what was found in a file."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fpcore.config.checked import read_mapping
from fpcore.config.run_config import RunConfig
from fpcore.errors import ConfigError, quoted, suggestion
from fpcore.importing import fields, runs_in, traces
from fpcore.importing.fields import KNOBS
from fpcore.importing.found import Figure, Found, ImportingError
from fpcore.importing.traces import Key, Rows
from fpcore.paths import shown
from fpcore.records.record import Origin, RunRecord
from fpcore.records.result import SizeResult

OF_RUN = ("alpha", "label", "started")  # what a whole run has once
Values = dict[str, Figure]


def make(
    found: Found, name: str, origin: Origin, known: dict[str, Any], samples: int | None
) -> RunRecord:
    """Return the record called `name` of one run.

    `known` are knobs that the file does not tell, `samples` the size of what names none.

    Raises:
        ImportingError: what was found does not fit; a sentence for each line.
    """
    runs_in.fill(found, samples)
    of_run, by_size = _figures(found)
    config = _config(found, known)
    rates = {key[1]: own["convergence_rate"].value for key, own in by_size.items()
             if "convergence_rate" in own}  # fmt: skip
    traced = traces.traces(found, rates)
    keys = sorted({*by_size, *traced}, key=lambda key: (key[0] or 0, key[1]))
    if not keys and not found.problems:
        raise ImportingError("It holds no result: no table, raw data or trace that is known here.")
    whole = _time_of_run(by_size) if len(keys) > 1 else of_run.pop("seconds", None)
    seconds = of_run.pop("seconds", None) or whole
    sizes = sorted({samples for _, samples in keys})
    refused(found)
    try:
        results = [_result(found, key, by_size.get(key, {}), traced.get(key, {})) for key in keys]
        refused(found)
        return RunRecord(
            name=name,
            source="imported",
            origin=origin,
            label=_of(of_run, "label"),
            seconds=seconds.value if seconds else None,
            alpha=_of(of_run, "alpha"),
            config=_in_order({"name": name, "samples": sizes} | config),
            results=results,
            started=_of(of_run, "started"),
        )
    except ValidationError as error:
        raise ImportingError(f"It fits no record: {error.errors()[0]['msg']}.") from None


def refused(found: Found) -> None:
    """Raise what was refused in a file, in the order of its lines."""
    if found.problems:
        lines = dict.fromkeys(f"Line {line}: {text}." for line, text in sorted(found.problems))
        raise ImportingError(*lines)


def settings(path: Path) -> dict[str, Any]:
    """Return the knobs in a YAML file; unlike a config it need not give all that matter.

    Raises:
        ConfigError: no such file, an unknown knob or a bad value.
    """
    given = read_mapping(path, lambda: f"There is no readable file of settings {shown(path)}.")
    for key, value in given.items():
        if key not in KNOBS:
            near = suggestion(key, KNOBS)
            raise ConfigError(f"{shown(path)}: {quoted(key)} is not a knob{near}.")
        try:
            given[key] = fields.knob(key, value)
        except ValueError as error:
            raise ConfigError(f"{shown(path)}: {key} {error}.") from None
    return given


def _figures(found: Found) -> tuple[Values, dict[Key, Values]]:
    """Return the figures of the whole run, and those of each seed and size."""
    of_run: Values = {}
    by_size: dict[Key, Values] = defaultdict(dict)
    sized = any(one.place.samples is not None for one in found.figures)
    for one in found.figures:
        place = one.place
        if one.field in OF_RUN or (one.field == "seconds" and place.samples is None):
            _keep(found, of_run, one, "")
        elif place.samples is not None:
            _keep(found, by_size[place.seed, place.samples], one, f" at size {place.samples}")
        elif sized and not found.whole:
            found.note(f"Line {one.line}: {one.field} names no size, so it is left out.")
        elif one.line not in {line for line, _ in found.problems}:
            found.refuse(one.line, f"{one.field} names no size (samples); --samples says of which")
    return of_run, by_size


def _keep(found: Found, held: Values, one: Figure, where: str) -> None:
    """Keep a figure, of two roundings of one value the finer; others are refused."""
    before = held.setdefault(one.field, one)
    if not runs_in.alike(one, before):
        found.refuse(
            one.line,
            f"{one.field} {quoted(one.value)}{where}, where line {before.line} says "
            f"{quoted(before.value)}",
        )
    elif one.half < before.half:
        held[one.field] = one


def _config(found: Found, known: dict[str, Any]) -> dict[str, Any]:
    """Return the knobs that the file tells, and those that are known beside."""
    held: Values = {}
    for one in found.settings:
        _keep(found, held, one, "")
    for name, own in held.items():
        if name in known and known[name] != own.value:
            found.refuse(
                own.line, f"{name} {quoted(own.value)}, where the settings say {known[name]!r}"
            )
    return known | {name: own.value for name, own in held.items()}


def _in_order(config: dict[str, Any]) -> dict[str, Any]:
    return {knob: config[knob] for knob in RunConfig.model_fields if knob in config}


def _time_of_run(by_size: dict[Key, Values]) -> Figure | None:
    """Take a time that stands beside one size alone for that of the run over all of them."""
    timed = [own for own in by_size.values() if "seconds" in own]
    return timed[0].pop("seconds") if len(timed) == 1 else None


def _of(figures: Values, name: str) -> Any:
    return figures[name].value if name in figures else None


def _result(found: Found, key: Key, own: Values, traced: Rows) -> SizeResult:
    told = {name: figure.value for name, figure in own.items()}
    if "seconds" in told:
        told["seconds"] = {"total": told["seconds"]}
    ends = traces.ends(found, traced)
    columns: dict[str, Any] = {phase: traces.columns(phase, rows) for phase, rows in traced.items()}
    return SizeResult(seed=key[0], samples=key[1], **ends | told | columns)
