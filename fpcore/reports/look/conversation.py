"""A conversation of a look, its tokens coloured by a loss or by the difference of two."""

import math

from fpcore.language import passage, said
from fpcore.notation import Markdown, number, percent
from fpcore.reports.coloured import Coloured, Token, coloured
from fpcore.reports.look.words import visible
from fpcore.runs.looks import Chances, Look

__all__ = [
    "conversation",
    "legend",
]

LOSSES, GAPS = (1, 2, 4, 6, 8), (0.1, 0.3, 0.7, 1.5, 3)  # nats from which colours are stronger


def conversation(seen: Look) -> Coloured:
    """Return the conversation coloured by the loss of a run, or by the difference of two."""
    names = [reading.name for reading in seen.readings[: seen.compared]]
    shown = seen.conversation
    return coloured(
        Token(word, _note(names, losses.tolist(), chances), _colour(losses.tolist()[: len(names)]))
        for word, losses, chances in zip(shown.words, shown.losses, shown.likeliest, strict=True)
    )


def legend(seen: Look) -> Markdown:
    """Say what the colours of the conversation mean."""
    if seen.compared == 1:
        colours = said(
            "色は `{run}` の損失（濃いほど大きい、{steps} nats から）。",
            run=seen.readings[0].name, steps=_steps(LOSSES),
        )  # fmt: skip
    else:
        a, b = (reading.name for reading in seen.readings[:2])
        colours = said(
            "色は損失の差 `{b}` − `{a}`（橙は `{b}` が悪い、青は `{b}` が良い、"
            "{steps} nats から濃くなる）。",
            a=a, b=b, steps=_steps(GAPS),
        )  # fmt: skip
    which = said("会話 {n}。", n=seen.conversation.number)
    return Markdown(passage(which, colours, said("トークンに重ねると損失と候補が出る。")))


def _note(names: list[str], losses: list[float], chances: list[Chances]) -> str:
    """Return what shows over a token: the losses, and the likeliest tokens of every run."""
    if not chances or math.isnan(losses[0]):
        return said("最初のトークンは予測されない")
    parts = [f"{name} {number(loss, 2)}" for name, loss in zip(names, losses, strict=False)]
    if len(names) == 2:
        parts.append(said("差 {gap}", gap=number(losses[1] - losses[0], 2, signed=True)))
    for name, own in zip(names, chances, strict=False):
        likeliest = " ".join(f"{visible(text)} {percent(p, 0)}" for text, p in own)
        parts.append(said("{run} の候補: {likeliest}", run=name, likeliest=likeliest))
    return said("｜").join(parts)


def _colour(losses: list[float]) -> str:
    value = losses[-1] - (losses[0] if len(losses) == 2 else 0.0)
    steps = GAPS if len(losses) == 2 else LOSSES
    return f"{'down' if value < 0 else 'up'}{sum(abs(value) >= step for step in steps)}"


def _steps(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
