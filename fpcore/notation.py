"""Numbers as a Japanese reader meets them: names, digits, units and signs in one place."""

import math
from collections.abc import Iterable

import pandas as pd

DASH = "–"  # what a record does not know
METRICS = {
    "val_ppl": "Val PPL",
    "val_acc": "Val Acc",
    "alpha": "α（スケーリング係数）",
    "val_er": "Val ER",
    "train_er": "Train ER",
    "convergence_rate": "Phase 1 収束率",
    "seconds": "実行時間",
    "unigram_ppl": "Val PPL（unigram モデル）",
    "bits_per_byte": "bits per byte",
    "best_epoch": "最良エポック",
}


class Markdown(str):
    """Markdown text that Jupyter renders, and that logs show as it is."""

    def _repr_markdown_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return str(self)


def number(value: float | None, digits: int, unit: str = "", signed: bool = False) -> str:
    """Return a value with its digits and unit; a dash where it is unknown."""
    if value is None or math.isnan(value):
        return DASH
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    if signed and float(text.replace(",", "")) == 0:
        text = "±" + text[1:]
    return text + unit


def percent(share: float | None, digits: int = 1, signed: bool = False) -> str:
    """Return a share, or a relative change, in percent."""
    return number(None if share is None else 100 * share, digits, "%", signed)


def points(difference: float | None, digits: int = 1) -> str:
    """Return the difference of two shares in percentage points."""
    whole = None if difference is None else 100 * difference
    return number(whole, digits, " ポイント", signed=True)


def metric(name: str, value: float | None) -> str:
    """Return the value of a metric as tables show it; a convergence rate in whole percent."""
    match name:
        case "val_acc" | "val_er" | "train_er":
            return percent(value)
        case "convergence_rate":
            return percent(value, 0)
        case "alpha":
            return number(value, 4)
        case "bits_per_byte":
            return number(value, 3)
        case "best_epoch":
            return number(value, _epoch_digits(value))
        case "seconds":
            return number(None if value is None else value / 60, 1, " 分")
    return number(value, 1)


def with_spread(name: str, value: float, spread: float) -> str:
    """Return the mean of a metric over seeds with its standard deviation; alone for one seed."""
    text = metric(name, value)
    if math.isnan(value) or math.isnan(spread):
        return text
    unit = next((u for u in ("%", " 分") if text.endswith(u)), "")
    return f"{text.removesuffix(unit)} ± {metric(name, spread).removesuffix(unit)}{unit}"


def interval(name: str, low: float, high: float) -> str:
    """Return the interval of a difference of a metric; a dash where it is unknown."""
    if math.isnan(low) or math.isnan(high):
        return DASH
    ends = [difference(name, value) for value in (low, high)]
    unit = next((u for u in (" ポイント", " 分") if ends[0].endswith(u)), "")
    return f"[{', '.join(end.removesuffix(unit) for end in ends)}]{unit}"


def difference(name: str, value: float | None) -> str:
    """Return the difference of a metric as tables show it."""
    match name:
        case "val_acc" | "val_er" | "train_er":
            return points(value)
        case "convergence_rate":
            return points(value, 0)
        case "alpha" | "bits_per_byte":
            return number(value, 3, signed=True)
        case "best_epoch":
            return number(value, _epoch_digits(value), signed=True)
        case "seconds":
            return number(None if value is None else value / 60, 1, " 分", signed=True)
    return number(value, 1, signed=True)


def with_relative(name: str, value: float, relative: float) -> str:
    """Return the difference of a metric, and in percent where its unit alone tells little."""
    text = difference(name, value)
    if name not in {"val_ppl", "seconds"} or math.isnan(relative):
        return text
    return f"{text} ({percent(relative, 0 if name == 'seconds' else 1, signed=True)})"


def _epoch_digits(value: float | None) -> int:
    return 0 if value is None or math.isnan(value) or float(value).is_integer() else 1


def table(rows: pd.DataFrame) -> Markdown:
    """Return a frame of ready text as a Markdown table, the first column to the left."""
    align = ("left",) + ("right",) * (rows.shape[1] - 1)
    text = rows.to_markdown(index=False, disable_numparse=True, colalign=align)
    return Markdown(text or "")


def glued(text: str, word: str) -> str:
    """Put a Japanese word behind a text, with a space where the text ends in Latin or a digit."""
    return f"{text} {word}" if text[-1:].isascii() else text + word


def plain(value: object) -> str:
    """Return the value of a knob as YAML would show it."""
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return "null" if value is None else str(value)


def sizes(samples: Iterable[int]) -> str:
    """Name some sizes."""
    return f"{', '.join(map(str, samples))} サンプル"
