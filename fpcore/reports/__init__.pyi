from . import (
    baselines,
    comparison,
    figures,
    fixed_point,
    look,
    one_run,
    scaling,
    search,
    study,
    tutorial,
)
from .watching import watch

__all__ = [
    "baselines",
    "comparison",
    "figures",
    "fixed_point",
    "look",
    "one_run",
    "scaling",
    "search",
    "study",
    "tutorial",
    "watch",
]
