# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # ベンチマーク（benchmark）
#
# `fpcore/model/plain.py`（式のとおりの実装）と、訓練に使う速い実装を、同じテンソルで交互に測る。
# 比は交互に測った組の中央値。「行列積だけ」は同じ仕事の行列積だけの時間で、下限の目安になる。

# %% tags=["parameters"]
# Parameters: quick measures at the small setting's shapes instead of the published run's
quick = False

# %%
import fpcore
from fpcore import benchmark
from fpcore.reports import figures

figures.use_style()
quick = fpcore.parameters.check(globals(), quick=bool)["quick"]
b = benchmark.run(quick)

# %% [markdown]
# ## 時間

# %%
benchmark.stages(b)

# %%
ax = figures.speedups(b.rows, figures.axes())

# %% [markdown]
# ## メモリ

# %%
benchmark.memory(b)

# %% [markdown]
# ## 参照時間との比較

# %%
benchmark.beside_the_spec(b)

# %%
print(fpcore.shown(benchmark.write(b)))
