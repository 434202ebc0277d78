"""The Japanese comparison report: its order, its figures, and the files that it is written to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fpcore.analysis import factors
from fpcore.analysis.checks import run_checks
from fpcore.analysis.checks.check import Verdicts
from fpcore.analysis.comparison import Comparison, load_comparison
from fpcore.notation import Markdown
from fpcore.paths import reports, together, write_atomically
from fpcore.reports import figures
from fpcore.reports.comparison import conclusions, sections  # noqa: F401  (they register)
from fpcore.reports.comparison.opening import gist
from fpcore.reports.comparison.section import SECTIONS, section
from fpcore.reports.page import publish

__all__ = [
    "folder",
    "headlines",
    "render",
    "write",
]


@dataclass(frozen=True)
class Drawn:
    """A figure of the report: its caption, the section that it stands under, and its drawing."""

    caption: str
    under: Callable[..., object]
    draw: Callable[[Comparison], object]


FIGURES = {
    "effective-rank": Drawn(
        "Val ER",
        sections.effective_rank,
        lambda c: figures.effective_rank_of_pair(c, figures.stacked()),
    ),
    "perplexity": Drawn(
        "Val PPL",
        sections.perplexity,
        lambda c: figures.perplexity_of_pair(c, figures.stacked()),
    ),
    "scaling": Drawn(
        "スケーリング則", sections.alpha, lambda c: figures.power_laws([c.a, c.b], figures.axes())
    ),
    "convergence": Drawn(
        "収束の推移",
        sections.convergence,
        lambda c: figures.convergence_of_pair(c, figures.stacked()),
    ),
    "er-ppl": Drawn(
        "ER と PPL", sections.er_ppl, lambda c: figures.er_ppl(c.er_ppl, figures.axes())
    ),
}


def render(c: Comparison, checked: Verdicts | None = None) -> Markdown:
    """Return the whole report as Markdown; figures are linked by file name.

    `checked` are the outcomes of the checks where they are known already.
    """
    checked = checked or run_checks(c.records)
    parts = [f"# {c.a.name} vs {c.b.name} 実験比較分析"]
    for part in sorted(SECTIONS, key=lambda part: part.place):
        parts += [part.heading.format(size=c.samples[-1])] if part.heading else []
        parts += [part.text(c, checked) if part.concludes else part.text(c)]
        parts += [_image(name) for name, drawn in FIGURES.items() if drawn.under is part.text]
    return Markdown("\n\n".join(parts) + "\n")


def headlines(runs: list[str]) -> Markdown:
    """Return the summary of the first run against each of the others, from their records."""
    if len(runs) < 2:
        return Markdown("比べる実行が 2 つ揃っていない。")
    first, *others = runs
    parts = [
        f"### {first} vs {other}\n\n{gist(c, run_checks(c.records))}\n\n{sections.summary(c)}"
        for other in others
        for c in [load_comparison(first, other)]
    ]
    return Markdown("\n\n".join(parts))


def folder(c: Comparison) -> Path:
    """Return the folder of the report, `reports/<a>-vs-<b>/` (see `paths.together`)."""
    return reports() / together([c.a.name, c.b.name])


def write(c: Comparison, checked: Verdicts | None = None) -> Path:
    """Write `report.md`, its figures, `report.html` and the YAML of missing runs.

    Returns the path of `report.md`.
    """
    _write_params(c, folder(c) / "params")
    drawings = {name: partial(drawn.draw, c) for name, drawn in FIGURES.items()}
    return publish(folder(c), render(c, checked), drawings)


def _write_params(c: Comparison, target: Path) -> None:
    """Replace the YAML files of an earlier report by those of the runs that are missing now."""
    for old in target.glob("*.yaml"):
        old.unlink()
    for name, text in factors.missing_runs(c.a, c.b, c.records).items():
        write_atomically(target / f"{name}.yaml", text.encode())


def _image(name: str) -> str:
    return f"![{FIGURES[name].caption}]({name}.png)"


@section(7, "## 比べた記録", concludes=True)
def _provenance(c: Comparison, checked: Verdicts) -> str:
    """Say where both sides come from: every number below is read from these records."""
    lines = [f"**比較対象**: {c.a.name}（a） vs {c.b.name}（b）、差分はすべて b − a"]
    for r in c.records:
        source = "この本で測定" if r.source == "measured" else f"原文 {r.document} から転記"
        date = f"、{r.started[:10]}" if r.started else ""
        lines.append(f"- `reports/runs/{r.name}.json`（{source}{date}、シード n={r.seeds}）")
    left_out = sum(len(r.results) for r in c.whole) - len(c.a.results) - len(c.b.results)
    if left_out:
        lines.append(
            f"- 片方にしかないサイズやシードの {left_out} 件は比べていない（生データにはある）"
        )
    return "\n".join([lines[0], "", *lines[1:], f"- 検証: {checked.counts()}"])
