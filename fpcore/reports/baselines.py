"""Where the fixed-point model stands among the baselines: one table, and sentences by rule."""

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pandas as pd

from fpcore import notation
from fpcore.analysis import factors
from fpcore.analysis.study import moments
from fpcore.config.run_config import RunConfig
from fpcore.notation import DASH, Markdown, number, percent
from fpcore.paths import reports
from fpcore.records.by_seed import values
from fpcore.records.pairs import incomparable, resampled
from fpcore.records.record import RunRecord
from fpcore.reports import figures, sentences
from fpcore.reports.page import publish
from fpcore.reports.sentences import UNCLEAR, level
from fpcore.stats.metrics import bits_per_byte
from fpcore.stats.uncertainty import LEVEL, LossDifference, Values, difference

SHOWN = notation.metrics_where(lambda m: m.in_baselines)
UNIGRAM = "unigram モデル"


def by_size(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Return a row per size and model, fewest tokens first: means ± standard deviations."""
    records = runs + baselines
    rows = []
    for samples in sorted({n for record in records for n in record.sizes}):
        own = [record for record in records if record.at(samples)]
        rows += [_unigram(own[0], samples), *(_row(record, samples) for record in own)]
    note = (
        "Val PPL などはシードの平均 ± 標準偏差（シード 1 つなら値だけ）。"
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
    lines: list[str] = []
    for run in runs:
        if run.name not in held:
            lines += [*_against(run, baselines), *_beside_unigram(run)]
            lines += [line] if (line := sentences.worth(run, of[run.name])) else []
    return Markdown("\n".join(f"- {line}" for line in lines))


def embeddings(baselines: list[RunRecord]) -> Markdown:
    """Say what the frozen embedding costs a baseline that exists with one of its own, too."""
    pairs = [
        (frozen, free)
        for frozen in baselines
        for free in baselines
        if _variant(frozen) == (_variant(free)[0], False) and _variant(free)[1] is True
    ]
    lines = [
        f"{line}。" for frozen, free in pairs for line in [_compared(frozen, free)] if line
    ] or ["凍結した埋め込みと自分の埋め込みの両方で訓練したモデルの組はない。"]
    return Markdown("\n".join(f"- {line}" for line in lines))


def caveats(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say what the comparison rests on: conversations, seeds, how epochs were chosen and ended."""
    records = runs + baselines
    lines = [
        *_conversations(records),
        *_said(records, lambda r: r.seeds < 2 and r.results[0].seed is not None,
               "シードが 1 つで、シードによるばらつきは区間に入っていない"),
        *_said(records, lambda r: r.config.get("select_on") == "val",
               "エポックを検証テキスト自身で選んだ（開発テキストで選ぶ他のモデルより有利）"),
        *_said(runs, lambda r: set(r.config) >= {"phase2_lr"},
               "学習率は候補から選んでいない（ニューラルの基準モデルは候補から選んだ）"),
        *_said(records, _at_the_limit, "最良エポックが上限の回数で、訓練を続ければまだ下がりうる"),
        *_said(records, _at_an_end, "選ばれた学習率が候補の端で、候補の外がもっとよいかもしれない"),
    ]  # fmt: skip
    return Markdown("\n".join(f"- {line}。" for line in lines))


def render(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Return the whole report as Markdown; the figure is linked by file name."""
    records = "、".join(f"`{record.name}`" for record in runs + baselines)
    parts = [
        "# 固定点モデルの位置: 同じトークンの基準モデルと対照",
        standing(runs, baselines),
        f"## 凍結した埋め込みの代償\n\n{embeddings(baselines)}",
        f"## サイズごとの結果\n\n{by_size(runs, baselines)}",
        "![Val PPL とトークン](perplexity.png)",
        f"## この比較の限界\n\n{caveats(runs, baselines)}",
        f"## 記録\n\n`reports/runs/` の {records}。",
    ]
    return Markdown("\n\n".join(parts) + "\n")


def write(runs: list[RunRecord], baselines: list[RunRecord]) -> Path:
    """Write `report.md`, its figure and `report.html` to `reports/baselines/`.

    Returns the path of `report.md`.
    """
    figure = {"perplexity": lambda: figures.perplexity_log(runs + baselines, figures.axes())}
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
        notation.METRICS[m].label: notation.with_spread(m, *moments(values(record, m)[samples]))
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


def _against(run: RunRecord, baselines: list[RunRecord]) -> list[str]:
    """Return one sentence per baseline, then which ones the run beats and which beat it."""
    told: dict[str, list[str]] = {"down": [], "up": [], "unclear": []}
    lines = []
    for baseline in baselines:
        why = incomparable(baseline, run).get("val_ppl")
        lines.append(f"`{baseline.name}` と `{run.name}`: {why}。" if why else "")
        gap = None if why else _gap(baseline, run)
        if gap:
            key = _direction(baseline, run, gap)
            told[key].append(f"`{baseline.name}`")
            lines[-1] = f"{_compared(baseline, run)}。"
    words = {"down": "より低く（よく）", "up": "より高く（悪く）", "unclear": f"とは{UNCLEAR}"}
    said = [f"{'、'.join(names)} {words[key]}" for key, names in told.items() if names]
    if not said:
        return [line for line in lines if line]
    ending = "" if told["unclear"] else "なっている"
    samples = {_largest(run, b) for b in baselines if _largest(run, b)}
    at = f"{', '.join(map(str, sorted(samples)))} サンプルで"  # type: ignore[type-var]
    text = "、".join(said) + ending
    return [f"**{at} `{run.name}` の Val PPL は、{text}。**", *(line for line in lines if line)]


def _beside_unigram(run: RunRecord) -> list[str]:
    """Say at which sizes a run's Val PPL is below that of the unigram model (no interval)."""
    sizes = sorted({r.samples for r in run.results if r.unigram_ppl and r.val_ppl})
    better = [n for n in sizes if _ppl(run, n) < (run.at(n)[0].unigram_ppl or math.nan)]
    if not sizes:
        return []
    where = f"{', '.join(map(str, better))} サンプル" if better else "どのサイズでもない"
    return [f"`{run.name}` の Val PPL が {UNIGRAM}より低いのは、{where}（区間なし）。"]


def _compared(a: RunRecord, b: RunRecord) -> str:
    """Say how the PPL of b lies to that of a at the largest common size, with its interval."""
    samples, gap = _largest(a, b), _gap(a, b)
    if samples is None or gap is None:
        return ""
    ppl = {r.name: notation.metric("val_ppl", _ppl(r, samples)) for r in (a, b)}
    share, low, high = gap.relative_ppl
    text = (
        f"`{b.name}` の Val PPL {ppl[b.name]} は `{a.name}` の {ppl[a.name]} に対し "
        f"{percent(share, signed=True)}（{samples} サンプル"
    )
    if not math.isnan(low):
        ends = f"{percent(low, signed=True)}, {percent(high, signed=True)}"
        text += f"、{level(LEVEL)} 区間 [{ends}]、検証会話 n={gap.conversations}"
    return text + "）" + (f"で、{UNCLEAR}" if _direction(a, b, gap) == "unclear" else "")


def _gap(a: RunRecord, b: RunRecord) -> LossDifference | None:
    samples = _largest(a, b)
    return None if samples is None else resampled(a, b, samples)


def _direction(a: RunRecord, b: RunRecord, gap: LossDifference) -> str:
    """Return `up` or `down` where both intervals allow it: over conversations and over seeds.

    A model without seeds (n-grams) has no spread over them: then the seeds of the other count.
    """
    samples = _largest(a, b)
    if samples is None or gap.direction not in ("up", "down"):
        return "unclear"
    x, y = (_losses(record, samples) for record in (a, b))
    if len(x) > 1 or len(y) > 1:
        x, y = (_alike(side, other) for side, other in ((x, y), (y, x)))
        if difference(x, y).direction != gap.direction:
            return "unclear"
    return gap.direction


def _losses(record: RunRecord, samples: int) -> Values:
    """Return the mean validation loss by seed, in nats."""
    return {r.seed: math.log(r.val_ppl) for r in record.at(samples) if r.val_ppl}


def _alike(side: Values, other: Values) -> Values:
    """Give a model without seeds its one loss at every seed of the other."""
    return dict.fromkeys(other, *side.values()) if list(side) == [None] else side


def _ppl(record: RunRecord, samples: int) -> float:
    """Return the geometric mean over seeds: the PPL of the mean loss, which is resampled."""
    losses = [math.log(r.val_ppl) for r in record.at(samples) if r.val_ppl]
    return math.exp(sum(losses) / len(losses)) if losses else math.nan


def _largest(a: RunRecord, b: RunRecord) -> int | None:
    return max({*a.sizes} & {*b.sizes}, default=None)


def _variant(record: RunRecord) -> tuple[tuple[object, ...], object]:
    """Return what a neural baseline shares with its other variant, and which one it is."""
    keys = ("model", "corpus", "tokenizer", "embedding", "embed_dim", "context_dim", "layers")
    return tuple(str(record.config.get(k)) for k in keys), record.config.get("own_embedding")


def _conversations(records: Iterable[RunRecord]) -> list[str]:
    """Say on how many conversations the intervals rest, and how unequal these are."""
    counts = {tuple(r.val_token_counts) for x in records for r in x.results if r.val_token_counts}
    return [
        f"区間は検証会話 n={len([c for c in own if c])} を選び直した bootstrap で、"
        f"最大の会話が検証トークンの {percent(max(own) / sum(own), 0)}を占めるので粗い"
        for own in sorted(counts)
    ]


def _said(records: Iterable[RunRecord], holds: Callable[[RunRecord], bool], text: str) -> list[str]:
    names = [f"`{record.name}`" for record in records if holds(record)]
    return [f"{'、'.join(names)}: {text}"] if names else []


def _at_the_limit(record: RunRecord) -> bool:
    limit = record.config.get("epochs")
    return any(r.best_epoch is not None and r.best_epoch == limit for r in record.results)


def _at_an_end(record: RunRecord) -> bool:
    tried = record.config.get("learning_rates") or []
    chosen = {r.chosen for r in record.results}
    return len(tried) > 1 and bool(chosen & {min(tried), max(tried)})
