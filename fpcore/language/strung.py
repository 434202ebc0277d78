"""How words, clauses and sentences are strung together, in the language that is used.

Empty ones are left out.
"""

from collections.abc import Iterable

from fpcore.language.spoken import said, spoken


def listed(items: Iterable[str]) -> str:
    """Return words, or parts of a sentence, in a row."""
    return said("、").join(filter(None, items))


def clauses(parts: Iterable[str]) -> str:
    """Return clauses without full stops in a row; the last has none, either."""
    return ("; " if spoken() == "en" else "。").join(filter(None, parts))


def passage(*sentences: str) -> str:
    """Return whole sentences in a row."""
    return (" " if spoken() == "en" else "").join(filter(None, sentences))


def ended(text: str) -> str:
    """Return a text with one full stop at its end."""
    return f"{text.rstrip('。.')}{'.' if spoken() == 'en' else '。'}"
