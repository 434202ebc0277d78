# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 予算のなかでつまみを探す（search）
#
# `params/searches/<search>.yaml` は、1 つの基準（base）の設定と、つまみの範囲、試行の数、時間。
# Optuna の TPE が次の値を選び、開発テキストの損失が途中で中央値より悪い試行は打ち切る。選ぶのは
# 開発テキストだけで、上位は新しいシードで訓練し直し、検証テキストで基準と比べる。
# 途中で止めても、同じ命令で続きから進む。

# %% tags=["parameters"]
# Parameters: the name of a search in params/searches/ (or the path of a YAML file)
search = "kneser-ney"
workers = 1  # processes that take trials from the same journal
lang = "ja"  # or en: the report in English, in the folder en/ of the Japanese one

# %%
import fpcore
from fpcore.reports import figures
from fpcore.reports import search as report

given = fpcore.parameters.check(globals(), search=str, workers=int, lang=str)
figures.use_style(given["lang"])
plan = fpcore.Search.load(given["search"])

# %% [markdown]
# ## 試行（trials）

# %%
fpcore.search(plan, workers=given["workers"])
e = fpcore.gather_search(plan)

# %% [markdown]
# ## 問いと答え

# %%
report.question(e)

# %%
report.answer(e)

# %%
axes = figures.search(e.record, figures.axes())

# %% [markdown]
# ## 上位を新しいシードで

# %%
report.best(e)

# %% [markdown]
# ## 選択の運

# %%
report.luck(e)

# %% [markdown]
# ## つまみの重要度

# %%
report.knobs(e)

# %% [markdown]
# ## すべての試行

# %%
report.trials(e)

# %% [markdown]
# ## 報告を書く

# %%
print(fpcore.shown(report.write(e)))
