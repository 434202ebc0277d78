"""The Japanese comparison report: every number and every direction word comes from the tables.

Each section is a function of the comparison that returns Markdown, so that the `compare` notebook
shows the same text as `report.md`.
"""

import math
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from fpcore import checks, plots, sentences, tables
from fpcore.compare import Comparison, compare_runs
from fpcore.paths import reports, write_atomically
from fpcore.records import RunRecord, frame, load_record
from fpcore.tables import Markdown, number, percent, points

FIGURES: dict[str, Callable[[Comparison, Axes], Axes]] = {
    "effective-rank": lambda c, ax: plots.effective_rank([c.a, c.b], ax),
    "perplexity": lambda c, ax: plots.perplexity([c.a, c.b], ax),
    "scaling": lambda c, ax: plots.power_laws([c.a, c.b], ax),
    "convergence": lambda c, ax: plots.convergence([c.a, c.b], c.samples[-1], ax),
    "er-ppl": lambda c, ax: plots.er_ppl(c.er_ppl, ax),
}


def conditions(c: Comparison) -> Markdown:
    """実験条件の違い: the knobs that differ, and the shared ones in one line each."""
    shown = pd.DataFrame(
        {
            "パラメータ": [f"`{knob}`" for knob in c.conditions["knob"]],
            c.a.name: [tables.plain(v) for v in c.conditions["a"]],
            f"{c.b.name} ": [tables.plain(v) for v in c.conditions["b"]],
            "変更": [percent(v, signed=True) for v in c.conditions["relative"]],
        }
    )
    table = tables.table(shown) if len(shown) else "2 つの実行の設定は同じである。"
    count = len(shown)
    warning = (
        f"\n\n**注意**: {count} つの条件が同時に変わっているため、差がどの条件によるものかは"
        "この 2 つの実行だけでは分からない。"
        if count > 1
        else ""
    )
    common = [
        f"- アーキテクチャ: {c.a.label}",
        f"- 比べたサイズ（会話数）: {', '.join(map(str, c.samples))}",
        *(
            f"- `{knob}`: {tables.plain(value)}"
            for knob, value in c.common.items()
            if knob != "samples"
        ),
    ]
    if c.a.label != c.b.label:
        common = common[1:]
    return Markdown(f"{table}{warning}\n\n**共通条件**:\n\n" + "\n".join(common))


def summary(c: Comparison) -> Markdown:
    """結果サマリー: the metrics at the largest common size."""
    rows = c.summary.dropna(subset=["a", "b"], how="all")
    shown = pd.DataFrame(
        {
            "指標": [tables.METRICS[m] for m in rows["metric"]],
            c.a.name: [tables.metric(m, v) for m, v in zip(rows["metric"], rows["a"], strict=True)],
            f"{c.b.name} ": [
                tables.metric(m, v) for m, v in zip(rows["metric"], rows["b"], strict=True)
            ],
            "差分": [_with_percent(row) for row in rows.itertuples()],
        }
    )
    note = (
        f"{c.samples[-1]} 会話での値。α は比べた全サイズ、実行時間は全サイズの合計。"
        f"差分は {c.b.name} − {c.a.name}（丸める前に計算）。"
    )
    return Markdown(f"{tables.table(shown)}\n\n{note}{sentences.certainty(c)}")


def effective_rank(c: Comparison) -> Markdown:
    """Section 1: Val ER by size."""
    t = c.effective_rank
    shown = pd.DataFrame(
        {
            "会話数": t["samples"].astype(str),
            f"{c.a.name} Val ER": t["a"].map(percent),
            f"{c.b.name} Val ER ": t["b"].map(percent),
            "差分": t["difference"].map(points),
        }
    )
    said = sentences.direction(
        t["difference"], f"{c.b.name} の Val ER は {c.a.name} より", "高い", "低い"
    )
    return Markdown(
        f"{tables.table(shown)}\n\n**観察**: {said}{sentences.spread(t['difference'], points)}"
    )


def perplexity(c: Comparison) -> Markdown:
    """Section 2: Val PPL by size, beside the unigram model's."""
    t = c.perplexity
    shown = pd.DataFrame(
        {
            "会話数": t["samples"].astype(str),
            f"{c.a.name} Val PPL": [number(v, 1) for v in t["a"]],
            f"{c.b.name} Val PPL ": [number(v, 1) for v in t["b"]],
            "差分": [
                f"{number(d, 1, signed=True)} ({percent(r, signed=True)})"
                for d, r in zip(t["difference"], t["relative"], strict=True)
            ],
            "unigram": [number(v, 1) for v in t["unigram_ppl"]],
        }
    )
    said = sentences.direction(
        t["difference"], f"{c.b.name} の Val PPL は {c.a.name} より", "高い（悪い）", "低い（良い）"
    )
    spread = sentences.spread(t["relative"], lambda v: percent(v, signed=True))
    return Markdown(f"{tables.table(shown)}\n\n**観察**: {said}{spread}{sentences.unigram(c)}")


def alpha(c: Comparison) -> Markdown:
    """Section 3: α by window, and Δα between the first and the last window."""
    t = c.alpha
    names = [
        f"ウィンドウ {i + 1} ({row.first}–{row.last})" if i < len(t) - 1 else
        f"**全体** ({row.first}–{row.last})"
        for i, row in enumerate(t.itertuples())
    ]  # fmt: skip
    shown = pd.DataFrame(
        {
            "ウィンドウ（会話数）": names,
            f"{c.a.name} α": [number(v, 3) for v in t["a"]],
            f"{c.b.name} α ": [number(v, 3) for v in t["b"]],
            "差分": [number(v, 3, signed=True) for v in t["difference"]],
        }
    )
    said = sentences.direction(
        t["difference"].iloc[-1:],
        f"全体の α は {c.a.name} より {c.b.name} の方が",
        "緩やか",
        "急峻",
        sizes=False,
    )
    fits = "\n".join(line for record in (c.a, c.b) for line in sentences.fits(c, record))
    return Markdown(f"{tables.table(shown)}\n\n**観察**: {said}\n\n{fits}")


def convergence(c: Comparison) -> Markdown:
    """Section 4: convergence rate and loss of both runs, at the same size."""
    t = c.convergence
    shown = pd.DataFrame(
        {
            "反復": t["iteration"].astype(str),
            f"{c.a.name} 収束率": t["a_rate"].map(percent),
            f"{c.a.name} 損失": [number(v, 4) for v in t["a_loss"]],
            f"{c.b.name} 収束率 ": t["b_rate"].map(percent),
            f"{c.b.name} 損失 ": [number(v, 4) for v in t["b_loss"]],
        }
    )
    ends = "、".join(
        f"{name} は反復 {_last(t, side)['iteration']:.0f} で収束率 "
        f"{percent(_last(t, side)[f'{side}_rate'])}"
        for side, name in (("a", c.a.name), ("b", c.b.name))
        if t[f"{side}_rate"].notna().any()
    )
    note = f"どちらも {c.samples[-1]} 会話の推移。{ends}。" if ends else "推移の記録がない。"
    return Markdown(f"{tables.table(shown)}\n\n{note}{sentences.shared_trace(c)}")


def er_ppl(c: Comparison) -> Markdown:
    """Section 5: ER beside PPL, every compared size of both runs."""
    t = c.er_ppl
    shown = pd.DataFrame(
        {
            "実験": t["run"],
            "会話数": t["samples"].astype(str),
            "Val ER": t["val_er"].map(percent),
            "Val PPL": [number(v, 1) for v in t["val_ppl"]],
        }
    )
    note = (
        "同じ会話数で比べた実行は 2 つだけなので、ここから ER と PPL の相関や最適な ER は言えない。"
    )
    return Markdown(f"{tables.table(shown)}\n\n{note}")


def raw(record: RunRecord) -> Markdown:
    """生データ: every seed and size of one run, in the columns of the original reports."""
    rows = frame([record])
    shown = pd.DataFrame(
        {
            "Config": record.label,
            "Seed": [number(v, 0) for v in rows["seed"]],
            "Samples": rows["samples"].astype(str),
            "Tokens": [number(v, 0) for v in rows["train_tokens"]],
            "P1 Iter": [number(v, 0) for v in rows["phase1_iterations"]],
            "Train ER": rows["train_er"].map(percent),
            "Val ER": rows["val_er"].map(percent),
            "T.PPL": [number(v, 1) for v in rows["train_ppl"]],
            "V.PPL": [number(v, 1) for v in rows["val_ppl"]],
            "Acc": rows["val_acc"].map(percent),
        }
    )
    text = shown.to_string(index=False, justify="right")
    return Markdown(f"### {record.name} 詳細結果\n\n```\n{text}\n```")


def render(c: Comparison) -> Markdown:
    """Return the whole report as Markdown; figures are linked by file name."""
    parts = [
        f"# {c.a.name} vs {c.b.name} 実験比較分析",
        _provenance(c),
        f"## 実験条件の違い\n\n{conditions(c)}",
        f"## 結果サマリー\n\n{summary(c)}",
        "## 詳細分析",
        f"### 1. Effective Rank (ER) の変化\n\n{effective_rank(c)}\n\n{_image('effective-rank')}",
        f"### 2. PPL の変化\n\n{perplexity(c)}\n\n{_image('perplexity')}",
        f"### 3. α スケーリングの変化\n\n{alpha(c)}\n\n{_image('scaling')}",
        f"### 4. Phase 1 収束の推移\n\n{convergence(c)}\n\n{_image('convergence')}",
        f"### 5. ER と PPL\n\n{er_ppl(c)}\n\n{_image('er-ppl')}",
        f"## 検証\n\n{checks.checks_list([c.a, c.b])}",
        f"## 生データ\n\n{raw(c.a)}\n\n{raw(c.b)}",
    ]
    return Markdown("\n\n".join(parts) + "\n")


def headlines(runs: list[str]) -> Markdown:
    """Return the summary of the first run against each of the others, from their records."""
    if len(runs) < 2:
        return Markdown("比べる実行が 2 つ揃っていない。")
    first, *others = [load_record(name) for name in runs]
    parts = [
        f"### {first.name} vs {other.name}\n\n{summary(c)}\n\n{perplexity(c)}"
        for other in others
        for c in [compare_runs(first, other)]
    ]
    return Markdown("\n\n".join(parts))


def folder(c: Comparison) -> Path:
    """Return the folder of the report, `reports/<a>-vs-<b>/`."""
    return reports() / f"{c.a.name}-vs-{c.b.name}"


def write(c: Comparison) -> Path:
    """Write `report.md` and its figures, and return the path of `report.md`."""
    plots.use_style()
    target = folder(c)
    target.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        draw(c, plots.axes())
        plt.savefig(target / f"{name}.png", dpi=130, metadata={"Software": None})
        plt.close()
    write_atomically(target / "report.md", render(c).encode())
    return target / "report.md"


def _image(name: str) -> str:
    return f"![{name}]({name}.png)"


def _provenance(c: Comparison) -> str:
    """Say where both sides come from: every number below is read from these records."""
    lines = [
        f"- {side}: `reports/runs/{r.name}.json`（{r.source}"
        + (f"、{r.started} 開始" if r.started else "")
        + f"、シード n={len({x.seed for x in r.results})}）"
        for side, r in (("a", c.a), ("b", c.b))
    ]
    return "\n".join(lines)


def _with_percent(row: object) -> str:
    name, value = row.metric, row.difference  # type: ignore[attr-defined]
    text = tables.difference(name, value)
    if name in {"val_ppl", "seconds"} and not math.isnan(value):
        text += f" ({percent(row.relative, signed=True)})"  # type: ignore[attr-defined]
    return text


def _last(t: pd.DataFrame, side: str) -> pd.Series:
    return t.dropna(subset=[f"{side}_rate"]).iloc[-1]
