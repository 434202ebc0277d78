"""How trials, their knobs and differences are written."""

import math

from fpcore import notation
from fpcore.analysis.contrasts import HUGE
from fpcore.analysis.difference import MetricDifference
from fpcore.analysis.search import SearchEvidence
from fpcore.language import listed, said, template
from fpcore.notation import DASH, number, percent
from fpcore.records.by_seed import moments, values
from fpcore.records.record import RunRecord
from fpcore.records.searches import SearchTrial
from fpcore.reports import sentences

SAID = {
    "up": template("高い（悪い）"),
    "down": template("低い（良い）"),
    "same": template("同じ"),
    "tiny": template("表示の桁では同じ"),
}


def changed_knobs(e: SearchEvidence, trial: SearchTrial) -> str:
    """Write the knobs in which a trial differs from the base."""
    own = {k: v for k, v in trial.knobs.items() if v != e.record.first[k]}
    return listed(f"`{k}` {short(v)}" for k, v in own.items())


def all_knobs(trial: SearchTrial) -> str:
    """Write all knobs of a trial."""
    return listed(f"{k} {short(v)}" for k, v in trial.knobs.items())


def short(value: object) -> str:
    """Write the value of a knob in three digits, for those that are drawn have many."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def perplexity(record: RunRecord) -> str:
    """Write Val PPL at the largest size, with its spread over seeds."""
    return notation.with_spread(
        "val_ppl", *moments("val_ppl", values(record, "val_ppl")[record.largest])
    )


def exponential(loss: float | None) -> str:
    """Write the perplexity of a loss in nats; a dash where it is unknown."""
    return DASH if loss is None else number(_power(loss), 1)


def lower_by(nats: float) -> str:
    """Write a gain in nats as the share by which perplexity is lower."""
    return percent(1 - _power(-nats))


def verdict(d: MetricDifference) -> str:
    """Say a difference with its interval, and what may be said of it."""
    if d.certain == "unknown":
        return said("比べられない")
    small = said("小さい") if d.small and d.certain in ("up", "down") else ""
    word = said(SAID.get(d.certain, sentences.UNCLEAR))
    return listed([sentences.with_interval(d), word, small])


def _power(nats: float) -> float:
    """Return e to some power, also where that is beyond all numbers."""
    return math.inf if nats > HUGE else math.exp(nats)
