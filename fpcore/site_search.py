"""The search index of the browsable book: its text by section, as a script that needs no server."""

import json
import unicodedata
from collections.abc import Iterable

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag

from fpcore.site_pages import Page

HEADINGS = ("h1", "h2", "h3")


def script(pages: list[Page]) -> str:
    """Return `BOOK` in JavaScript: pages [path, title], sections [page, anchor, heading, text].

    Text is in NFKC, so that full-width letters are found by plain ones.
    """
    book = {
        "pages": [[page.path, page.title] for page in pages],
        "sections": [
            [number, *section]
            for number, page in enumerate(pages)
            if page.group  # the index repeats what the pages say
            for section in sections(page)
        ],
    }
    return f"const BOOK = {json.dumps(book, ensure_ascii=False)};\n"


def sections(page: Page) -> list[tuple[str, str, str]]:
    """Return anchor, heading and text of every part of a page; code is left out."""
    soup = BeautifulSoup(page.body, "html.parser")
    for code in soup.select("details.code"):
        code.decompose()
    parts: list[tuple[str, str, list[str]]] = [("", "", [])]
    for node in soup.descendants:
        if isinstance(node, Tag) and node.name in HEADINGS:
            parts.append((str(node.get("id", "")), node.get_text(), []))
        elif isinstance(node, NavigableString) and not node.find_parent(HEADINGS):
            parts[-1][2].append(str(node))
    return [(anchor, title, _plain(text)) for anchor, title, text in parts if title or _plain(text)]


def _plain(parts: Iterable[str]) -> str:
    return " ".join(unicodedata.normalize("NFKC", " ".join(parts)).split())
