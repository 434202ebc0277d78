"""What trained contexts know that zero contexts do not, in three lines by rule."""

import pandas as pd

from fpcore.analysis import token_classes
from fpcore.analysis.token_classes import Gap
from fpcore.notation import Markdown, number, percent
from fpcore.reports.look.words import CONTEXTS, class_name, interval
from fpcore.reports.sentences import UNCLEAR
from fpcore.runs.looks import FAR, Look, Reading
from fpcore.stats.metrics import perplexity

__all__ = [
    "answer",
    "trained_and_zero",
]

HEARD = 0.01  # a change of the distribution from here on counts as remembered
SHOWN = (1, 2, 3, 5, 10, 20)  # how far back the third line says what changes
MOST = 3  # classes that a sentence names


def answer(seen: Look) -> Markdown:
    """Say in three lines what trained contexts know that zero contexts do not."""
    pair = trained_and_zero(seen)
    if pair is None:
        return Markdown(
            "**訓練した文脈はゼロ文脈が知らない何を知っているか**: ゼロ文脈の実行がここにないので"
            "答えられない。`contexts: zero` だけが違う実行を `controls` に加える。"
        )
    zero, trained = pair
    whole = token_classes.gap(seen.tokens["conversation"], zero.losses, trained.losses)
    lines = [
        f"**全体**: {_of(zero)}から{_of(trained)}にすると、検証の損失は "
        f"{interval(vars(whole))} nats "
        f"変わる（PPL {number(perplexity(whole.a), 1)} → {number(perplexity(whole.b), 1)}）。"
        f"{_meaning(whole)}",
        f"**どこで**: {_where(seen, zero, trained)}",
        f"**どこまで**: {_how_far(seen, trained)}",
    ]
    return Markdown("\n".join(f"- {line}" for line in lines))


def trained_and_zero(seen: Look) -> tuple[Reading, Reading] | None:
    """Return the first readings with zero and with trained contexts, None where one is missing."""
    found = [
        next((r for r in seen.readings if r.contexts == kind), None) for kind in ("zero", "trained")
    ]
    zero, trained = found
    return (zero, trained) if zero and trained else None


def _of(reading: Reading) -> str:
    return f"{CONTEXTS[reading.contexts]}（`{reading.name}`）"


def _meaning(one: Gap) -> str:
    said = {
        "down": "この重みどうしでは、訓練した文脈のほうが良い",
        "up": "この重みどうしでは、訓練した文脈のほうが悪い",
        "same": "まったく同じ",
    }
    return f"{said.get(one.direction, UNCLEAR)}（シード 1 つ）。"


def _where(seen: Look, zero: Reading, trained: Reading) -> str:
    """Name the classes of tokens in which trained contexts gain, and lose, most."""
    found = token_classes.gaps(seen.tokens, zero.losses, trained.losses)
    gains = found[found["direction"] == "down"].sort_values("difference")
    losses = found[found["direction"] == "up"].sort_values("difference", ascending=False)
    said = "得をするのは" + (_named(gains) if len(gains) else "、確かなものがない")
    return f"{said}。損をするのは{_named(losses) if len(losses) else '、確かなものがない'}。"


def _named(rows: pd.DataFrame) -> str:
    return "、".join(
        f"{class_name(row)}（{interval(row)} nats、n={row['tokens']:,}）"
        for row in rows.head(MOST).to_dict("records")
    )


def _how_far(seen: Look, trained: Reading) -> str:
    """Say how much the tokens before change, and the last of them that is told from nothing."""
    found = token_classes.changes(seen.changes)
    own = found[found["run"] == trained.name].set_index("back")
    if own.empty:
        return "会話が短いので測れない。"
    said = "、".join(f"k={k} で {percent(float(own['mean'][k]))}" for k in SHOWN)
    heard = [int(k) for k in own.index[own["low"] >= HEARD]]
    least = percent(HEARD, 0)
    reach = (
        f"{least} 以上と言えるのは{'測った最後の' if heard[-1] == FAR else ''} {heard[-1]} 番目まで"
        if heard
        else f"{least} 以上と言えるトークンはない"
    )
    return (
        f"k 番目に新しいトークンを替えると、次のトークンの分布は {said} 動く。{reach}。"
        "ゼロ文脈では、入力の窓にないトークンは何も変えない。"
    )
