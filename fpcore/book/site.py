"""The browsable book: `python -m fpcore.book build` makes pages of everything in reports/.

They open from a file, in any browser, without a network: a page per report, executed notebook and
record, and the search index as a script.
"""

import errno
import json
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from jinja2 import Environment
from pygments.formatters import HtmlFormatter

from fpcore.book import index, pages
from fpcore.book.pages import Page
from fpcore.claims.terms import METRICS
from fpcore.paths import hidden, remove, reports, sweep, unwritable, write_atomically
from fpcore.records.record import read_shelf, say_left_out
from fpcore.reports.markup import policy
from fpcore.reports.page import CSS, font_data, font_face

HERE = Path(__file__).parent
SHELL = Environment(autoescape=True, trim_blocks=True).from_string(
    HERE.joinpath("site.html.j2").read_text("utf-8")
)
SCRIPT = HERE.joinpath("site.js").read_text("utf-8")
DARK = HtmlFormatter(style="github-dark")
LOOK = "\n".join(
    [
        CSS,
        HERE.joinpath("site.css").read_text("utf-8"),
        HtmlFormatter(style="default").get_style_defs(".highlight"),
        f"@media screen and (prefers-color-scheme: dark) {{ {DARK.get_style_defs('.highlight')} }}",
    ]
)
HEADINGS = ("h1", "h2", "h3")


def build() -> Path:
    """Make the book anew from reports/ and return its index page; one line says what is left out.

    Raises:
        StorageError: the book cannot be written.
    """
    pages = collect()
    target = reports() / "html"
    sweep(target.parent)
    made = hidden(target)
    try:
        write(pages, made)
        _put(made, target)
    except OSError as error:
        raise unwritable(target, error) from None
    finally:
        remove(made)
    return target / "index.html"


def _put(made: Path, target: Path) -> None:
    """Put a folder in the place of another; of several at once the last one stays."""
    while made.is_dir():
        old = hidden(target)
        with suppress(FileNotFoundError):  # there is none yet, or another build has just moved it
            target.rename(old)
        try:
            made.rename(target)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                with suppress(OSError):
                    old.rename(target)
                raise
        finally:
            remove(old)  # another build has put its own there: again


def collect() -> list[Page]:
    """Return the index and all pages, in the order of reading."""
    shelf = read_shelf()
    sources = pages.Found(shelf.records, shelf.unreadable)
    found = pages.collect(sources)
    say_left_out(sources.unreadable)
    body = index.index(found, shelf.records)
    first = Page("index.html", "はじめに", "", body, index.headings(found))
    paths = {page.path for page in found}
    return [first, *(replace(p, body=pages.linked(p.body, p.path, paths)) for p in found)]


def write(pages: list[Page], folder: Path) -> None:
    """Write the pages and the index of the search to a folder."""
    groups = {group: list(own) for group, own in groupby(pages, key=lambda page: page.group)}
    used: set[str] = set()
    for before, page, after in zip([None, *pages[:-1]], pages, [*pages[1:], None], strict=True):
        root = "../" * page.path.count("/")
        around = {"groups": groups, "root": root, "before": before, "after": after}
        text = SHELL.render(page=page, **around)
        style = f"{font_face(text)}\n{LOOK}"
        own = {"style": style, "script": SCRIPT, "policy": policy(style, SCRIPT)}
        write_atomically(folder / page.path, SHELL.render(page=page, **around, **own).encode())
        used |= set(text)
    folder.joinpath("search-index.js").write_text(script(pages, "".join(sorted(used))), "utf-8")


def script(pages: list[Page], text: str) -> str:
    """Return `BOOK` in JavaScript: pages [path, title], sections [page, anchor, heading, text].

    Text is in NFKC, so that full-width letters are found by plain ones. `aliases` are groups of
    words for one thing: who searches one finds the others, too. `font` has the characters of
    `text`, as hits show the text of other pages.
    """
    book = {
        "pages": [[page.path, page.title] for page in pages],
        "sections": [
            [number, *section]
            for number, page in enumerate(pages)
            if page.group  # the index repeats what the pages say
            for section in sections(page)
        ],
        "aliases": aliases(),
        "font": font_data(text),
    }
    return f"const BOOK = {json.dumps(book, ensure_ascii=False)};\n"


def aliases() -> list[list[str]]:
    """Return the groups of words for one metric, from `claims/terms.yaml`, as the search reads."""
    groups = ([words["name"], *words["aliases"]] for words in METRICS.values())
    return [[*dict.fromkeys(_searchable([word]).lower() for word in group)] for group in groups]


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
    return [
        (anchor, title, _searchable(text))
        for anchor, title, text in parts
        if title or _searchable(text)
    ]


def _searchable(parts: Iterable[str]) -> str:
    return " ".join(unicodedata.normalize("NFKC", " ".join(parts)).split())
