"""Where a perplexity is no better than word counts or guessing, and what is likely to be wrong."""

import re

from fpcore.language import clauses, listed, said, template
from fpcore.notation import number, sizes
from fpcore.records.pairs import cut_short
from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult

CURE = template("訓練会話を増やす、`phase2_lr` を下げるか候補の一覧にする、埋め込みを変える")
GPT2_TYPES = 50_257


def vocabulary_of(record: RunRecord) -> int | None:
    """Return the number of types V, the perplexity of guessing; None where it is not known."""
    known, tokenizer = record.data.get("vocabulary"), str(record.config.get("tokenizer"))
    if isinstance(known, int) and known > 0:
        return known
    trained = re.fullmatch(r"bpe-([1-9]\d{0,8})", tokenizer)
    return int(trained[1]) if trained else GPT2_TYPES if tokenizer == "gpt2" else None


def worse_than_chance(record: RunRecord) -> str:
    """Say at which sizes a seed's Val PPL is above the unigram model's, or above V, and why.

    Empty where none is known to be.
    """
    types = vocabulary_of(record)
    high = [r for r in record.results if r.val_ppl and r.val_ppl > _limit(r, types)]
    if not high:
        return ""
    worst = max(high, key=lambda r: (r.val_ppl or 0) / _limit(r, types))
    told = said(
        "{places}で高い（{n} サンプルの {ppl} に対し {beside}）",
        places=sizes(sorted({r.samples for r in high})),
        n=worst.samples,
        ppl=number(worst.val_ppl, 1),
        beside=_beside(worst, types),
    )
    return clauses([told, said("考えられる原因: {causes}", causes=listed(_causes(record, worst)))])


def _beside(worst: SizeResult, types: int | None) -> str:
    """Give the perplexities of counting and of guessing, as far as they are known."""
    counts, unigram = worst.unigram_ppl, template("unigram モデル {ppl}")
    return listed(
        [
            said(unigram, ppl=number(counts, 1)) if counts else "",
            "" if types is None else said("当てずっぽう {types}", types=f"{types:,}"),
        ]
    )


def _limit(result: SizeResult, types: int | None) -> float:
    """Return the perplexity that a model of any use stays below."""
    return min(result.unigram_ppl or float("inf"), types or float("inf"))


def _causes(record: RunRecord, worst: SizeResult) -> list[str]:
    config, limit = record.config, worst.unigram_ppl or float("inf")
    embedding = config.get("embedding") if not config.get("own_embedding") else None
    tokens = number(worst.train_tokens, 0)
    found = [
        (cut_short(record), said("Phase 2 が `epochs` の上限で終わっている")),
        (embedding == "random", said("埋め込み `random` は語について何も知らない")),
        (
            embedding == "ppmi" and config.get("output_bias", "none") == "none",
            said(
                "埋め込み `ppmi` は語の頻度を知らない（`ppmi-frequency` か `output_bias: unigram`）"
            ),
        ),
        (
            worst.train_ppl is not None and worst.train_ppl < limit,
            said(
                "訓練テキスト（{tokens} トークン）では {ppl} と低いので、"
                "テキストが小さすぎるか、覚えすぎている",
                tokens=tokens,
                ppl=number(worst.train_ppl, 1),
            ),
        ),
        (
            worst.train_ppl is not None and worst.train_ppl >= limit,
            said("訓練テキストでも高いので、`phase2_lr` が合っていないか、埋め込みの尺度が違う"),
        ),
    ]
    named = [text for holds, text in found if holds]
    return named or [said("訓練テキスト（{tokens} トークン）が小さすぎる", tokens=tokens)]
