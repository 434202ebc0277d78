from . import (
    baselines,
    comparison,
    figures,
    fixed_point,
    one_run,
    scaling,
    search,
    study,
    tutorial,
)
from .one_run import watch

__all__ = [
    "baselines",
    "comparison",
    "figures",
    "fixed_point",
    "one_run",
    "scaling",
    "search",
    "study",
    "tutorial",
    "watch",
]
