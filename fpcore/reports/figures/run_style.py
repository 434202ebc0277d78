"""How a run looks: one colour, dash and marker in the whole book, and what a legend calls it.

A run is given its look when it is first drawn: the colour that the figure and the book use least.
Looks of runs that have a record are kept in `reports/looks.json`, so later runs change none.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

import pandas as pd
import seaborn as sns
from filelock import FileLock, Timeout

from fpcore.errors import FpcoreError
from fpcore.language import said, template
from fpcore.paths import file_content, home, reports, write_atomically
from fpcore.records.record import RunRecord, record_path

__all__ = [
    "Style",
    "called",
    "line_styles",
    "run_styles",
]

# Colours that stand out from white and from the grey of references, and from each other for most
# readers (Okabe and Ito's, Tol's); two neighbours of the list differ in lightness, too.
PALETTE = [
    "#0173b2", "#de8f05", "#029e73", "#cc78bc", "#d55e00", "#56b4e9",
    "#882255", "#999933", "#332288", "#000000", "#8c510a", "#44aa99",
]  # fmt: skip
DASHES: list[str | tuple[int, tuple[int, ...]]] = [
    "-", "--", ":", "-.", (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 4)),
]  # fmt: skip
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
KINDS = {
    "gpt": "GPT", "lstm": "LSTM", "kneser-ney": "Kneser–Ney",
    "untrained": template("訓練しない文脈"), "zero": template("文脈なし"),
}  # fmt: skip


class Style(NamedTuple):
    """The colour, line style and marker of a line."""

    color: str
    dash: str | tuple[int, tuple[int, ...]] = "-"
    marker: str = "o"


def run_styles(names: Iterable[str]) -> dict[str, Style]:
    """Return how runs look, in every figure; those that are new are given their looks."""
    wanted, kept = [*dict.fromkeys(names)], _kept()
    found = _with_looks(kept, wanted)
    if new := {name: found[name] for name in wanted if name not in kept and _recorded(name)}:
        _keep(new)
    looks = {name: found[name] for name in wanted}
    return {name: Style(c, DASHES[mark], MARKERS[mark]) for name, (c, mark) in looks.items()}


def line_styles(rows: pd.DataFrame, hue: str) -> list[Style]:
    """Return the look of the lines that the column `hue` tells apart, in the order of the rows.

    Lines of the column `run`, or `label`, which names a run and a size, have the colour and marker
    of their run, further sizes another dash; any others, such as the sizes of one run, are shades
    from the first to the last.
    """
    lines = rows.drop_duplicates(hue)
    if hue not in ("run", "label"):
        return [Style(color) for color in sns.color_palette("crest", len(lines)).as_hex()]
    looks, seen, styles = run_styles(lines["run"]), Counter[str](), []
    for run in lines["run"]:
        look = looks[run]
        turn = (DASHES.index(look.dash) + seen[run]) % len(DASHES)
        styles.append(look._replace(dash=DASHES[turn]))
        seen[run] += 1
    return styles


def called(records: Iterable[RunRecord]) -> dict[str, str]:
    """Return what a legend calls runs: their names, and where they are of several kinds those.

    A run from whose name those of others begin is their base.
    """
    kinds = {record.name: _kind(record) for record in records}
    if len({*kinds.values()}) > 1:
        return {name: said("{kind}（{name}）", kind=kinds[name], name=name) for name in kinds}
    based = {name for name in kinds if any(other.startswith(f"{name}-") for other in kinds)}
    return {name: said("{name}（基準）", name=name) if name in based else name for name in kinds}


def _kind(record: RunRecord) -> str:
    config = record.config
    known = [str(config.get(knob)) for knob in ("model", "contexts")]
    kind = next((said(KINDS[one]) for one in known if one in KINDS), said("固定点文脈"))
    return said("{kind}、自分の埋め込み", kind=kind) if config.get("own_embedding") else kind


Looks = dict[str, tuple[str, int]]  # by name, the colour and the number of the marker


def _with_looks(kept: Looks, names: list[str]) -> Looks:
    """Return the looks that are kept, and new ones of the other names."""
    found = dict(kept)
    for name in names:
        if name not in found:
            found[name] = _free([found[n] for n in names if n in found], found.values())
    return found


def _free(figure: Iterable[tuple[str, int]], book: Iterable[tuple[str, int]]) -> tuple[str, int]:
    """Return the colour that a figure, then the book, uses least, and then the marker."""
    here, there = [*figure], [*book]
    near, far = (Counter(color for color, _ in looks) for looks in (here, there))
    color = min(PALETTE, key=lambda c: (near[c], far[c]))
    whole = Counter(there)
    near_marks, far_marks = (Counter(mark for _, mark in looks) for looks in (here, there))
    free = min(range(len(MARKERS)),
               key=lambda m: (whole[color, m], near_marks[m], far_marks[m]))  # fmt: skip
    return color, free


def _recorded(name: str) -> bool:
    with suppress(FpcoreError):
        return record_path(name).is_file()
    return False


def _kept() -> Looks:
    """Return the looks that the book keeps; what is damaged or unknown is left out."""
    try:
        known = json.loads(file_content(reports() / "looks.json"))
        pairs = known.items() if isinstance(known, Mapping) else ()
        return {name: (color, MARKERS.index(marker)) for name, (color, marker) in pairs
                if color in PALETTE and marker in MARKERS}  # fmt: skip
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def _keep(new: Looks) -> None:
    """Add looks to those that the book keeps; where that cannot be, they are given anew."""
    lock = home() / ".locks" / "looks.lock"
    with suppress(OSError, FpcoreError, Timeout):
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=2):
            write_atomically(reports() / "looks.json", _text(new | _kept()).encode())


def _text(looks: Looks) -> str:
    """Return looks as a file: a line for each, so that two that were added merge."""
    lines = [
        f" {json.dumps(name, ensure_ascii=False)}: {json.dumps([color, MARKERS[mark]])}"
        for name, (color, mark) in sorted(looks.items())
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"
