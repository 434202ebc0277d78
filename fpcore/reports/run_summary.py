"""What one run gave, in three lines, and what a careful reader would check of it."""

import math

from fpcore import notation
from fpcore.analysis.chance import CURE, worse_than_chance
from fpcore.analysis.checks.check import WRONG, Verdicts
from fpcore.analysis.checks.of_pairs import FEW_SEEDS
from fpcore.analysis.checks.registry import check_alone
from fpcore.config.run_config import RunConfig
from fpcore.notation import METRICS, Markdown, counted, number
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
        return opening.three_lines(about, what, "結果がない", "実行し直す")
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
        return "実行", f"`{record.name}`、ベースライン（{kind}）"
    changed = [
        f"{notation.code(k)} {_value(defaults[k])} → {_value(v)}"
        for k, v in own.items()
        if v != defaults[k]
    ]
    what = f"を既定から変えた: {'、'.join(changed)}" if changed else "は既定の設定のまま"
    return "変えたこと", f"`{record.name}` {what}"


def _value(value: object) -> str:
    return notation.escaped(notation.knob_value(value))


def _reached(record: RunRecord) -> str:
    short, worse = cut_short(record), worse_than_chance(record)
    parts = [] if short else [_perplexity(record)]
    parts += [f"{METRICS[m].label} {_mean(record, m)}" for m in OF_PHASE1 if _mean(record, m)]
    parts += [] if short else _alpha(record)
    warning = f"**注意**　Val PPL が {worse}。" if worse else ""
    warning += f"{CUT_SHORT}ので、PPL と正解率からは何も言えない。" if short else ""
    said = f"{record.largest} サンプルで {'、'.join(filter(None, parts))}"
    return f"{warning}{said}。{_sureness(record)}"


def _sureness(record: RunRecord) -> str:
    if without_seeds(record):
        return "数えるだけのモデルで、シードはない"
    if record.seeds < 2:
        return "シードが 1 つなので、ばらつきは分からない"
    return f"シード n={record.seeds}、± はシード間の標準偏差"


def _perplexity(record: RunRecord) -> str:
    counts, own = _mean(record, "unigram_ppl"), _mean(record, "val_ppl")
    beside = f"（unigram モデル {counts.partition(' ±')[0]}）" if counts else ""
    return f"Val PPL {own}{beside}" if own else ""


def _mean(record: RunRecord, metric: str) -> str:
    """Write the mean over seeds at the largest size; empty where it is not known."""
    mean, spread = moments(metric, values(record, metric)[record.largest])
    return "" if math.isnan(mean) else notation.with_spread(metric, mean, spread)


def _next(record: RunRecord) -> str:
    found = check_alone(record)
    if any(check.verdict == WRONG for check in found.open()):
        return opening.first_step(found)
    if worse_than_chance(record):
        return CURE
    if record.seeds < FEW_SEEDS and not without_seeds(record):
        return f"`seeds` を {counted(FEW_SEEDS)}以上に増やす"
    return opening.first_step(found, "ほかの実行と比べる（`compare`）")


def _alpha(record: RunRecord) -> list[str]:
    """Give the exponent with the interval of its fit, from LEAST_SIZES sizes on."""
    points = curve(record)
    if points["train_tokens"].nunique() < LEAST_SIZES:
        return []
    fit = fit_power_law(points["train_tokens"].tolist(), points["val_ppl"].tolist())
    label = METRICS["alpha"].label
    return [f"{label} {number(fit.alpha, 3)} ± {number(fit.half_width, 3)}（95 % 区間）"]
