"""What figures say, by language: Japanese as it stands in the code, English from one table."""

from typing import Any, Literal

from fpcore.errors import ConfigError
from fpcore.notation import METRICS

__all__ = ["Language", "said", "speak", "spoken"]

Language = Literal["ja", "en"]
# By what the code says. A text that is not here (a name, a number) is the same in both languages.
ENGLISH = {
    # axes
    "訓練トークン（対数）": "training tokens (log)",
    "Val PPL（対数）": "validation perplexity (log)",
    "反復": "iteration",
    "エポック": "epoch",
    "訓練の反復": "training iteration",
    "Phase 1 損失": "phase-1 loss",
    "検証損失": "validation loss",
    "開発損失": "development loss",
    "訓練損失（nat）": "training loss (nat)",
    "検証損失（nat）": "validation loss (nat)",
    "開発損失（nat）": "development loss (nat)",
    "Val Acc（エポックごと）": "validation accuracy (by epoch)",
    "開発 Acc（エポックごと）": "development accuracy (by epoch)",
    "固定点の項（fixed-point term）": "fixed-point term",
    "多様性の項（diversity term）": "diversity term",
    "勾配ノルム": "gradient norm",
    "LayerNorm の倍率": "LayerNorm gain",
    "ER（D に対する比）": "effective rank (share of D)",
    "b − a": "b − a",
    "b − a（%）": "b − a (%)",
    "b − a（ポイント）": "b − a (points)",
    # what is seen
    "横 {label}": "across: {label}",
    "縦 {label}": "up: {label}",
    "{y}（{x}）": "{y} ({x})",
    "。": ". ",
    "、": ", ",
    # titles
    "{label}　シード n={n}": "{label}, seeds n={n}",
    "{label}　シード n={n}、帯はシード間の最小–最大":
        "{label}, seeds n={n}, band: min–max over seeds",
    "差 {b} − {a}　シード n={n}": "{b} − {a}, seeds n={n}",
    "差 {b} − {a}　シード n={n}\n縦線は {level} の区間":
        "{b} − {a}, seeds n={n}\nbars: {level} interval",
    "差 {b} − {a}　シード n={n}\n縦線は検証会話だけによる {level} の区間":
        "{b} − {a}, seeds n={n}\nbars: {level} interval over validation conversations alone",
    "べき乗則と飽和則（点線）": "power law and saturating law (dotted)",
    "テキストの違う実行を含む（高さは比べられない）":
        "with runs of different texts (heights cannot be compared)",
    "スケーリング則": "scaling law",
    "収束の推移": "convergence",
    "ER と PPL": "effective rank and perplexity",
    "ER と PPL　実行 n={n}（数字はサンプル数、線は同じサイズ）":
        "effective rank and perplexity, runs n={n} (numbers: conversations, lines: same size)",
    "{samples} サンプル、シード n={n}（点はシード、線は平均 ± 標準偏差、破線は基準）":
        "{samples} conversations, seeds n={n} (points: seeds, bars: mean ± sd, dashed: base)",
    "{name}: {label}": "{name}: {label}",
    "plain に対する速さ": "speed relative to plain",
    "plain の何倍速いか（中央値）": "times faster than plain (median)",
    "精度": "precision",
    # lines
    "unigram モデル": "unigram model",
    "サンプル数": "conversations",
    "{run}（{samples} サンプル）": "{run} ({samples} conversations)",
    "{name}（n={n}）": "{name} (n={n})",
    "{name}（α={alpha}, R²={r_squared}, n={n}）": "{name} (α={alpha}, R²={r_squared}, n={n})",
    "{name}（基準）": "{name} (base)",
    "{kind}（{name}）": "{kind} ({name})",
    "{kind}、自分の埋め込み": "{kind}, own embedding",
    "固定点文脈": "fixed-point contexts",
    "訓練しない文脈": "untrained contexts",
    "文脈なし": "no contexts",
    "値の記録がない": "no values recorded",
    "比べられない": "not comparable",
    "差はない（曲線は同じ）": "no difference (the curves are equal)",
    # the fixed-point diagnosis
    "中央値": "median",
    "最大": "maximum",
    "ER（中心化）": "ER (centred)",
    "PR（中心化）": "PR (centred)",
    "訓練": "training",
    "検証": "validation",
    "訓練の閾値に相当": "as the threshold of training",
    "固定点（{tolerance}）": "fixed point ({tolerance})",
    "雑音なしの反復": "iteration without noise",
    "雑音なしの反復（対数、0 は開始）": "iteration without noise (log, 0: start)",
    "相対残差（対数）": "relative residual (log)",
    "D に対する比": "share of D",
    "{title}: 相対残差（n={n} トークン）": "{title}: relative residual (n={n} tokens)",
    "{title}: 文脈の広がり（各 {n} 行）": "{title}: spread of contexts ({n} rows each)",
    "{title}: Phase 1 損失の 2 つの項": "{title}: the two terms of the phase-1 loss",
    "{title}: 多様性の項と LayerNorm の利得": "{title}: diversity term and LayerNorm gain",
    "固定点の項": "fixed-point term",
    "多様性の項 × (−1)": "diversity term × (−1)",
    "損失の項（重みの前、対数）": "terms of the loss (unweighted, log)",
    "多様性の項（大きさ）": "diversity term (size)",
    "LayerNorm の利得": "LayerNorm gain",
    "大きさ ÷ 利得": "size ÷ gain",
    "反復 {first} からの変化": "change since iteration {first}",
    # the tutorial
    "回": "step",
    "トークン（上から順に）": "tokens (in order from the top)",
    "{title}　n={n} トークン": "{title}, n={n} tokens",
    "Phase 1 の動き": "movement in phase 1",
    "凍結後の動き": "movement with frozen weights",
    "動いた割合 ‖c − 前の c‖ / ‖c‖（10 の何乗か）":
        "relative movement ‖c − previous c‖ / ‖c‖ (power of 10)",
    "第 1 主成分": "first principal component",
    "第 2 主成分": "second principal component",
    "文脈の動き（{n} 反復、2 軸で分散の {share}）":
        "movement of contexts ({n} iterations, {share} of the variance on two axes)",
}  # fmt: skip
OF_METRICS = {
    "convergence_rate": "convergence rate", "train_er": "train effective rank (share of D)",
    "train_er_clean": "train effective rank (no noise)",
    "train_er_centred": "train effective rank (centred)",
    "val_er": "validation effective rank (share of D)",
    "val_er_centred": "validation effective rank (centred)", "train_ppl": "training perplexity",
    "val_ppl": "validation perplexity", "unigram_ppl": "perplexity of the unigram model",
    "bits_per_byte": "bits per byte", "val_acc": "validation accuracy", "best_epoch": "best epoch",
    "alpha": "α (scaling exponent)", "seconds": "seconds",
}  # fmt: skip
ENGLISH |= {METRICS[metric].on_axis: text for metric, text in OF_METRICS.items()}
_spoken: list[Language] = ["ja"]


def speak(language: Language) -> None:
    """Let all figures that are drawn from now on use a language."""
    if language not in ("ja", "en"):
        raise ConfigError(f"lang must be ja or en, not {language!r}.")
    _spoken[0] = language


def spoken() -> Language:
    """Return the language of the figures."""
    return _spoken[0]


def said(text: str, **fields: Any) -> str:
    """Return a text in the language of the figures, its {fields} filled in.

    Texts that the table does not have, such as names of runs, are the same in every language.
    """
    template = ENGLISH.get(text, text) if _spoken[0] == "en" else text
    return template.format(**fields) if fields else template
