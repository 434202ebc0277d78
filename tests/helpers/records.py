"""Records built by small edits, for what reads records."""

from typing import Any

from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult

PPL = {25: 900.0, 50: 750.0, 100: 600.0, 200: 480.0, 400: 400.0}
ENVIRONMENT = {
    "device": "cpu", "precision": "float32", "packages": {"torch": "1"}, "threads": 2,
    "processor": "p", "machine_id": "m",
}  # fmt: skip
DIGESTS = {"validation_ids": "v", "vocabulary": "w", "code/model": "m"}
DATA = {"training_pool": [0, 999], "development": [1000, 1009], "validation": [1010, 1019]}
KNOBS = {"select_on": "dev", "epochs": 20, "phase2_lr": 0.001, "seeds": [42]}


def result(samples: int, **fields: Any) -> SizeResult:
    """One seed at one size, with the fields that a test changes."""
    rate = [0.0, 0.1 * len(str(samples))]
    known: dict[str, Any] = {
        "seed": 42,
        "samples": samples,
        "train_tokens": 450 * samples,
        "val_tokens": 1000,
        "phase1_iterations": 10,
        "convergence_rate": 0.7,
        "train_er": 0.72,
        "val_er": 0.70,
        "train_ppl": 100.0,
        "val_ppl": PPL.get(samples),
        "val_acc": 0.1,
        "bits_per_byte": 2.5,
        "unigram_ppl": 640.0,
        "best_epoch": 3,
        "epochs_run": 4,
        "phase1": {"iteration": [9, 10], "convergence_rate": rate, "loss": [-0.1, -0.2]},
        "seconds": {"phase1": 30.0, "phase2": 30.0},
    }
    return SizeResult(**(known | fields))


def record(name: str, config: dict[str, Any] | None = None, **fields: Any) -> RunRecord:
    """A run of one seed at five sizes, without its environment and digests."""
    results = [result(samples, **fields) for samples in PPL]
    knobs = {"max_iter": 60, "gradient_clip": 1.0, "tokenizer": "bpe-4096"} | (config or {})
    return RunRecord(name=name, label="1L_181d_1tok", config=knobs, results=results)


def scaled(base: RunRecord, name: str, factor: float) -> RunRecord:
    """The run with every Val PPL multiplied by `factor`."""
    results = [
        r.model_copy(update={"val_ppl": r.val_ppl * factor}) for r in base.results if r.val_ppl
    ]
    return base.model_copy(update={"name": name, "results": results})


def trace(factor: float = 1.0, norm: float = 0.01) -> dict[str, list[Any]]:
    """Three rows of phase 1; a norm above 1 was clipped."""
    return {
        "iteration": [2, 3, 4],
        "convergence_rate": [0.1, 0.2, 0.7],
        "loss": [-0.1 * factor, -0.2 * factor, -0.3 * factor],
        "grad_norm": [norm] * 3,
        "clipped": [norm > 1] * 3,
    }


def run(name: str, config: dict[str, Any] | None = None, **fields: Any) -> RunRecord:
    """A run as a measured record holds it: with traces, environment, digests and data."""
    rows = {"train_er_rows": 1000, "val_er_rows": 1000}
    known = rows | {"phase1": trace(), "phase1_iterations": 4} | fields
    base = record(name, KNOBS | (config or {}), **known)
    return base.model_copy(update={"environment": ENVIRONMENT, "digests": DIGESTS, "data": DATA})


def edited(base: RunRecord, **update: Any) -> RunRecord:
    """The record with some of its fields replaced."""
    return base.model_copy(update=update)


def with_seed(base: RunRecord, seed: int, shift: float) -> RunRecord:
    """The run with a second seed whose Val PPL is higher by `shift`."""
    more = [
        r.model_copy(update={"seed": seed, "val_ppl": r.val_ppl + shift})
        for r in base.results
        if r.val_ppl is not None and r.seed == 42
    ]
    return edited(base, results=base.results + more)


def seeded(base: RunRecord, name: str, shifts: dict[int, float]) -> RunRecord:
    """The run with one seed per entry, its Val PPL shifted by the value."""
    results = [
        r.model_copy(update={"seed": seed, "val_ppl": r.val_ppl + shift})
        for seed, shift in shifts.items()
        for r in base.results
        if r.val_ppl is not None
    ]
    return base.model_copy(update={"name": name, "results": results})
