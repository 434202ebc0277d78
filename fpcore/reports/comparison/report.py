"""The comparison report: its order, its figures, and the files that it is written to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fpcore.analysis import factors
from fpcore.analysis.checks import run_checks
from fpcore.analysis.checks.check import Verdicts
from fpcore.analysis.comparison import Comparison, load_comparison
from fpcore.language import listed, said, template
from fpcore.notation import Markdown, escaped
from fpcore.paths import report, together, write_atomically
from fpcore.records.record import RunRecord
from fpcore.reports import figures
from fpcore.reports.comparison import conclusions, effects, raw_data, sections  # noqa: F401  (they register)
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
        template("Val ER"),
        sections.effective_rank,
        lambda c: figures.effective_rank_of_pair(c, figures.stacked()),
    ),
    "perplexity": Drawn(
        template("Val PPL"),
        sections.perplexity,
        lambda c: figures.perplexity_of_pair(c, figures.stacked()),
    ),
    "scaling": Drawn(
        template("スケーリング則"),
        sections.alpha,
        lambda c: figures.power_laws([c.a, c.b], figures.axes()),
    ),
    "convergence": Drawn(
        template("収束の推移"),
        sections.convergence,
        lambda c: figures.convergence_of_pair(c, figures.stacked()),
    ),
    "er-ppl": Drawn(
        template("ER と PPL"),
        sections.er_ppl,
        lambda c: figures.er_ppl(c.er_ppl, figures.axes()),
    ),
}


def render(c: Comparison, checked: Verdicts | None = None) -> Markdown:
    """Return the whole report as Markdown; figures are linked by file name.

    `checked` are the outcomes of the checks where they are known already.
    """
    checked = checked or run_checks(c.records)
    parts = [said("# {a} vs {b} 実験比較分析", a=c.a.name, b=c.b.name)]
    for part in sorted(SECTIONS, key=lambda part: part.place):
        parts += [said(part.heading, size=c.samples[-1])] if part.heading else []
        parts += [part.text(c, checked) if part.concludes else part.text(c)]
        parts += [_image(name) for name, drawn in FIGURES.items() if drawn.under is part.text]
    return Markdown("\n\n".join(parts) + "\n")


def headlines(runs: list[str]) -> Markdown:
    """Return the summary of the first run against each of the others, from their records."""
    if len(runs) < 2:
        return Markdown(said("比べる実行が 2 つ揃っていない。"))
    first, *others = runs
    parts = [
        f"### {first} vs {other}\n\n{gist(c, run_checks(c.records))}\n\n{sections.summary(c)}"
        for other in others
        for c in [load_comparison(first, other)]
    ]
    return Markdown("\n\n".join(parts))


def folder(c: Comparison) -> Path:
    """Return the folder of the report, `reports/<a>-vs-<b>/` (see `paths.together`)."""
    return report(together([c.a.name, c.b.name]))


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
    return f"![{said(FIGURES[name].caption)}]({name}.png)"


def _taken(record: RunRecord) -> str:
    """Say where figures are from that were not measured here."""
    if record.document:
        return said("原文 {document} から転記", document=record.document)
    if record.origin:
        return said("{file} から取り込み", file=escaped(record.origin.file))
    return said("取り込み")


@section(7, template("## 比べた記録"), concludes=True)
def _provenance(c: Comparison, checked: Verdicts) -> str:
    """Say where both sides come from: every number below is read from these records."""
    head = said("**比較対象**: {a}（a） vs {b}（b）、差分はすべて b − a", a=c.a.name, b=c.b.name)
    lines = [_record(r) for r in c.records]
    left_out = sum(len(r.results) for r in c.whole) - len(c.a.results) - len(c.b.results)
    if left_out:
        text = said("- 片方にしかないサイズやシードの {n} 件は比べていない（生データにはある）",
                    n=left_out)  # fmt: skip
        lines.append(text)
    return "\n".join([head, "", *lines, said("- 検証: {counts}", counts=checked.counts())])


def _record(r: RunRecord) -> str:
    """Say where the record of a run is, and where it comes from."""
    source = said("この本で測定") if r.source == "measured" else _taken(r)
    facts = listed([source, (r.started or "")[:10], said("シード n={n}", n=r.seeds)])
    return said("- `{path}`（{facts}）", path=f"reports/runs/{r.name}.json", facts=facts)
