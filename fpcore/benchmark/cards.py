"""What the counted work implies for a GPU, and beside it what was measured on one."""

from dataclasses import dataclass, replace

import pandas as pd

from fpcore.benchmark.cases import EPOCHS, FULL, SIZES, VAL_TOKENS
from fpcore.benchmark.counts import Counts
from fpcore.notation import Markdown, number, table

LAUNCH = 10e-6  # seconds that the host takes for an operation, Python and PyTorch together
PIECE_ROWS, STEPS = 8_192, 256  # of an evaluation and of the recurrence, worked on at a time
ITERATION = f"Phase 1 の反復、{SIZES[-1]:,} トークン"
BATCH = f"Phase 2 のバッチ（{FULL.phase2_batch:,}）"
PIECE = f"評価の 1 区切り（{PIECE_ROWS:,}）"
RECURRENCE = f"検証文の漸化式、{VAL_TOKENS:,} ステップ"


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


CARDS = {
    "H100": Card(989e12, 494e12, 3.35e12),
    "H200": Card(989e12, 494e12, 4.8e12),
    "L4": Card(121e12, 60e12, 0.3e12),
}
SHOWN = ("H100", "L4")  # where nothing was measured


@dataclass(frozen=True)
class Measured:
    """Seconds of a stage, those in which a kernel ran, kernels, and what the host started."""

    seconds: float
    busy: float
    kernels: float
    launches: float


def stages(counted: dict[str, Counts]) -> dict[str, Counts]:
    """Return the work of single stages, from what each repetition adds.

    An iteration of phase 1 and the steps of the recurrence are captured: each is one launch.
    """
    chunk, once = counted["phase 1 chunk"], counted["phase 1 iteration"]
    steps = counted["recurrence of 256 steps"] * _parts(VAL_TOKENS, STEPS)
    return {
        ITERATION: replace(once + chunk * _parts(SIZES[-1], FULL.phase1_batch), launches=1),
        BATCH: counted["phase 2 batch"],
        PIECE: counted["phase 2 evaluation piece"],
        RECURRENCE: replace(steps, launches=_parts(VAL_TOKENS, STEPS)),
    }


def phases(counted: dict[str, Counts], iterations: int) -> tuple[Counts, Counts]:
    """Return the work of both phases at all published sizes, phase 1 for so many iterations."""
    chunk, once = counted["phase 1 chunk"], counted["phase 1 iteration"]
    batch, piece = counted["phase 2 batch"], counted["phase 2 evaluation piece"]
    chunks, batches = (
        sum(_parts(tokens, size) for tokens in SIZES)
        for size in (FULL.phase1_batch, FULL.phase2_batch)
    )
    trained = iterations - 1  # the first one only draws
    first = (once * len(SIZES) + chunk * chunks) * trained
    second = batch * batches + piece * (_parts(VAL_TOKENS, PIECE_ROWS) * len(SIZES))
    return replace(first, launches=len(SIZES) * trained), second * EPOCHS


def _parts(total: int, size: int) -> int:
    return -(-total // size)


def section(counted: dict[str, Counts]) -> Markdown:
    """Return the section of a report from where there is no GPU."""
    first, second = phases(counted, 60)
    whole = stages(counted) | {
        "v5 の Phase 1（5 サイズ、59 反復）": first,
        f"v5 の Phase 2（5 サイズ、{EPOCHS} エポック）": second,
    }
    shown = _counts(whole)
    for name in SHOWN:
        shown[name] = [_time(CARDS[name].seconds(c)) for c in whole.values()]
    return Markdown(
        "## GPU での仕事（計算値）\n\n"
        f"{HOW} H100 と L4 の欄は測定ではなく計算で、起動 1 回を 10 µs とした時間と、"
        "カタログの演算速度とメモリ帯域で割った時間の、大きい方である。\n\n"
        + table(pd.DataFrame(shown))
    )


HOW = (
    "形だけを持つ仮のデバイスで本物の訓練コードを動かして、演算を 1 つずつ数えた（bfloat16、D "
    f"{FULL.context_dim:,}、E {FULL.embed_dim}、{FULL.tokenizer}）。"
    "Phase 1 の反復と、漸化式の 256 ステップは、それぞれ 1 つのグラフに記録して 1 回で起動する。"
)


def card_of(device: str) -> str:
    """Return the name of a card whose peaks are known in that of a device, or nothing."""
    return next((word for word in device.split() if word in CARDS), "")


def beside(counted: dict[str, Counts], measured: dict[str, Measured], device: str) -> Markdown:
    """Return the section of a report from a GPU: the arithmetic beside what was measured."""
    name = card_of(device)
    whole = {stage: c for stage, c in stages(counted).items() if stage in measured}
    rows = [measured[stage] for stage in whole]
    shown = _counts(whole) | {
        "起動（測定）": [f"{m.launches:,.0f}" for m in rows],
        "カーネル（測定）": [f"{m.kernels:,.0f}" for m in rows],
    }
    if name:
        shown[f"{name} の計算値"] = [_time(CARDS[name].seconds(c)) for c in whole.values()]
    shown["測定"] = [_time(m.seconds) for m in rows]
    shown["うちデバイスが働いた時間"] = [_time(m.busy) for m in rows]
    return Markdown(
        "## 計算値と測定\n\n"
        f"{HOW} 計算値は、起動 1 回を 10 µs とした時間と、"
        "カタログの演算速度とメモリ帯域で割った時間の、大きい方。数えたのは 1 つずつの演算で、"
        "測定では要素ごとの演算の連なりが 1 つのカーネルにまとめられるので、"
        "移動は計算値より少ない。\n\n" + table(pd.DataFrame(shown))
    )


def _counts(whole: dict[str, Counts]) -> dict[str, list[str]]:
    counts = whole.values()
    return {
        "段階": list(whole),
        "起動": [f"{c.launches:,}" for c in counts],
        "移動": [number(c.moved / 1e9, 1, " GB") for c in counts],
        "行列積": [number(sum(c.products.values()) / 1e12, 2, " TFLOP") for c in counts],
    }


def _time(seconds: float) -> str:
    return number(seconds, 1, " s") if seconds >= 1 else number(seconds * 1e3, 1, " ms")
