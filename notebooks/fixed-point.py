# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 文脈はどこまで固定点に近づいたか（fixed point）
#
# Phase 1 の「収束」は、雑音（noise）が入り重みが動いている間の、1 反復の変化が閾値より小さいこと。
# ここでは重みを止め、雑音を切って並列の反復（parallel map）を続け、文脈が本当の固定点から
# どれだけ離れているかを測る。並列の反復の固定点は、検証に使う逐次（sequential）の文脈ただ 1 つ。

# %% tags=["parameters"]
# Parameters: a config in params/ (or the path of a YAML file), one size, one seed, and iterations
config = "v5-small"
samples = 100
seed = 42
iterations = 40
lang = "ja"  # or en: the report in English, in the folder en/ of the Japanese one

# %%
import fpcore
from fpcore.reports import figures, fixed_point

given = fpcore.parameters.check(
    globals(), config=str, samples=int, seed=int, iterations=int, lang=str
)
figures.use_style(given.pop("lang"))

# %% [markdown]
# ## 訓練と測定

# %%
d = fpcore.diagnose(**given)

# %% [markdown]
# ## 要点

# %%
fixed_point.gist(d)

# %%
fixed_point.setting(d)

# %% [markdown]
# ## 収束と固定点

# %%
fixed_point.settled(d)

# %%
fixed_point.meaning(d)

# %% [markdown]
# ## 相対残差（relative residual）

# %%
ax = figures.residuals(d, figures.axes())

# %%
fixed_point.residuals(d)

# %% [markdown]
# ## Effective Rank の推移
#
# 雑音なしの反復ごとに、中心化（平均を引く）しないものとしたものを、同じ行数で。

# %%
fixed_point.spectra(d)

# %%
ax = figures.spectra(d, figures.axes())

# %% [markdown]
# ## 訓練中の損失と LayerNorm の利得（gain）
#
# 多様性の項（diversity term）は LayerNorm の scale に比例して大きくなる。

# %%
fixed_point.late_fall(d)

# %%
ax = figures.loss_terms(d, figures.axes())

# %%
ax = figures.gain(d, figures.axes())

# %% [markdown]
# ## 報告を書く

# %%
print(fpcore.shown(fixed_point.write(d)))
