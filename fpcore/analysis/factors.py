"""What was changed between two runs, what of it acted, and the runs that would tell it apart.

A factor is a tuple of knobs that can only change together; mostly it is one knob.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from fpcore.analysis.comparison import shared_iterations
from fpcore.config.run_config import RunConfig, knobs_where
from fpcore.errors import ConfigError
from fpcore.records.frames import traces
from fpcore.records.pairs import distinct, restricted, same_file, same_results
from fpcore.records.record import RunRecord

# What acts in every iteration of phase 1 and on nothing else: where traces agree it did nothing.
PHASE1_KNOBS = knobs_where(
    lambda knob: knob.acts_on == ("phase 1",) and knob.in_trace == "every iteration"
)
# Of those, and of what acts in some iterations alone, a trace shows whether they did something.
TRACED_KNOBS = knobs_where(
    lambda knob: knob.acts_on == ("phase 1",) and knob.in_trace != "no iteration"
)
OF_PHASE1 = knobs_where(lambda knob: knob.acts_on == ("phase 1",))
# How a run is measured, not what is trained.
MEASURING_KNOBS = knobs_where(lambda knob: "measuring" in knob.acts_on)
NO_FACTOR = knobs_where(lambda knob: not knob.factor)
# Print never gives what is of the machine, so a record without it says nothing.
NEVER_PRINTED = knobs_where(lambda knob: knob.acts_on == ("machine",))
TIED = knobs_where(lambda knob: knob.tied)
Factor = tuple[str, ...]


def changed(a: RunRecord, b: RunRecord) -> list[str]:
    """Return the knobs that both records know and that differ; seeds only where none is shared.

    Two spellings of one file are no difference.
    """
    keys = [k for k in a.config if k in b.config and k not in NO_FACTOR]
    differ = [k for k in keys if a.config[k] != b.config[k] and not same_file(k, a, b)]
    own, others = (record.config.get("seeds", []) for record in (a, b))
    shared = [seed for seed in own if seed in others]
    return [k for k in differ if k != "seeds" or not shared]


def unknown(a: RunRecord, b: RunRecord) -> list[str]:
    """Return the knobs that only one of the records knows."""
    keys = {**a.config, **b.config}
    both = set(a.config) & set(b.config) | NO_FACTOR | NEVER_PRINTED
    return [k for k in keys if k not in both]


def changed_factors(a: RunRecord, b: RunRecord) -> list[Factor]:
    """Return what changed, knobs that are tied to each other as one."""
    knobs = changed(a, b)
    tied = tuple(k for k in knobs if k in TIED)
    if len(tied) < 2:
        return [(k,) for k in knobs]
    return [tied, *((k,) for k in knobs if k not in tied)]


def same_trace(a: RunRecord, b: RunRecord, samples: int | None = None) -> bool | None:
    """Whether rate and loss agree exactly in every iteration that both traces have at one size.

    None where they have none in common; `samples` looks at one size alone.
    """
    rows = shared_iterations(a, b)
    rows = rows if samples is None else rows[rows["samples"] == samples]
    if rows.empty:
        return None
    return all(bool((rows[f"{k}_x"] == rows[f"{k}_y"]).all()) for k in ("loss", "convergence_rate"))


def never_clipped(a: RunRecord, b: RunRecord) -> float | None:
    """Return the largest gradient norm of both runs if neither clip could act on either.

    None where a norm reaches the smaller clip, or where the norms are not known.
    """
    clips = [r.config["gradient_clip"] for r in (a, b) if "gradient_clip" in r.config]
    if len(clips) < 2 or not _norms_known(a, b):
        return None
    largest = float(traces([a, b])["grad_norm"].max())
    return largest if largest <= min(clips) else None


def clip_is_idle(a: RunRecord, b: RunRecord) -> bool:
    """Whether two clips did nothing, by the norms or, without them, by traces that agree."""
    if _norms_known(a, b):
        return never_clipped(a, b) is not None
    return same_trace(a, b) is True


def _norms_known(a: RunRecord, b: RunRecord) -> bool:
    return {a.name, b.name} <= {*traces([a, b]).dropna(subset=["grad_norm"])["run"]}


def inert(a: RunRecord, b: RunRecord, records: Iterable[RunRecord] = ()) -> list[Factor]:
    """Return the changed factors that are known to have done nothing.

    All of them where the results are identical; the clip where no update could be clipped, or where
    the norms are not known and the traces agree; another knob of phase 1 where they agree; any that
    a single-factor run among `records` shows to.
    """
    factors = changed_factors(a, b)
    if same_results(*restricted(a, b)):
        return factors
    traced = same_trace(a, b)
    found = []
    for factor in factors:
        alone = single(a, b, factor, records)
        clip = factor == ("gradient_clip",) and clip_is_idle(a, b)
        phase1 = traced and set(factor) <= PHASE1_KNOBS
        if clip or phase1 or (alone is not None and same_results(*restricted(a, alone))):
            found.append(factor)
    return found


def alive(a: RunRecord, b: RunRecord, records: Iterable[RunRecord] = ()) -> list[Factor]:
    """Return the changed factors that are not known to have done nothing (`inert`)."""
    dead = inert(a, b, records)
    return [factor for factor in changed_factors(a, b) if factor not in dead]


def unseparated(a: RunRecord, b: RunRecord, records: Iterable[RunRecord] = ()) -> list[Factor]:
    """Return the factors of several that may have acted of which no single-factor run is there."""
    records = list(records)
    acting = alive(a, b, records)
    if len(acting) < 2:
        return []
    return [factor for factor in acting if single(a, b, factor, records) is None]


def single(
    a: RunRecord, b: RunRecord, factor: Factor, records: Iterable[RunRecord]
) -> RunRecord | None:
    """Return a record that is `a` but for one factor, which has the values of `b`."""
    for record in records:
        matches = all(record.config.get(k) == b.config[k] for k in factor)
        shares = bool(restricted(a, record)[0].results)
        if matches and shares and changed(a, record) == list(factor) and not unknown(a, record):
            return record
    return None


def missing_runs(a: RunRecord, b: RunRecord, records: Iterable[RunRecord]) -> dict[str, str]:
    """Return the whole YAML of each missing run that is `a` but for one factor of `b`, by its name.

    Those are missing that would tell apart what may have acted (`unseparated`); none where the
    config of `a` is not known or no longer allowed, or where one is a baseline with its own knobs.
    """
    foreign = {*a.config, *b.config} - {*RunConfig.model_fields}
    if "corpus" not in a.config or foreign:
        return {}
    lacking = unseparated(a, b, records)
    try:
        missing = {factor: _missing(a, b, factor) for factor in lacking}
    except ConfigError:
        return {}
    return {config.name: _yaml(a, b, factor, config) for factor, config in missing.items()}


def _missing(a: RunRecord, b: RunRecord, factor: Factor) -> RunConfig:
    """Return the config of the run that is `a` but for one factor of `b`."""
    elsewhere = a.source == "imported"  # where no conversation was cut
    whole: dict[str, Any] = {"val_tokens": None} if elsewhere else {}
    base = RunConfig(**whole | a.config | {"name": a.name.removesuffix("-published")})
    return base.varied(**{knob: b.config[knob] for knob in factor})


def flow(value: object) -> str:
    """Return a value as YAML on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.removesuffix("...\n").strip()


def _yaml(a: RunRecord, b: RunRecord, factor: Factor, config: RunConfig) -> str:
    """Return the YAML of a missing run: every knob, so that no other default comes in."""
    comment = f"# {a.name} with {', '.join(factor)} of {b.name} alone\n"
    return comment + "".join(f"{k}: {flow(v)}\n" for k, v in config.model_dump().items())


def beside(record: RunRecord, others: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the controls of a trained run: what differs from it in `contexts`.

    They run no phase 1, so its knobs may be others; of several that give the same the first is
    taken.
    """
    if record.config.get("contexts") != "trained":
        return []
    found: dict[str, list[RunRecord]] = {"untrained": [], "zero": []}
    for other in others:
        kind = str(other.config.get("contexts"))
        if kind in found and _apart(record, other) <= {"contexts", *OF_PHASE1}:
            found[kind].append(other)
    kept = [r for own in found.values() for r in distinct(own)]
    return [other for other in others if any(other is r for r in kept)]


def _apart(a: RunRecord, b: RunRecord) -> set[str]:
    """Return the knobs in which two runs differ, the name aside."""
    keys = {*a.config, *b.config} - {"name"}
    return {key for key in keys if a.config.get(key) != b.config.get(key)}
