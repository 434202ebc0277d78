# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1 つの問いに格子で答える（study）
#
# `params/studies/<study>.yaml` は、1 つの基準（base）の設定と、変える条件の格子（grid）。
# 足りない実行だけを papermill で `run` にかけ（あるものは記録を使う）、全体を 1 つの報告
# `reports/studies/<study>/report.md` にまとめる。途中で止めても、終わった実行は残る。

# %% tags=["parameters"]
# Parameters: the name of a study in params/studies/ (or the path of a YAML file)
study = "contexts"
scheduler = ""  # empty: a cluster of this machine; or an address, such as tcp://10.0.0.1:8786
workers = 0  # of this machine's cluster; 0: one per core, for a few runs one per two cores
lang = "ja"  # or en: the report in English, in the folder en/ of the Japanese one

# %%
import fpcore
from fpcore.book import Book
from fpcore.reports import figures
from fpcore.reports import study as report

given = fpcore.parameters.check(globals(), study=str, scheduler=str, workers=int, lang=str)
figures.use_style(given.pop("lang"))
plan = fpcore.Study.load(given.pop("study"))

# %% [markdown]
# ## 実行（run）

# %%
book = Book()
book.train(plan.configs(), force=False, pages=False, **given)
book.check()

# %% [markdown]
# ## 要点

# %%
e = fpcore.gather(plan)
report.gist(e)

# %% [markdown]
# ## 問いと答え

# %%
report.question(e)

# %%
report.answer(e)

# %%
axes = figures.study(e.frame, figures.panels(3))

# %% [markdown]
# ## 結果

# %%
report.results(e)

# %%
report.by_size(e)

# %% [markdown]
# ## 基準との差

# %%
report.differences(e)

# %%
report.effects(e)

# %% [markdown]
# ## 勾配ノルムとクリップ

# %%
report.clipping(e)

# %% [markdown]
# ## 次に試すこと

# %%
report.next_steps(e)

# %% [markdown]
# ## 検証

# %%
e.checks.listed()

# %% [markdown]
# ## 報告を書く

# %%
print(fpcore.shown(report.write(e)))
