"""Where the fixed-point model stands among the baselines: one table, and sentences by rule."""

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pandas as pd

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.comparison import Comparison, compare_runs
from fpcore.analysis.information import LEVELS, knowledge
from fpcore.config.run_config import RunConfig
from fpcore.notation import DASH, Markdown, number, percent
from fpcore.paths import reports
from fpcore.records.by_seed import moments, values
from fpcore.records.pairs import CUT_SHORT, cut_short
from fpcore.records.record import RunRecord
from fpcore.reports import figures, sentences
from fpcore.reports.page import publish
from fpcore.reports.sentences import SMALL, UNCLEAR, level
from fpcore.stats.metrics import bits_per_byte
from fpcore.stats.uncertainty import simultaneous
from fpcore.stats.variance import effective_number

SHOWN = notation.metrics_where(lambda m: m.in_baselines)
UNIGRAM = "unigram モデル"
KNOWN = {
    "own": "訓練テキストだけ",
    "tokenizer": "訓練テキストと、全訓練会話で作った tokenizer",
    "embedding": "訓練テキストと、全訓練会話で作った tokenizer と埋め込み",
    "pool": "全訓練会話",
}


def by_size(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Return a row per size and model, fewest tokens first: means ± standard deviations."""
    records = runs + baselines
    rows = []
    for samples in sorted({n for record in records for n in record.sizes}):
        own = [record for record in records if record.at(samples)]
        rows += [_unigram(own[0], samples), *(_row(record, samples) for record in own)]
    note = (
        "Val PPL などはシードの平均（PPL は幾何平均）± 標準偏差（シード 1 つなら値だけ）。"
        "パラメータは訓練されるものだけを数える。「選択」は開発（development）テキストで選んだ"
        f"学習率または n-gram の次数、{DASH} は該当なしか不明。"
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows), 'モデル')}\n\n{note}")


def standing(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say of every run which baselines it beats at the largest common size, and by how much.

    Runs that are controls of another stand behind it alone: what phase 1 is worth.
    """
    of = {run.name: factors.beside(run, runs) for run in runs}
    held = {control.name for found in of.values() for control in found}
    share = _level(runs, baselines)
    lines: list[str] = []
    for run in runs:
        if run.name not in held:
            lines += [*_against(run, baselines, share), *_beside_unigram(run)]
            lines += [line] if (line := sentences.worth(run, of[run.name], share)) else []
    return Markdown("\n".join(f"- {line}" for line in lines))


def information(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say what every model knows, and that a comparison is fair between equals alone."""
    found = {level: [r for r in runs + baselines if knowledge(r) == level] for level in LEVELS}
    lines = [
        f"- {KNOWN[level]}: {'、'.join(notation.code(record.name) for record in records)}"
        for level, records in found.items()
        if records
    ]
    head = (
        "モデルが知っていることは、少ない順に次のとおり。同じ行のモデルどうしの比較が公平である。"
    )
    return Markdown("\n".join([head, "", *lines]))


def embeddings(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say what the frozen embedding costs a baseline that exists with one of its own, too."""
    share = _level(runs, baselines)
    lines = [
        _line(c) for pair in _variants(baselines) if (c := _compared_at(*pair, share)) is not None
    ] or ["凍結した埋め込みと自分の埋め込みの両方で訓練したモデルの組はない。"]
    return Markdown("\n".join(f"- {line}" for line in lines))


def _level(runs: list[RunRecord], baselines: list[RunRecord]) -> float:
    """Return the level at which all that the report compares holds together, at every size."""
    sizes = {n for record in runs + baselines for n in record.sizes}
    controls = sum(len(factors.beside(run, runs)) for run in runs)
    pairs = len(runs) * len(baselines) + controls + len(_variants(baselines))
    return simultaneous(pairs * len(sizes))


def _variants(baselines: list[RunRecord]) -> list[tuple[RunRecord, RunRecord]]:
    """Return the pairs of a baseline with the frozen embedding and with one of its own."""
    return [
        (frozen, free)
        for frozen in baselines
        for free in baselines
        if _variant(frozen) == (_variant(free)[0], False) and _variant(free)[1] is True
    ]


def caveats(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say what the comparison rests on: conversations, seeds, how epochs were chosen and ended."""
    records = runs + baselines
    lines = [
        *_conversations(records, _level(runs, baselines)),
        *_said(records, lambda r: r.seeds < 2 and r.results[0].seed is not None,
               "シードが 1 つで、シードによるばらつきは区間に入っていない"),
        *_said(records, lambda r: r.config.get("select_on") == "val",
               "エポックを検証テキスト自身で選んだ（開発テキストで選ぶ他のモデルより有利）"),
        *_said(runs, lambda r: not isinstance(r.config.get("phase2_lr", []), list),
               "学習率は候補から選んでいない（ニューラルの基準モデルは候補から選んだ）"),
        *_said(records, cut_short, f"{CUT_SHORT}ので、比べない"),
        *_said(records, _at_an_end, "選ばれた学習率が候補の端で、候補の外がもっとよいかもしれない"),
    ]  # fmt: skip
    return Markdown("\n".join(f"- {line}。" for line in lines))


def render(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Return the whole report as Markdown; the figure is linked by file name."""
    records = "、".join(f"`{record.name}`" for record in runs + baselines)
    parts = [
        "# 固定点モデルの位置: 同じトークンの基準モデルと対照",
        standing(runs, baselines),
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
    lines = [r for r in runs + baselines if len(r.sizes) > 1] or runs + baselines
    figure = {"perplexity": lambda: figures.perplexity_log(lines, figures.axes())}
    return publish(reports() / "baselines", render(runs, baselines), figure)


def trained_parameters(record: RunRecord) -> int | None:
    """Return how many parameters training changes; None where the record does not tell."""
    told = next((r.trained_parameters for r in record.results if r.trained_parameters), None)
    if told is not None or not set(RunConfig.model_fields) >= set(record.config):
        return told
    if "context_dim" not in record.config:
        return None
    config = RunConfig(**record.config)
    context = config.layers * _layer(config.embed_dim * config.input_tokens, config.context_dim)
    return _token_block(config) + (context if config.contexts == "trained" else 0)


def _token_block(config: RunConfig) -> int:
    """Return the parameters of the TokenBlock, which narrows from E·T to E (spec section 1)."""
    E, L, first = config.embed_dim, config.layers, config.embed_dim * config.input_tokens
    widths = [first - (first - E) * layer // L for layer in range(L + 1)]
    projections = sum((w + 1) * v for w, v in pairwise(widths) if w != v)
    linears = sum((config.context_dim + w + 1) * v for w, v in pairwise(widths))
    return projections + linears + sum(2 * v for v in widths[1:])


def _layer(width: int, D: int) -> int:
    """Return the parameters of a layer of the ContextBlock: linear [D, D + width], LayerNorm."""
    return (D + width + 1) * D + 2 * D


def _row(record: RunRecord, samples: int) -> dict[str, str]:
    own = record.at(samples)
    cells = {
        notation.METRICS[m].label: notation.with_spread(m, *moments(m, values(record, m)[samples]))
        for m in SHOWN
    }
    return {
        "サンプル数": number(samples, 0),
        "トークン": number(own[0].train_tokens, 0),
        "モデル": notation.code(record.name),
        "パラメータ": number(trained_parameters(record), 0),
        **cells,
        "選択": DASH if own[0].chosen is None else f"{own[0].chosen:g}",
        "n": DASH if own[0].seed is None else str(len(own)),
    }


def _unigram(record: RunRecord, samples: int) -> dict[str, str]:
    own = record.at(samples)[0]
    bits = None
    if own.unigram_ppl and own.val_bytes and own.val_token_counts:
        bits = bits_per_byte(math.log(own.unigram_ppl) * sum(own.val_token_counts), own.val_bytes)
    known = {"val_ppl": own.unigram_ppl, "bits_per_byte": bits}
    return {
        "サンプル数": number(samples, 0),
        "トークン": number(own.train_tokens, 0),
        "モデル": UNIGRAM,
        "パラメータ": DASH,
        **{notation.METRICS[m].label: notation.metric(m, known.get(m)) for m in SHOWN},
        "選択": DASH,
        "n": DASH,
    }


def _against(run: RunRecord, baselines: list[RunRecord], share: float) -> list[str]:
    """Return one sentence per baseline, then which ones the run beats and which beat it."""
    told: dict[str, list[str]] = {"down": [], "up": [], "unclear": []}
    lines, samples = [], set()
    for baseline in baselines:
        c = _compared_at(baseline, run, share)
        if c is None:
            continue
        lines.append(_line(c))
        if "val_ppl" not in c.incomparable:
            said = c["val_ppl"].certain
            told[said if said in told else "unclear"].append(f"`{baseline.name}`")
            samples.add(c.samples[-1])
    words = {"down": "より低く（よく）", "up": "より高く（悪く）", "unclear": f"とは{UNCLEAR}"}
    said_of = [f"{'、'.join(names)} {words[key]}" for key, names in told.items() if names]
    if not said_of:
        return lines
    ending = "" if told["unclear"] else "なっている"
    at = f"{', '.join(map(str, sorted(samples)))} サンプルで"
    return [f"**{at} `{run.name}` の Val PPL は、{'、'.join(said_of)}{ending}。**", *lines]


def _beside_unigram(run: RunRecord) -> list[str]:
    """Say at which sizes a run's Val PPL is below that of the unigram model (no interval)."""
    sizes = sorted({r.samples for r in run.results if r.unigram_ppl and r.val_ppl})
    if not sizes or cut_short(run):
        return []
    found = values(run, "val_ppl")
    better = [
        n for n in sizes if moments("val_ppl", found[n])[0] < (run.at(n)[0].unigram_ppl or math.nan)
    ]
    where = f"{', '.join(map(str, better))} サンプル" if better else "どのサイズでもない"
    return [f"`{run.name}` の Val PPL が {UNIGRAM}より低いのは、{where}（区間なし）。"]


def _compared_at(a: RunRecord, b: RunRecord, share: float) -> Comparison | None:
    return compare_runs(a, b, level=share) if {*a.sizes} & {*b.sizes} else None


def _line(c: Comparison) -> str:
    """Say how the PPL of b lies to that of a at the largest common size, with its interval."""
    if "val_ppl" in c.incomparable:
        return f"`{c.a.name}` と `{c.b.name}`: {c.incomparable['val_ppl']}。"
    d = c["val_ppl"]
    ppl = {side: notation.metric("val_ppl", getattr(d, side)) for side in "ab"}
    rest = {"unclear": f"で、{UNCLEAR}"}.get(d.certain, "")
    rest = f"で、{SMALL}" if d.small and not rest else rest
    other = sentences.by_size(c.by_size("val_ppl"))
    return (
        f"`{c.b.name}` の Val PPL {ppl['b']} は `{c.a.name}` の {ppl['a']} に対し "
        f"{sentences.with_interval(d)}（{c.samples[-1]} サンプル、シード n={d.seeds}）{rest}"
        + (f"（{other}）。" if other else "。")
    )


def _variant(record: RunRecord) -> tuple[tuple[object, ...], object]:
    """Return what a neural baseline shares with its other variant, and which one it is."""
    keys = ("model", "corpus", "tokenizer", "embedding", "embed_dim", "context_dim", "layers")
    return tuple(str(record.config.get(k)) for k in keys), record.config.get("own_embedding")


def _conversations(records: Iterable[RunRecord], share: float) -> list[str]:
    """Say what the intervals rest on, and how unequal the conversations are."""
    counts = {tuple(r.val_token_counts) for x in records for r in x.results if r.val_token_counts}
    return [
        f"区間は {level(share)}（この報告の全比較が同時に 95 %）で、シードと検証会話 n={len(own)} "
        f"による。最大の会話は検証トークンの {percent(max(own) / sum(own), 0)}で、"
        f"実質の会話数は {number(effective_number(own), 0)}"
        for own in sorted(counts)
    ]


def _said(records: Iterable[RunRecord], holds: Callable[[RunRecord], bool], text: str) -> list[str]:
    names = [f"`{record.name}`" for record in records if holds(record)]
    return [f"{'、'.join(names)}: {text}"] if names else []


def _at_an_end(record: RunRecord) -> bool:
    tried = record.config.get("learning_rates") or record.config.get("phase2_lr") or []
    tried = tried if isinstance(tried, list) else [tried]
    chosen = {r.chosen for r in record.results}
    return len(tried) > 1 and bool(chosen & {min(tried), max(tried)})
