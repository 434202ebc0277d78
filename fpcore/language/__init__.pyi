from .spoken import Language, said, speak, speaking, spoken, template
from .strung import clauses, ended, listed, passage

__all__ = [
    "Language",
    "clauses",
    "ended",
    "listed",
    "passage",
    "said",
    "speak",
    "speaking",
    "spoken",
    "template",
]
