from .report import (
    answer,
    by_size,
    clipping,
    differences,
    effects,
    next_steps,
    question,
    render,
    results,
    write,
)

__all__ = [
    "answer",
    "by_size",
    "clipping",
    "differences",
    "effects",
    "next_steps",
    "question",
    "render",
    "results",
    "write",
]
