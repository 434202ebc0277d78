# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 記録を見て回る（explore）
#
# すべての記録 `reports/runs/*.json` を、選びながら見る。**表示** で見方を、**実行**・**サイズ**・
# **指標** で中身を選ぶ（Ctrl か Shift で複数）。キーボードだけでも使える
# （Tab で移り、矢印で選ぶ）。
#
# - **絞り込み**: 名前の一部（空白で区切るとすべてを含むもの）。実行の一覧が短くなる
# - **曲線**: 反復（iteration）・エポック（epoch）・トークンに対する値。帯はシード間の最小–最大
# - **一覧**: 絞り込んだ実行を 1 行ずつ、基準との差とともに、選んだ指標のよい順に
# - **設定の違い**: 選んだ実行で同じでないパラメータだけ
# - **ER と PPL**: 点に指すと実行の名前が出る
# - **α**: ウィンドウの両端を動かすと、その間のサイズだけで当てはめ直す
# - **A/B 比較**: 報告 `report.md` と同じ表と検証
#
# 表は CSV と Markdown、図は SVG と PNG で保存できる。セルをもう一度実行しても、選択は残る。

# %% tags=["parameters"]
# Parameters: none; the controls below choose

# %%
import fpcore
from fpcore import book

given = fpcore.parameters.check(globals())
book.show()
