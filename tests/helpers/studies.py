"""Runs of three seeds, and the records of studies made of them."""

import random
from typing import Any

import numpy as np

from fpcore import RunConfig
from fpcore.analysis.study import Evidence
from fpcore.config.study import Study
from fpcore.records.record import RunRecord
from helpers.records import record, trace

COUNTS = [100, 50, 30, 20, 80]
Gap = float | dict[int, float]


def arm(config: RunConfig, gap: Gap = 0.0, noise: int = 0, **fields: Any) -> RunRecord:
    """A run of three seeds whose losses are `gap` nats per token above a common level.

    The gap may be one by size. With `noise` conversations differ by chance, and with `seed_noise`,
    `text_noise` and `er_noise` seeds, conversations and effective ranks by that much.
    """
    rng, results = np.random.default_rng(noise), []
    spreads = {name: fields.pop(name, 0.0) for name in ("seed_noise", "text_noise", "er_noise")}
    texts = spreads["text_noise"] * np.array([1.0, -1.0, 1.0, -1.0, -0.6])
    ranks = fields.get("val_er", 0.7)
    for seed in (42, 43, 44):
        for base in record("x").results:
            jitter = rng.normal(0, 1e-3, len(COUNTS)) if noise else np.zeros(len(COUNTS))
            gap_here = gap.get(base.samples, 0.0) if isinstance(gap, dict) else gap
            sign = {42: -1.0, 43: 0.0, 44: 1.0}[seed]
            means = (
                6.0 + 0.01 * (seed - 43) + gap_here + jitter + texts + sign * spreads["seed_noise"]
            )
            sums = (means * COUNTS).tolist()
            ppl = float(np.exp(sum(sums) / sum(COUNTS)))
            losses = {"seed": seed, "val_ppl": ppl, "val_loss_sums": sums}
            er = {"val_er": None if ranks is None else ranks + sign * spreads["er_noise"]}
            losses |= {"val_token_counts": COUNTS}
            dev = {"phase2": {"epoch": [1], "dev_loss": [6.0 + gap_here]}}
            results.append(base.model_copy(update=losses | dev | fields | er))
    knobs = config.model_dump()
    return record(config.run_name).model_copy(update={"config": knobs, "results": results})


GRIDS: dict[str, dict[str, list[Any]]] = {
    "controls": {"contexts": ["trained", "untrained", "zero"]},
    "dist-reg-weight": {"dist_reg_weight": [0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0]},
    "gradient-clip": {"gradient_clip": [0.001, 0.003, 0.01, 0.1, 0.5, 1.0, 2.0]},
    "iterations": {"max_iter": [30, 40, 50, 60, 70, 100]},
    "two-factors": {"max_iter": [60, 100], "gradient_clip": [1.0, 2.0]},
    "contexts": {"dist_reg_weight": [0.0, 0.5, 0.9], "max_iter": [30, 60, 100]},
}
ALSO: dict[str, list[dict[str, Any]]] = {
    "gradient-clip": [{"phase1_lr": 0.00014}, {"phase1_lr": 0.0004}],
    "contexts": [{"contexts": "untrained"}, {"contexts": "zero"}, {"gradient_clip": 0.01}],
}


def study_of(name: str) -> Study:
    """A study over the base of the shipped ones."""
    return Study(
        name=name, title="t", question="q", base="study", grid=GRIDS[name], also=ALSO.get(name, [])
    )


def evidence(name: str, **by_knob: Any) -> Evidence:
    """The records of a study of GRIDS; `by_knob` maps run names to what `arm` takes."""
    study = study_of(name)
    arms = [arm(c, **by_knob.get(c.run_name, {})) for c in study.configs()]
    return Evidence(study, tuple(arms))


def varied(name: str, seed: int) -> Evidence:
    """A study of GRIDS whose runs differ in ways drawn by a seed, some with gaps."""
    rng, study = random.Random(f"{name} {seed}"), study_of(name)
    arms = [_drawn(rng, config) for config in study.configs()]
    if seed % 4 == 1:
        arms = [a.where(lambda result: result.seed == 42) for a in arms]
    if seed % 8 == 2:
        arms = [a.model_copy(update={"config": a.config | {"epochs": 3}}) for a in arms]
    return Evidence(study, tuple(arms))


def _drawn(rng: random.Random, config: RunConfig) -> RunRecord:
    fields: dict[str, Any] = {
        "gap": rng.choice([0.0, 0.0, 0.001, 0.05, -0.05, {25: 0.1, 400: -0.1}]),
        "noise": rng.choice([0, 1, 7]),
        "seed_noise": rng.choice([0.0, 0.01, 0.1]),
        "er_noise": rng.choice([0.0, 0.01]),
        "val_er": rng.choice([0.7, 0.6, 0.75, None]),
        "convergence_rate": rng.choice([0.7, 0.9, 0.5]),
        "phase1_iterations": rng.choice([10, 60]),
        "phase1": rng.choice([trace(), trace(norm=3.0), {}]),
    }
    return arm(config, **{k: v for k, v in fields.items() if v is not None or rng.random() < 0.3})
