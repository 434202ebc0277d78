from . import draws, fixed_point, metrics, scaling, scaling_intervals, scaling_refits, uncertainty

__all__ = [
    "draws",
    "fixed_point",
    "metrics",
    "scaling",
    "scaling_intervals",
    "scaling_refits",
    "uncertainty",
]
