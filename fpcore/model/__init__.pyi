from . import plain
from .blocks import ContextBlock, FixedPointModel, Inputs, TokenBlock
from .head import Head
from .precision import Precision

__all__ = [
    "ContextBlock",
    "FixedPointModel",
    "Head",
    "Inputs",
    "Precision",
    "TokenBlock",
    "plain",
]
