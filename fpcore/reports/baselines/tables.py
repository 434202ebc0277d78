"""The tables of the report of baselines: what every model knows, and what it reached."""

import math

import pandas as pd

from fpcore import notation
from fpcore.analysis.information import LEVELS, knowledge
from fpcore.analysis.parameter_count import trained_parameters
from fpcore.language import listed, said, template
from fpcore.metric import METRICS, metrics_where
from fpcore.notation import DASH, Markdown, number
from fpcore.records.by_seed import moments, values
from fpcore.records.record import RunRecord
from fpcore.stats.metrics import bits_per_byte

__all__ = ["by_size", "information"]


SHOWN = metrics_where(lambda m: m.in_baselines)
UNIGRAM = template("unigram モデル")


def by_size(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Return a row per size and model, fewest tokens first: means ± standard deviations."""
    records = runs + baselines
    rows = []
    for samples in sorted({n for record in records for n in record.sizes}):
        own = [record for record in records if record.at(samples)]
        rows += [_unigram(own[0], samples), *(_row(record, samples) for record in own)]
    note = said(
        "Val PPL などはシードの平均（PPL は幾何平均）± 標準偏差（シード 1 つなら値だけ）。"
        "パラメータは訓練されるものだけを数える。「選択」は開発（development）テキストで選んだ"
        "学習率または n-gram の次数、{dash} は該当なしか不明。",
        dash=DASH,
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows), said('モデル'))}\n\n{note}")


def information(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say what every model knows, and that a comparison is fair between equals alone."""
    found = {level: [r for r in runs + baselines if knowledge(r) == level] for level in LEVELS}
    named = [
        f"- {said(LEVELS[level])}: {listed(notation.code(record.name) for record in records)}"
        for level, records in found.items()
        if records
    ]
    head = said(
        "モデルが知っていることは、少ない順に次のとおり。同じ行のモデルどうしの比較が公平である。"
    )
    return Markdown("\n".join([head, "", *named]))


def _row(record: RunRecord, samples: int) -> dict[str, str]:
    own = record.at(samples)
    cells = {
        METRICS[m].name: notation.with_spread(m, *moments(m, values(record, m)[samples]))
        for m in SHOWN
    }
    return {
        said("サンプル数"): number(samples, 0),
        said("トークン"): number(own[0].train_tokens, 0),
        said("モデル"): notation.code(record.name),
        said("パラメータ"): number(trained_parameters(record), 0),
        **cells,
        said("選択"): DASH if own[0].chosen is None else f"{own[0].chosen:g}",
        "n": DASH if own[0].seed is None else str(len(own)),
    }


def _unigram(record: RunRecord, samples: int) -> dict[str, str]:
    own = record.at(samples)[0]
    bits = None
    if own.unigram_ppl and own.val_bytes and own.val_token_counts:
        bits = bits_per_byte(math.log(own.unigram_ppl) * sum(own.val_token_counts), own.val_bytes)
    known = {"val_ppl": own.unigram_ppl, "bits_per_byte": bits}
    return {
        said("サンプル数"): number(samples, 0),
        said("トークン"): number(own.train_tokens, 0),
        said("モデル"): said(UNIGRAM),
        said("パラメータ"): DASH,
        **{METRICS[m].name: notation.metric(m, known.get(m)) for m in SHOWN},
        said("選択"): DASH,
        "n": DASH,
    }
