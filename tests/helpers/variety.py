"""Records of every sort that a report may meet: others' and this book's, whole and with gaps."""

import random
from typing import Any

from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult
from helpers.records import DATA, DIGESTS, ENVIRONMENT, PPL, record, run, seeded, trace

NAMES = ("one", "two", "three", "four", "five", "six")
CONFIGS: list[dict[str, Any]] = [
    {}, {}, {"max_iter": 100}, {"gradient_clip": 2.0}, {"max_iter": 80, "dist_reg_weight": 0.5},
    {"er_rows": 500}, {"epochs": 3}, {"patience": 9, "select_on": "val"}, {"tokenizer": "gpt2"},
    {"embedding": "random"}, {"embedding": "ppmi", "output_bias": "none"}, {"contexts": "zero"},
]  # fmt: skip
RESULTS: list[dict[str, Any]] = [
    {}, {}, {"val_er": None}, {"val_ppl": None}, {"train_er_rows": 500, "val_er_rows": 400},
    {"unigram_ppl": None}, {"train_ppl": 9000.0, "val_ppl": 8000.0}, {"best_epoch": None},
    {"phase1": {}, "phase1_iterations": None}, {"phase1": trace(1.1)}, {"convergence_rate": 0.5},
    {"phase1": trace(norm=3.0)}, {"train_er_centred": 0.6, "val_er_centred": 0.5},
    {"convergence_rate": None}, {"val_tokens": 9, "val_bytes": 70}, {"val_ppl": 400.0},
]  # fmt: skip
WHOLE: list[dict[str, Any]] = [
    {}, {}, {"environment": {}}, {"digests": {}}, {"digests": DIGESTS | {"vocabulary": "z"}},
    {"digests": DIGESTS | {"code/model": "z"}}, {"environment": ENVIRONMENT | {"threads": 9}},
    {"environment": ENVIRONMENT | {"load": 7.0}},
    {"environment": ENVIRONMENT | {"machine_id": "z"}},
    {"data": DATA | {"training_pool": [0, 1019]}}, {"data": DATA | {"vocabulary": 300}},
    {"data": DATA | {"repeated": {"validation": 3}}}, {"started": "2026-01-02"}, {"label": None},
    {"source": "imported"},
]  # fmt: skip


def records(seed: int) -> list[RunRecord]:
    """Two to six runs, of which each differs from the others in a few ways."""
    rng = random.Random(seed)
    made = [_one(rng, name) for name in NAMES[: rng.choice([2, 2, 2, 3, 4, 6])]]
    if rng.random() < 0.3:
        made[1] = made[0].model_copy(update={"name": "two", "config": made[1].config})
    return made


def _one(rng: random.Random, name: str) -> RunRecord:
    factor = rng.choice([1.0, 1.0, 1.0005, 0.97, 1.2])
    base = rng.choice([run, run, run, record])(name, rng.choice(CONFIGS), **rng.choice(RESULTS))
    level = {"val_er": rng.choice([0.7, 0.6, 0.75]), "val_acc": rng.choice([0.1, 0.2])}
    ppl = [r.model_copy(update=_scaled(r, factor, level)) for r in base.results]
    base = base.model_copy(update={"results": ppl} | rng.choice(WHOLE))
    if rng.random() < 0.5:
        seeds = range(42, 42 + rng.choice([2, 3, 5]))
        shifts = {seed: rng.choice([0.1, 1.0, 40.0]) * rng.gauss(0, 1) for seed in seeds}
        base = seeded(base, name, shifts) if base.results[0].val_ppl else base
    kept = rng.choice([[*PPL], [*PPL], [25, 50, 100], [100, 200], [100]])
    return base.where(lambda result: result.samples in kept)


def _scaled(result: SizeResult, factor: float, level: dict[str, float]) -> dict[str, Any]:
    known = {k: v for k, v in level.items() if getattr(result, k) is not None}
    return known | ({"val_ppl": result.val_ppl * factor} if result.val_ppl else {})
