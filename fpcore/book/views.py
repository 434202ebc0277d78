"""What the explorer shows: each view is a function of records, to a text, rows and a figure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import gmean

from fpcore import notation
from fpcore.analysis.comparison import SUMMARY, load_comparison
from fpcore.book.cautions import cautions
from fpcore.metric import METRICS, metrics_where
from fpcore.notation import DASH, Markdown, number, percent
from fpcore.records.by_seed import windows
from fpcore.records.frames import curve, epochs, frame, over_seeds, traces
from fpcore.records.record import RunRecord
from fpcore.reports import figures, scaling
from fpcore.reports.comparison import report, sections
from fpcore.stats.scaling import LEAST_SIZES

BY_ITERATION = {
    "convergence_rate": METRICS["convergence_rate"].on_axis,
    "loss": "Phase 1 損失",
    "fixed_point_loss": "固定点の項（fixed-point term）",
    "diversity_loss": "多様性の項（diversity term）",
    "grad_norm": "勾配ノルム",
    "layernorm_gain": "LayerNorm の倍率",
}
BY_EPOCH = {
    "train_loss": "訓練損失（nat）",
    "val_loss": "検証損失（nat）",
    "dev_loss": "開発損失（nat）",
    "val_acc": "Val Acc（エポックごと）",
    "dev_acc": "開発 Acc（エポックごと）",
}
BY_TOKENS = {
    name: METRICS[name].on_axis
    for name in [*SUMMARY, *metrics_where(lambda m: not m.summary)]
    if METRICS[name].measured
}
FIRST = (
    "val_ppl", "bits_per_byte", "val_acc", "val_er", "convergence_rate", "train_ppl", "train_er",
)  # fmt: skip
SHARES = [*metrics_where(lambda m: m.unit == "%"), "dev_acc"]
CURVES: dict[str, tuple[str, str]] = (
    {f"{label}（トークン）": ("train_tokens", column) for column, label in BY_TOKENS.items()}
    | {f"{label}（反復）": ("iteration", column) for column, label in BY_ITERATION.items()}
    | {f"{label}（エポック）": ("epoch", column) for column, label in BY_EPOCH.items()}
)


@dataclass(frozen=True)
class Choice:
    """What the reader chose: records, sizes, a curve (see `CURVES`), a window of sizes, a pair.

    `every` are all records, `filtered` the names of those that the filter leaves; they are sorted
    by the column `sort`, with differences from the run `base`. `log` makes values logarithmic.
    """

    records: list[RunRecord]
    samples: list[int]
    curve: str
    window: tuple[int, int]
    a: str
    b: str
    every: Sequence[RunRecord] = ()
    filtered: Sequence[str] = ()
    base: str = ""
    sort: str = "val_ppl"
    log: bool = False

    @property
    def chosen(self) -> list[RunRecord]:
        """The records with the chosen sizes alone."""
        return [record.where(lambda r: r.samples in self.samples) for record in self.records]


@dataclass(frozen=True)
class View:
    """What is shown: text with its tables, the same rows as numbers, and a figure or none."""

    text: Markdown
    rows: pd.DataFrame
    figure: Figure | None = None
    hints: tuple[str, ...] = ()  # what the points with gid hint-0, hint-1, … say


Show = Callable[[Choice], View]
VIEWS: dict[str, Show] = {}
USED: dict[str, list[str]] = {}  # the controls that bear on each view


def view(title: str, controls: str) -> Callable[[Show], Show]:
    """Register a view under its title, with the names of the controls that bear on it."""

    def register(show: Show) -> Show:
        VIEWS[title], USED[title] = show, controls.split()
        return show

    return register


@view("曲線", "filter runs samples curve log lang")
def curves(choice: Choice) -> View:
    """曲線: a metric by tokens, iteration or epoch; the table gives the end of each curve."""
    x, column = CURVES[choice.curve]
    label = {"train_tokens": BY_TOKENS, "iteration": BY_ITERATION, "epoch": BY_EPOCH}[x][column]
    rows = {"train_tokens": frame, "iteration": traces, "epoch": epochs}[x](choice.chosen)
    ax = figures.axes()
    if x == "train_tokens":
        figures.by_size(choice.chosen, column, ax)
    else:
        titles = rows["run"].map(figures.called(choice.chosen))
        figures.curves(rows.assign(title=titles), x, column, label, ax)
    if column in SHARES:
        ax.yaxis.set_major_formatter(figures.Distinct("%", 1))
    elif x != "train_tokens":
        ax.yaxis.set_major_formatter(figures.Distinct())
    notes = [*cautions(choice.chosen, ax), *_logged(ax, rows[column], choice.log)]
    ends = _ends(rows.dropna(subset=[x, column]), x, column)
    return View(under(notes, _ends_table(ends, x, column, label)), ends, _figure(ax))


@view("結果", "filter runs samples")
def results(choice: Choice) -> View:
    """結果: every seed and size of the chosen runs, perplexity first."""
    rows = frame(choice.chosen)
    shown = pd.DataFrame(
        {
            "run": rows["run"],
            "サンプル数": [number(v, 0) for v in rows["samples"]],
            "シード": [number(v, 0) for v in rows["seed"]],
            **{_head(m): [notation.metric(m, v) for v in rows[m]] for m in FIRST},
            "最良/全エポック": [
                f"{number(a, 0)}/{number(b, 0)}"
                for a, b in zip(rows["best_epoch"], rows["epochs_run"], strict=True)
            ],
            "トークン": [number(v, 0) for v in rows["train_tokens"]],
            "秒": [number(v, 0) for v in rows["seconds"]],
        }
    )
    return View(under(cautions(choice.chosen), notation.table(shown)), rows)


@view("設定の違い", "filter runs")
def settings(choice: Choice) -> View:
    """設定の違い: the knobs that are not the same in all chosen runs."""
    configs = {record.name: record.config for record in choice.records}
    order = [knob for knobs in sections.GROUPS.values() for knob in knobs]
    known = dict.fromkeys(k for config in configs.values() for k in config)
    knobs = [k for k in [*order, *known] if k in known and k != "name"]
    shown = {
        knob: {name: _shown(config, knob) for name, config in configs.items()}
        for knob in dict.fromkeys(knobs)
    }
    different = {knob: values for knob, values in shown.items() if len(set(values.values())) > 1}
    rows = pd.DataFrame(different).T.rename_axis("パラメータ").reset_index()
    if not different:
        return View(Markdown("選んだ実行の設定はすべて同じである。"), rows)
    return View(notation.table(rows), rows)


@view("ER と PPL", "filter runs samples lang")
def er_ppl(choice: Choice) -> View:
    """ER と PPL: means over seeds; the points say which run they are."""
    rows = frame(choice.chosen).astype({"val_er": float, "val_ppl": float})
    rows = rows.dropna(subset=["val_er", "val_ppl"])
    counts = rows.groupby(["run", "samples"], as_index=False).agg(n=("seed", "size"))
    means = over_seeds(rows, ["run", "samples"], ["val_er", "val_ppl"]).merge(counts)
    titles = means["run"].map(figures.called(choice.chosen))
    ax = figures.er_ppl(means.assign(title=titles), figures.axes())
    shown = pd.DataFrame(
        {
            "run": means["run"],
            "サンプル数": means["samples"].astype(str),
            "シード n": means["n"].astype(str),
            "Val ER": [percent(v) for v in means["val_er"]],
            "Val PPL": [number(v, 1) for v in means["val_ppl"]],
        }
    )
    hints = [f"{r[0]}、{r[1]} サンプル、n={r[2]}\nVal ER {r[3]}、Val PPL {r[4]}"
             for r in shown.itertuples(index=False)]  # fmt: skip
    for i, point in enumerate(means[["val_er", "val_ppl"]].to_numpy()):
        ax.plot(*point, "o", ms=16, alpha=0.01, gid=f"hint-{i}")  # easier to hit than what is seen
    text = under(cautions(choice.chosen, ax), notation.table(shown))
    return View(text, means, _figure(ax), tuple(hints))


@view("α", "filter runs window lang")
def alpha(choice: Choice) -> View:
    """α: the power law of each chosen run over the sizes of the window."""
    first, last = choice.window
    records = [record.where(lambda r: first <= r.samples <= last) for record in choice.records]
    rows = [
        {"run": record.name, "first": found[-1][0], "last": found[-1][1], "alpha": law.alpha,
         "stderr": law.stderr, "A": law.A, "r_squared": law.r_squared, "n": law.n}
        for record in records
        for found in [windows(curve(record), record.sizes)]
        for law in [found[-1][2] if found else None]
        if law and law.n >= LEAST_SIZES
    ]  # fmt: skip
    text = f"サイズ {first}–{last} の PPL = A・トークン^α。\n\n{scaling.fits_table(records)}"
    ax = figures.power_laws(records, figures.axes())
    return View(under(cautions(records, ax), text), pd.DataFrame(rows), _figure(ax))


@view("A/B 比較", "filter a b")
def comparison(choice: Choice) -> View:
    """A/B: the tables, sentences and 検証 of the report of two runs."""
    c = load_comparison(choice.a, choice.b)
    text = re.sub(r"!\[[^]]*\]\([^)]*\)\n\n", "", report.render(c))
    return View(Markdown(text), c.summary)


def _logged(ax: Axes, values: pd.Series, wanted: bool) -> list[str]:
    """Make the values logarithmic, if that is wanted and can be."""
    if not wanted:
        return []
    if not (values.dropna().astype(float) > 0).all():
        return ["0 以下の値があるので、対数目盛にはできない。"]
    figures.log_axis(ax)
    return []


def under(notes: list[str], text: str) -> Markdown:
    """Return a text under its notes."""
    return Markdown("\n\n".join([*notes, text]))


def _head(metric: str) -> str:
    return METRICS[metric].column or METRICS[metric].label


def _shown(config: dict[str, object], knob: str) -> str:
    return notation.knob_value(config[knob]) if knob in config else DASH


def _figure(ax: Axes) -> Figure:
    figure = ax.figure
    assert isinstance(figure, Figure)
    return figure


def _ends(rows: pd.DataFrame, x: str, column: str) -> pd.DataFrame:
    """Return the last value of each curve: mean, smallest and largest over seeds."""
    keys = ["run", "samples"]
    last = rows[rows[x] == rows.groupby(keys)[x].transform("max")].astype({column: float})
    groups = last.groupby(keys, sort=False)
    middle = gmean if column in METRICS and METRICS[column].logged else "mean"
    stats = groups[column].agg(["min", "max"]).assign(n=groups["seed"].size())
    stats["mean"] = groups[column].agg(middle)
    return stats.reset_index().merge(last.drop_duplicates(keys)[[*keys, x]], on=keys)


def _ends_table(ends: pd.DataFrame, x: str, column: str, label: str) -> Markdown:
    title = {"train_tokens": "トークン", "iteration": "反復", "epoch": "エポック"}[x]
    shown = pd.DataFrame(
        {
            "run": ends["run"],
            "サンプル数": ends["samples"].astype(str),
            title: [number(v, 0) for v in ends[x]],
            label: [_value(column, v) for v in ends["mean"]],
            "最小–最大": [
                f"{_value(column, low)}–{_value(column, high)}" if n > 1 else DASH
                for low, high, n in ends[["min", "max", "n"]].itertuples(index=False)
            ],
            "シード n": ends["n"].astype(str),
        }
    )
    return notation.table(shown)


def _value(column: str, value: float) -> str:
    return notation.metric(column, value) if column in METRICS else number(value, 4)
