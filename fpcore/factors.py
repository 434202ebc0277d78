"""What was changed between two runs, what of it acted, and the runs that would tell it apart."""

from collections.abc import Iterable

import yaml

from fpcore.compare import shared_iterations
from fpcore.config import MAX_NAME, RunConfig
from fpcore.records import RunRecord, traces

PHASE2_KNOBS = {"epochs", "patience", "phase2_lr", "phase2_batch", "select_on"}
STOP_KNOBS = {"max_iter", "min_converged_ratio"}  # they end a trace and leave its start alone
MEASURING_KNOBS = {"er_rows", "val_samples", "seeds"}
NO_FACTOR = {"name", "device", "samples"}  # sizes are compared one by one


def changed(a: RunRecord, b: RunRecord) -> list[str]:
    """Return the knobs that both records know and that differ; seeds only where none is shared."""
    keys = [k for k in a.config if k in b.config and k not in NO_FACTOR]
    differ = [k for k in keys if a.config[k] != b.config[k]]
    shared = set(a.config.get("seeds", [])) & set(b.config.get("seeds", []))
    return [k for k in differ if k != "seeds" or not shared]


def traced_knobs(a: RunRecord, b: RunRecord) -> list[str]:
    """Return the changed knobs that should show in the iterations that both runs have."""
    return [k for k in changed(a, b) if k not in PHASE2_KNOBS | STOP_KNOBS | MEASURING_KNOBS]


def same_trace(a: RunRecord, b: RunRecord) -> bool | None:
    """Whether rate and loss agree exactly in every iteration that both traces have at one size.

    None where they have none in common.
    """
    rows = shared_iterations(a, b)
    if rows.empty:
        return None
    return all(bool((rows[f"{k}_x"] == rows[f"{k}_y"]).all()) for k in ("loss", "convergence_rate"))


def never_clipped(a: RunRecord, b: RunRecord) -> float | None:
    """Return the largest gradient norm of both traces if no update was clipped, None otherwise."""
    rows = traces([a, b]).dropna(subset=["grad_norm", "clipped"])
    whole = {r.name for r in (a, b)} <= set(rows["run"])
    return float(rows["grad_norm"].max()) if whole and not rows["clipped"].any() else None


def inert(a: RunRecord, b: RunRecord) -> list[str]:
    """Return the changed knobs that did nothing: the shared iterations are identical."""
    return traced_knobs(a, b) if same_trace(a, b) else []


def single(a: RunRecord, b: RunRecord, knob: str, records: Iterable[RunRecord]) -> RunRecord | None:
    """Return a record that is `a` but for one knob, which has the value of `b`."""
    found = (r for r in records if changed(a, r) == [knob] and r.config[knob] == b.config[knob])
    return next(found, None)


def missing_runs(a: RunRecord, b: RunRecord, records: Iterable[RunRecord]) -> dict[str, str]:
    """Return the YAML of each missing run that is `a` but for one knob of `b`, by its name.

    Empty where one knob at most differs, or where the config of `a` is not known.
    """
    knobs = changed(a, b)
    if len(knobs) < 2 or "corpus" not in a.config:
        return {}
    lacking = [k for k in knobs if single(a, b, k, records) is None]
    return dict(_yaml(a, b, knob) for knob in lacking)


def _yaml(a: RunRecord, b: RunRecord, knob: str) -> tuple[str, str]:
    """Return name and YAML of the run: only what differs from the defaults."""
    value = b.config[knob]
    fields = RunConfig.model_fields
    known = {k: v for k, v in a.config.items() if k in fields and k != "name"} | {knob: value}
    text = "-".join(map(str, value)) if isinstance(value, list) else str(value)
    kept = "".join(ch for ch in f"{knob}{text}" if ch.isascii() and (ch.isalnum() or ch in "_.-"))
    name = f"{a.name.removesuffix('-published')}-{kept}"[:MAX_NAME]
    given = {"name": name} | {k: v for k, v in known.items() if v != fields[k].default}
    lines = [f"{k}: {_flow(v)}\n" for k, v in given.items()]
    return name, f"# {a.name} with {knob} of {b.name} alone\n" + "".join(lines)


def _flow(value: object) -> str:
    """Return a value as YAML on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.removesuffix("...\n").strip()
