"""The words that reports use (`terms.yaml`), and what a text names with them; no number."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

TERMS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("terms.yaml").read_text("utf-8"))
METRICS: dict[str, dict[str, Any]] = TERMS["metrics"]


def plain(text: str) -> str:
    """Return a text in NFKC without emphasis, with one kind of minus."""
    text = unicodedata.normalize("NFKC", text).translate(str.maketrans("−–‐〜", "---~"))
    return re.sub(r"[*`]", "", text)


def any_of(words: Iterable[str], flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """Compile words, the longest first; Latin ones match as whole words only."""
    parts = []
    for word in sorted(map(plain, words), key=len, reverse=True):
        before = r"(?<![A-Za-z0-9_.-])" if re.match(r"\w", word, re.ASCII) else ""
        after = r"(?![A-Za-z0-9_])" if re.search(r"\w$", word, re.ASCII) else ""
        parts.append(before + re.escape(word) + after)
    return re.compile("|".join(parts) or r"(?!)", flags)


def alternatives(words: Iterable[str]) -> str:
    """Return the part of a pattern that matches any of the words, the longest first."""
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def number_words(words: Iterable[str]) -> str:
    """Return the alternatives of words that stand behind numbers, not as part of a longer one."""
    return rf"(?:{alternatives(words)})(?![A-Za-z])"


def _index(table: dict[str, list[str]]) -> dict[str, str]:
    return {plain(alias).lower(): name for name, aliases in table.items() for alias in aliases}


ALIASES = _index({name: terms["aliases"] for name, terms in METRICS.items()})
COLUMNS, SENSES = _index(TERMS["columns"]), _index(TERMS["words"])
METRIC, WORD, COLUMN = any_of(ALIASES), any_of(SENSES), any_of([*ALIASES, *COLUMNS])
DIFFERENCE, OVERALL = any_of(TERMS["differences"]), any_of(TERMS["overall"])
_STEPS = alternatives(TERMS["columns"]["step"])
SETTING, HEDGE = any_of(TERMS["settings"]), any_of(TERMS["hedges"])
CONDITION = any_of(TERMS["conditions"])
LAST = any_of(TERMS["last"])
VARIABLES = {kind: any_of(words) for kind, words in TERMS["variables"].items()}
GAP = alternatives(set(TERMS["differences"]) - set(TERMS["exact"]))
EVERY = re.compile(rf"(?:{alternatives(TERMS['every'])})\s*\d*\s*(?:{VARIABLES['size'].pattern})")
_COUNT = rf"(\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+)\s*(?:{alternatives(TERMS['counters'])})"
SIZE = re.compile(_COUNT, re.IGNORECASE)
STEP = re.compile(rf"\b(?:{_STEPS})\s*(\d+)|(\d+)\s*(?:{_STEPS})(?:目|時)", re.IGNORECASE)
WINDOW = re.compile(r"(\d+)\s*[-~]\s*(\d+)|(?:window|ウィンドウ|窓)\s*(\d+)", re.IGNORECASE)


def metric_in(text: str, place: int = 0) -> str | None:
    """Return the metric that a text names first, or last (place -1)."""
    found = METRIC.findall(text)
    return ALIASES[found[place].lower()] if found else None


def sign_of(sense: str, metric: str | None) -> int:
    """Return the sign of the change that a word claims of a metric; 0 where it claims none."""
    terms = METRICS.get(metric or "", {})
    better = {"higher": 1, "lower": -1}.get(terms.get("better", ""), 0)
    plain_sign = 0 if terms.get("magnitude") else 1
    signs = {"up": plain_sign, "down": -plain_sign, "better": better, "worse": -better}
    return signs.get(sense, {"steeper": -1, "flatter": 1}.get(sense, 0))


def family(metric: str) -> list[str]:
    """Return the metrics that a name may mean; those that it stands for come first."""
    return [*METRICS[metric].get("includes", []), metric]


def mention(pattern: re.Pattern[str], text: str) -> int | None:
    """Return the number that a text gives with a SIZE or STEP word, where it gives one."""
    m = pattern.search(text)
    return int(next(filter(None, m.groups())).replace(",", "")) if m else None


def window_in(text: str) -> str | None:
    """Return a key for the window of sizes that a text names; None is the overall fit."""
    m = None if OVERALL.search(text) else WINDOW.search(text)
    return "-".join(filter(None, m.groups())) if m else None


def column(title: str) -> str:
    """Return what kind of key a column holds, from its title; empty where it holds values."""
    return COLUMNS.get(re.sub(r"\(.*\)", "", title).strip().lower(), "")
