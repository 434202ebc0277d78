"""What one run gave, in three lines, and what a careful reader would check of it."""

import math

from fpcore import notation
from fpcore.analysis.chance import CURE, worse_than_chance
from fpcore.analysis.checks.check import WRONG, Verdicts
from fpcore.analysis.checks.of_pairs import FEW_SEEDS
from fpcore.analysis.checks.registry import check_alone
from fpcore.config.run_config import RunConfig
from fpcore.language import clauses, listed, passage, said, template
from fpcore.metric import METRICS
from fpcore.notation import Markdown, counted, number
from fpcore.records.by_seed import moments, values, without_seeds
from fpcore.records.frames import curve
from fpcore.records.pairs import CUT_SHORT, cut_short
from fpcore.records.record import RunRecord
from fpcore.reports import opening
from fpcore.stats.scaling import LEAST_SIZES, fit_power_law

OF_PHASE1 = ("val_er", "convergence_rate")


def gist(record: RunRecord) -> Markdown:
    """要点: what the run changed, what it reached at its largest size, and what to do next."""
    about, what = _changed(record)
    if not record.results:
        return opening.three_lines(about, what, said("結果がない"), said("実行し直す"))
    return opening.three_lines(about, what, _reached(record), _next(record))


def checked(record: RunRecord) -> Verdicts:
    """検証: the outcomes of the checks that say something of a single run."""
    return check_alone(record)


def _changed(record: RunRecord) -> tuple[str, str]:
    """Name the knobs that are not the defaults; a baseline is named by its kind."""
    defaults = RunConfig().model_dump()
    own = {k: v for k, v in record.config.items() if k != "name"}
    if {*own} - {*defaults}:
        kind = notation.escaped(str(own.get("model", record.label)))
        return said("実行"), said("`{run}`、ベースライン（{kind}）", run=record.name, kind=kind)
    changed = [
        f"{notation.code(k)} {_value(defaults[k])} → {_value(v)}"
        for k, v in own.items()
        if v != defaults[k]
    ]
    text = template("`{run}` は既定の設定のまま")
    if changed:
        text = template("`{run}` を既定から変えた: {changed}")
    return said("変えたこと"), said(text, run=record.name, changed=listed(changed))


def _value(value: object) -> str:
    return notation.escaped(notation.knob_value(value))


def _reached(record: RunRecord) -> str:
    short, worse = cut_short(record), worse_than_chance(record)
    parts = [] if short else [_perplexity(record)]
    parts += [f"{METRICS[m].name} {_mean(record, m)}" for m in OF_PHASE1 if _mean(record, m)]
    parts += [] if short else _alpha(record)
    warnings = [
        said("**注意**　Val PPL が {worse}。", worse=worse) if worse else "",
        said("{why}ので、PPL と正解率からは何も言えない。", why=said(CUT_SHORT)) if short else "",
    ]
    reached = said("{n} サンプルで {values}", n=record.largest, values=listed(parts))
    return passage(*warnings, clauses([reached, _sureness(record)]))


def _sureness(record: RunRecord) -> str:
    if without_seeds(record):
        return said("数えるだけのモデルで、シードはない")
    if record.seeds < 2:
        return said("シードが 1 つなので、ばらつきは分からない")
    return said("シード n={n}、± はシード間の標準偏差", n=record.seeds)


def _perplexity(record: RunRecord) -> str:
    counts, own = _mean(record, "unigram_ppl"), _mean(record, "val_ppl")
    alone = counts.partition(" ±")[0]
    beside = said("（unigram モデル {ppl}）", ppl=alone) if counts else ""
    return f"{METRICS['val_ppl'].name} {own}{beside}" if own else ""


def _mean(record: RunRecord, metric: str) -> str:
    """Write the mean over seeds at the largest size; empty where it is not known."""
    mean, spread = moments(metric, values(record, metric)[record.largest])
    return "" if math.isnan(mean) else notation.with_spread(metric, mean, spread)


def _next(record: RunRecord) -> str:
    found = check_alone(record)
    if any(check.verdict == WRONG for check in found.open()):
        return opening.first_step(found)
    if worse_than_chance(record):
        return said(CURE)
    if record.seeds < FEW_SEEDS and not without_seeds(record):
        return said("`seeds` を {n}以上に増やす", n=counted(FEW_SEEDS))
    return opening.first_step(found, said("ほかの実行と比べる（`compare`）"))


def _alpha(record: RunRecord) -> list[str]:
    """Give the exponent with the interval of its fit, from LEAST_SIZES sizes on."""
    points = curve(record)
    if points["train_tokens"].nunique() < LEAST_SIZES:
        return []
    fit = fit_power_law(points["train_tokens"].tolist(), points["val_ppl"].tolist())
    half = number(fit.half_width, 3)
    text = template("{label} {alpha} ± {half}（95 % 区間）")
    return [said(text, label=METRICS["alpha"].name, alpha=number(fit.alpha, 3), half=half)]
