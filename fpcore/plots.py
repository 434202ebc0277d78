"""Figures. Each function takes and returns `ax` and never saves; labels are Japanese."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator, PercentFormatter

from fpcore.records import RunRecord, epochs, frame, traces
from fpcore.scaling import fit_power_law, fit_saturating_law

FONT = "IPAexGothic"
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")
FEW_POINTS = 12  # of a line: each is marked
BAND = "帯はシード間の最小–最大"


def use_style() -> None:
    """Set fonts that have Japanese, and colours that colour-blind readers can tell apart."""
    import matplotlib_fontja  # noqa: F401  (registers the font)

    sns.set_theme(style="whitegrid", palette="colorblind", font=FONT, font_scale=0.95)
    plt.rcParams |= {"figure.dpi": 110, "axes.unicode_minus": False, "svg.fonttype": "none"}


def axes() -> Axes:
    """Return the axes of a new figure of the book's one size."""
    return plt.subplots(figsize=(6.4, 4.0), layout="constrained")[1]


def panels(count: int) -> list[Axes]:
    """Return axes side by side in a new figure; they share what runs down the side."""
    size = (3.4 * count, 4.0)
    return list(plt.subplots(1, count, figsize=size, layout="constrained", sharey=True)[1])


def by_size(records: Iterable[RunRecord], metric: str, label: str, ax: Axes) -> Axes:
    """Draw a metric against training tokens, one line per run, the band over its seeds."""
    rows = frame(records).dropna(subset=[metric, "train_tokens"])
    if rows.empty:
        return _nothing(ax, label)
    _lines(rows, "train_tokens", metric, "run", ax)
    _token_axis(ax, rows["train_tokens"])
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.set(ylabel=label, title=_title(label, rows))
    return ax


def effective_rank(records: Iterable[RunRecord], ax: Axes) -> Axes:
    """Draw Val ER (share of D) against training tokens."""
    ax = by_size(records, "val_er", "Val ER（D に対する比）", ax)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    return ax


def perplexity(records: Iterable[RunRecord], ax: Axes) -> Axes:
    """Draw Val PPL against training tokens, with the unigram model's where it is known."""
    records = list(records)
    ax = by_size(records, "val_ppl", "Val PPL", ax)
    unigram = frame(records).dropna(subset=["unigram_ppl"])
    if not unigram.empty:
        means = unigram.groupby("train_tokens")["unigram_ppl"].mean()
        ax.plot(means.index, means, color="0.45", ls="--", marker="x", label="unigram モデル")
        ax.legend(title="")
    return ax


def perplexity_log(records: Iterable[RunRecord], ax: Axes) -> Axes:
    """Draw what `perplexity` does on two logarithmic axes, for models that lie far apart."""
    ax = perplexity(records, ax)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.yaxis.set_minor_formatter(THOUSANDS)
    ax.tick_params(axis="y", which="minor", labelsize="small")
    ax.set_ylabel("Val PPL（対数）")
    ax.legend(title="", fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def power_laws(records: Iterable[RunRecord], ax: Axes) -> Axes:
    """Draw Val PPL against tokens on log axes with each run's fitted power law.

    From four sizes on the saturating law stands beside it, dashed.
    """
    records = list(records)
    rows = frame(records).dropna(subset=["val_ppl", "train_tokens"])
    if rows.empty:
        return _nothing(ax, "スケーリング則")
    for record in records:
        own = rows[rows["run"] == record.name]
        points = ax.scatter(own["train_tokens"], own["val_ppl"], s=28, zorder=3)
        label = f"{record.name}（n={len(own)}）"
        if own["train_tokens"].nunique() > 1:
            fit = fit_power_law(own["train_tokens"].tolist(), own["val_ppl"].tolist())
            grid = np.geomspace(*fit.tokens, 50)
            color = points.get_facecolor()[0]
            ax.plot(grid, [fit(x) for x in grid], color=color, lw=1.3)
            if own["train_tokens"].nunique() > 3:
                law = fit_saturating_law(own["train_tokens"].tolist(), own["val_ppl"].tolist())
                ax.plot(grid, [law(x) for x in grid], color=color, lw=1.3, ls="--")
            label = f"{record.name}（α={fit.alpha:.3f}, R²={fit.r_squared:.3f}, n={fit.n}）"
        points.set_label(label)
    _token_axis(ax, rows["train_tokens"])
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.yaxis.set_minor_formatter(THOUSANDS)
    ax.tick_params(axis="y", which="minor", labelsize="small")
    ax.set(ylabel="Val PPL（対数）", title="べき乗則（実線）と飽和則（破線）")
    ax.legend(fontsize="small")
    return ax


def convergence(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the convergence rate by iteration (rows from `Comparison.traces`)."""
    if rows.empty:
        return _nothing(ax, "収束の推移")
    rows = _sized(rows)
    _lines(rows, "iteration", "convergence_rate", "run", ax)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(xlabel="反復", ylabel="収束率", ylim=(0, 1))
    ax.xaxis.set_major_locator(_whole_ticks())
    ax.set_title(_title("収束の推移", rows))
    return ax


def phase1_loss(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the phase-1 loss by iteration (rows from `Comparison.traces`)."""
    if rows.empty:
        return _nothing(ax, "Phase 1 損失")
    rows = _sized(rows)
    _lines(rows, "iteration", "loss", "run", ax)
    ax.set(xlabel="反復", ylabel="Phase 1 損失")
    ax.xaxis.set_major_locator(_whole_ticks())
    ax.set_title(_title("Phase 1 損失", rows))
    return ax


def phase1_by_size(record: RunRecord, column: str, label: str, ax: Axes) -> Axes:
    """Draw a column of the phase-1 trace of one run, one line per size."""
    rows = traces([record]).assign(サンプル数=lambda t: t["samples"].astype(str))
    _lines(rows, "iteration", column, "サンプル数", ax, legend_title="サンプル数")
    if column == "convergence_rate":
        ax.set_ylim(0, 1)
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.xaxis.set_major_locator(_whole_ticks())
    ax.set(xlabel="反復", ylabel=label, title=f"{record.name}: {label}")
    return ax


def effective_rank_splits(record: RunRecord, ax: Axes) -> Axes:
    """Draw train and validation ER of one run by size."""
    rows = frame([record]).rename(columns={"train_er": "Train ER", "val_er": "Val ER"})
    long = rows.melt(["train_tokens", "seed"], ["Train ER", "Val ER"], "split", "er")
    _lines(long.dropna(), "train_tokens", "er", "split", ax)
    _token_axis(ax, rows["train_tokens"].dropna())
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.set(ylabel="ER（D に対する比）", title=f"{record.name}: Effective Rank")
    return ax


def phase2_by_size(record: RunRecord, ax: Axes) -> Axes:
    """Draw the validation loss of one run by epoch, one line per size, best epochs marked."""
    rows = epochs([record]).assign(サンプル数=lambda t: t["samples"].astype(str))
    _lines(rows, "epoch", "val_loss", "サンプル数", ax, legend_title="サンプル数")
    best = frame([record]).merge(rows, left_on=["seed", "samples", "best_epoch"],
                                 right_on=["seed", "samples", "epoch"])  # fmt: skip
    ax.scatter(best["epoch"], best["val_loss"], s=70, facecolors="none", edgecolors="0.2", zorder=4)
    ax.set(xlabel="エポック", ylabel="検証損失 (nat)", title=f"{record.name}: Phase 2 検証損失")
    ax.xaxis.set_major_locator(_whole_ticks())
    return ax


def er_ppl(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw Val ER against Val PPL (from `Comparison.er_ppl`); lines join the runs of one size."""
    if table.empty:
        return _nothing(ax, "ER と PPL")
    for samples, rows in table.groupby("samples"):
        ax.plot(rows["val_er"], rows["val_ppl"], color="0.75", lw=1, zorder=1)
        last = rows.sort_values("val_er").iloc[-1]
        ax.annotate(
            f"{samples}", (last["val_er"], last["val_ppl"]), (7, -3), textcoords="offset points",
            fontsize="small", color="0.35",
        )  # fmt: skip
    sns.scatterplot(table, x="val_er", y="val_ppl", hue="run", style="run", s=70, ax=ax, zorder=3)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.yaxis.set_minor_formatter(THOUSANDS)
    ax.tick_params(axis="y", which="minor", labelsize="small")
    n = table["run"].nunique()
    title = f"ER と PPL　実行 n={n}（数字はサンプル数、線は同じサイズ）"
    ax.set(xlabel="Val ER（D に対する比）", ylabel="Val PPL（対数）", title=title)
    ax.margins(x=0.12)
    ax.legend(title="", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncol=3)
    return ax


def study(rows: pd.DataFrame, panels: list[Axes]) -> list[Axes]:
    """Draw the runs of a study (`Evidence.frame`), one panel each for rate, ER and PPL.

    Points are seeds, the bar is the mean ± standard deviation; the base is the dashed line.
    """
    metrics = {
        "convergence_rate": "収束率",
        "val_er": "Val ER（D に対する比）",
        "val_ppl": "Val PPL",
    }
    for (metric, label), ax in zip(metrics.items(), panels, strict=True):
        _study_panel(rows, metric, ax)
        ax.set(xlabel=label, ylabel="")
        if metric != "val_ppl":
            ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    samples, n = rows["samples"].iloc[0], rows["seed"].nunique()
    title = f"{samples} サンプル、シード n={n}（点はシード、線は平均 ± 標準偏差、破線は基準）"
    panels[0].figure.suptitle(title, fontsize="medium")
    return panels


def _study_panel(rows: pd.DataFrame, metric: str, ax: Axes) -> None:
    names = rows["label"].unique().tolist()
    stats = rows.groupby("label", sort=False)[metric].agg(["mean", "std"])
    color = sns.color_palette("colorblind")[0]
    at = range(len(names))
    ax.errorbar(stats["mean"], at, xerr=stats["std"], fmt="none", color="0.3", lw=1.5, capsize=3)
    ax.scatter(rows[metric], rows["label"].map(names.index), s=22, color=color, zorder=3)
    base = next(name for name in names if name.endswith("（基準）"))
    ax.axvline(stats.loc[base, "mean"], color="0.4", ls="--", lw=1)
    ax.set_yticks(at, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)


def speedups(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Draw plain / fast by stage and precision (rows from `benchmark.measure`)."""
    sns.barplot(rows, y="stage", x="ratio", hue="precision", orient="h", ax=ax)
    for bars in ax.containers:
        ax.bar_label(bars, fmt="%.1f×", padding=3, fontsize="small")  # type: ignore[arg-type]
    ax.axvline(1, color="0.3", lw=1)
    ax.margins(x=0.15)
    ax.set(xlabel="plain の何倍速いか（中央値）", ylabel="", title="plain に対する速さ")
    ax.legend(title="精度")
    return ax


def _lines(
    rows: pd.DataFrame,
    x: str,
    y: str,
    hue: str,
    ax: Axes,
    legend_title: str = "",
    marker: str | None = None,
) -> None:
    """Draw means over seeds, with a band from the smallest to the largest where there are more."""
    colors = sns.color_palette("colorblind", rows[hue].nunique())
    marker = marker or ("o" if x == "train_tokens" else None)
    for color, (name, own) in zip(colors, rows.groupby(hue, sort=False), strict=True):
        stats = own.groupby(x)[y].agg(["mean", "min", "max"])
        few = "." if len(stats) < FEW_POINTS else None  # print gives a trace in a few points
        ax.plot(stats.index, stats["mean"], color=color, marker=marker or few, label=name)
        if marker is None:  # identical curves hide each other; their ends do not
            ax.plot(stats.index[-1:], stats["mean"].iloc[-1:], "o", color=color, ms=5)
        if own["seed"].nunique() > 1:
            ax.fill_between(stats.index, stats["min"], stats["max"], color=color, alpha=0.2)
    ax.legend(title=legend_title)


def _nothing(ax: Axes, title: str) -> Axes:
    """Say that there is nothing to draw."""
    ax.text(0.5, 0.5, "値の記録がない", ha="center", va="center", transform=ax.transAxes)
    ax.set(title=title, xticks=[], yticks=[])
    return ax


def _sized(rows: pd.DataFrame) -> pd.DataFrame:
    """Name the size with each run: traces can be compared at one size only."""
    return rows.assign(run=rows["run"] + "（" + rows["samples"].astype(str) + " サンプル）")


def _title(label: str, rows: pd.DataFrame) -> str:
    seeds = rows.groupby("run")["seed"].nunique().max() if len(rows) else 0
    return f"{label}　シード n={max(1, seeds)}" + (f"、{BAND}" if seeds > 1 else "")


def _whole_ticks() -> MaxNLocator:
    return MaxNLocator(integer=True, steps=[1, 2, 5, 10])


def _token_axis(ax: Axes, tokens: pd.Series) -> None:
    """Put a tick at every size, on a logarithmic axis."""
    ax.set_xscale("log")
    ticks = sorted(set(tokens.astype(int)))
    ax.set_xticks(ticks if len(ticks) <= 8 else ticks[:: len(ticks) // 6], minor=False)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1000:,.0f}k"))
    ax.set_xlabel("訓練トークン（対数）")
