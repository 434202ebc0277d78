"""The model on a text of a few sentences, at toy size, with every step kept for looking at."""

from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import Tensor

from fpcore import tables
from fpcore.config import RunConfig
from fpcore.corpus import Corpus
from fpcore.embedding import factorise, ppmi
from fpcore.errors import CorpusError
from fpcore.generators import generator
from fpcore.model import FixedPointModel, Inputs
from fpcore.phase1 import FIRST_STD, Phase1, sequential_contexts, train_contexts, training_contexts
from fpcore.phase2 import Text, train_tokens
from fpcore.scales import whole_axis
from fpcore.tables import Markdown, number
from fpcore.tokens import load_tokenizer

SEED = 42
TOY = {
    "embed_dim": 12, "context_dim": 24, "phase1_lr": 0.01,
    "epochs": 60, "phase2_lr": 0.01, "phase2_batch": 16,
}  # fmt: skip
FROZEN_STEPS = 30


@dataclass
class Lesson:
    """A text and its model: `words` [N], `ids` [N] (renumbered), and `history` [K][N, D].

    `history` holds the contexts after every iteration of phase 1, the drawing one first; `trace`
    is phase 1's own. `frozen` [S][N, D] are the contexts when weights stand still without noise.
    """

    config: RunConfig
    words: list[str]
    ids: Tensor
    model: FixedPointModel
    inputs: Inputs
    history: list[Tensor] = field(default_factory=list)
    trace: list[dict[str, Any]] = field(default_factory=list)
    frozen: list[Tensor] = field(default_factory=list)


def lesson(text: str, **knobs: Any) -> Lesson:
    """Train phase 1 on a text, and then iterate on with the weights frozen and without noise.

    Raises:
        ConfigError: a knob of RunConfig that is unknown or wrong.
        CorpusError: a text of too few different tokens.
    """
    config = RunConfig(**TOY | {"device": "cpu", "precision": "float32"} | knobs)
    words, ids = _tokens(text)
    weights = factorise(ppmi([ids], int(ids.max()) + 1), config.embed_dim)
    model = FixedPointModel(weights, config, SEED)
    made = Lesson(config, words, ids, model, model.inputs(ids))
    _settle(made)
    _freeze(made)
    return made


def _tokens(text: str) -> tuple[list[str], Tensor]:
    """Return the tokens of a text as they read, and their types numbered from 0."""
    corpus = Corpus("tutorial", [text], [], [], range(1), range(0), range(0))
    tokenizer = load_tokenizer("gpt2", corpus)
    encoded = tokenizer.encode(text).ids
    types, ids = torch.tensor(encoded).unique(return_inverse=True)
    if len(types) <= TOY["embed_dim"]:
        raise CorpusError(
            f"The text has {len(types)} different tokens; it needs more than {TOY['embed_dim']}."
        )
    return [tokenizer.decode([i]).strip() or "␣" for i in encoded], ids


def _settle(made: Lesson) -> None:
    """Phase 1, which renews the contexts `P` in place: a copy of every iteration is kept."""
    P = torch.empty(len(made.ids), made.config.context_dim)
    P.normal_(0, FIRST_STD, generator=generator(SEED, "contexts"))
    made.history.append(P.clone())
    block = made.model.context_block
    first = train_contexts(
        block,
        made.inputs,
        made.config,
        SEED,
        lambda row: made.history.append(P.clone()),
        Phase1(P),
    )
    made.trace = first.trace


def _freeze(made: Lesson) -> None:
    P = made.history[-1].clone()
    made.frozen = [P.clone()]
    for _ in range(FROZEN_STEPS):
        training_contexts(made.model.context_block, P, made.inputs)
        made.frozen.append(P.clone())


def residuals(contexts: list[Tensor]) -> np.ndarray:
    """Return ‖c_k − c_{k−1}‖ / ‖c_k‖ of every token by step, [N, K-1]."""
    steps = torch.stack(contexts)
    gaps = (steps[1:] - steps[:-1]).norm(dim=2) / steps[1:].norm(dim=2)
    return np.asarray(gaps.T)


def words_table(made: Lesson, count: int = 12) -> Markdown:
    """Return the first tokens of the text, their numbers and their targets."""
    ids = made.ids.tolist()
    rows = [
        {"位置 i": str(i), "入力 token": made.words[i], "番号": str(ids[i]),
         "次の token（目標）": made.words[i + 1]}
        for i in range(min(count, len(ids) - 1))
    ]  # fmt: skip
    said = f"トークン {len(ids)} 個、種類 {len(set(ids))}。最初の {len(rows)} 個:"
    return Markdown(f"{said}\n\n{tables.table(pd.DataFrame(rows))}")


def phase1_table(made: Lesson) -> Markdown:
    """Return the trace of phase 1 at about eight iterations."""
    step = max(1, len(made.trace) // 7)
    chosen = [*made.trace[::step], made.trace[-1]]
    rows = [
        {"反復": str(row["iteration"]), "収束率": tables.percent(row["convergence_rate"], 0),
         "固定点の項": number(row["fixed_point_loss"], 4),
         "多様性の項": number(row["diversity_loss"], 4), "損失": number(row["loss"], 4)}
        for row in {row["iteration"]: row for row in chosen}.values()
    ]  # fmt: skip
    return tables.table(pd.DataFrame(rows))


def fixed_point(made: Lesson) -> Markdown:
    """Return how far the frozen contexts are from the true recurrence, which goes word by word."""
    true = sequential_contexts(made.model.context_block, made.inputs)[-1]
    gaps = [float((P - true).norm() / true.norm()) for P in made.frozen]
    rows = [
        {"凍結後の回数": str(k), "逐次計算との差（相対）": f"{gaps[k]:.1e}"}
        for k in (0, 1, 2, 5, 10, FROZEN_STEPS)
    ]
    return tables.table(pd.DataFrame(rows))


def next_words(made: Lesson, count: int = 12) -> Markdown:
    """Train phase 2 on the text itself, and return what it then predicts of the first tokens."""
    contexts = [made.frozen[-1]]
    text = Text.of(contexts, made.inputs, made.ids)
    weights, block = made.model.embedding.weight, made.model.token_block
    second = train_tokens(block, weights, text, text, made.config)
    with torch.no_grad():
        chances = (block(*text.rows(slice(0, count))) @ weights.T).softmax(1)
    names = dict(zip(made.ids.tolist(), made.words, strict=True))
    rows = [
        {"ここまで": made.words[i], "予測（最も高い）": names[int(chance.argmax())],
         "その確率": tables.percent(float(chance.max()), 0), "正解": made.words[i + 1],
         "正解の確率": tables.percent(float(chance[made.ids[i + 1]]), 0)}
        for i, chance in enumerate(chances)
    ]  # fmt: skip
    first, best = second.trace[0], second.val
    said = (
        f"PPL はエポック 1 の後で {np.exp(first['val_loss']):.1f}、最良のエポック "
        f"{second.best_epoch} で {np.exp(best.loss):.1f}（当てずっぽうなら {len(names)}）。"
    )
    return Markdown(f"{said}\n\n{tables.table(pd.DataFrame(rows))}")


def axes(tokens: int) -> Axes:
    """Return the axes of a figure with a row for every token."""
    return plt.subplots(figsize=(7.5, 1.2 + 0.19 * tokens), layout="constrained")[1]


def heat_map(made: Lesson, contexts: list[Tensor], title: str, ax: Axes) -> Axes:
    """Draw the residuals, tokens down and steps across, on a logarithmic scale of colours."""
    values = np.log10(np.maximum(residuals(contexts), 1e-7))
    image = ax.imshow(values, aspect="auto", cmap="viridis", vmin=-7, vmax=0.5,
                      extent=(0.5, values.shape[1] + 0.5, len(values) - 0.5, -0.5))  # fmt: skip
    ax.set_yticks(range(len(made.words)), made.words, fontsize="x-small")
    whole_axis(ax)
    ax.grid(visible=False)
    ax.set(xlabel="回", ylabel="トークン（上から順に）", title=f"{title}　n={len(values)} トークン")
    bar = ax.figure.colorbar(image, ax=ax, ticks=range(-7, 1))
    bar.set_label("動いた割合 ‖c − 前の c‖ / ‖c‖（10 の何乗か）")
    return ax


def paths(made: Lesson, ax: Axes, shown: int = 8) -> Axes:
    """Draw the contexts by iteration on the two main axes (PCA) of the last ones."""
    steps = torch.stack(made.history)
    centre = steps[-1].mean(0)
    _, scale, directions = torch.pca_lowrank(steps[-1] - centre, q=2, center=False)
    flat = ((steps - centre) @ directions).numpy()  # [K, N, 2]
    colors = plt.get_cmap("viridis")(np.linspace(0, 0.9, shown))
    for i in range(min(shown, len(made.words))):
        ax.plot(*flat[:, i].T, color=colors[i], lw=0.8, alpha=0.6)
        ax.scatter(flat[-1, i, 0], flat[-1, i, 1], color=colors[i], s=24, zorder=3)
        ax.annotate(f"{i} {made.words[i]}", flat[-1, i], (5, 3), textcoords="offset points",
                    fontsize="small")  # fmt: skip
    share = float((scale**2).sum() / ((steps[-1] - centre) ** 2).sum())
    ax.set(xlabel="第 1 主成分", ylabel="第 2 主成分")
    ax.set_title(f"文脈の動き（{len(steps)} 反復、2 軸で分散の {share:.0%}）")
    return ax
