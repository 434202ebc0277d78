"""Runs of three seeds, and the records of a shipped study made of them."""

from typing import Any

import numpy as np

from fpcore import RunConfig
from fpcore.analysis.study import Evidence
from fpcore.config.study import Study
from fpcore.records.record import RunRecord
from helpers.records import record

COUNTS = [100, 50, 30, 20, 80]


def arm(config: RunConfig, gap: float = 0.0, noise: int = 0, **fields: Any) -> RunRecord:
    """A run of three seeds whose losses are `gap` nats per token above a common level."""
    rng, results = np.random.default_rng(noise), []
    for seed in (42, 43, 44):
        for base in record("x").results:
            jitter = rng.normal(0, 1e-3, len(COUNTS)) if noise else np.zeros(len(COUNTS))
            means = 6.0 + 0.01 * (seed - 43) + gap + jitter
            sums = (means * COUNTS).tolist()
            ppl = float(np.exp(sum(sums) / sum(COUNTS)))
            own = {"seed": seed, "val_ppl": ppl, "val_loss_sums": sums, "val_token_counts": COUNTS}
            dev = {"phase2": {"epoch": [1], "dev_loss": [6.0 + gap], "val_loss": [6.0]}}
            results.append(base.model_copy(update=own | dev | fields))
    knobs = config.model_dump()
    return record(config.run_name).model_copy(update={"config": knobs, "results": results})


def evidence(name: str, **by_knob: Any) -> Evidence:
    """The records of a shipped study; `by_knob` maps run names to what `arm` takes."""
    study = Study.load(name)
    arms = [arm(c, **by_knob.get(c.run_name, {})) for c in study.configs()]
    return Evidence(study, tuple(arms))
