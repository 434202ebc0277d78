# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 訓練したモデルを読む（look）
#
# 記録は「PPL が 0.7 % 高い」としか言わない。ここでは実行のあとに残ったモデル（`keep_models`）を
# 開いて、検証の会話をトークンごとに読む: **どこで** 損失が違うか、文脈（context）は
# **どこまで前** を覚えているか、どんな文を書くか。
#
# 1 つの実行か 2 つの実行を見る。`controls` に `contexts: zero` や `untrained` の実行を加えると、
# 「訓練した文脈はゼロ文脈が知らない何を知っているか」に答える。対照は
# `papermill run.ipynb out.ipynb -p name v5-small-zero -p contexts zero -p samples "[200]"` で作る。

# %% tags=["parameters"]
# Parameters: one run or two, controls beside them, the size and seed, and what is shown
runs = ["v5-small", "v6-small"]
controls = []  # runs that differ in contexts: zero or untrained
samples = 200
seed = 42
conversation = 10  # of the validation text, from 0
token = 40  # of the conversation: the contexts nearest to its own are shown
lang = "ja"  # or en: the report in English, in the folder en/ of the Japanese one

# %%
import fpcore
from fpcore.reports import figures, look

given = fpcore.parameters.check(
    globals(), runs=list, controls=list, samples=int, seed=int, conversation=int, token=int,
    lang=str,
)  # fmt: skip
figures.use_style(given.pop("lang"))
seen = fpcore.look(**given)
look.answer(seen)

# %% [markdown]
# ## 対象

# %%
look.setting(seen)

# %% [markdown]
# ## どこで違うか

# %%
look.classes(seen)

# %%
ax = figures.token_classes(seen, figures.axes())

# %% [markdown]
# ## 訓練した文脈とゼロ文脈

# %%
look.versus_zero(seen)

# %% [markdown]
# ## どこまで覚えているか
#
# 最後から k 番目のトークンを別のものに替えて、次のトークンの分布がどれだけ動くかを見る。

# %%
look.far_back(seen)

# %%
ax = figures.far_back(seen, figures.axes())

# %% [markdown]
# ## 近い文脈
#
# 文脈が近い 2 つの位置は、何を共有しているか。

# %%
look.near(seen)

# %%
look.neighbours(seen)

# %% [markdown]
# ## 生成

# %%
look.made(seen)

# %% [markdown]
# ## 会話

# %%
look.legend(seen)

# %%
look.conversation(seen)

# %% [markdown]
# ## 報告を書く

# %%
print(fpcore.shown(look.write(seen)))
