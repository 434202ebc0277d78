# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 同じトークンのベースライン（baselines）
#
# 固定点モデルと同じ会話・同じ tokenizer・同じ検証トークンで、n-gram（modified Kneser-Ney）、
# LSTM、小さな GPT を訓練し、同じ表に並べる。ニューラルの 2 つは、訓練されるパラメータの数を
# 固定点モデルに合わせ（差 10 % 以内）、凍結した同じ埋め込み（embedding）を使うものと、
# 自分の埋め込みを訓練するもの（`-free`）がある。学習率・次数・エポックはすべて開発テキストで選び、
# 検証テキストは最後に 1 度だけ読む。
#
# 対照（control）は Phase 1 のない固定点モデルで、文脈が訓練されていない（`untrained`）か、
# ゼロ（`zero`）。study の `controls` で訓練する。

# %% tags=["parameters"]
# Parameters: names in params/baselines/ (or paths of YAML files), and of records beside them
configs = [
    "kneser-ney-small", "kneser-ney-pool", "kneser-ney-own", "lstm-small", "lstm-small-free",
    "gpt-small", "gpt-small-free",
]  # fmt: skip
runs = ["study", "study-contextsuntrained", "study-contextszero", "study-dist_reg_weight0.25"]
lang = "ja"  # or en: the report in English, in the folder en/ of the Japanese one

# %%
import fpcore
from fpcore.reports import baselines, figures

given = fpcore.parameters.check(globals(), configs=list, runs=list, lang=str)
figures.use_style(given["lang"])
plans = [fpcore.load_baseline(name) for name in given["configs"]]
records = [fpcore.load_record(name) for name in given["runs"]]

# %% [markdown]
# ## 訓練
#
# 同じ設定・同じ digest（中身の指紋）の記録があれば、それを使う。

# %%
others = [fpcore.run_baseline(plan) for plan in plans]

# %% [markdown]
# ## 要点

# %%
baselines.gist(records, others)

# %% [markdown]
# ## モデルどうしの差
#
# 区間には、シードと検証会話の両方のばらつきが入る。隣り合うトークンは独立でないので、会話を
# 単位にする。

# %%
baselines.standing(records, others)

# %% [markdown]
# ## 何を知っているモデルか

# %%
baselines.information(records, others)

# %% [markdown]
# ## 凍結した埋め込みの代償

# %%
baselines.embeddings(records, others)

# %% [markdown]
# ## サイズごとの結果

# %%
baselines.by_size(records, others)

# %%
ax = figures.perplexity_log([*records, *others], figures.axes())

# %% [markdown]
# ## この比較の限界

# %%
baselines.caveats(records, others)

# %% [markdown]
# ## 報告を書く

# %%
print(fpcore.shown(baselines.write(records, others)))
