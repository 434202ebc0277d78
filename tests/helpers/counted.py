"""The stages that `fpcore.benchmark.counted` counts."""

COUNTED = (
    "phase 1 iteration",
    "phase 1 chunk",
    "phase 2 batch",
    "phase 2 evaluation piece",
    "recurrence of 256 steps",
)
