"""The report of a look as files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from fpcore.notation import Markdown
from fpcore.paths import reports, together
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
    "classes": (figures.token_classes, "損失の差（トークンの種類ごと）"),
    "far-back": (figures.far_back, "k 番目に新しいトークンを替えたときの次のトークンの分布の変化"),
}


def render(seen: Look) -> Markdown:
    """Return the whole report as Markdown; figures are linked by file name."""
    shown = {name: f"![{caption}]({name}.png)" for name, (_, caption) in FIGURES.items()}
    parts = [
        f"# 文脈は何を知っているか: {seen.title}（{seen.samples} サンプル）",
        answer(seen),
        f"## 対象\n\n{sections.setting(seen)}",
        f"## どこで違うか\n\n{sections.classes(seen)}\n\n{shown['classes']}",
        f"## 訓練した文脈とゼロ文脈\n\n{sections.versus_zero(seen)}",
        f"## どこまで覚えているか\n\n{sections.far_back(seen)}\n\n{shown['far-back']}",
        f"## 近い文脈\n\n{sections.near(seen)}\n\n{sections.neighbours(seen)}",
        f"## 生成\n\n{sections.made(seen)}",
        f"## 会話\n\n{legend(seen)}\n\n{conversation(seen)}",
    ]
    return Markdown("\n\n".join(parts) + "\n")


def write(seen: Look) -> Path:
    """Write `report.md`, its figures and `report.html` to `reports/look/<runs>-<size>/`.

    Returns the path of `report.md`.
    """
    names = [reading.name for reading in seen.readings[: seen.compared]]
    target = reports() / "look" / f"{together(names)}-{seen.samples}"
    drawn = {name: partial(_draw, draw, seen) for name, (draw, _) in FIGURES.items()}
    return publish(target, render(seen), drawn)


def _draw(draw: Callable[[Look, Axes], Axes], seen: Look) -> None:
    draw(seen, figures.axes())
