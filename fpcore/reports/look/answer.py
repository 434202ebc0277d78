"""What trained contexts know that zero contexts do not, in three lines by rule."""

import pandas as pd

from fpcore.analysis import token_classes
from fpcore.analysis.token_classes import Gap
from fpcore.language import listed, passage, said, template
from fpcore.notation import Markdown, number, percent
from fpcore.reports.look.words import CONTEXTS, class_name, interval
from fpcore.runs.looks import FAR, Look, Reading
from fpcore.stats.metrics import perplexity

__all__ = [
    "answer",
    "trained_and_zero",
]

UNENDED = template(
    "**答えない。** Phase 2 が `epochs` の上限で終わった実行がある（「対象」）。"
    "打ち切った訓練の損失は比べられない。`epochs` を増やして実行し直すと答える。"
)
HEARD = 0.01  # a change of the distribution from here on counts as remembered
SHOWN = (1, 2, 3, 5, 10, 20)  # how far back the third line says what changes
MOST = 3  # classes that a sentence names


def answer(seen: Look) -> Markdown:
    """Say in three lines what trained contexts know that zero contexts do not."""
    pair = trained_and_zero(seen)
    if pair is None:
        return Markdown(
            said(
                "**訓練した文脈はゼロ文脈が知らない何を知っているか**: ゼロ文脈の実行がここに"
                "ないので答えられない。`contexts: zero` だけが違う実行を `controls` に加える。"
            )
        )
    if any(reading.cut_short for reading in pair):
        return Markdown(f"- {said(UNENDED)}")
    zero, trained = pair
    whole = token_classes.gap(seen.tokens["conversation"], zero.losses, trained.losses)
    lines = [
        passage(_overall(whole, zero, trained), _meaning(whole)),
        said("**どこで**: {told}", told=_where(seen, zero, trained)),
        said("**どこまで**: {told}", told=_how_far(seen, trained)),
    ]
    return Markdown("\n".join(f"- {line}" for line in lines))


def trained_and_zero(seen: Look) -> tuple[Reading, Reading] | None:
    """Return the first readings with zero and with trained contexts, None where one is missing."""
    found = [
        next((r for r in seen.readings if r.contexts == kind), None) for kind in ("zero", "trained")
    ]
    zero, trained = found
    return (zero, trained) if zero and trained else None


def _overall(whole: Gap, zero: Reading, trained: Reading) -> str:
    return said(
        "**全体**: {zero}から{trained}にすると、検証の損失は {interval} nats 変わる"
        "（PPL {a} → {b}）。",
        zero=_of(zero),
        trained=_of(trained),
        interval=interval(vars(whole)),
        a=number(perplexity(whole.a), 1),
        b=number(perplexity(whole.b), 1),
    )


def _of(reading: Reading) -> str:
    contexts = said(CONTEXTS[reading.contexts])
    return said("{contexts}（`{run}`）", contexts=contexts, run=reading.name)


def _meaning(one: Gap) -> str:
    texts = {
        "down": template("この重みどうしでは、訓練した文脈のほうが良い（シード 1 つ）。"),
        "up": template("この重みどうしでは、訓練した文脈のほうが悪い（シード 1 つ）。"),
        "same": template("まったく同じ（シード 1 つ）。"),
    }
    return said(texts.get(one.direction, template("差があるとは言えない（シード 1 つ）。")))


def _where(seen: Look, zero: Reading, trained: Reading) -> str:
    """Name the classes of tokens in which trained contexts gain, and lose, most."""
    found = token_classes.gaps(seen.tokens, zero.losses, trained.losses)
    gains = found[found["direction"] == "down"].sort_values("difference")
    losses = found[found["direction"] == "up"].sort_values("difference", ascending=False)
    return passage(
        said("得をするのは{classes}。", classes=_named(gains))
        if len(gains)
        else said("得をするのは、確かなものがない。"),
        said("損をするのは{classes}。", classes=_named(losses))
        if len(losses)
        else said("損をするのは、確かなものがない。"),
    )


def _named(rows: pd.DataFrame) -> str:
    return listed(
        said("{name}（{interval} nats、n={n:,}）",
             name=class_name(row), interval=interval(row), n=row["tokens"])
        for row in rows.head(MOST).to_dict("records")
    )  # fmt: skip


def _how_far(seen: Look, trained: Reading) -> str:
    """Say how much the tokens before change, and the last of them that is told from nothing."""
    found = token_classes.changes(seen.changes)
    own = found[found["run"] == trained.name].set_index("back")
    if own.empty:
        return said("会話が短いので測れない。")
    moved = listed(
        said("k={k} で {share}", k=k, share=percent(float(own["mean"][k]))) for k in SHOWN
    )
    heard = [int(k) for k in own.index[own["low"] >= HEARD]]
    return passage(
        said("k 番目に新しいトークンを替えると、次のトークンの分布は {moved} 動く。", moved=moved),
        _reach(heard),
        said("ゼロ文脈では、入力の窓にないトークンは何も変えない。"),
    )


def _reach(heard: list[int]) -> str:
    """Say which of the tokens that change the distribution by HEARD or more is the last."""
    least = percent(HEARD, 0)
    if not heard:
        return said("{least} 以上と言えるトークンはない。", least=least)
    text = (
        template("{least} 以上と言えるのは測った最後の {n} 番目まで。")
        if heard[-1] == FAR
        else template("{least} 以上と言えるのは {n} 番目まで。")
    )
    return said(text, least=least, n=heard[-1])
