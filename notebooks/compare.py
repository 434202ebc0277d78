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
lang = "ja"  # or en: the report in English, in the folder en/ of the Japanese one

# %%
import fpcore
from fpcore.reports import comparison, figures

names = fpcore.parameters.check(globals(), a=str, b=str, others=list, lang=str)
figures.use_style(names.pop("lang"))
c = fpcore.load_comparison(**names)
checked = comparison.checked(c)

# %% [markdown]
# ## 要点

# %%
comparison.gist(c, checked)

# %% [markdown]
# ## 実験条件の違い

# %%
comparison.conditions(c)

# %%
comparison.common(c)

# %% [markdown]
# ## 結果サマリー

# %%
comparison.summary(c)

# %% [markdown]
# ## 1. Effective Rank (ER) の変化

# %%
comparison.effective_rank(c)

# %%
both = figures.effective_rank_of_pair(c, figures.stacked())

# %% [markdown]
# ## 2. PPLの変化

# %%
comparison.perplexity(c)

# %%
both = figures.perplexity_of_pair(c, figures.stacked())

# %% [markdown]
# ## 3. αスケーリングの変化

# %%
comparison.alpha(c)

# %%
ax = figures.power_laws([c.a, c.b], figures.axes())

# %% [markdown]
# ## 4. Phase 1 収束の推移
#
# 収束率は、ノイズのある学習中の、1 反復の変化がしきい値未満のトークンの割合で、
# 固定点に着いた割合ではない。

# %%
comparison.convergence(c)

# %%
both = figures.convergence_of_pair(c, figures.stacked())

# %%
ax = figures.phase1_loss(c.traces, figures.axes())

# %% [markdown]
# ## パラメータ変更の影響分析

# %%
comparison.influence(c)

# %% [markdown]
# ## 結論と推奨設定
#
# ### 主要な発見

# %%
comparison.findings(c)

# %% [markdown]
# ### ER-PPL相関

# %%
comparison.er_ppl(c)

# %%
ax = figures.er_ppl(c.er_ppl, figures.axes())

# %% [markdown]
# ### 推奨設定

# %%
comparison.recommended(c)

# %% [markdown]
# ### 今後の検討

# %%
comparison.next_steps(c, checked)

# %% [markdown]
# ## 生データ

# %%
comparison.raw(c.whole[0])

# %%
comparison.raw(c.whole[1])

# %%
comparison.progression(c)

# %% [markdown]
# ## 検証
#
# 比べる前に、注意深い読み手が確かめることを規則で調べる。

# %%
checked.listed()

# %% [markdown]
# ## 報告を書く

# %%
print(fpcore.shown(comparison.write(c, checked)))
