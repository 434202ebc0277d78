"""要点: the three lines that every report opens with."""

from fpcore.analysis.checks.check import Verdicts
from fpcore.notation import Markdown

HEADING = "要点"
SAID = "言えること"


def three_lines(about: str, what: str, said: str, following: str) -> Markdown:
    """Return the three lines: what was changed or looked at, what can be said, what to do next.

    Each is one or a few sentences without the last full stop; `about` names the first of them.
    """
    lines = {about: what, SAID: said, "次にすること": following}
    return Markdown("\n".join(f"- **{k}**: {v.removesuffix('。')}。" for k, v in lines.items()))


def first_step(checked: Verdicts, otherwise: str = "検証に残った問題はない") -> str:
    """Return what would settle the first of the worst open checks, and how many more are open."""
    found = checked.open()
    if not found:
        return otherwise
    more = f"。ほかに {len(found) - 1} 件" if len(found) > 1 else ""
    return f"{found[0].settle}（検証「{found[0].title}」）{more}"
