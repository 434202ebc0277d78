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
scheduler = ""  # empty: a cluster of this machine; or an address, such as tcp://10.0.0.1:8786
workers = 0  # of this machine's cluster; 0: one per core, for a few runs one per two cores

# %%
import fpcore
from fpcore.book import Book
from fpcore.reports import comparison

given = fpcore.parameters.check(globals(), configs=list, force=bool, scheduler=str, workers=int)
book = Book()

# %% [markdown]
# ## 訓練（run）
#
# 設定ごとに 1 つの作業者（worker）が `run` を実行する。作業者が失敗しても、強制終了されても、
# 止まっても、失うのはその実行だけで、もう 1 度だけ試される。途中は、別のノートブックの
# `fpcore.watch(name)` で見られる。

# %%
book.train(**given)

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
comparison.headlines(book.runs)

# %%
book.check()
