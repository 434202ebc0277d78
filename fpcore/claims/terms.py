"""The words that reports use (`terms.yaml`), and what a text names with them; no number."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

TERMS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("terms.yaml").read_text("utf-8"))
METRICS: dict[str, dict[str, Any]] = TERMS["metrics"]


def _nfkc(word: str) -> str:
    return unicodedata.normalize("NFKC", word)


def any_of(words: Iterable[str], flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """Compile words, the longest first; Latin ones match as whole words only."""
    parts = []
    for word in sorted(map(_nfkc, words), key=len, reverse=True):
        before = r"(?<![A-Za-z0-9_.-])" if re.match(r"\w", word, re.ASCII) else ""
        after = r"(?![A-Za-z0-9_])" if re.search(r"\w$", word, re.ASCII) else ""
        parts.append(before + re.escape(word) + after)
    return re.compile("|".join(parts) or r"(?!)", flags)


def number_words(words: Iterable[str]) -> str:
    """Return the alternatives of words that stand behind numbers, not as part of a longer one."""
    longest = sorted(map(_nfkc, words), key=len, reverse=True)
    any_word = "|".join(map(re.escape, longest))
    return rf"(?:{any_word})(?![A-Za-z])(?<!x(?=\d))(?<!×(?=\s\w))(?<!×(?=\w))"


def _index(table: dict[str, list[str]]) -> dict[str, str]:
    return {_nfkc(alias).lower(): name for name, aliases in table.items() for alias in aliases}


ALIASES = _index({name: terms["aliases"] for name, terms in METRICS.items()})
SENSES = _index(TERMS["words"])
COLUMNS = _index(TERMS["columns"])
METRIC, WORD = any_of(ALIASES), any_of(SENSES)
DIFFERENCE = any_of(TERMS["differences"])
HEDGE, OTHER = any_of(TERMS["hedges"]), any_of(TERMS["qualifiers"])


def metrics_in(text: str) -> list[tuple[str, int, int]]:
    """Return the metrics that a text names: each name, and its place."""
    return [(ALIASES[m[0].lower()], *m.span()) for m in METRIC.finditer(text)]


def better(metric: str) -> int:
    """Return which way a metric is better: +1 higher, -1 lower, 0 unknown."""
    return {"higher": 1, "lower": -1}.get(METRICS.get(metric, {}).get("better", ""), 0)


def sign_of(sense: str, metric: str) -> int:
    """Return the sign of the change that a word claims of a metric; 0 where it claims none."""
    plain_sign = 0 if METRICS.get(metric, {}).get("magnitude") else 1
    way = better(metric)
    signs = {"up": plain_sign, "down": -plain_sign, "better": way, "worse": -way}
    return signs.get(sense, 0)


def column(title: str) -> str:
    """Return what kind of key a column holds, from its title; empty where it is not known."""
    return COLUMNS.get(re.sub(r"\(.*?\)", "", title).strip().lower(), "")
