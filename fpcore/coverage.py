"""How often the 95 % intervals of both laws hold the truth, on synthetic data."""

import numpy as np
from scipy import stats

from fpcore.intervals import TAIL, Profile

SPAN = (62_891, 948_524)  # tokens of the published runs, smallest and largest
NOISE = 0.01  # standard deviation of log PPL, in nats
ALPHA, A = -0.44, 95_000.0  # about the published power law
FLOOR, B, BETA = 3.7, 60.0, 0.3  # a saturating law of about the published losses
SEED = 0


def coverage(sizes: int, trials: int) -> dict[str, float]:
    """Return the share of trials in which the interval of each parameter holds the truth.

    Each trial draws losses at `sizes` sizes, evenly spaced on the log axis over SPAN, from a law of
    known parameters with normal noise of NOISE nats: `alpha` of the power law (Student's t),
    `floor`, `B` and `beta` of the saturating law (profile likelihood).
    """
    tokens = np.geomspace(*SPAN, sizes)
    noise = np.random.default_rng(SEED).normal(0, NOISE, (2, trials, sizes))
    found = {"alpha": _alpha(tokens, np.log(A) + ALPHA * np.log(tokens) + noise[0])}
    profile = Profile.of(tokens, FLOOR + B * tokens**-BETA + noise[1])
    ends = {"floor": profile.floor(), "B": profile.factor(), "beta": profile.exponent()}
    truth = {"floor": FLOOR, "B": B, "beta": BETA}
    for name, (low, high) in ends.items():
        found[name] = float(((low <= truth[name]) & (truth[name] <= high)).mean())
    return found


def _alpha(tokens: np.ndarray, loss: np.ndarray) -> float:
    """Return how often the interval of α holds it, over series of losses [m, n]."""
    x = np.log(tokens) - np.log(tokens).mean()
    slope = loss @ x / (x @ x)
    rest = loss - loss.mean(1, keepdims=True) - slope[:, None] * x
    dof = len(tokens) - 2
    half = stats.t.ppf(TAIL, dof) * np.sqrt((rest**2).sum(1) / dof / (x @ x))
    return float((abs(slope - ALPHA) <= half).mean())
