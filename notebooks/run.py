# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1 つの設定を実行する（run）
#
# コーパス → トークン → **Phase 1**（文脈ブロックを並列に訓練し、文脈 context を固定点に
# 近づける）→ **Phase 2**（文脈ブロックを凍結し、次トークン予測を訓練する）
# → **記録** `reports/runs/<name>.json`。
#
# 下のセルの値を 1 つ変えて実行する。コマンドラインからは
# `papermill run.ipynb out.ipynb -p max_iter 100`。
# 名前の綴りや値の誤りは、訓練の前に 1 文で知らせる。

# %% tags=["parameters"]
# Parameters: every knob of RunConfig; the values are params/v5-small.yaml
name = ""  # empty: made from what differs from the defaults
corpus = "chitchat"  # chitchat, ultrachat, or a path to .txt, .jsonl, .parquet
tokenizer = "bpe-4096"  # gpt2 or bpe-N
embedding = "ppmi-frequency"  # or ppmi, gpt2, random, a path to .safetensors
embed_dim = 128
samples = [12, 25, 50, 100, 200]  # training conversations
val_samples = None  # validation conversations; None: 200, or a tenth of a small corpus
val_tokens = 1000  # the first tokens of each that count; None: all
dev_tokens = 100  # as val_tokens, of each development conversation
built_from = (
    "pool"  # tokenizer and embedding: of all training conversations, or of "training" alone
)
data_seed = 0  # 0: training conversations as they stand; any other draws which ones
layers = 1
context_dim = 181
input_tokens = 1
contexts = "trained"  # trained by phase 1; untrained or zero: controls without phase 1
max_iter = 60
gradient_clip = 1.0
dist_reg_weight = 0.9
context_noise = 0.1
convergence_threshold = 0.03
min_converged_ratio = 0.99
phase1_lr = 0.002
phase1_batch = 5000
epochs = 80
patience = 3
phase2_lr = 0.005  # or a list, from which development chooses
phase2_batch = 512
output_bias = "none"  # unigram: a trained bias of the head
select_on = "val"  # which split chooses the epoch: dev or val
er_rows = 10000  # rows for the effective rank; None: all
seeds = [42]
device = "auto"
precision = "auto"  # auto (bfloat16 products where they are fast), float32, bfloat16, float64
bfloat16_contexts = False  # store the contexts of phase 1 in bfloat16: half the memory
keep_models = True  # keep the trained models in .cache/models, for fpcore.load_model
force = False  # train even if there is a record of this config
share = ""  # a name: runs given the same one share phase 1, where it differs in length alone
lang = "ja"  # or en: the words of this notebook's tables and figures

# %% [markdown]
# ## 設定
#
# 既定値（default）と違うものには印を付ける。

# %%
import fpcore
from fpcore.reports import figures, one_run

figures.use_style(lang)
config, force, share = fpcore.parameters.run_config(globals())
one_run.config_table(config)

# %% [markdown]
# ## 訓練
#
# 同じ設定・同じ digest（中身の指紋。データとコード）の記録があれば、それを使い、そう表示する。
# 名前を付けない実行は、同じ設定なら別の名前の記録も使う。

# %%
record = fpcore.run(config, force=force, share=share)

# %% [markdown]
# ## 要点

# %%
one_run.gist(record)

# %% [markdown]
# ## Phase 1: 収束率・損失・Effective Rank
#
# 収束率 (convergence rate) は、1 反復での文脈の変化がしきい値より小さいトークンの割合。
# 反復 1 は文脈を乱数で作るだけなので、曲線は反復 2 から始まる。

# %%
ax = figures.phase1_by_size(record, "convergence_rate", "収束率", figures.axes())

# %%
ax = figures.phase1_by_size(record, "loss", "Phase 1 損失", figures.axes())

# %%
ax = figures.effective_rank_splits(record, figures.axes())

# %% [markdown]
# ## Phase 2: 次トークン予測
#
# 丸は最良エポック。報告する Val PPL はそのエポックの値。

# %%
ax = figures.phase2_by_size(record, figures.axes())

# %% [markdown]
# ## 結果
#
# ER は文脈の次元 D に対する比。unigram は同じトークンで数えた 1-gram モデルの Val PPL で、
# これを下回らないうちは文脈が役に立っているとは言えない。

# %%
one_run.runs_table(fpcore.frame([record]))

# %% [markdown]
# ## スケーリング: PPL = A・トークン^α

# %%
one_run.fits_table([record])

# %%
ax = figures.power_laws([record], figures.axes())

# %% [markdown]
# ## 検証

# %%
one_run.checked(record).listed()
