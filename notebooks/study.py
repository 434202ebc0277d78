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
study = "two-factors"
scheduler = ""  # empty: a cluster of this machine; or an address, such as tcp://10.0.0.1:8786
workers = 0  # of this machine's cluster; 0: one per core, for a few runs one per two cores

# %%
import fpcore
from fpcore import evidence, plots, study_checks, study_report
from fpcore.book import Book
from fpcore.study import Study

plots.use_style()
given = fpcore.parameters.check(globals(), study=str, scheduler=str, workers=int)
plan = Study.load(given.pop("study"))

# %% [markdown]
# ## 実行（run）

# %%
book = Book()
book.train(plan.configs(), force=False, **given)
book.check()

# %% [markdown]
# ## 問いと答え

# %%
e = evidence.gather(plan)
study_report.question(e)

# %%
study_report.answer(e)

# %%
axes = plots.study(e.frame, plots.panels(3))

# %% [markdown]
# ## 結果

# %%
study_report.results(e)

# %%
study_report.by_size(e)

# %% [markdown]
# ## 基準との差

# %%
study_report.differences(e)

# %%
study_report.effects(e)

# %% [markdown]
# ## 勾配ノルムとクリップ

# %%
study_report.clipping(e)

# %% [markdown]
# ## 次に試すこと

# %%
study_report.next_steps(e)

# %% [markdown]
# ## 検証

# %%
study_checks.study_checks(e)

# %% [markdown]
# ## 報告を書く

# %%
print(fpcore.paths.shown(study_report.write(e)))
