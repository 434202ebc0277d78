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
    text = unicodedata.normalize("NFKC", text).translate(str.maketrans("−–‐", "---"))
    return re.sub(r"[*`]", "", text)


def any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Compile words, the longest first; Latin ones match as whole words only."""
    parts = []
    for word in sorted(map(plain, words), key=len, reverse=True):
        before = r"(?<![A-Za-z0-9_.-])" if re.match(r"\w", word, re.ASCII) else ""
        after = r"(?![A-Za-z0-9_])" if re.search(r"\w$", word, re.ASCII) else ""
        parts.append(before + re.escape(word) + after)
    return re.compile("|".join(parts) or r"(?!)", re.IGNORECASE)


def alternatives(words: Iterable[str]) -> str:
    """Return the part of a pattern that matches any of the words, the longest first."""
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def _index(table: dict[str, list[str]]) -> dict[str, str]:
    return {plain(alias).lower(): name for name, aliases in table.items() for alias in aliases}


ALIASES = _index({name: terms["aliases"] for name, terms in METRICS.items()})
COLUMNS, SENSES = _index(TERMS["columns"]), _index(TERMS["words"])
METRIC, WORD, COLUMN = any_of(ALIASES), any_of(SENSES), any_of([*ALIASES, *COLUMNS])
DIFFERENCE, OVERALL = any_of(TERMS["differences"]), any_of(TERMS["overall"])
_STEPS = alternatives(TERMS["columns"]["step"])
SIZE = re.compile(rf"(\d+)\s*(?:{alternatives(TERMS['counters'])})", re.IGNORECASE)
STEP = re.compile(rf"\b(?:{_STEPS})\s*(\d+)|(\d+)\s*(?:{_STEPS})(?:目|時)", re.IGNORECASE)
WINDOW = re.compile(r"(\d+)\s*[-~]\s*(\d+)|(?:window|ウィンドウ|窓)\s*(\d+)", re.IGNORECASE)


def metric_in(text: str, place: int = 0) -> str | None:
    """Return the metric that a text names first, or last (place -1)."""
    found = METRIC.findall(text)
    return ALIASES[found[place].lower()] if found else None


def family(metric: str) -> list[str]:
    """Return the metrics that a name may mean; those that it stands for come first."""
    return [*METRICS[metric].get("includes", []), metric]


def mention(pattern: re.Pattern[str], text: str) -> int | None:
    """Return the number that a text gives with a SIZE or STEP word, where it gives one."""
    m = pattern.search(text)
    return int(next(filter(None, m.groups()))) if m else None


def window_in(text: str) -> str | None:
    """Return a key for the window of sizes that a text names; None is the overall fit."""
    m = None if OVERALL.search(text) else WINDOW.search(text)
    return "-".join(filter(None, m.groups())) if m else None


def column(title: str) -> str:
    """Return what kind of key a column holds, from its title; empty where it holds values."""
    return COLUMNS.get(re.sub(r"\(.*\)", "", title).strip().lower(), "")
