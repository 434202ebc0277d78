"""Where the fixed-point model stands among the baselines: the whole report, and its files."""

from pathlib import Path

from fpcore.language import listed, said
from fpcore.notation import Markdown
from fpcore.paths import report
from fpcore.records.record import RunRecord
from fpcore.reports import figures, opening
from fpcore.reports.baselines.caveats import caveats
from fpcore.reports.baselines.standing import embeddings, gist, standing
from fpcore.reports.baselines.tables import by_size, information
from fpcore.reports.page import publish

__all__ = ["render", "write"]


def render(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Return the whole report as Markdown; the figure is linked by file name."""
    records = listed(f"`{record.name}`" for record in runs + baselines)
    parts = [
        said("# 固定点モデルの位置: 同じトークンのベースラインと対照"),
        opening.heading(), gist(runs, baselines),
        said("## モデルどうしの差"), standing(runs, baselines),
        said("## 何を知っているモデルか"), information(runs, baselines),
        said("## 凍結した埋め込みの代償"), embeddings(runs, baselines),
        said("## サイズごとの結果"), by_size(runs, baselines),
        f"![{said('Val PPL とトークン')}](perplexity.png)",
        said("## この比較の限界"), caveats(runs, baselines),
        said("## 記録"), said("`reports/runs/` の {records}。", records=records),
    ]  # fmt: skip
    return Markdown("\n\n".join(parts) + "\n")


def write(runs: list[RunRecord], baselines: list[RunRecord]) -> Path:
    """Write `report.md`, its figure and `report.html` to `reports/baselines/`.

    The figure shows what has a line; a single size, of other tokens, would stretch the axis.
    Returns the path of `report.md`.
    """
    drawn = [r for r in runs + baselines if len(r.sizes) > 1] or runs + baselines
    figure = {"perplexity": lambda: figures.perplexity_log(drawn, figures.axes())}
    return publish(report("baselines"), render(runs, baselines), figure)
