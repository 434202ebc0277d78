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

# %%
import fpcore
from fpcore import plots, tables

plots.use_style()
runs = fpcore.parameters.check(globals(), runs=list)["runs"]
records = [fpcore.load_record(name) for name in runs] if runs else fpcore.load_records()

# %% [markdown]
# ## 当てはめ

# %%
tables.fits_table(records)

# %% [markdown]
# ## ウィンドウ

# %%
tables.windows_table(records)

# %% [markdown]
# ## 図

# %%
ax = plots.power_laws(records, plots.axes())

# %% [markdown]
# ## データ

# %%
tables.runs_table(fpcore.frame(records))
