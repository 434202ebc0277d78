"""Where the fixed-point model stands among the baselines: the whole report, and its files."""

from pathlib import Path

from fpcore.notation import Markdown
from fpcore.paths import reports
from fpcore.records.record import RunRecord
from fpcore.reports import figures, opening
from fpcore.reports.baselines.caveats import caveats
from fpcore.reports.baselines.standing import embeddings, gist, standing
from fpcore.reports.baselines.tables import by_size, information
from fpcore.reports.page import publish

__all__ = ["render", "write"]


def render(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Return the whole report as Markdown; the figure is linked by file name."""
    records = "、".join(f"`{record.name}`" for record in runs + baselines)
    parts = [
        "# 固定点モデルの位置: 同じトークンのベースラインと対照",
        f"## {opening.HEADING}\n\n{gist(runs, baselines)}",
        f"## モデルどうしの差\n\n{standing(runs, baselines)}",
        f"## 何を知っているモデルか\n\n{information(runs, baselines)}",
        f"## 凍結した埋め込みの代償\n\n{embeddings(runs, baselines)}",
        f"## サイズごとの結果\n\n{by_size(runs, baselines)}",
        "![Val PPL とトークン](perplexity.png)",
        f"## この比較の限界\n\n{caveats(runs, baselines)}",
        f"## 記録\n\n`reports/runs/` の {records}。",
    ]
    return Markdown("\n\n".join(parts) + "\n")


def write(runs: list[RunRecord], baselines: list[RunRecord]) -> Path:
    """Write `report.md`, its figure and `report.html` to `reports/baselines/`.

    The figure shows what has a line; a single size, of other tokens, would stretch the axis.
    Returns the path of `report.md`.
    """
    drawn = [r for r in runs + baselines if len(r.sizes) > 1] or runs + baselines
    figure = {"perplexity": lambda: figures.perplexity_log(drawn, figures.axes())}
    return publish(reports() / "baselines", render(runs, baselines), figure)
