"""What stands over views of several runs whose perplexities are no fair sight beside each other."""

from matplotlib.axes import Axes

from fpcore import notation
from fpcore.language import said, template
from fpcore.records.pairs import CUT_SHORT, cut_short, different_texts
from fpcore.records.record import RunRecord

MIXED = template("テキストの違う実行を含む（高さは比べられない）")
UNENDED = template("Phase 2 が終わっていない実行を含む（PPL は比べられない）")


def cautions(records: list[RunRecord], ax: Axes | None = None) -> list[str]:
    """Say which runs read another text or vocabulary than the first one, or were cut short.

    A figure says it in its title.
    """
    others: dict[str, list[str]] = {}
    for record in records[1:]:
        if different := different_texts(records[0], record):
            others.setdefault("、".join(different), []).append(notation.code(record.name))
    short = [notation.code(record.name) for record in records if cut_short(record)]
    if ax:
        told = [text for text, holds in ((MIXED, others), (UNENDED, short)) if holds]
        ax.set_title("\n".join([ax.get_title(), *map(said, told)]))
    first = notation.code(records[0].name) if records else ""
    lines = [
        f"**注意**　{'、'.join(names)} は {first} と {what} が違う。PPL などの高さは比べられない。"
        for what, names in others.items()
    ]
    cut = f"**注意**　{'、'.join(short)} は{CUT_SHORT}。PPL、正解率、α は比べられない。"
    return [*lines, cut] if short else lines
