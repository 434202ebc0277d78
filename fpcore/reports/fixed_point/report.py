"""The report of a diagnosis: its order, its figures, and the files that it is written to."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from fpcore.language import said, template
from fpcore.notation import Markdown
from fpcore.paths import report
from fpcore.reports import figures, opening
from fpcore.reports.fixed_point.sentences import gist, late_fall, meaning, setting
from fpcore.reports.fixed_point.tables import residuals, settled, spectra
from fpcore.reports.page import publish
from fpcore.runs.diagnosis import Diagnosis

__all__ = ["render", "write"]

FIGURES = {
    "residuals": (figures.residuals, template("相対残差の推移")),
    "spectra": (figures.spectra, template("ER と PR の推移")),
    "loss-terms": (figures.loss_terms, template("Phase 1 損失の 2 つの項")),
    "gain": (figures.gain, template("多様性の項と LayerNorm の利得")),
}


def render(d: Diagnosis) -> Markdown:
    """Return the whole report as Markdown; figures are linked by file name."""
    shown = {name: f"![{said(caption)}]({name}.png)" for name, (_, caption) in FIGURES.items()}
    parts = [
        said("# 文脈はどこまで固定点に近づいたか: {title}", title=d.title),
        opening.heading(), gist(d),
        said("## 対象"), setting(d),
        said("## 収束と固定点"), settled(d), meaning(d),
        said("## 相対残差"), residuals(d), shown["residuals"],
        "## Effective Rank", spectra(d), shown["spectra"],
        said("## 訓練中の損失と利得"), late_fall(d), shown["loss-terms"], shown["gain"],
    ]  # fmt: skip
    return Markdown("\n\n".join(parts) + "\n")


def write(d: Diagnosis) -> Path:
    """Write `report.md`, its figures and `report.html` to `reports/fixed-point/<run>-<size>/`.

    Returns the path of `report.md`.
    """
    target = report(f"fixed-point/{d.config.run_name}-{d.config.samples[0]}")
    figures = {name: partial(_draw, draw, d) for name, (draw, _) in FIGURES.items()}
    return publish(target, render(d), figures)


def _draw(draw: Callable[[Diagnosis, Axes], Axes], d: Diagnosis) -> None:
    draw(d, figures.axes())
