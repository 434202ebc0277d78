"""The Japanese comparison report: its order, its figures, and the files that it is written to."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from fpcore.analysis import factors
from fpcore.analysis.checks import run_checks
from fpcore.analysis.checks.check import Verdicts
from fpcore.analysis.comparison import Comparison, load_comparison
from fpcore.notation import Markdown
from fpcore.paths import reports, write_atomically
from fpcore.reports import figures
from fpcore.reports.comparison import conclusions, sections
from fpcore.reports.page import publish

FIGURES: dict[str, tuple[str, Callable[[Comparison, Axes], Axes]]] = {
    "effective-rank": ("Val ER", lambda c, ax: figures.effective_rank([c.a, c.b], ax)),
    "perplexity": ("Val PPL", lambda c, ax: figures.perplexity([c.a, c.b], ax)),
    "scaling": ("スケーリング則", lambda c, ax: figures.power_laws([c.a, c.b], ax)),
    "convergence": ("収束の推移", lambda c, ax: figures.convergence(c.traces, ax)),
    "er-ppl": ("ER と PPL", lambda c, ax: figures.er_ppl(c.er_ppl, ax)),
}


def render(c: Comparison, checked: Verdicts | None = None) -> Markdown:
    """Return the whole report as Markdown; figures are linked by file name.

    `checked` are the outcomes of the checks where they are known already.
    """
    checked = checked or run_checks(c.records)
    parts = [
        f"# {c.a.name} vs {c.b.name} 実験比較分析",
        _provenance(c, checked),
        f"## 実験条件の違い\n\n{sections.conditions(c)}\n\n**共通条件**:\n\n{sections.common(c)}",
        f"## 結果サマリー\n\n### 最終性能（{c.samples[-1]} サンプル時）\n\n{sections.summary(c)}",
        "## 詳細分析",
        f"### 1. Effective Rank (ER) の変化\n\n{sections.effective_rank(c)}",
        _image("effective-rank"),
        f"### 2. PPLの変化（全サンプルサイズ）\n\n{sections.perplexity(c)}",
        _image("perplexity"),
        f"### 3. αスケーリングの変化\n\n{sections.alpha(c)}",
        _image("scaling"),
        f"### 4. Phase 1 収束の推移\n\n{sections.convergence(c)}",
        _image("convergence"),
        f"## パラメータ変更の影響分析\n\n{conclusions.influence(c)}",
        f"## 結論と推奨設定\n\n### 主要な発見\n\n{conclusions.findings(c)}",
        f"### ER-PPL相関\n\n{sections.er_ppl(c)}",
        _image("er-ppl"),
        f"### 推奨設定\n\n{conclusions.recommended(c)}",
        f"### 今後の検討\n\n{conclusions.next_steps(c, checked)}",
        "## 生データ",
        *(sections.raw(record) for record in c.whole),
        sections.progression(c),
        f"## 検証\n\n{checked.listed()}",
    ]
    return Markdown("\n\n".join(parts) + "\n")


def headlines(runs: list[str]) -> Markdown:
    """Return the summary of the first run against each of the others, from their records."""
    if len(runs) < 2:
        return Markdown("比べる実行が 2 つ揃っていない。")
    first, *others = runs
    parts = [
        f"### {first} vs {other}\n\n{sections.summary(c)}\n\n{sections.perplexity(c)}"
        for other in others
        for c in [load_comparison(first, other)]
    ]
    return Markdown("\n\n".join(parts))


def folder(c: Comparison) -> Path:
    """Return the folder of the report, `reports/<a>-vs-<b>/`."""
    return reports() / f"{c.a.name}-vs-{c.b.name}"


def write(c: Comparison, checked: Verdicts | None = None) -> Path:
    """Write `report.md`, its figures, `report.html` and the YAML of missing runs.

    Returns the path of `report.md`.
    """
    _write_params(c, folder(c) / "params")
    figures = {name: partial(_draw, draw, c) for name, (_, draw) in FIGURES.items()}
    return publish(folder(c), render(c, checked), figures)


def _draw(draw: Callable[[Comparison, Axes], object], c: Comparison) -> None:
    draw(c, figures.axes())


def _write_params(c: Comparison, target: Path) -> None:
    """Replace the YAML files of an earlier report by those of the runs that are missing now."""
    for old in target.glob("*.yaml"):
        old.unlink()
    for name, text in factors.missing_runs(c.a, c.b, c.records).items():
        write_atomically(target / f"{name}.yaml", text.encode())


def _image(name: str) -> str:
    return f"![{FIGURES[name][0]}]({name}.png)"


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
