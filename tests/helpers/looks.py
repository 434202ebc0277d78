"""A look at trained models, as `runs.looks` would give it, without any model."""

import math
from typing import Any

import numpy as np
import pandas as pd

from fpcore.runs.continuations import COLUMNS
from fpcore.runs.looks import FAR, Conversation, Look, Reading

WORDS = ["We", " like", "\n", " <b>", "|", "`", "é\t", "�"]


def seen(
    kinds: str = "trained zero", compared: int = 2, gain: float = 0.5, words: Any = WORDS
) -> Look:
    """A look in which trained contexts gain on copied tokens, and know three tokens."""
    draw = np.random.default_rng(1)
    lengths = draw.integers(30, 200, 20)
    rows = pd.DataFrame({"conversation": np.repeat(np.arange(20), lengths)})
    rows["position"] = rows.groupby("conversation").cumcount()
    rows["length"] = np.repeat(lengths, lengths)
    rows["frequency"] = draw.integers(0, 2000, len(rows))
    rows["copied"] = draw.random(len(rows)) < 0.5
    base = draw.exponential(4, len(rows))
    better = base - gain * rows["copied"].to_numpy() + draw.normal(0, 0.1, len(rows))
    losses = {"trained": better, "zero": base, "untrained": base + 0.1}
    names = kinds.split()
    readings = [Reading(f"{kind}-run", kind, losses[kind]) for kind in names]
    known = {"trained": 3, "zero": 1, "untrained": 2}
    parts = [
        {"run": f"{kind}-run", "contexts": kind, "conversation": number, "back": back,
         "change": 0.5 / back if back <= known[kind] else 0.0}
        for kind in names for number in range(20) for back in range(1, FAR + 1)
    ]  # fmt: skip
    shown = np.linspace(1.0, 9.0, len(words) * len(names)).reshape(len(words), -1)
    shown[0] = math.nan
    chances = [[[(word, 0.25)] for _ in names] for word in words]
    near = pd.DataFrame({"back": [1, 2], "mean": [0.9, 0.4], "chance": [0.1, 0.1], "n": [30, 30]})
    near["low"], near["high"] = near["mean"] - 0.05, near["mean"] + 0.05
    found = [(1.0, 0, "We like", words[-1]), (0.5, 3, words[2], "x")]
    return Look(
        samples=100,
        seed=1,
        compared=compared,
        readings=readings,
        tokens=rows,
        conversation=Conversation(4, list(words), shown, [[[] for _ in names], *chances[1:]]),
        changes=pd.DataFrame(parts),
        near=near,
        token=2,
        neighbours=pd.DataFrame(found, columns=["similarity", "conversation", "read", "next"]),
        made=pd.DataFrame([("a", "run", words[0], words[3])], columns=COLUMNS),
    )
