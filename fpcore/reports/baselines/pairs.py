"""Which models the report of baselines compares, and at which level."""

from fpcore.analysis import factors
from fpcore.records.record import RunRecord
from fpcore.stats.uncertainty import simultaneous


def report_level(runs: list[RunRecord], baselines: list[RunRecord]) -> float:
    """Return the level at which all that the report compares holds together, at every size."""
    sizes = {n for record in runs + baselines for n in record.sizes}
    controls = sum(len(factors.beside(run, runs)) for run in runs)
    pairs = len(runs) * len(baselines) + controls + len(variants(baselines))
    return simultaneous(pairs * len(sizes))


def main_runs(runs: list[RunRecord]) -> list[RunRecord]:
    """Return the runs that are no controls of another."""
    held = {control.name for run in runs for control in factors.beside(run, runs)}
    return [run for run in runs if run.name not in held]


def variants(baselines: list[RunRecord]) -> list[tuple[RunRecord, RunRecord]]:
    """Return the pairs of a baseline with the frozen embedding and with one of its own."""
    return [
        (frozen, free)
        for frozen in baselines
        for free in baselines
        if _variant(frozen) == (_variant(free)[0], False) and _variant(free)[1] is True
    ]


def _variant(record: RunRecord) -> tuple[tuple[object, ...], object]:
    """Return what a neural baseline shares with its other variant, and which one it is."""
    keys = ("model", "corpus", "tokenizer", "embedding", "embed_dim", "context_dim", "layers")
    return tuple(str(record.config.get(k)) for k in keys), record.config.get("own_embedding")
