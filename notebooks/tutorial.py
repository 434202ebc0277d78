# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # はじめての固定点文脈（tutorial）
#
# 数個の文で、このモデルを初めから終わりまで動かす。30 秒もかからない。
#
# 言語モデル（language model）は、ここまでの単語から次の単語を当てる。そのためには
# 「ここまで」を 1 本のベクトルにまとめておきたい。それが **文脈（context）** c である。
# このモデルでは、文脈は前の文脈と今の単語から作られる:
#
# c_i = ContextBlock(c_{i−1}, x_i)
#
# 最後まで読んだら、**つまみ（parameter）を 1 つ変えて** もう一度動かしてみてほしい。

# %% tags=["parameters"]
# Parameters: the text, and three knobs of phase 1
text = (
    "The cat sat on the mat. The dog sat on the rug. The cat saw the dog. "
    "The dog saw the cat and ran to the door. The cat slept on the warm mat."
)
max_iter = 60
context_noise = 0.1
dist_reg_weight = 0.2

# %%
import fpcore
from fpcore.reports import figures, tutorial

figures.use_style()
given = fpcore.parameters.check(
    globals(), text=str, max_iter=object, context_noise=object, dist_reg_weight=object
)
lesson = fpcore.lesson(**given)

# %% [markdown]
# ## 1. 文を切る（tokenize）
#
# 文は **トークン（token）** に切られ、それぞれに番号と、意味の近いものどうしが近い
# ベクトル x（**埋め込み** embedding）が付く。埋め込みは訓練しない。目標は次のトークン。

# %%
tutorial.words_table(lesson)

# %% [markdown]
# ## 2. Phase 1: 文脈を落ち着かせる
#
# ふつうの再帰（recurrence）は、単語を 1 つずつ順に読むので遅い。ここでは **全部の位置を同時に**
# 計算する。
#
# 1. 反復（iteration）1: すべての文脈を小さな乱数にする
# 2. 反復 k: 位置 i の文脈を、位置 i−1 の **前の反復の** 文脈と単語 x_i から作り直す
# 3. 作り直しても変わらないように（**固定点** fixed point）、ContextBlock を少し直す
#
# 全部が同じ値になっても「変わらない」ので、文脈どうしを離す **多様性の項（diversity term）** を
# 損失に加える（重みは `dist_reg_weight`。この項は 1 度に見るトークンが少ないほど強く効くので、
# 39 個のここでは 0.2、数千個の本物の実験では 0.9）。
# 収束率（convergence rate）は、1 反復での動きがしきい値より小さいトークンの割合。

# %%
tutorial.phase1_table(lesson)

# %% [markdown]
# 下の図は、1 行が 1 トークン、横が反復。明るいほど大きく動いている。
# 訓練中は雑音（`context_noise`）を加え続けるので、0 にはならない。

# %%
ax = tutorial.heat_map(
    lesson, lesson.history[1:], "Phase 1 の動き", tutorial.axes(len(lesson.words))
)

# %% [markdown]
# ### 文脈が落ち着いていく道すじ
#
# 文脈は高い次元のベクトルなので、主成分分析（PCA）で 2 次元に写す。
# 線が道すじ、丸が最後の場所、数字は位置。同じ単語でも、前に来るものが違えば場所が違う。

# %%
ax = tutorial.paths(lesson, figures.axes())

# %% [markdown]
# ## 3. 本当の固定点
#
# 重みを凍結（freeze）し、雑音も止めて、作り直すだけを繰り返す。今度は **正確に** 止まる。
# 位置 0 は 1 回で止まり、それを受けて位置 1、2 … も必ず止まる（左上の暗い三角）。ほかの位置も、
# 1 回ごとに動きが小さくなっていく。

# %%
ax = tutorial.heat_map(lesson, lesson.frozen, "凍結後の動き", tutorial.axes(len(lesson.words)))

# %% [markdown]
# 止まった先は、1 つずつ順に読んだ（逐次の）計算と同じである。並列の計算で、再帰の答えが出た。

# %%
tutorial.fixed_point(lesson)

# %% [markdown]
# ## 4. Phase 2: 次の単語を当てる
#
# 文脈は凍結したまま、TokenBlock だけを訓練する。**PPL**（perplexity）は、
# 毎回いくつの候補で迷っているかに当たる。ここでは訓練した文そのものを読むので、よく当たって
# 当然である。本当の実験（`run`）では、訓練に使わない会話で測る。

# %%
tutorial.next_words(lesson)

# %% [markdown]
# ## 5. つまみを 1 つ変える
#
# 上の `Parameters` のセルで 1 つだけ変えて、**Run All Cells** をもう一度:
#
# | 変える | 見るところ |
# |---|---|
# | `context_noise = 0.0` | 2 の図。雑音がないと、訓練中の動きはどこまで小さくなるか |
# | `dist_reg_weight = 0.9` | 2 と 3 の図。離す力が強すぎると、文脈は落ち着くか |
# | `max_iter = 12` | 3 の図。早く止めた文脈も、凍結すれば固定点に着くか |
# | `text = "…"` | あなたの文で |
#
# 次は `run`（本物の会話で訓練する）、`compare`（2 つの実行を比べる）、`explore`（見て回る）へ。
