"""A text whose tokens are coloured by a number, each with a note that shows under the pointer.

As Markdown it is a fenced block of the kind `tokens`, a line for every token: how its colour is
called, the token in JSON, and its note. Pages turn such a block into HTML; any other reader of
Markdown shows the lines.
"""

import json
import re
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import NamedTuple

from fpcore.notation import CONTROL, Markdown

KIND = "tokens"
COLOURS = re.compile(r"(up|down)[0-5]")
STYLE = files("fpcore.reports").joinpath("tokens.css").read_text("utf-8")


class Token(NamedTuple):
    """A token as it reads, its note, and its colour: `up` or `down`, and how strong, 0 to 5."""

    text: str
    note: str
    colour: str


class Coloured(Markdown):
    """The Markdown of coloured tokens; notebooks show it as HTML."""

    def _repr_html_(self) -> str:
        lines = self.splitlines()[1:-1]  # without the fences
        return f"<style>{STYLE}</style>{html(lines)}"


def coloured(tokens: Iterable[Token]) -> Coloured:
    """Return tokens as Markdown."""
    lines = [
        "\t".join([token.colour, json.dumps(token.text), CONTROL.sub(" ", token.note)])
        for token in tokens
    ]
    return Coloured("\n".join([f"```{KIND}", *lines, "```"]))


def html(lines: Iterable[str]) -> str:
    """Return the HTML of the lines inside such a block; a line that is none is shown as text."""
    spans = [_span(line) for line in lines if line]
    return f'<div class="tokens">{"".join(spans)}</div>'


def _span(line: str) -> str:
    colour, _, rest = line.partition("\t")
    written, _, note = rest.partition("\t")
    try:
        text = json.loads(written)
    except (ValueError, RecursionError):
        text = None
    if not COLOURS.fullmatch(colour) or not isinstance(text, str):
        return f"<span>{escape(line)}</span>"
    shown = escape(text.replace("\n", "⏎")) + "<br>" * text.count("\n")
    return f'<span class="token {colour}" title="{escape(note)}">{shown}</span>'
