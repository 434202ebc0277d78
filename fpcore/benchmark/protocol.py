"""The published protocols, v5 and v6, at their five token counts: `python -m fpcore.protocol`.

Made for a GPU. The text is chitchat in GPT-2's tokens and the embedding is random, so it times
the work and its losses mean nothing. The plain implementation is timed on the same device in the
same run, at two of the sizes. It writes `reports/protocol.md`.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from fpcore.benchmark.cards import CARDS, card_of, phases
from fpcore.benchmark.cases import EPOCHS, FULL, SIZES, VAL_TOKENS, Cases, Shapes
from fpcore.benchmark.counted import counted
from fpcore.benchmark.counts import Counts
from fpcore.benchmark.timing import machine, measure
from fpcore.config.run_config import RunConfig
from fpcore.data.corpus import load
from fpcore.data.dataset import Data
from fpcore.data.tokens import HeldOut, load_tokenizer, training_conversations
from fpcore.model.precision import device_of
from fpcore.notation import Markdown, number, table
from fpcore.paths import reports, write_atomically
from fpcore.runs.progress import Progress
from fpcore.runs.provenance import device_name
from fpcore.runs.training import Training
from fpcore.runs.trial import Trial

PLAIN_SIZES = (62_891, 240_132)
STAGES = ("phase1", "effective_rank", "contexts", "phase2")
RUNS: dict[str, dict[str, Any]] = {  # what the published runs differ in
    "v5": {"max_iter": 60, "gradient_clip": 1.0},
    "v6": {"max_iter": 100, "gradient_clip": 2.0},
}
PUBLISHED = {"v5": 1701.0, "v6": 2388.5}  # seconds on an L4, with 13 to 17 epochs (spec section 6)


@dataclass(frozen=True)
class Protocol:
    """Seconds of a run by stage and size (index tokens), and beside it what was counted."""

    seconds: dict[str, pd.DataFrame]
    counted: dict[str, Counts] = field(default_factory=dict)
    plain: dict[int, pd.DataFrame] = field(default_factory=dict)


def run(
    ids: Tensor,
    weights: Tensor,
    config: RunConfig,
    sizes: tuple[int, ...] = SIZES,
    val_tokens: int = VAL_TOKENS,
) -> pd.DataFrame:
    """Train every size on the first tokens of `ids` [N]; the last `val_tokens` validate.

    `weights` is the embedding W_e, [V, E]. Returns seconds by stage (columns) and tokens (rows).
    """
    data = _data(ids, weights, sizes, val_tokens, config)
    device, progress = device_of("auto"), Progress()
    trials = {n: Trial(config, data, 42, number, device) for number, n in enumerate(sizes, 1)}
    rows = {
        tokens: Training(trial, progress, resumable=False).result().seconds
        for tokens, trial in trials.items()
    }
    progress.finish(f"{len(rows)} sizes timed")
    found = pd.DataFrame(rows).T.fillna(0.0).rename_axis("tokens")
    return found[[*STAGES, *found.columns.difference([*STAGES])]]


def beside_plain(ids: Tensor, weights: Tensor, shapes: Shapes, repeats: int = 3) -> pd.DataFrame:
    """Time the stages of one size beside the plain implementation."""
    cases = Cases(shapes, ids, weights, device_of("auto"))
    made = (cases.phase1, cases.phase2, cases.evaluation, cases.sequential)
    return pd.concat([measure(case(), repeats, Progress()) for case in made], ignore_index=True)


def render(p: Protocol) -> Markdown:
    """Return `protocol.md`."""
    parts = [
        "# 公開された手順の時間",
        f"{machine()}。chitchat の GPT-2 トークンと乱数の埋め込みなので、時間だけに意味がある。"
        f"Phase 2 は {EPOCHS} エポック（打ち切りなし）。単位は秒。",
        *(_run(name, seconds, p.counted) for name, seconds in p.seconds.items()),
        *(f"## plain との比較（{n:,} トークン）\n\n{_stages(rows)}" for n, rows in p.plain.items()),
    ]
    return Markdown("\n\n".join(parts) + "\n")


def _run(name: str, seconds: pd.DataFrame, counted: dict[str, Counts]) -> Markdown:
    """Return the section of one run."""
    t = seconds.assign(計=seconds.sum(axis=1))
    shown = {"トークン": [f"{n:,}" for n in t.index]}
    shown |= {str(stage): [number(v, 2) for v in t[stage]] for stage in t.columns}
    whole = float(seconds.to_numpy().sum())
    apart = "（compiling は最初の 1 回だけかかる）" if "compiling" in t else ""
    return Markdown(
        f"## {name}（Phase 1 は {RUNS[name]['max_iter']} 反復）\n\n{table(pd.DataFrame(shown))}\n\n"
        f"全体で {number(whole, 1)} 秒{apart}。"
        f"公開された実行は L4 で {number(PUBLISHED[name], 0)} 秒。{_arithmetic(name, counted)}"
    )


def _arithmetic(name: str, counted: dict[str, Counts]) -> str:
    """Say what the counted work implies for this card, where its peaks are known."""
    card = card_of(device_name(device_of("auto")))
    if not (card and counted):
        return ""
    first, second = (CARDS[card].seconds(c) for c in phases(counted, RUNS[name]["max_iter"]))
    return (
        f"仮のデバイスで数えた演算から {card} のカタログ値で計算すると、"
        f"Phase 1 は {number(first, 1)} 秒、Phase 2 は {number(second, 1)} 秒。"
    )


def write(p: Protocol) -> Path:
    """Write `reports/protocol.md` and return its path."""
    path = reports() / "protocol.md"
    write_atomically(path, render(p).encode())
    return path


def _stages(rows: pd.DataFrame) -> Markdown:
    shown = rows[["stage", "precision", "unit"]].copy()
    for column in ("plain", "fast", "ratio"):
        shown[column] = [number(v, 4 if column != "ratio" else 2) for v in rows[column]]
    return table(shown)


def _data(
    ids: Tensor, weights: Tensor, sizes: tuple[int, ...], val_tokens: int, config: RunConfig
) -> Data:
    """Cut a text so that the first n "conversations" have the tokens of the n-th size."""
    cuts = [0, *sizes]
    pieces = [ids[a:b] for a, b in zip(cuts, sizes, strict=False)]
    val = HeldOut(ids[-val_tokens:], torch.zeros(val_tokens, dtype=torch.int64), 4 * val_tokens)
    return Data(load(config), pieces, val, val, weights, "timing", "timing")


def main() -> int:
    """Time the protocol and write its report."""
    config = RunConfig(
        tokenizer=FULL.tokenizer,
        embedding="random",
        embed_dim=FULL.embed_dim,
        context_dim=FULL.context_dim,
        phase2_batch=FULL.phase2_batch,
        epochs=EPOCHS,
        patience=EPOCHS,
    )
    corpus = load(config)
    tokenizer = load_tokenizer(config.tokenizer, corpus)
    ids = torch.cat(training_conversations(tokenizer, corpus.train))
    size = (tokenizer.get_vocab_size(), config.embed_dim)
    weights = torch.randn(size, generator=torch.Generator().manual_seed(42))
    made = Protocol({}, counted())
    for name, knobs in RUNS.items():
        made.seconds[name] = run(ids, weights, config.model_copy(update=knobs))
        write(made)  # whatever comes after it, these times are kept
    for n in PLAIN_SIZES:
        made.plain[n] = beside_plain(ids, weights, replace(FULL, tokens=n))
        path = write(made)
    print(render(made))
    print(path)
    return 0
