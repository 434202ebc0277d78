"""What is known of every metric beside its values: the one table that all readers share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fpcore.language import said, template

MINUTES = template(" 分")


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
