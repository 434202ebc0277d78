"""The card of an exported model, in Japanese and in English, with the figures of its record."""

from fpcore.metric import METRICS
from fpcore.notation import metric
from fpcore.records.pairs import cut_short
from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult
from fpcore.runs.models import Kept

FIGURES = ("val_ppl", "bits_per_byte", "val_acc", "unigram_ppl", "val_er", "convergence_rate")
CUT = (
    "**注意 / Caution** — 最良エポックが `epochs` の上限で、Phase 2 が終わっていない。PPL と"
    "正解率はほかのモデルと比べられない。 / Phase 2 was stopped by `epochs` at its best epoch: "
    "perplexity and accuracy cannot be compared with those of other models."
)
USE = """```python
import fpcore

model = fpcore.load_model("{folder}")
model.generate("Hello", tokens=40, temperature=0.8, top_p=0.9, seed=1)
model.next_tokens("Hello", k=5)
model.losses("Hello, how are you?")
```"""


def card(kept: Kept, record: RunRecord, result: SizeResult, folder: str) -> str:
    """Return the model card of a result of a record, as Markdown."""
    config, recipe = kept.config, kept.recipe
    counts = kept.model.parameter_counts()
    trained = counts["context_block"] + counts["token_block"]
    facts = [
        ("run", f"`{record.name}`"),
        ("seed", str(recipe.seed)),
        ("訓練会話 / training conversations", f"{recipe.samples}"),
        ("訓練トークン / training tokens", f"{result.train_tokens:,}"),
        ("corpus", f"`{config.corpus}`"),
        ("tokenizer", f"`{config.tokenizer}`"),
        ("embedding", f"`{config.embedding}`, {config.embed_dim}"),
        ("contexts", f"{config.contexts}, {config.context_dim} x {config.layers}"),
        ("訓練したパラメータ / trained parameters", f"{trained:,}"),
        ("digest", f"`{kept.digest}`"),
    ]
    return "\n".join(
        [
            "---",
            "pipeline_tag: text-generation",
            "tags: [fixed-point-context]",
            "---",
            "",
            f"# {record.name}, seed {recipe.seed}, {recipe.samples} conversations",
            "",
            "**日本語** — 固定点文脈（fixed-point context）言語モデル。文脈ベクトルは前の文脈と"
            "今のトークンから作られ、Phase 1 で固定点に近づけられ、凍結された。Phase 2 はそこから"
            "次のトークンを当てる。下の数値は訓練の記録にあるもので、検証会話は訓練に使っていない。"
            "小さな実験用のモデルで、事実や安全な返答を期待してはいけない。",
            "",
            "**English** — A fixed-point-context language model. A context vector is made from the "
            "last one and the current token; phase 1 drew the contexts to a fixed point and froze "
            "them, phase 2 learnt to predict the next token from them. The figures below are those "
            "of the training's record, on conversations that were not trained on. It is a small "
            "model of an experiment: expect neither facts nor safe answers of it.",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in facts),
            "",
            "| 検証 / validation | |",
            "|---|---:|",
            *(f"| {METRICS[name].label} | {_figure(name, result)} |" for name in FIGURES),
            "",
            *([CUT, ""] if cut_short(record.where(lambda own: own == result)) else []),
            USE.format(folder=folder),
            "",
        ]
    )


def _figure(name: str, result: SizeResult) -> str:
    return metric(name, getattr(result, name))
