# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # スケーリング（scaling）
#
# 各実行の Val PPL に PPL = A・トークン^α を当てはめる（対数の最小二乗）。
# α は負で、絶対値が大きいほどデータが効いている。ウィンドウは隣り合う 4 サイズ。

# %% tags=["parameters"]
# Parameters: names of records; an empty list means all
runs = []
lang = "ja"  # or en: the words of tables and figures

# %%
import fpcore
from fpcore.reports import figures, scaling

given = fpcore.parameters.check(globals(), runs=list, lang=str)
figures.use_style(given["lang"])
records = [fpcore.load_record(name) for name in given["runs"]] or fpcore.load_records()

# %% [markdown]
# ## 要点

# %%
scaling.gist(records)

# %% [markdown]
# ## 当てはめ

# %%
scaling.fits_table(records)

# %% [markdown]
# ## ウィンドウ

# %%
scaling.windows_table(records)

# %% [markdown]
# ## 図

# %%
ax = figures.power_laws(records, figures.axes())

# %% [markdown]
# ## 2 つの法則
#
# べき乗則は 0 まで下がり続け、飽和則（saturating law）は底 E∞ で止まる。

# %%
scaling.laws_table(records)

# %% [markdown]
# ### 隣り合うサイズの間の傾き
#
# べき乗則が正しければ、どこでも同じになる。

# %%
scaling.local_table(records)

# %% [markdown]
# ### 最大のサイズの予測

# %%
scaling.held_out_table(records)

# %% [markdown]
# ### 区間はどれだけ当たるか

# %%
scaling.coverage_table(records)

# %% [markdown]
# ## データ

# %%
scaling.runs_table(fpcore.frame(records))
