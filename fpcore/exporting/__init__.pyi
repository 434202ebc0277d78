from .command import main
from .tables import tables

__all__ = ["main", "tables"]
