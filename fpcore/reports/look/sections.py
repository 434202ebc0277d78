"""The tables of a look: what was read, where runs differ, what contexts remember, samples."""

import pandas as pd

from fpcore import notation
from fpcore.analysis import token_classes
from fpcore.notation import Markdown, code, number, percent
from fpcore.reports.look.answer import trained_and_zero
from fpcore.reports.look.words import CONTEXTS, COPIED, GROUPINGS, interval, share, visible
from fpcore.runs.looks import FAR, Look, Reading
from fpcore.stats.metrics import perplexity

__all__ = [
    "classes",
    "far_back",
    "made",
    "near",
    "neighbours",
    "setting",
    "versus_zero",
]

NO_NETWORKS = (
    "LSTM と GPT の続きは、そのモデルが保存されていないので載せない。"
    '`fpcore.run_baseline(fpcore.load_baseline("lstm-small"), force=True)` と `"gpt-small"` で'
    "訓練すると残る。"
)


def setting(seen: Look) -> Markdown:
    """対象: what was read."""
    rows = [
        {
            "実行": r.name,
            "文脈": CONTEXTS[r.contexts],
            "Val PPL": number(perplexity(float(r.losses.mean())), 1),
        }
        for r in seen.readings
    ]
    return Markdown(
        f"{notation.table(pd.DataFrame(rows))}\n\n{seen.samples} サンプル、シード {seen.seed} の"
        f"保存されたモデルが検証テキスト（{len(seen.tokens):,} トークン、"
        f"{seen.tokens['conversation'].nunique()} 会話）を逐次の文脈で読んだ。区間は会話を単位と"
        "する 95 % 区間で、**この重みどうし**の差についてのもの。シードは 1 つなので、ほかのシード"
        "でどうなるかは言えない。"
    )


def classes(seen: Look) -> Markdown:
    """どこで違うか: the losses of the first run, and of the second or of the controls."""
    return _classes(seen, *_compared(seen))


def versus_zero(seen: Look) -> Markdown:
    """訓練した文脈とゼロ文脈: the same, where that is not what is compared."""
    pair = trained_and_zero(seen)
    if pair is None:
        return Markdown("ゼロ文脈の実行がない。")
    if {one.name for one in pair} == {one.name for one in _compared(seen)}:
        return Markdown("上の表がその比較である。")
    return _classes(seen, *pair)


def far_back(seen: Look) -> Markdown:
    """どこまで覚えているか: what changes where the k-th last token is another one."""
    found = token_classes.changes(seen.changes)
    if found.empty:
        return Markdown(f"どの会話も {FAR} トークンより短いので測れない。")
    rows = []
    for back in (k for k in range(1, FAR + 1) if k <= 5 or k % 5 == 0):
        own = found[found["back"] == back].to_dict("records")
        rows.append({"k": str(back)} | {row["run"]: share(row) for row in own})
    places = int(found["places"].iloc[0])
    return Markdown(
        f"{notation.table(pd.DataFrame(rows))}\n\n次のトークンの確率のうち動いた割合"
        f"（全変動距離、{places} か所の平均と 95 % 区間）。替えるトークンは訓練テキストから引く。"
    )


def near(seen: Look) -> Markdown:
    """近い文脈: which of the last tokens the nearest contexts share."""
    if seen.near.empty:
        return Markdown("会話が短いので測れない。")
    rows = [
        {
            "k": str(row["back"]),
            "最も近い文脈": percent(row["same"]),
            "任意の文脈": percent(row["chance"]),
        }
        for row in seen.near.to_dict("records")
    ]
    return Markdown(
        f"{notation.table(pd.DataFrame(rows))}\n\n`{seen.readings[0].name}` の文脈（平均を引いた"
        "余弦）で最も近い、別の会話の位置と、k 番目に新しいトークンが同じである割合。"
    )


def neighbours(seen: Look) -> Markdown:
    """Return the contexts nearest to that of one token, which stands first."""
    rows = [
        {
            "余弦": number(row["similarity"], 2),
            "会話": str(row["conversation"]),
            "読んだもの → 次": f"{code(visible(row['read']))} → {code(visible(row['next']))}",
        }
        for row in seen.neighbours.to_dict("records")
    ]
    head = f"会話 {seen.conversation.number} のトークン {seen.token}（1 行目）に近い文脈:"
    table = notation.table(pd.DataFrame(rows), markdown="読んだもの → 次")
    return Markdown(f"{head}\n\n{table}")


def made(seen: Look) -> Markdown:
    """生成: what every model makes of the same beginning."""
    rows = [
        {"モデル": row["source"], "続き": code(visible(row["text"]))}
        for row in seen.made.to_dict("records")
    ]
    prompt = code(visible(seen.made["prompt"].iloc[0]))
    table = notation.table(pd.DataFrame(rows), markdown="続き")
    note = "" if (seen.made["kind"] == "network").any() else f"\n\n{NO_NETWORKS}"
    return Markdown(f"始まり: {prompt}\n\n{table}{note}")


def _compared(seen: Look) -> tuple[Reading, Reading]:
    """Return what the main table compares: both runs, or the one run with itself."""
    return seen.readings[0], seen.readings[seen.compared - 1]


def _classes(seen: Look, a: Reading, b: Reading) -> Markdown:
    found = token_classes.gaps(seen.tokens, a.losses, b.losses)
    rows = []
    for row in found.to_dict("records"):
        facts = {
            "分け方": GROUPINGS[row["grouping"]],
            "種類": COPIED.get(row["class"], row["class"]),
            "トークン": f"{row['tokens']:,}",
            "会話": str(row["conversations"]),
            a.name: number(row["a"], 3),
        }
        if a is not b:
            facts |= {f"{b.name} ": number(row["b"], 3), "差": interval(row)}
        rows.append(facts)
    note = f"損失は nats。差は {b.name} − {a.name} で、区間は {len(found)} 個が同時に成り立つ。"
    return Markdown(
        f"{notation.table(pd.DataFrame(rows))}\n\n{note if a is not b else '損失は nats。'}"
    )
