"""What the counted work implies for two GPUs: arithmetic, until someone measures it there."""

from dataclasses import dataclass, replace

import pandas as pd

from fpcore.benchmark.cases import EPOCHS, FULL, SIZES, VAL_TOKENS
from fpcore.benchmark.counted import Counts
from fpcore.notation import Markdown, number, table

LAUNCH = 10e-6  # seconds that the host takes for an operation, Python and PyTorch together
ITERATIONS = 59  # those of v5 that train


@dataclass(frozen=True)
class Card:
    """A GPU's peaks, from its data sheet without sparsity: operations and bytes per second."""

    bfloat16: float
    tf32: float
    memory: float

    def seconds(self, c: Counts) -> float:
        """Return the larger of what the host and what the device takes at best."""
        products = c.products.get("bfloat16", 0) / self.bfloat16
        products += c.products.get("float32", 0) / self.tf32
        return max(LAUNCH * c.launches, products + c.moved / self.memory)


CARDS = {"H100": Card(989e12, 494e12, 3.35e12), "L4": Card(121e12, 60e12, 0.3e12)}


def stages(counted: dict[str, Counts]) -> dict[str, Counts]:
    """Return the work of whole stages, from what each repetition adds."""
    chunk, once = counted["phase 1 chunk"], counted["phase 1 iteration"]
    batch, piece = counted["phase 2 batch"], counted["phase 2 evaluation piece"]
    chunks, batches = (
        [-(-tokens // size) for tokens in SIZES] for size in (FULL.phase1_batch, FULL.phase2_batch)
    )
    pieces = -(-VAL_TOKENS // 8_192)
    return {
        f"Phase 1 の反復、{SIZES[-1]:,} トークン": once + chunk * chunks[-1],
        f"Phase 2 のバッチ（{FULL.phase2_batch:,}）": batch,
        "評価の 1 区切り（8,192）": piece,
        "漸化式 256 ステップ": replace(counted["recurrence of 256 steps"], launches=1),
        f"v5 の Phase 1（5 サイズ、{ITERATIONS} 反復）": (once * len(SIZES) + chunk * sum(chunks))
        * ITERATIONS,
        f"v5 の Phase 2（5 サイズ、{EPOCHS} エポック）": (
            batch * sum(batches) + piece * (pieces * len(SIZES))
        )
        * EPOCHS,
    }


def section(counted: dict[str, Counts]) -> Markdown:
    """Return the section of the report."""
    whole = stages(counted)
    shown = {
        "段階": list(whole),
        "起動": [f"{c.launches:,}" for c in whole.values()],
        "移動": [number(c.moved / 1e9, 1, " GB") for c in whole.values()],
        "行列積": [number(sum(c.products.values()) / 1e12, 2, " TFLOP") for c in whole.values()],
    }
    for name, card in CARDS.items():
        shown[name] = [_time(card.seconds(c)) for c in whole.values()]
    return Markdown(
        "## GPU での仕事（計算値）\n\n"
        "形だけを持つ仮のデバイスで本物の訓練コードを動かして数えた（bfloat16、D "
        f"{FULL.context_dim:,}、E {FULL.embed_dim}、{FULL.tokenizer}）。"
        "H100 と L4 の欄は測定ではなく計算で、起動 1 回を 10 µs とした時間と、"
        "カタログの演算速度とメモリ帯域で割った時間の、大きい方である。"
        "漸化式は 256 ステップを 1 つのグラフに記録して、1 回で起動する。\n\n"
        + table(pd.DataFrame(shown))
    )


def _time(seconds: float) -> str:
    return number(seconds, 1, " s") if seconds >= 1 else number(seconds * 1e3, 1, " ms")
