from .dataset import Data, prepare
from .tokens import HeldOut

__all__ = [
    "Data",
    "HeldOut",
    "prepare",
]
