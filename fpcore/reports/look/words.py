"""How a look calls classes of tokens, and writes differences."""

import math
from collections.abc import Mapping
from typing import Any

from fpcore.language import said, template
from fpcore.notation import ends, number, percent

Row = Mapping[Any, Any]  # of a table, by column
GROUPINGS = {
    "copied": template("会話に既出か"),
    "frequency": template("訓練での回数"),
    "position": template("会話の中の位置"),
    "length": template("会話の長さ（トークン）"),
}
CONTEXTS = {
    "trained": template("訓練した文脈"),
    "untrained": template("訓練しない文脈"),
    "zero": template("ゼロ文脈"),
}
COPIED = {"yes": template("既出"), "no": template("初出")}


def class_name(row: Row) -> str:
    """Return the name of a class of tokens, from its row (`analysis.token_classes.gaps`)."""
    kind = said(COPIED.get(row["class"], str(row["class"])))
    return said("{grouping} {kind}", grouping=said(GROUPINGS[row["grouping"]]), kind=kind)


def interval(row: Row) -> str:
    """Write the difference of two losses in nats with its interval, from its row."""
    difference = number(row["b"] - row["a"], 3, signed=True)
    if math.isnan(row["low"]):
        return difference
    return f"{difference} [{', '.join(ends(row['low'], row['high'], 3))}]"


def share(row: Row) -> str:
    """Write a mean share with its interval, from its row (`analysis.token_classes.changes`)."""
    if math.isnan(row["low"]):
        return percent(row["mean"])
    return f"{percent(row['mean'])} [{percent(max(0.0, row['low']))}, {percent(row['high'])}]"


def visible(text: str) -> str:
    """Return a text with its line ends as signs."""
    return text.replace("\n", "⏎")
