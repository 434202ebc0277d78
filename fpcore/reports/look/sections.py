"""The tables of a look: what was read, where runs differ, what contexts remember, samples."""

import pandas as pd

from fpcore import notation
from fpcore.analysis import token_classes
from fpcore.language import listed, passage, said, template
from fpcore.metric import METRICS
from fpcore.notation import Markdown, code, number, percent
from fpcore.records.pairs import CUT_SHORT
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

NO_NETWORKS = template(
    "LSTM と GPT の続きは、そのモデルが保存されていないので載せない。"
    '`fpcore.run_baseline(fpcore.load_baseline("lstm-small"), force=True)` と `"gpt-small"` で'
    "訓練すると残る。"
)


def setting(seen: Look) -> Markdown:
    """対象: what was read."""
    rows = [
        {
            said("実行"): r.name,
            said("文脈"): said(CONTEXTS[r.contexts]),
            METRICS["val_ppl"].name: number(perplexity(float(r.losses.mean())), 1),
        }
        for r in seen.readings
    ]
    read = said(
        "{n} サンプル、シード {seed} の保存されたモデルが検証テキスト（{tokens:,} トークン、"
        "{conversations} 会話）を逐次の文脈で読んだ。",
        n=seen.samples, seed=seen.seed, tokens=len(seen.tokens),
        conversations=seen.tokens["conversation"].nunique(),
    )  # fmt: skip
    sure = said(
        "区間は会話を単位とする 95 % 区間で、**この重みどうし**の差についてのもの。シードは 1 つ"
        "なので、ほかのシードでどうなるかは言えない。"
    )
    short = listed(code(r.name) for r in seen.readings if r.cut_short)
    cut = said("**注意**　{runs} は{why}。", runs=short, why=said(CUT_SHORT)) if short else ""
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{passage(cut, read, sure)}")


def classes(seen: Look) -> Markdown:
    """どこで違うか: the losses of the first run, and of the second or of the controls."""
    return _classes(seen, *_compared(seen))


def versus_zero(seen: Look) -> Markdown:
    """訓練した文脈とゼロ文脈: the same, where that is not what is compared."""
    pair = trained_and_zero(seen)
    if pair is None:
        return Markdown(said("ゼロ文脈の実行がない。"))
    if {one.name for one in pair} == {one.name for one in _compared(seen)}:
        return Markdown(said("上の表がその比較である。"))
    return _classes(seen, *pair)


def far_back(seen: Look) -> Markdown:
    """どこまで覚えているか: what changes where the k-th last token is another one."""
    found = token_classes.changes(seen.changes)
    if found.empty:
        return Markdown(said("どの会話も {n} トークンより短いので測れない。", n=FAR))
    rows = []
    for back in (k for k in range(1, FAR + 1) if k <= 5 or k % 5 == 0):
        own = found[found["back"] == back].to_dict("records")
        rows.append({"k": str(back)} | {row["run"]: share(row) for row in own})
    note = said(
        "次のトークンの確率のうち動いた割合（全変動距離、{n} か所の平均と 95 % 区間）。"
        "替えるトークンは訓練テキストから引く。",
        n=int(found["places"].iloc[0]),
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def near(seen: Look) -> Markdown:
    """近い文脈: which of the last tokens the nearest contexts share."""
    if seen.near.empty:
        return Markdown(said("会話が短いので測れない。"))
    rows = [
        {
            "k": str(row["back"]),
            said("最も近い文脈"): share(row),
            said("任意の文脈"): percent(row["chance"]),
        }
        for row in seen.near.to_dict("records")
    ]
    note = said(
        "`{run}` の文脈（平均を引いた余弦）で最も近い、別の会話の位置と、"
        "k 番目に新しいトークンが同じである割合（n={n} 対、区間は会話を単位とする 95 % 区間）。",
        run=seen.readings[0].name,
        n=seen.near["n"].iloc[0],
    )
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")


def neighbours(seen: Look) -> Markdown:
    """Return the contexts nearest to that of one token, which stands first."""
    read = said("読んだもの → 次")
    rows = [
        {
            said("余弦"): number(row["similarity"], 2),
            said("会話"): str(row["conversation"]),
            read: f"{code(visible(row['read']))} → {code(visible(row['next']))}",
        }
        for row in seen.neighbours.to_dict("records")
    ]
    head = said("会話 {n} のトークン {token}（1 行目）に近い文脈:",
                n=seen.conversation.number, token=seen.token)  # fmt: skip
    table = notation.table(pd.DataFrame(rows), markdown=read)
    return Markdown(f"{head}\n\n{table}")


def made(seen: Look) -> Markdown:
    """生成: what every model makes of the same beginning."""
    rows = [
        {said("モデル"): row["source"], said("続き"): code(visible(row["text"]))}
        for row in seen.made.to_dict("records")
    ]
    prompt = code(visible(seen.made["prompt"].iloc[0]))
    table = notation.table(pd.DataFrame(rows), markdown=said("続き"))
    note = "" if (seen.made["kind"] == "network").any() else f"\n\n{said(NO_NETWORKS)}"
    return Markdown(f"{said('始まり: {prompt}', prompt=prompt)}\n\n{table}{note}")


def _compared(seen: Look) -> tuple[Reading, Reading]:
    """Return what the main table compares: both runs, or the one run with itself."""
    return seen.readings[0], seen.readings[seen.compared - 1]


def _classes(seen: Look, a: Reading, b: Reading) -> Markdown:
    found = token_classes.gaps(seen.tokens, a.losses, b.losses)
    rows = []
    for row in found.to_dict("records"):
        facts = {
            said("分け方"): said(GROUPINGS[row["grouping"]]),
            said("種類"): said(COPIED.get(row["class"], row["class"])),
            said("トークン"): f"{row['tokens']:,}",
            said("会話"): str(row["conversations"]),
            a.name: number(row["a"], 3),
        }
        if a is not b:
            facts |= {f"{b.name} ": number(row["b"], 3), said("差"): interval(row)}
        rows.append(facts)
    text = template("差は {b} − {a} で、区間は {n} 個が同時に成り立つ。")
    gaps = "" if a is b else said(text, a=a.name, b=b.name, n=len(found))
    note = passage(said("損失は nats。"), gaps)
    return Markdown(f"{notation.table(pd.DataFrame(rows))}\n\n{note}")
