from .explorer import show
from .making import Book
from .site import build

__all__ = [
    "Book",
    "build",
    "show",
]
