"""What a heading, a head or a row says of its numbers: metric, size, step, window, qualifiers."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from fpcore.claims.terms import METRIC, TERMS, metrics_in, number_words

_COUNTERS = number_words("サンプル 会話 件 samples sample conversations samps データ".split())
SIZE = re.compile(rf"(\d{{1,3}}(?:,\d{{3}})+|\d+)\s?{_COUNTERS}(?:時|数)?", re.IGNORECASE)
_STEPS = number_words(
    "反復 回 イテレーション エポック ステップ iterations iteration iters iter epochs epoch ep steps"
    " step".split()
)
STEP = re.compile(
    rf"(?:\b(?:iter(?:ation)?|epoch|step|ep|反復|エポック|ステップ)|(?:反復|エポック"
    rf"|ステップ))\s*[:=]?\s*(\d+)"
    rf"|(?<![A-Za-z\d])(\d+)\s?{_STEPS}(?:目|時点|時)?",
    re.IGNORECASE,
)
WINDOW = re.compile(
    r"(?:(?:window|ウィンドウ|窓)\s*\d+\s*)?\(?(\d+)\s*[-~]\s*(\d+)\)?", re.IGNORECASE
)
_PARENS = re.compile(r"[(\[{「【][^()\[\]{}「」【】]*[)\]}」】]")
_NUMBERING = re.compile(
    r"^\s*(?:(?:\d+(?:[.-]\d+)*[.)]?|[A-Z][.)]|Phase \d+:?|Step \d+:?)\s+|[①-⑳])"
)
_SPLIT = re.compile(
    r"[\s、。・,/:;|()\[\]{}「」【】→⇒=<>\"'!?&]+|--+|(?<!\w)\++|\++(?!\w)|ごとの|別の|の|における|による"
    r"|と(?=[A-Za-zァ-ヴ一-龥])|では|には|は$|が$|を$"
)
_VERSUS = re.compile(
    r"[^\s(]+\s+(?:vs\.?|対|と)\s+[^\s(]+(?:\s+(?:vs\.?|対)\s+[^\s(]+)*", re.IGNORECASE
)
_QUALIFIERS = {w.lower() for w in TERMS["qualifiers"]}
_NEUTRALS = {w.lower() for w in TERMS["neutral"]}


@dataclass(frozen=True)
class Label:
    """What a short text names; `words` are all that is left of it, `notes` what is in brackets."""

    metric: str = ""
    words: frozenset[str] = frozenset()
    notes: frozenset[str] = frozenset()
    size: int | None = None
    step: int | None = None
    window: str = ""


@lru_cache(maxsize=50_000)
def read_label(text: str, heading: bool = False) -> Label:
    """Return what a label names. A heading may name several metrics and so names none."""
    text = _NUMBERING.sub("", text) if heading else text
    text = _VERSUS.sub(" ", re.sub(r"(?i)phase \d+", " ", text)) if heading else text
    size, window = _first(SIZE, text), WINDOW.search(text)
    bare = _PARENS.sub(" ", text)
    notes = frozenset(w for m in _PARENS.finditer(text) for w in _words(SIZE.sub(" ", m[0][1:-1])))
    step = _first(STEP, bare)
    bare = STEP.sub(" ", SIZE.sub(" ", bare))
    names = metrics_in(bare)
    bare = METRIC.sub(" ", bare)
    if window:
        bare, notes = WINDOW.sub(" ", bare), frozenset()
        bare = re.sub(r"(?i)window\s*\d*|ウィンドウ\s*\d*|窓\s*\d*", " ", bare)
    metric = names[0][0] if len(names) == 1 and not heading else ""
    told = frozenset(w for w in notes if w in _QUALIFIERS)
    extra = frozenset(n for n, _, _ in names) if len(names) > 1 and not heading else frozenset()
    key = f"{window[1]}-{window[2]}" if window else ""
    return Label(metric, _words(bare) | extra | told, notes - told, size, step, key)


def _first(pattern: re.Pattern[str], text: str) -> int | None:
    m = pattern.search(text)
    return int(next(filter(None, m.groups())).replace(",", "")) if m else None


def _words(text: str) -> frozenset[str]:
    parts = (p.strip(" .-_#*~").lower() for p in _SPLIT.split(text))
    parts = (p for p in parts if re.search(r"\w", p))
    return frozenset(p for p in parts if p not in _NEUTRALS and p not in ("全体", "overall"))


def united(labels: Iterable[Label]) -> Label:
    """Return what labels say together; the first that names a metric, size or step decides."""
    found = list(labels)
    return Label(
        next((x.metric for x in found if x.metric), ""),
        frozenset().union(*(x.words for x in found)),
        frozenset().union(*(x.notes for x in found)),
        next((x.size for x in found if x.size is not None), None),
        next((x.step for x in found if x.step is not None), None),
        next((x.window for x in found if x.window), ""),
    )
