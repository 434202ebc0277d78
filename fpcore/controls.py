"""What phase 1 is worth: runs whose contexts were trained beside controls without phase 1."""

from collections.abc import Iterable, Sequence

from fpcore import tables
from fpcore.compare import Comparison, compare_runs
from fpcore.records import RunRecord
from fpcore.sentences import level, sizes
from fpcore.uncertainty import LEVEL, certain

SAID = {"up": "役に立つと言える", "down": "害になると言える", "same": "まったく同じ"}


def beside(record: RunRecord, others: Iterable[RunRecord]) -> list[RunRecord]:
    """Return the controls of a trained run: what differs from it in `contexts` alone."""
    if record.config.get("contexts") != "trained":
        return []
    own = record.config | {"contexts": None, "name": None}
    return [
        other
        for other in others
        if other.config.get("contexts") in ("untrained", "zero")
        and other.config | {"contexts": None, "name": None} == own
    ]


def worth(record: RunRecord, controls: Sequence[RunRecord]) -> str:
    """Say in one sentence whether phase 1 lowers Val PPL, with simultaneous 95 % intervals.

    The difference is the control's Val PPL less the trained run's, at the largest size.
    """
    share = 1 - (1 - LEVEL) / max(1, len(controls))
    found = [compare_runs(record, control, level=share) for control in controls]
    if not found:
        return ""
    said = "、".join(_said(c) for c in found)
    head = f"Phase 1 の訓練は（対照の Val PPL − `{record.name}`、{sizes([found[0].samples[-1]])}、"
    return f"{head}[ ] は {level(share)} 区間）: {said}。"


def _said(c: Comparison) -> str:
    row = c.summary.set_index("metric").loc["val_ppl"].to_dict()
    gap = tables.difference("val_ppl", row["difference"])
    ends = tables.interval("val_ppl", row["low"], row["high"])
    direction = certain(row["direction"], c.seeds)
    what = SAID.get(direction, "役に立つとも害になるとも言えない")
    what += "（シード 1）" if c.seeds < 2 else ""
    return f"{c.b.config['contexts']} に対して {gap} {ends} で、{what}"
