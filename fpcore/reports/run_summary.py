"""What one run gave, in three lines, and what a careful reader would check of it."""

from fpcore import notation
from fpcore.analysis.checks.check import Verdicts
from fpcore.analysis.checks.registry import check_alone
from fpcore.config.run_config import RunConfig
from fpcore.notation import METRICS, Markdown, glued, number
from fpcore.records.by_seed import moments, values
from fpcore.records.frames import curve
from fpcore.records.pairs import CUT_SHORT, cut_short
from fpcore.records.record import RunRecord
from fpcore.reports import opening
from fpcore.stats.scaling import LEAST_SIZES, fit_power_law

SHOWN = ("val_ppl", "unigram_ppl", "val_er", "convergence_rate")


def gist(record: RunRecord) -> Markdown:
    """要点: what the run changed, what it reached at its largest size, and what to do next."""
    following = opening.first_step(check_alone(record), "ほかの実行と比べる（`compare`）")
    return opening.three_lines("変えたこと", _changed(record), _reached(record), following)


def checked(record: RunRecord) -> Verdicts:
    """検証: the outcomes of the checks that say something of a single run."""
    return check_alone(record)


def _changed(record: RunRecord) -> str:
    """Name the knobs that are not the defaults; a baseline is named by its kind."""
    defaults = RunConfig().model_dump()
    own = {k: v for k, v in record.config.items() if k != "name"}
    if foreign := {*own} - {*defaults}:
        kind = own.get("model", record.label) if "model" in foreign else record.label
        return f"`{record.name}` はベースライン（{notation.escaped(str(kind))}）"
    changed = [
        f"{notation.code(k)} {_value(defaults[k])} → {_value(v)}"
        for k, v in own.items()
        if v != defaults[k]
    ]
    return f"`{record.name}` は既定の設定から、{'、'.join(changed) or '何も変えていない'}"


def _value(value: object) -> str:
    return notation.escaped(notation.knob_value(value))


def _reached(record: RunRecord) -> str:
    if cut_short(record):
        return f"{CUT_SHORT}ので、PPL と正解率からは何も言えない"
    known = {m: moments(m, values(record, m)[record.largest]) for m in SHOWN}
    parts = [
        f"{METRICS[m].label} {notation.with_spread(m, *own)}"
        for m, own in known.items()
        if own[0] == own[0]
    ]
    sure = (
        "シードが 1 つなので、ばらつきは分からない"
        if record.seeds < 2
        else (f"シード n={record.seeds}、± はシード間の標準偏差")
    )
    return f"{record.largest} サンプルで {'、'.join([*parts, *_alpha(record)])}。{sure}"


def _alpha(record: RunRecord) -> list[str]:
    """Give the exponent with the interval of its fit, from LEAST_SIZES sizes on."""
    points = curve(record)
    if points["train_tokens"].nunique() < LEAST_SIZES:
        return []
    fit = fit_power_law(points["train_tokens"].tolist(), points["val_ppl"].tolist())
    label = glued(METRICS["alpha"].label, "は")
    return [f"{label} {number(fit.alpha, 3)} ± {number(fit.half_width, 3)}（95 % 区間）"]
