"""What columns may hold: each field of a record, the names that people give it, and its bounds."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal

from fpcore.config.run_config import RunConfig
from fpcore.errors import ConfigError
from fpcore.importing.values import SECONDS, Printed, plain

Kind = Literal["share", "perplexity", "loss", "real", "whole", "time", "text", "date", "seed"]
DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})(?!\d)")
MOST_WHOLE = 2**53
MOST_SECONDS = 10**10
MOST_NATS = 700  # whose exponential, the perplexity, is near the largest number there is
PER_CENT = ("%", "pct", "percent")


@dataclass(frozen=True)
class Field:
    """A field of a record, or of a trace, and how its values are read."""

    name: str
    kind: Kind
    names: tuple[str, ...] = ()


def _fields(*rows: tuple[str, Kind, str]) -> dict[str, Field]:
    return {name: Field(name, kind, tuple(names.split())) for name, kind, names in rows}


# Names are compared without case, spaces and the signs _ - . / between words.
KEYS = _fields(
    ("run", "text", "runname experiment exp name model version variant 実験 実験名 実行 条件 手法"),
    ("label", "text", "config configuration architecture arch アーキテクチャ 構成"),
    ("seed", "seed", "randomseed rngseed シード"),
    ("samples", "whole", "numsamples nsamples samplesize trainsamples conversations size "
     "numconversations nconversations サンプル数 サンプルサイズ サンプル 会話数 訓練サンプル数 "
     "データ数"),
    ("started", "date", "date day 日付 実験日"),
)  # fmt: skip
RESULTS = _fields(
    ("train_tokens", "whole", "tokens numtokens ntokens traintokencount トークン数 トークン "
     "訓練トークン数 訓練トークン"),
    ("val_tokens", "whole", "validationtokens validtokens 検証トークン数 検証トークン"),
    ("val_bytes", "whole", "validationbytes 検証バイト数"),
    ("phase1_iterations", "whole", "p1iter p1iters p1iterations phase1iter phase1iters p1反復 "
     "phase1反復"),
    ("convergence_rate", "share", "conv convrate convergence converged convergedratio p1conv "
     "phase1conv phase1convergence phase1convergencerate 収束率 phase1収束率 収束割合"),
    ("train_er", "share", "ter trainer traineffectiverank ertrain 訓練er"),
    ("val_er", "share", "ver valer validationer valeffectiverank erval 検証er"),
    ("train_er_centred", "share", "trainercentered trainer中心化"),
    ("val_er_centred", "share", "valercentered valer中心化"),
    ("train_er_clean", "share", "trainerノイズなし"),
    ("train_er_rows", "whole", ""),
    ("val_er_rows", "whole", ""),
    ("train_ppl", "perplexity", "tppl trainppl trainingppl trainperplexity trainingperplexity "
     "訓練ppl 学習ppl"),
    ("val_ppl", "perplexity", "vppl valppl validppl validationppl valperplexity "
     "validationperplexity evalppl 検証ppl"),
    ("val_acc", "share", "acc accuracy vacc valaccuracy validationaccuracy validacc 正解率 "
     "検証正解率 検証精度 精度"),
    ("bits_per_byte", "loss", "bpb bitsbyte"),
    ("unigram_ppl", "perplexity", "unigram"),
    ("best_epoch", "whole", "最良エポック"),
    ("epochs_run", "whole", "totalepochs 全エポック"),
    ("trained_parameters", "whole", "params numparams nparams parameters パラメータ数"),
    ("seconds", "time", "time runtime trainingtime walltime elapsed duration 実行時間 時間 秒"),
    ("alpha", "real", "α scalingexponent α全体 全体α αスケーリング係数 スケーリング係数"),
)  # fmt: skip
# Losses in nats among results; a record holds their exponential, the perplexity.
LOSSES = _fields(
    ("train_loss", "loss", "trainingloss tloss 訓練loss 訓練損失 学習損失"),
    ("val_loss", "loss", "validationloss validloss vloss evalloss 検証loss 検証損失"),
)
PHASE1 = _fields(
    ("iteration", "whole", "iter iterations it step 反復 反復回数 イテレーション"),
    ("convergence_rate", "share", " ".join(RESULTS["convergence_rate"].names)),
    ("loss", "real", "phase1loss trainloss trainingloss 損失 ロス"),
    ("fixed_point_loss", "real", "fploss cvfploss"),
    ("diversity_loss", "real", "divloss"),
    ("grad_norm", "real", "gradnorm gradientnorm"),
    ("layernorm_gain", "real", ""),
)
PHASE2 = _fields(
    ("epoch", "whole", "ep エポック"),
    ("train_loss", "loss", "loss trainingloss tloss 訓練loss 訓練損失 学習損失"),
    ("val_loss", "loss", "validationloss validloss vloss evalloss 検証loss 検証損失"),
    ("val_acc", "share", " ".join(RESULTS["val_acc"].names)),
    ("dev_loss", "loss", "developmentloss"),
    ("dev_acc", "share", "developmentacc"),
    ("train_ppl", "perplexity", " ".join(RESULTS["train_ppl"].names)),
    ("val_ppl", "perplexity", " ".join(RESULTS["val_ppl"].names)),
)
KNOB_NAMES = {
    "max_iter": "phase1maxiterations maxiterations phase1maxiter phase1iterations最大 最大反復",
    "gradient_clip": "phase1gradientclip gradclip clip phase1clip",
    "phase1_lr": "phase1learningrate",
    "phase2_lr": "phase2learningrate",
    "dist_reg_weight": "distreg distweight diversityweight",
    "context_noise": "noise phase1contextnoise",
    "convergence_threshold": "phase1convergencethreshold threshold",
    "min_converged_ratio": "phase1minconvergedratio",
    "phase1_batch": "phase1batchsize",
    "phase2_batch": "phase2batchsize",
    "epochs": "phase2epochs maxepochs numepochs phase2maxepochs",
    "patience": "phase2patience earlystoppingpatience",
    "context_dim": "contextdimension",
    "embed_dim": "embeddim embeddingdim",
    "layers": "numlayers nlayers 層数",
    "input_tokens": "numinputtokens",
    "val_samples": "numvalsamples",
}
KNOBS = {
    name: Field(name, "text", tuple(KNOB_NAMES.get(name, "").split()))
    for name in RunConfig.model_fields
    if name not in ("name", "samples")
}


@lru_cache(10_000)
def bare(name: str) -> str:
    """Return a name as names are compared: without case, brackets and what parts its words."""
    text = re.sub(r"[(\[].*?[)\]]", "", plain(name)).lower()
    return re.sub(r"[\s_.\-/:]+", "", text)


def unit_of(name: str) -> str:
    """Return the unit that a name gives to bare numbers: `%`, one of time, or none."""
    name = plain(name)
    found = re.findall(r"[(\[]\s*([^()\[\]]+?)\s*[)\]]|_(pct|percent|min|minutes|sec|ms|h)$", name)
    text = next(filter(None, found[-1])).lower() if found else ""
    if text in PER_CENT:
        return "%"
    if text in SECONDS:
        return text
    return {"分": "min", "秒": "s"}.get(name[-1:], "")


def named(name: str, *tables: dict[str, Field]) -> Field | None:
    """Return the field that a name means, of the first table that knows it."""
    whole = re.sub(r"_(pct|percent|min|minutes|sec|ms|h)$", "", name.strip())
    for key in (bare(name), bare(whole)):
        for table in tables:
            if found := _index(tuple(table.values())).get(key):
                return found
    return None


@lru_cache
def _index(table: tuple[Field, ...]) -> dict[str, Field]:
    """Return the fields of a table by every name; of two that share one the first counts."""
    words = [(word, field) for field in table for word in (bare(field.name), *field.names)]
    return dict(reversed(words))


def near(name: str, *tables: dict[str, Field]) -> str:
    """Return what a name may have meant, for a message."""
    known = {
        word: field.name
        for table in tables
        for field in table.values()
        for word in (bare(field.name), *field.names)
    }
    own = bare(name)
    begun = [word for word in known if len(own) > 3 and word.startswith(own)]
    near = min(begun, key=len) if begun else next(iter(get_close_matches(own, known, 1)), None)
    return f" (did you mean {known[near]}?)" if near else ""


def checked(field: Field, printed: Printed) -> float | int:
    """Return the value of a field, within its bounds.

    Raises:
        ValueError: it cannot be such a value; the text says why.
    """
    if printed.unit == "%" and field.kind != "share":
        raise ValueError("is a percentage, which this column cannot hold")
    if printed.unit == "s" and field.kind != "time":
        raise ValueError("is a time, which this column cannot hold")
    printed = printed.share if printed.unit == "%" else printed
    _bounded[field.kind](printed.value)
    if field.kind in ("whole", "seed"):
        return int(printed.value)
    return float(printed.value)


def _share(value: Decimal) -> None:
    if not 0 <= value <= 1:
        raise ValueError("is no share: one goes from 0 to 1, or from 0 % to 100 %")


def _perplexity(value: Decimal) -> None:
    if value < 1:
        raise ValueError("is no perplexity: one is at least 1")


def _loss(value: Decimal) -> None:
    if not 0 <= value <= MOST_NATS:
        raise ValueError(f"is no loss: one goes from 0 to {MOST_NATS}")


def _time(value: Decimal) -> None:
    if not 0 <= value <= MOST_SECONDS:
        raise ValueError("is no time: one goes from 0 to three centuries")


def _whole(least: int, most: int) -> Callable[[Decimal], None]:
    def check(value: Decimal) -> None:
        if value != value.to_integral_value() or not least <= value < most:
            raise ValueError(f"is no whole number of at least {least}")

    return check


def _any(value: Decimal) -> None:
    """Take every finite number."""


_bounded: dict[Kind, Callable[[Decimal], None]] = {
    "share": _share,
    "perplexity": _perplexity,
    "loss": _loss,
    "time": _time,
    "real": _any,
    "whole": _whole(1, MOST_WHOLE),
    "seed": _whole(0, 2**31),
}


def day(text: str) -> str:
    """Return a date as records hold it.

    Raises:
        ValueError: it is none.
    """
    m = DAY.match(plain(text))
    if m is None:
        raise ValueError("is no date such as 2025-11-30")
    return date(*map(int, m.groups())).isoformat()


def knob(name: str, value: Any) -> Any:
    """Return the value of a knob as a config would hold it.

    Raises:
        ValueError: no such knob can have it.
    """
    try:
        return getattr(RunConfig(**{"select_on": "dev"} | {name: value}), name)
    except ConfigError as error:
        raise ValueError(str(error).rstrip(".").removeprefix(f"{name} ")) from None


ALL = (KEYS, RESULTS, LOSSES, PHASE1, PHASE2, KNOBS)
