"""What the spreads over seeds of many comparisons tell of each of them."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from scipy import optimize, special

from fpcore.stats.variance import UNKNOWN, Variance, scaled

FEW = 6  # fewer variances than this hardly tell of each other
# Comparisons with one run share its spread, however many they are: of two equal variances, one of d
# degrees of freedom and one that is known well, the sum has 4 d, of which d are a comparison's own.
# One d is left out, for the scale is estimated, too.
SHARED = 2.0
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Prior:
    """What the spreads over seeds of alike comparisons tell of each of them.

    `variance` is that of the mean difference, with as many degrees of freedom as it weighs;
    `scales` are by size the factors by which it is larger or smaller there (1 where none is given).
    """

    variance: Variance = UNKNOWN
    scales: Mapping[Any, float] = field(default_factory=dict)


NO_PRIOR = Prior()


def prior_of(comparisons: Iterable[Mapping[Key, Variance]]) -> Prior:
    """Return what the variances of comparisons of one kind, by size, tell of each of them.

    Sizes differ by a factor that all comparisons share. Apart from that they are taken to be drawn
    from a scaled inverse χ² distribution, whose scale and degrees of freedom are estimated: many
    where all are alike, few where they differ (Smyth 2004). The comparisons share runs, so that
    SHARED times the degrees of freedom of one count at most. Unknown from fewer than FEW that are
    not 0.
    """
    known = [{k: v for k, v in own.items() if v.known and v.value > 0} for own in comparisons]
    known = [own for own in known if own]
    if len(known) < FEW:
        return NO_PRIOR
    scales = _scales(known)
    means = [[scaled(v, 1 / scales[key]) for key, v in own.items()] for own in known]
    return Prior(_expected([_mean(own) for own in means]), scales)


def _mean(sizes: Sequence[Variance]) -> Variance:
    """Return the mean of the variances of a comparison that rest on as many seeds as the first."""
    alike = [own for own in sizes if own.dof == sizes[0].dof]
    return Variance(sum(x.value for x in alike) / len(alike), sum(x.dof for x in alike))


def _scales(known: Sequence[Mapping[Key, Variance]]) -> dict[Key, float]:
    """Return by size the factor of the variances there, 1 in the geometric mean of the sizes."""
    keys = list(dict.fromkeys(key for own in known for key in own))
    whole = [own for own in known if len(own) == len(keys)]
    if len(whole) < FEW:
        return dict.fromkeys(keys, 1.0)
    logs = np.log([[own[key].value for key in keys] for own in whole])
    return dict(zip(keys, np.exp(logs.mean(0) - logs.mean()).tolist(), strict=True))


def _expected(known: Sequence[Variance]) -> Variance:
    """Return the scale and the degrees of freedom that variances are drawn from."""
    d = np.array([own.dof for own in known])
    logs = np.log([own.value for own in known]) - special.digamma(d / 2) + np.log(d / 2)
    excess = float(logs.var(ddof=1) - special.polygamma(1, d / 2).mean())
    dof = 2 * _inverse_trigamma(excess) if excess > 0 else math.inf
    shift = float(special.digamma(dof / 2) - np.log(dof / 2)) if dof < math.inf else 0.0
    value = math.exp(float(logs.mean()) + shift)
    return Variance(value, min(dof, SHARED * float(d.mean())))


def _inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value, which falls from infinity to 0."""
    low, high = 1e-6, 1 + 2 / value  # trigamma(x) is below 1 / x + 1 / x²
    return float(optimize.brentq(lambda x: special.polygamma(1, x) - value, low, high))


def drawn_to(own: Variance, prior: Variance) -> Variance:
    """Return a variance drawn towards its prior, each as its degrees of freedom weigh it."""
    if not (own.known and prior.known):
        return own
    dof = own.dof + prior.dof
    return Variance((own.dof * own.value + prior.dof * prior.value) / dof, dof)
