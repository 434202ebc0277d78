from . import (
    draws,
    fixed_point,
    metrics,
    priors,
    scaling,
    scaling_intervals,
    scaling_refits,
    uncertainty,
    variance,
)

__all__ = [
    "draws",
    "fixed_point",
    "metrics",
    "priors",
    "scaling",
    "scaling_intervals",
    "scaling_refits",
    "uncertainty",
    "variance",
]
