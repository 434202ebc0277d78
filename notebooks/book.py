# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 本を作る（book）
#
# 設定ごとに `run` を papermill で実行し、続けて `compare`（最初の設定と残りのそれぞれ）と
# `scaling` を実行する。失敗した設定は報告し、残りは最後まで実行する。

# %% tags=["parameters"]
# Parameters: names in params/ (or paths of YAML files), and whether to train anew
configs = ["v5-small", "v6-small"]
force = False

# %%
import fpcore
from fpcore import report
from fpcore.book import Book

given = fpcore.parameters.check(globals(), configs=list, force=bool)
book = Book()

# %% [markdown]
# ## 訓練（run）

# %%
book.train(given["configs"], given["force"])

# %% [markdown]
# ## 比較（compare）

# %%
book.compare()

# %% [markdown]
# ## スケーリング（scaling）

# %%
book.scaling()

# %% [markdown]
# ## 結果
#
# 報告の要点。全文と図は上に名前のある `report.md`。

# %%
report.headlines(book.runs)

# %%
book.check()
