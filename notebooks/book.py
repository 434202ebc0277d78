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
#
# ## 途中で止まったら
#
# **同じコマンドをもう一度** 実行すれば続きから始まり、CPU では、止めなかったときと同じ記録になる。
# どちらの Phase も 1 秒ごとほど（書くのに時間の 50 分の 1 を超えない間隔）に状態を
# `.cache/checkpoints/<name>/` に残し、終わったシードとサイズは結果を残す。状態は、数字を決めるもの
# （設定・テキスト・埋め込み・コード・スレッド数・PyTorch）がすべて同じときだけ使う。記録ができれば
# 消える。`.cache/` はいつ消してもよい。1 つの名前を訓練するのは 1 つのプロセスだけで、途中は
# 別のノートブックの `fpcore.watch("v5-small")` で見られる。
#
# ## 多くの実行を同時に
#
# 訓練は [Dask](https://distributed.dask.org) のワーカー（worker）が、1 つに 1 ノートブックずつ
# 行う。何も指定しなければこの計算機のクラスターで、コアごとに 1 つ（実行がコアの数以下なら
# 2 コアに 1 つ、GPU があれば 1 つ）。`-p workers 2` で変えられ、コアは torch のスレッドとして
# 分けられる。
# `max_iter` のほかに Phase 1 の読む条件が同じ実行は、1 つのワーカーで Phase 1 を共有する。
#
# ほかの計算機も使うには、それぞれに clone と requirements を入れ（ディスクの共有は要らない）:
#
# ```bash
# dask scheduler --host 10.0.0.1                                  # 1 台で
# OMP_NUM_THREADS=8 dask worker tcp://10.0.0.1:8786 --nthreads 1  # それぞれで、いくつでも
# papermill --log-output notebooks/book.ipynb out.ipynb -p configs "[v5, v6]" -p scheduler tcp://10.0.0.1:8786
# ```
#
# ワーカーは自分の作業フォルダーの `fpcore-worker/` にコーパス・埋め込み・状態を置き、記録と
# 実行したノートブックは通信で戻る。scheduler に届く人は誰でもワーカーでコードを動かせるので、
# 自分のネットワークの中だけで使う。何度試し直すかは scheduler の `allowed-failures`。Slurm では
# [dask-jobqueue](https://jobqueue.dask.org) の `SLURMCluster` が scheduler とワーカーを起動する
# （`job_script_prologue=["export OMP_NUM_THREADS=8"]`、`scheduler` には
# `cluster.scheduler_address`）。

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
# 設定ごとに 1 つのワーカーが `run` を実行する。ワーカーが失敗しても、強制終了されても、
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
