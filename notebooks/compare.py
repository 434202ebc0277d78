# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2 つの実行を比べる（compare）
#
# 記録 `reports/runs/<a>.json` と `<b>.json` だけを読み、日本語の報告
# `reports/<a>-vs-<b>/report.md` を書く。差分はすべて b − a で、丸める前に計算する。

# %% tags=["parameters"]
# Parameters: the names of two records
a = "v5-small"
b = "v6-small"

# %%
import fpcore
from fpcore import checks, plots, report

plots.use_style()
names = fpcore.parameters.check(globals(), a=str, b=str)
c = fpcore.compare_runs(fpcore.load_record(names["a"]), fpcore.load_record(names["b"]))

# %% [markdown]
# ## 実験条件の違い

# %%
report.conditions(c)

# %% [markdown]
# ## 結果サマリー

# %%
report.summary(c)

# %% [markdown]
# ## 1. Effective Rank (ER)

# %%
report.effective_rank(c)

# %%
ax = plots.effective_rank([c.a, c.b], plots.axes())

# %% [markdown]
# ## 2. PPL

# %%
report.perplexity(c)

# %%
ax = plots.perplexity([c.a, c.b], plots.axes())

# %% [markdown]
# ## 3. α スケーリング

# %%
report.alpha(c)

# %%
ax = plots.power_laws([c.a, c.b], plots.axes())

# %% [markdown]
# ## 4. Phase 1 収束の推移

# %%
report.convergence(c)

# %%
ax = plots.convergence([c.a, c.b], c.samples[-1], plots.axes())

# %%
ax = plots.phase1_loss([c.a, c.b], c.samples[-1], plots.axes())

# %% [markdown]
# ## 5. ER と PPL

# %%
report.er_ppl(c)

# %%
ax = plots.er_ppl(c.er_ppl, plots.axes())

# %% [markdown]
# ## 検証
#
# 2 つの記録を比べる前に、注意深い読み手が確かめることを規則で調べる。

# %%
checks.checks_list([c.a, c.b])

# %% [markdown]
# ## 生データ

# %%
report.raw(c.a)

# %%
report.raw(c.b)

# %% [markdown]
# ## 報告を書く

# %%
print(fpcore.paths.shown(report.write(c)))
