"""Numbers as a Japanese reader meets them: names, digits, units and signs in one place."""

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from fpcore.config import RunConfig
from fpcore.frames import curve
from fpcore.records import RunRecord
from fpcore.scaling import PowerLaw, fit_power_law, sliding_windows

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


def runs_table(rows: pd.DataFrame) -> Markdown:
    """Return the results of runs, one row per run, seed and size (from `frames.frame`)."""
    columns: dict[str, object] = {
        "run": rows["run"],
        "シード": [number(v, 0) for v in rows["seed"]],
        "サンプル数": [number(v, 0) for v in rows["samples"]],
        "トークン": [number(v, 0) for v in rows["train_tokens"]],
        "P1 反復": [number(v, 0) for v in rows["phase1_iterations"]],
        "収束率": [percent(v, 0) for v in rows["convergence_rate"]],
        "Train ER": [percent(v) for v in rows["train_er"]],
        "Val ER": [percent(v) for v in rows["val_er"]],
        "T.PPL": [number(v, 1) for v in rows["train_ppl"]],
        "V.PPL": [number(v, 1) for v in rows["val_ppl"]],
        "unigram": [number(v, 1) for v in rows["unigram_ppl"]],
        "bits/byte": [number(v, 3) for v in rows["bits_per_byte"]],
        "Acc": [percent(v) for v in rows["val_acc"]],
        "最良/全エポック": [
            f"{number(a, 0)}/{number(b, 0)}"
            for a, b in zip(rows["best_epoch"], rows["epochs_run"], strict=True)
        ],
        "秒": [number(v, 0) for v in rows["seconds"]],
    }
    return table(pd.DataFrame(columns))


def config_table(config: RunConfig) -> Markdown:
    """Return every knob of a config, its default and what it may be; changed ones are marked."""
    fields = RunConfig.model_fields
    values = config.model_dump() | {"name": config.run_name}
    rows = [
        {
            "パラメータ": f"`{knob}`",
            "値": plain(value),
            "既定値": plain(fields[knob].default),
            "変更": "★" if knob != "name" and value != fields[knob].default else "",
        }
        for knob, value in values.items()
    ]
    return table(pd.DataFrame(rows))


def fits_table(records: Iterable[RunRecord]) -> Markdown:
    """Return the power law of each run over all its sizes; a dash for runs of a single size."""
    rows = []
    for record in records:
        points = curve(record)
        fit = fit_power_law(*_columns(points)) if len(points) > 1 else None
        rows.append({"run": record.name, **_fit(fit, len(points))})
    return table(pd.DataFrame(rows))


def windows_table(records: Iterable[RunRecord], size: int = 4) -> Markdown:
    """Return the power law of each window of neighbouring sizes of each run."""
    rows = []
    for record in records:
        points = curve(record)
        sizes = points.index.tolist()
        for i, fit in enumerate(sliding_windows(*_columns(points), size)):
            span = f"{sizes[i]}–{sizes[i + size - 1]}"
            rows.append({"run": record.name, "サンプル数": span, **_fit(fit, size)})
    if not rows:
        return Markdown(f"どの実行もサイズが {size} 未満なので、ウィンドウはない。")
    return table(pd.DataFrame(rows))


def glued(text: str, word: str) -> str:
    """Put a Japanese word behind a text, with a space where the text ends in Latin or a digit."""
    return f"{text} {word}" if text[-1:].isascii() else text + word


def window_names(fits: Sequence[tuple[int, int, PowerLaw]]) -> list[str]:
    """Return the names of windows of sizes, of which the last spans all."""
    names = [f"Window {i} ({first}–{last})" for i, (first, last, _) in enumerate(fits, 1)]
    return [*names[:-1], *(f"全体 ({first}–{last})" for first, last, _ in fits[-1:])]


def plain(value: object) -> str:
    """Return the value of a knob as YAML would show it."""
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return "null" if value is None else str(value)


def _columns(points: pd.DataFrame) -> tuple[list[float], list[float]]:
    return points["train_tokens"].tolist(), points["val_ppl"].tolist()


def _fit(fit: PowerLaw | None, n: int) -> dict[str, str]:
    return {
        "α": number(fit.alpha if fit else None, 4),
        "標準誤差": number(fit.stderr if fit else None, 4),
        "A": number(fit.A if fit else None, 1),
        "R²": number(fit.r_squared if fit else None, 4),
        "n": str(n),
    }
