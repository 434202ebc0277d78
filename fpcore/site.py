"""The browsable book: every report and executed notebook as pages of one folder, without a network.

`python -m fpcore.book build` makes it; it opens from the file `reports/html/index.html`.
"""

import shutil
import uuid
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from jinja2 import Environment
from pygments.formatters import HtmlFormatter

from fpcore import site_cards, site_pages, site_search
from fpcore.page import CSS, font_face
from fpcore.paths import reports, write_atomically
from fpcore.records import load_records
from fpcore.site_pages import GROUPS, Page

HERE = Path(__file__).parent
SHELL = Environment(autoescape=True, trim_blocks=True).from_string(
    HERE.joinpath("site.html.j2").read_text("utf-8")
)


def build() -> Path:
    """Make the book anew from reports/ and return its index page.

    Raises:
        RecordError: a record is damaged.
    """
    pages = collect()
    target = reports() / "html"
    made = target.with_name(f".html.{uuid.uuid4().hex}")
    try:
        write(pages, made)
        shutil.rmtree(target, ignore_errors=True)
        made.replace(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target / "index.html"


def collect() -> list[Page]:
    """Return the index and all pages, in the order of reading."""
    records = load_records()
    found = [site_pages.report_page(path) for path in _sources("md")]
    found += [site_pages.notebook_page(path) for path in _sources("ipynb")]
    known = {page.path for page in found}
    found += [
        site_pages.record_page(record)
        for record in records
        if f"runs/{record.name}.html" not in known
    ]
    order = list(GROUPS.values())
    found.sort(key=lambda p: (order.index(p.group), *_reports_first(p.path)))
    body = site_cards.index(found, records)
    index = Page("index.html", "はじめに", "", body, site_cards.headings(found))
    paths = {page.path for page in found}
    return [index, *(replace(p, body=site_pages.linked(p.body, p.path, paths)) for p in found)]


def write(pages: list[Page], folder: Path) -> None:
    """Write the pages, what they look like and the search to a folder."""
    groups = {group: list(own) for group, own in groupby(pages, key=lambda page: page.group)}
    used: set[str] = set()
    for before, page, after in zip([None, *pages[:-1]], pages, [*pages[1:], None], strict=True):
        root = "../" * page.path.count("/")
        text = SHELL.render(page=page, groups=groups, root=root, before=before, after=after)
        used |= set(text)
        write_atomically(folder / page.path, text.encode())
    folder.joinpath("search-index.js").write_text(site_search.script(pages), "utf-8")
    shutil.copy(HERE / "site.js", folder / "book.js")
    folder.joinpath("book.css").write_text(_css("".join(sorted(used))), "utf-8")


def _css(text: str) -> str:
    """Return the style of all pages, with the font of the text that they hold."""
    code = HtmlFormatter(style="default").get_style_defs(".highlight")
    return "\n".join([font_face(text), CSS, HERE.joinpath("site.css").read_text("utf-8"), code])


def _reports_first(path: str) -> tuple[str, bool, str]:
    """Sort pages by folder, and put a report before the notebook behind it."""
    folder, _, name = path.rpartition("/")
    return folder, name != "report.html", name


def _sources(suffix: str) -> list[Path]:
    """Return the files of a kind below reports/, without the book itself and hidden ones."""
    found = sorted(path.relative_to(reports()) for path in reports().rglob(f"*.{suffix}"))
    hidden = [any(part.startswith(".") for part in path.parts) for path in found]
    kept = zip(found, hidden, strict=True)
    return [reports() / path for path, no in kept if not no and path.parts[0] != "html"]
