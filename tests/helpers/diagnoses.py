"""Diagnoses of a fixed point, as `runs.diagnosis` would give them, without any training."""

import numpy as np
import pandas as pd

from fpcore import RunConfig
from fpcore.runs.diagnosis import LOOKS, Diagnosis, TextDiagnosis

STEPS = 40


def diagnosis(contraction: float = 0.8, start: float = 0.1, diversity: float = -1.2) -> Diagnosis:
    """A text whose residuals shrink from `start` by `contraction` a step, both texts alike.

    `diversity` is what the diversity term comes to in training, from -1.
    """
    text = TextDiagnosis(
        tokens=12_345,
        settling=_settling(contraction, start),
        left={"median": 0.01 * contraction, "q99": 0.2},
        spectra=_spectra(),
    )
    return Diagnosis(
        config=RunConfig(samples=[100]),
        phase1=_phase1(diversity),
        train=text,
        val=text,
        rows=900,
        scale=1.1,
        parallel={"median": 0.009, "q99": 0.3},
    )


def _settling(contraction: float, start: float) -> pd.DataFrame:
    step = np.arange(1, STEPS + 1)
    median = start * np.nan_to_num(contraction, nan=1.0) ** step
    shares = {"converged": np.linspace(0.5, 1, STEPS), "fixed": np.linspace(0, 0.9, STEPS)}
    quantiles = {"median": median, "q90": 2 * median, "q99": 4 * median, "max": 8 * median}
    local = {"local_median": contraction, "local_q10": contraction / 2, "local_q90": contraction}
    return pd.DataFrame({"step": step, "rms": contraction} | quantiles | shares | local)


def _spectra() -> pd.DataFrame:
    step = [n for n in LOOKS if n <= STEPS]
    shares = {"er": 0.7, "er_centered": 0.6, "pr": 0.5, "pr_centered": 0.4}
    return pd.DataFrame({"step": step} | shares)


def _phase1(diversity: float) -> pd.DataFrame:
    iteration = np.arange(2, 22)
    ends = {
        "convergence_rate": (0.0, 0.8), "loss": (0.0, -0.3), "fixed_point_loss": (1.0, 0.1),
        "diversity_loss": (-1.0, diversity), "layernorm_gain": (1.0, 1.1),
    }  # fmt: skip
    rows = {name: np.linspace(*span, len(iteration)) for name, span in ends.items()}
    return pd.DataFrame({"iteration": iteration} | rows)
