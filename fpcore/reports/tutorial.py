"""The model on a text of a few sentences, at toy size, with every step kept for looking at."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.font_manager import findfont, get_font
from torch import Tensor

from fpcore import notation
from fpcore.language import said
from fpcore.notation import Markdown, number
from fpcore.reports.figures.style import FONT, legend, whole_axis
from fpcore.runs.lessons import FROZEN_STEPS, Lesson

PART = "文字の一部"
MISSING = "〓"  # what Japanese print sets for a character that the font lacks


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
    return Markdown(f"{said}\n\n{notation.table(pd.DataFrame(rows))}")


def phase1_table(made: Lesson) -> Markdown:
    """Return the trace of phase 1 at about eight iterations."""
    step = max(1, len(made.trace) // 7)
    chosen = [*made.trace[::step], made.trace[-1]]
    rows = [
        {"反復": str(row["iteration"]), "収束率": notation.percent(row["convergence_rate"], 0),
         "固定点の項": number(row["fixed_point_loss"], 4),
         "多様性の項": number(row["diversity_loss"], 4), "損失": number(row["loss"], 4)}
        for row in {row["iteration"]: row for row in chosen}.values()
    ]  # fmt: skip
    return notation.table(pd.DataFrame(rows))


def fixed_point(made: Lesson) -> Markdown:
    """Return how far the frozen contexts are from the true recurrence, which goes word by word."""
    gaps = [float((P - made.true).norm() / made.true.norm()) for P in made.frozen]
    rows = [
        {"凍結後の回数": str(k), "逐次計算との差（相対）": f"{gaps[k]:.1e}"}
        for k in (0, 1, 2, 5, 10, FROZEN_STEPS)
    ]
    return notation.table(pd.DataFrame(rows))


def next_words(made: Lesson, count: int = 12) -> Markdown:
    """Return what phase 2, trained on the text itself, predicts of the first tokens."""
    names = _names(made)
    rows = [
        {"ここまで": made.words[i], "予測（最も高い）": names[int(chance.argmax())],
         "その確率": notation.percent(float(chance.max()), 0), "正解": made.words[i + 1],
         "正解の確率": notation.percent(float(chance[made.ids[i + 1]]), 0)}
        for i, chance in enumerate(made.chances[:count])
    ]  # fmt: skip
    first, best = made.second.trace[0], made.second.val
    said = (
        f"PPL はエポック 1 の後で {np.exp(first['val_loss']):.1f}、最良のエポック "
        f"{made.second.best_epoch} で {np.exp(best.loss):.1f}（当てずっぽうなら {len(names)}）。"
    )
    return Markdown(f"{said}\n\n{notation.table(pd.DataFrame(rows))}")


def _names(made: Lesson) -> dict[int, str]:
    """Return what each type is called; one that stands in several characters is a part of them."""
    names: dict[int, str] = {}
    for kind, word in zip(made.ids.tolist(), made.words, strict=True):
        names[kind] = word if names.get(kind, word) == word else PART
    return names


def drawn(words: list[str]) -> list[str]:
    """Return words as figures can show them: what their font lacks is a mark for that."""
    known = get_font(findfont(FONT)).get_charmap()
    return ["".join(c if ord(c) in known else MISSING for c in word) for word in words]


def axes(tokens: int) -> Axes:
    """Return the axes of a figure with a row for every token."""
    return plt.subplots(figsize=(7.5, 1.2 + 0.19 * tokens), layout="constrained")[1]


def heat_map(made: Lesson, contexts: list[Tensor], title: str, ax: Axes) -> Axes:
    """Draw the residuals, tokens down and steps across, on a logarithmic scale of colours."""
    values = np.log10(np.maximum(residuals(contexts), 1e-7))
    image = ax.imshow(values, aspect="auto", cmap="viridis", vmin=-7, vmax=0.5,
                      extent=(0.5, values.shape[1] + 0.5, len(values) - 0.5, -0.5))  # fmt: skip
    ax.set_yticks(range(len(made.words)), drawn(made.words), fontsize="x-small")
    whole_axis(ax)
    ax.grid(visible=False)
    shown = said("{title}　n={n} トークン", title=said(title), n=len(values))
    ax.set(xlabel=said("回"), ylabel=said("トークン（上から順に）"), title=shown)
    bar = ax.figure.colorbar(image, ax=ax, ticks=range(-7, 1))
    bar.set_label(said("動いた割合 ‖c − 前の c‖ / ‖c‖（10 の何乗か）"))
    return ax


def paths(made: Lesson, ax: Axes, shown: int = 8) -> Axes:
    """Draw the contexts by iteration on the two main axes (PCA) of the last ones."""
    steps = torch.stack(made.history)
    centre = steps[-1].mean(0)
    _, scale, directions = torch.linalg.svd(steps[-1] - centre, full_matrices=False)
    flat = ((steps - centre) @ directions[:2].T).numpy()  # [K, N, 2]
    colors = plt.get_cmap("viridis")(np.linspace(0, 0.75, shown))
    words = drawn(made.words[:shown])
    for i, word in enumerate(words):
        x, y = flat[:, i].T
        ax.plot(x, y, color=colors[i], lw=0.8, alpha=0.6, label=f"{i} {word}")
        ax.scatter(x[-1], y[-1], color=colors[i], s=110, zorder=3)
        middle = {"ha": "center", "va": "center", "fontsize": "x-small", "color": "white"}
        ax.text(x[-1], y[-1], str(i), middle, zorder=4)
    legend(ax, below=True)
    share = float((scale[:2] ** 2).sum() / (scale**2).sum())
    ax.set(xlabel=said("第 1 主成分"), ylabel=said("第 2 主成分"))
    title = "文脈の動き（{n} 反復、2 軸で分散の {share}）"
    ax.set_title(said(title, n=len(steps), share=f"{share:.0%}"))
    return ax
