"""Numbers as a reader meets them: names, digits, units and signs in one place."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from fpcore.language import said, template

FACTOR_DIGITS = 1e9  # factors from here on are written with an exponent
MOST_DIGITS = 6  # that an end of an interval gets to be told from 0
MOST_PLAIN = 1e15  # above it, floats are no longer exact to a digit behind the point
MINUTES = template(" 分")
POINTS = template(" ポイント")  # of a share
DASH = "–"  # stands for a value that a record does not know
# White space, and what cannot be shown or turns the direction in which a line is read.
CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
# What begins markup where it stands: brackets only before a target, _ only beside no letter.
SPECIAL = re.compile(
    r"[\\`*~$]|\](?=[(\[:])|<(?=[A-Za-z/!?])|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|:(?=//)"
)


@dataclass(frozen=True)
class Metric:
    """What is known of a metric beside its values; every table, sentence and figure reads it here.

    `label` is its name (`name` says it in the language that is spoken), `axis` that on the axis of
    a figure, `column` that over a narrow column of the table of all results (a metric without one
    has no such column), `printed` that in `claims/terms.yaml`. Values have `digits`, differences
    `difference_digits`, and where the unit alone tells little the difference is given in percent,
    too, with `relative_digits`. `unit` is `%` for shares of 1, ` 分` for times in seconds. A
    `counted` metric has no digits where it is a whole number.

    `better` is 1 where more is better, -1 where less is, 0 where it depends; `moved` says of a
    difference that it went up, or down. `summary` is the place among the metrics that a comparison
    always gives, None for one that is given where it is known (if `beside`), or not at all.
    `headline` metrics are named first, `in_study` and `in_baselines` say which reports show it.

    `of_loss`: other conversations would change it, as the validation loss. `logged`: it is compared
    by the logarithm of ratios, and its mean over seeds is the geometric one. `margin` is the
    smallest difference that matters in practice, a share of the value where it is logged, else as
    the value; 0 where nobody has said. `of_phase2`: it means nothing where phase 2 was cut short.
    `needs` says what two runs must have in common so that it can be compared: the tokens of the
    text, or its bytes, or the number of rows that it was measured on (the record's field `rows`).
    A metric that is not `measured` is no field of a record's results.
    """

    label: str
    digits: int = 1
    unit: Literal["", "%", " 分"] = ""
    difference_digits: int | None = None
    relative_digits: int | None = None
    counted: bool = False
    axis: str = ""
    column: str = ""
    printed: str = ""
    better: Literal[-1, 0, 1] = 0
    moved: tuple[str, str] = (template("上がった"), template("下がった"))
    summary: int | None = None
    beside: bool = False
    headline: bool = False
    in_study: bool = False
    in_baselines: bool = False
    of_loss: bool = False
    of_phase2: bool = False
    logged: bool = False
    margin: float = 0.0
    needs: Literal["", "tokens", "bytes", "rows"] = ""
    rows: str = ""
    measured: bool = True

    @property
    def name(self) -> str:
        """Its name, in the language that is spoken."""
        return said(self.label)

    @property
    def on_axis(self) -> str:
        """The name on the axis of a figure."""
        return self.axis or self.label

    def scaled(self, value: float) -> float:
        """Return a value in the unit."""
        return {"": value, "%": 100 * value, MINUTES: value / 60}[self.unit]


# In the order in which a run comes to them; tables follow it.
METRICS = {
    "convergence_rate": Metric(
        "Phase 1 収束率", 0, "%", axis="収束率", column="収束率", printed="convergence",
        better=1, summary=6, headline=True, in_study=True, margin=0.01,
    ),
    "train_er": Metric(
        "Train ER", 1, "%", axis="Train ER（D に対する比）", column="Train ER", printed="train_er",
        better=1, summary=5, in_study=True, needs="rows", rows="train_er_rows", margin=0.01,
    ),
    "train_er_clean": Metric(
        "Train ER（ノイズなし）", 1, "%", column="ノイズなし", better=1, beside=True, needs="rows",
        rows="train_er_rows", margin=0.01,
    ),
    "train_er_centred": Metric(
        "Train ER（中心化）", 1, "%", column="Train ER 中心化", better=1, beside=True,
        in_study=True, needs="rows", rows="train_er_rows", margin=0.01,
    ),
    "val_er": Metric(
        "Val ER", 1, "%", axis="Val ER（D に対する比）", column="Val ER", printed="val_er",
        better=1, summary=4, headline=True, in_study=True, needs="rows", rows="val_er_rows",
        margin=0.01,
    ),
    "val_er_centred": Metric(
        "Val ER（中心化）", 1, "%", column="Val ER 中心化", better=1, beside=True, in_study=True,
        needs="rows", rows="val_er_rows", margin=0.01,
    ),
    "train_ppl": Metric(
        "Train PPL", column="T.PPL", better=-1, logged=True, of_phase2=True, relative_digits=1
    ),
    "val_ppl": Metric(
        "Val PPL", relative_digits=1, column="V.PPL", printed="val_ppl", better=-1,
        moved=("上がった（悪化）", "下がった（改善）"), summary=1, headline=True, in_study=True,
        in_baselines=True, of_loss=True, of_phase2=True, logged=True, margin=0.01, needs="tokens",
    ),
    "unigram_ppl": Metric(
        "Val PPL（unigram モデル）", relative_digits=1, column="unigram", beside=True, logged=True,
        needs="tokens",
    ),
    "bits_per_byte": Metric(
        "bits per byte", 3, column="bits/byte", better=-1, beside=True, in_study=True,
        in_baselines=True, of_loss=True, of_phase2=True, needs="bytes",
    ),
    "val_acc": Metric(
        "Val Acc", 1, "%", column="Acc", printed="accuracy", better=1, summary=2, in_study=True,
        in_baselines=True, of_phase2=True, needs="tokens",
    ),
    "best_epoch": Metric("最良エポック", counted=True, beside=True),
    "alpha": Metric(
        "α（スケーリング指数）", 4, difference_digits=3, printed="alpha", summary=3,
        of_phase2=True, needs="tokens", measured=False,
    ),
    "seconds": Metric(
        "実行時間", 1, " 分", relative_digits=0, printed="seconds", better=-1,
        moved=("延びた", "短くなった"), summary=7, measured=False,
    ),
}  # fmt: skip


def metrics_where(holds: Callable[[Metric], object]) -> list[str]:
    """Return the names of the metrics of which something holds, in the order of the table."""
    return [name for name, metric in METRICS.items() if holds(metric)]


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
    form = f",.{digits}f" if abs(value) < MOST_PLAIN else ".3g"  # no one reads 300 digits
    text = f"{value:{'+' if signed else ''}{form}}"
    if signed and float(text.replace(",", "")) == 0:
        text = "±" + text[1:]
    return text + said(unit, n=text.lstrip("+-±"))


def factor(value: float | None) -> str:
    """Return a factor whose size is not known beforehand: short, whatever its magnitude."""
    if value is None or not math.isfinite(value):
        return DASH
    return number(value, 1) if value < FACTOR_DIGITS else f"{value:.3g}"


def percent(share: float | None, digits: int = 1, signed: bool = False) -> str:
    """Return a share, or a relative change, in percent."""
    return number(None if share is None else 100 * share, digits, "%", signed)


def percentage_points(difference: float | None, digits: int = 1) -> str:
    """Return the difference of two shares in percentage points."""
    whole = None if difference is None else 100 * difference
    return number(whole, digits, POINTS, signed=True)


def metric(name: str, value: float | None) -> str:
    """Return the value of a metric as tables show it."""
    facts = METRICS[name]
    return number(_scaled(facts, value), _digits(facts, value, facts.digits), facts.unit)


def with_spread(name: str, value: float, spread: float) -> str:
    """Return the mean of a metric over seeds with its standard deviation; alone for one seed."""
    text = metric(name, value)
    if math.isnan(value) or math.isnan(spread):
        return text
    unit = said(METRICS[name].unit)
    return f"{text.removesuffix(unit)} ± {metric(name, spread).removesuffix(unit)}{unit}"


def interval(name: str, low: float, high: float) -> str:
    """Return the interval of a difference of a metric; a dash where it is unknown."""
    if math.isnan(low) or math.isnan(high):
        return DASH
    facts = METRICS[name]
    digits = facts.digits if facts.difference_digits is None else facts.difference_digits
    shown = ends(facts.scaled(low), facts.scaled(high), digits)
    return f"[{', '.join(shown)}]{said(_difference_unit(facts), n=shown[0])}"


def ends(low: float, high: float, digits: int, unit: str = "") -> list[str]:
    """Write both ends of an interval, signed.

    An end that is not 0 but would look so gets as many more digits as tell it from 0, so that
    what is said of the interval can be seen in it.
    """
    while digits < MOST_DIGITS and any(_looks_like_zero(end, digits) for end in (low, high)):
        digits += 1
    return [number(end, digits, unit, signed=True) for end in (low, high)]


def _looks_like_zero(value: float, digits: int) -> bool:
    return value != 0 and math.isfinite(value) and float(f"{value:.{digits}f}") == 0


def difference(name: str, value: float | None) -> str:
    """Return the difference of a metric as tables show it."""
    facts = METRICS[name]
    digits = facts.digits if facts.difference_digits is None else facts.difference_digits
    unit = _difference_unit(facts)
    return number(_scaled(facts, value), _digits(facts, value, digits), unit, signed=True)


def with_relative(name: str, value: float, relative: float) -> str:
    """Return the difference of a metric, and in percent where its unit alone tells little."""
    text, digits = difference(name, value), METRICS[name].relative_digits
    if digits is None or math.isnan(relative):
        return text
    return f"{text} ({percent(relative, digits, signed=True)})"


def _scaled(facts: Metric, value: float | None) -> float | None:
    return None if value is None else facts.scaled(value)


def _digits(facts: Metric, value: float | None, digits: int) -> int:
    whole = value is None or math.isnan(value) or float(value).is_integer()
    return 0 if facts.counted and whole else digits


def _difference_unit(facts: Metric) -> str:
    return POINTS if facts.unit == "%" else facts.unit


def table(rows: pd.DataFrame, markdown: str | None = None) -> Markdown:
    """Return a frame of text as a Markdown table, the first column to the left.

    Cells and headings are shown as written, but for those of the column `markdown`, which hold it.
    """
    cells = [
        [str(value) if name == markdown else escaped(str(value)) for value in rows.iloc[:, place]]
        for place, name in enumerate(rows.columns)
    ]
    written = [[value.replace("|", "\\|") for value in column] for column in cells]
    heads = [escaped(name).replace("|", "\\|") for name in rows.columns]
    align = ("left",) + ("right",) * (len(heads) - 1)
    text = pd.DataFrame(zip(*written, strict=True), columns=heads).to_markdown(
        index=False, disable_numparse=True, colalign=align
    )
    return Markdown(text or "")


def escaped(text: str) -> Markdown:
    """Return Markdown that shows a text as it is written, on one line."""
    return Markdown(SPECIAL.sub(r"\\\g<0>", CONTROL.sub(" ", text)))


def code(text: str) -> Markdown:
    """Return Markdown that shows a text as code, whatever it holds."""
    text = CONTROL.sub(" ", text)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    gap = " " if text.startswith("`") or text.endswith("`") else ""
    return Markdown(f"{fence}{gap}{text}{gap}{fence}")


def knob_value(value: object) -> str:
    """Return the value of a knob as YAML would show it."""
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return "null" if value is None else str(value)


def counted(n: int) -> str:
    """Write a number of things; in Japanese つ up to nine, 個 from ten on."""
    return said("{n} つ", n=n) if n < 10 else said("{n} 個", n=n)


def sizes(samples: Iterable[int]) -> str:
    """Name some sizes."""
    return said("{n} サンプル", n=", ".join(map(str, samples)))
