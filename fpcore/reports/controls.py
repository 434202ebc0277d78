"""What controls without phase 1 say of its worth."""

from collections.abc import Sequence

from fpcore.analysis.comparison import Comparison
from fpcore.analysis.difference import MetricDifference
from fpcore.language import clauses, said, template
from fpcore.reports.sentences import level, per_size, qualified

HELPS = {
    "up": template("役に立つと言える"),
    "down": template("害になると言える"),
    "same": template("まったく同じ"),
}
UNDECIDED = template("役に立つとも害になるとも言えない")


def worth(run: str, found: Sequence[Comparison], share: float) -> str:
    """Say in one sentence whether phase 1 lowers Val PPL, with intervals of the level `share`.

    `found` are the comparisons of the run with each control; the differences are the control's Val
    PPL less the trained run's, at every size.
    """
    if not found:
        return ""
    return said(
        "Phase 1 の訓練は（差は対照の Val PPL − `{run}`、[ ] は {level} 区間）、{found}。",
        run=run,
        level=level(share),
        found=clauses(map(beside_control, found)),
    )


def beside_control(c: Comparison) -> str:
    """Say how a trained run (a) stands beside a control (b) in Val PPL, at every size."""
    kind = c.b.config["contexts"]
    if "val_ppl" in c.incomparable:
        return said("{kind} に対しては、{why}", kind=kind, why=c.incomparable["val_ppl"])
    return said("{kind} に対して{found!b}", kind=kind, found=per_size(c.by_size("val_ppl"), helps))


def helps(d: MetricDifference) -> str:
    """Say whether training contexts helps, of a control's metric less the trained run's."""
    return qualified(said(HELPS.get(d.certain, UNDECIDED)), d.small and d.certain in HELPS)
