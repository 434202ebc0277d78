from . import parameters
from .baseline import KneserNeyConfig, NeuralConfig, load_baseline
from .run_config import RunConfig
from .study import Study

__all__ = [
    "KneserNeyConfig",
    "NeuralConfig",
    "RunConfig",
    "Study",
    "load_baseline",
    "parameters",
]
