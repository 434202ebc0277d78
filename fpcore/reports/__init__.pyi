from . import baselines, comparison, figures, fixed_point, look, one_run, scaling, study, tutorial
from .watching import watch

__all__ = [
    "baselines",
    "comparison",
    "figures",
    "fixed_point",
    "look",
    "one_run",
    "scaling",
    "study",
    "tutorial",
    "watch",
]
