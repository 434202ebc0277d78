"""要点: the three lines that every report opens with."""

from collections.abc import Iterable

from fpcore.analysis.checks.check import Verdicts
from fpcore.language import clauses, ended, said, template
from fpcore.notation import Markdown

HEADING = template("要点")
SAID = template("言えること")
NOTHING_OPEN = template("検証に残った問題はない")


def heading() -> str:
    """Return the heading of the three lines."""
    return f"## {said(HEADING)}"


def three_lines(about: str, what: str, told: str, following: str) -> Markdown:
    """Return the three lines: what was changed or looked at, what can be said, what to do next.

    Each is one or a few sentences without the last full stop; `about` names the first of them.
    """
    lines = {about: what, said(SAID): told, said("次にすること"): following}
    text = "\n".join(said("- **{name}**: {text}", name=k, text=ended(v)) for k, v in lines.items())
    return Markdown(text.replace(": \n", ":\n"))


def points(sentences: Iterable[str]) -> str:
    """Return what a line tells: a sentence alone as it is, several as a list below the line."""
    own = list(filter(None, sentences))
    return own[0] if len(own) == 1 else "".join(f"\n  - {one}" for one in own)


def first_step(checked: Verdicts, otherwise: str = "") -> str:
    """Return what would settle the first of the worst open checks, and how many more are open."""
    found = checked.open()
    if not found:
        return otherwise or said(NOTHING_OPEN)
    step = said("{settle}（検証「{title}」）", settle=found[0].settle, title=found[0].title)
    more = said("ほかに {n} 件", n=len(found) - 1) if len(found) > 1 else ""
    return clauses([step, more])
