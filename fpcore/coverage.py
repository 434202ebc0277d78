"""What 95 % intervals are worth: how often they cover the truth, in data drawn from a known law."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpcore.intervals import Profile, power_interval
from fpcore.refits import bootstrap_power_law, bootstrap_saturating_law
from fpcore.scaling import PowerLaw, SaturatingLaw, fit_power_law


@dataclass(frozen=True)
class Coverage:
    """How often the intervals of one parameter covered the truth.

    `share` of `trials` did (from 0 to 1); `width` is the median width of the interval as a share
    of the truth, inf where half of the intervals have no end.
    """

    parameter: str
    truth: float
    share: float
    width: float
    trials: int


def coverage(
    law: PowerLaw | SaturatingLaw, tokens: Sequence[float], noise: float, trials: int, seed: int = 0
) -> list[Coverage]:
    """Draw data from a law and see what the primary intervals of its parameters cover.

    Args:
        law: the truth.
        tokens: the sizes of each trial.
        noise: the standard deviation of log PPL around the law, in nats.
        trials: how many data sets are drawn.
        seed: of the random generator.
    """
    loss = drawn(law, tokens, noise, trials, seed)
    if isinstance(law, PowerLaw):
        fits = [power_interval(fit_power_law(tokens, np.exp(row).tolist())) for row in loss]
        return [_covered("alpha", law.alpha, np.array(fits).T)]
    profile = Profile.of(np.asarray(tokens, float), loss)
    return [
        _covered("floor", law.floor, profile.floor()),
        _covered("B", law.B, profile.factor()),
        _covered("beta", law.beta, profile.exponent()),
    ]


def bootstrap_coverage(
    law: PowerLaw | SaturatingLaw,
    tokens: Sequence[float],
    noise: float,
    trials: int,
    draws: int,
    seed: int = 0,
) -> list[Coverage]:
    """Do as `coverage` for the intervals of the parametric bootstrap, each with its own draws."""
    power = isinstance(law, PowerLaw)
    refit = bootstrap_power_law if power else bootstrap_saturating_law
    truth = {"alpha": law.alpha} if isinstance(law, PowerLaw) else saturating_values(law)
    ends: dict[str, list[tuple[float, float]]] = {name: [] for name in truth}
    for trial, row in enumerate(drawn(law, tokens, noise, trials, seed)):
        found = refit(tokens, np.exp(row).tolist(), draws, [seed, trial])
        for name in truth:
            ends[name].append(found.interval(name))
    return [_covered(name, value, np.array(ends[name]).T) for name, value in truth.items()]


def saturating_values(law: SaturatingLaw) -> dict[str, float]:
    """Return the parameters of a saturating law by name."""
    return {"floor": law.floor, "B": law.B, "beta": law.beta}


def drawn(
    law: PowerLaw | SaturatingLaw, tokens: Sequence[float], noise: float, trials: int, seed: int
) -> np.ndarray:
    """Return losses around a law with normal noise [trials, n], in nats."""
    mean = np.log([law(size) for size in tokens])
    random = np.random.default_rng(seed)
    return np.asarray(mean + noise * random.standard_normal((trials, len(tokens))))


def _covered(parameter: str, truth: float, ends: np.ndarray) -> Coverage:
    low, high = ends
    inside = float(((low <= truth) & (truth <= high)).mean())
    width = float(np.median(high - low)) / abs(truth) if truth else np.inf
    return Coverage(parameter, truth, inside, width, len(low))
