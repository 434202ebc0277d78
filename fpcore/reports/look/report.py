"""The report of a look as files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from fpcore.language import said, template
from fpcore.notation import Markdown
from fpcore.paths import report, together
from fpcore.reports import figures
from fpcore.reports.look import sections
from fpcore.reports.look.answer import answer
from fpcore.reports.look.conversation import conversation, legend
from fpcore.reports.page import publish
from fpcore.runs.looks import Look

__all__ = [
    "render",
    "write",
]

FIGURES = {
    "classes": (figures.token_classes, template("損失の差（トークンの種類ごと）")),
    "far-back": (
        figures.far_back,
        template("k 番目に新しいトークンを替えたときの次のトークンの分布の変化"),
    ),
}


def render(seen: Look) -> Markdown:
    """Return the whole report as Markdown; figures are linked by file name."""
    shown = {name: f"![{said(caption)}]({name}.png)" for name, (_, caption) in FIGURES.items()}
    parts = [
        said("# 文脈は何を知っているか: {title}（{n} サンプル）", title=seen.title, n=seen.samples),
        answer(seen),
        said("## 対象"), sections.setting(seen),
        said("## どこで違うか"), sections.classes(seen), shown["classes"],
        said("## 訓練した文脈とゼロ文脈"), sections.versus_zero(seen),
        said("## どこまで覚えているか"), sections.far_back(seen), shown["far-back"],
        said("## 近い文脈"), sections.near(seen), sections.neighbours(seen),
        said("## 生成"), sections.made(seen),
        said("## 会話"), legend(seen), conversation(seen),
    ]  # fmt: skip
    return Markdown("\n\n".join(parts) + "\n")


def write(seen: Look) -> Path:
    """Write `report.md`, its figures and `report.html` to `reports/look/<runs>-<size>/`.

    Returns the path of `report.md`.
    """
    names = [reading.name for reading in seen.readings[: seen.compared]]
    target = report(f"look/{together(names)}-{seen.samples}")
    drawn = {name: partial(_draw, draw, seen) for name, (draw, _) in FIGURES.items()}
    return publish(target, render(seen), drawn)


def _draw(draw: Callable[[Look, Axes], Axes], seen: Look) -> None:
    draw(seen, figures.axes())
