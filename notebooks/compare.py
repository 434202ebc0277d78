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
# `reports/<a>-vs-<b>/` に `report.md` と、それだけで開ける `report.html` を書く。
# 差分はすべて b − a で、丸める前に計算する。

# %% tags=["parameters"]
# Parameters: the names of two records, and of others to put beside them
a = "v5-small"
b = "v6-small"
others = []

# %%
import fpcore
from fpcore import checks, conclusions, plots, report, sections

plots.use_style()
names = fpcore.parameters.check(globals(), a=str, b=str, others=list)
c = fpcore.load_comparison(**names)

# %% [markdown]
# ## 実験条件の違い

# %%
sections.conditions(c)

# %%
sections.common(c)

# %% [markdown]
# ## 結果サマリー

# %%
sections.summary(c)

# %% [markdown]
# ## 1. Effective Rank (ER) の変化

# %%
sections.effective_rank(c)

# %%
ax = plots.effective_rank([c.a, c.b], plots.axes())

# %% [markdown]
# ## 2. PPLの変化

# %%
sections.perplexity(c)

# %%
ax = plots.perplexity([c.a, c.b], plots.axes())

# %% [markdown]
# ## 3. αスケーリングの変化

# %%
sections.alpha(c)

# %%
ax = plots.power_laws([c.a, c.b], plots.axes())

# %% [markdown]
# ## 4. Phase 1 収束の推移
#
# 収束率は、ノイズのある学習中の 1 歩の変化がしきい値未満のトークンの割合で、
# 固定点に着いた割合ではない。

# %%
sections.convergence(c)

# %%
ax = plots.convergence(c.traces, plots.axes())

# %%
ax = plots.phase1_loss(c.traces, plots.axes())

# %% [markdown]
# ## パラメータ変更の影響分析

# %%
conclusions.influence(c)

# %% [markdown]
# ## 結論と推奨設定
#
# ### 主要な発見

# %%
conclusions.findings(c)

# %% [markdown]
# ### ER-PPL相関

# %%
sections.er_ppl(c)

# %%
ax = plots.er_ppl(c.er_ppl, plots.axes())

# %% [markdown]
# ### 推奨設定

# %%
conclusions.recommended(c)

# %% [markdown]
# ### 今後の検討

# %%
conclusions.next_steps(c)

# %% [markdown]
# ## 生データ

# %%
sections.raw(c.whole[0])

# %%
sections.raw(c.whole[1])

# %%
sections.progression(c)

# %% [markdown]
# ## 検証
#
# 比べる前に、注意深い読み手が確かめることを規則で調べる。

# %%
checks.checks_list(c.records)

# %% [markdown]
# ## 報告を書く

# %%
print(fpcore.paths.shown(report.write(c)))
