"""Write a report: Markdown, its figures, and a page that needs nothing beside it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib.pyplot as plt

from fpcore import page, plots
from fpcore.paths import write_atomically


def publish(target: Path, text: str, figures: Mapping[str, Callable[[], object]]) -> Path:
    """Write `report.md`, `<name>.png` of every figure and `report.html` to a folder.

    `figures` maps names to functions that draw on the current figure. Returns the path of
    `report.md`.
    """
    target.mkdir(parents=True, exist_ok=True)
    plots.use_style()
    for name, draw in figures.items():
        draw()
        plt.savefig(target / f"{name}.png", dpi=150, metadata={"Software": None})
        plt.close()
    write_atomically(target / "report.html", page.page(text, target).encode())
    write_atomically(target / "report.md", text.encode())
    return target / "report.md"
