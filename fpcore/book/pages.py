"""The pages of the browsable book: a report, an executed notebook or a record each.

A kind of pages is a function of what was found before it, with the decorator `source`; that alone
puts its pages into the book. A file that cannot be read has no page, but a line on the last one.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

import nbformat
import pandas as pd
from bs4 import BeautifulSoup, Tag
from nbconvert import HTMLExporter

from fpcore import notation
from fpcore.language import speaking
from fpcore.paths import file_content, reports, shown
from fpcore.records.frames import frame
from fpcore.records.record import RunRecord
from fpcore.reports import one_run, page, scaling
from fpcore.reports.markup import clean

GROUPS = {
    "start": "入門",
    "comparison": "比較",
    "studies": "問い（study）",
    "searches": "探索（search）",
    "runs": "実行",
    "scaling": "スケーリング",
    "look": "読む（look）",
    "other": "その他",
}
NOTEBOOK = Path(__file__).with_name("site_notebook.html.j2").read_text("utf-8")
GLOSSARY = Path(__file__).with_name("glossary.md")
START = ("tutorial", "glossary", "README")  # pages of the first group
NO_TEXT = re.compile("[\ud800-\udfff]")  # what stands in a name for bytes that are no UTF-8
MOST_NAME = 255  # bytes, in most file systems
# Paragraphs of notebooks that speak to whoever executes them; a page has nothing to execute.
TO_EXECUTE = re.compile(r"papermill|fpcore\.|セル|ノートブック|JupyterLab")
NAMED_BY_FILE = ("runs", "scaling", "studies")  # folders whose notebooks all have one heading


@dataclass(frozen=True)
class Page:
    """One page: `path` below the book, `group` as the contents name it, and `body` in HTML.

    `headings` are anchor and text of every h2.
    """

    path: str
    title: str
    group: str
    body: str
    headings: list[tuple[str, str]]


@dataclass
class Found:
    """What a book is made of: records, the pages so far, and why other files cannot be read."""

    records: list[RunRecord]
    unreadable: dict[str, str]
    pages: list[Page] = field(default_factory=list)


Source = Callable[[Found], Iterator[Page]]
SOURCES: list[Source] = []


def source(pages: Source) -> Source:
    """Register a kind of pages."""
    SOURCES.append(pages)
    return pages


@source
def glossary(found: Found) -> Iterator[Page]:
    """Yield the page of the words that the book uses, unless reports/ has one of its own."""
    if not (reports() / GLOSSARY.name).exists():
        body = page.rendered(GLOSSARY.read_text("utf-8"), reports())
        yield _page(PurePosixPath(GLOSSARY.name), body)


@source
def reports_in_markdown(found: Found) -> Iterator[Page]:
    """Yield a page for every Markdown file below reports/."""
    yield from _readable(found, report_page, "md")


@source
def executed_notebooks(found: Found) -> Iterator[Page]:
    """Yield a page for every notebook below reports/."""
    yield from _readable(found, notebook_page, "ipynb")


@source
def bare_records(found: Found) -> Iterator[Page]:
    """Yield a page for every record that has no executed notebook."""
    known = {page.path for page in found.pages}
    yield from (record_page(r) for r in found.records if f"runs/{r.name}.html" not in known)


@source
def left_out(found: Found) -> Iterator[Page]:
    """Yield the page that names what could not be read, if there is anything."""
    if found.unreadable:
        rows = pd.DataFrame([*found.unreadable.items()], columns=["ファイル", "理由"])
        said = "次のファイルは読めないので、この本には入っていない。"
        text = f"# 読めないファイル\n\n{said}\n\n{notation.table(rows)}\n"
        yield _page(PurePosixPath("unreadable.md"), page.rendered(text, reports()))


def collect(found: Found) -> list[Page]:
    """Return the pages of every kind, in the order of the contents."""
    for pages in SOURCES:
        found.pages += list(pages(found))
    order = list(GROUPS.values())
    return sorted(found.pages, key=lambda p: (order.index(p.group), *_reports_first(p.path)))


def report_page(source: Path) -> Page:
    """Return the page of a report in Markdown below reports/, linked with that in English."""
    english = source.parent.name == "en"
    with speaking("en" if english else "ja"):
        body = page.rendered(_text(source), source.parent)
    other = source.parent.parent / source.name if english else source.parent / "en" / source.name
    if other.is_file():
        path, name = (f"../{other.name}", "日本語") if english else (f"en/{other.name}", "English")
        body = body.replace("</h1>", f'</h1>\n<p><a href="{path}">{name}</a></p>', 1)
    return _page(_below(source), body)


def notebook_page(source: Path) -> Page:
    """Return the page of an executed notebook below reports/, its code folded.

    Outputs and cells are cleaned one by one, so that what one leaves open hides no other.
    """
    exporter = HTMLExporter(
        raw_template=NOTEBOOK,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        sanitize_html=True,
        filters={"clean_html": clean},
    )
    notebook = nbformat.reads(_text(source), as_version=4)
    if source.parent.name in NAMED_BY_FILE:
        _name_by_file(notebook, source.stem)
    _without_instructions(notebook)
    body, _ = exporter.from_notebook_node(notebook)
    return _page(_below(source), page.decorated(body))


def _name_by_file(notebook: nbformat.NotebookNode, name: str) -> None:
    """Put the name of a file in the place of the heading that all notebooks of its kind share."""
    first = next((cell for cell in notebook.cells if cell.cell_type == "markdown"), None)
    if first and first.source.startswith("# "):
        rest = first.source.partition("\n")[2].strip()
        first.source = f"# {notation.escaped(name)}\n\n{rest}"


def _without_instructions(notebook: nbformat.NotebookNode) -> None:
    """Drop from a notebook of the book's own what says how to execute it; headings stay."""
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    if "parameters" not in tags:  # papermill has not made it of one of these
        return
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "```" not in cell.source:
            paragraphs = cell.source.split("\n\n")
            kept = (p for p in paragraphs if p.startswith("#") or not TO_EXECUTE.search(p))
            cell.source = "\n\n".join(kept)


def record_page(record: RunRecord) -> Page:
    """Return the page of a run that has no executed notebook: its knobs and its results."""
    knobs = pd.DataFrame(
        [
            (notation.code(knob), notation.knob_value(value))
            for knob, value in record.config.items()
        ],
        columns=["パラメータ", "値"],
    )
    text = (
        f"# {record.name}\n\n## 要点\n\n{one_run.gist(record)}\n\n"
        f"## 記録\n\n`reports/runs/{record.name}.json`（シード n={record.seeds}）\n\n"
        f"## 設定\n\n{notation.table(knobs, 'パラメータ')}\n\n"
        f"## 結果\n\n{one_run.runs_table(frame([record]))}\n\n"
        f"## スケーリング: PPL = A・トークン^α\n\n{scaling.fits_table([record])}\n"
    )
    return _page(PurePosixPath("runs", f"{record.name}.json"), page.rendered(text, reports()))


def linked(body: str, path: str, paths: set[str]) -> str:
    """Return a body whose links lead to pages of the book; others to files keep their text alone.

    `path` is that of the page itself, `paths` those of all pages.
    """
    soup, folder = BeautifulSoup(body, "html.parser"), PurePosixPath(path).parent
    for link in soup.find_all("a", href=True):
        target, _, anchor = str(link["href"]).partition("#")
        target = unquote(target)
        found = re.sub(r"\.\w+$", ".html", _normal(folder / target)) if target else ""
        if found in paths:
            link["href"] = (
                "../" * len(folder.parts) + quote(found) + (f"#{anchor}" if anchor else "")
            )
        elif target:
            link.unwrap()
    return str(soup)


def _page(source: PurePosixPath, body: str) -> Page:
    soup = BeautifulSoup(body, "html.parser")
    _anchors(soup)
    _captions(soup)
    group = _group(source)
    headings = [(str(h["id"]), h.get_text()) for h in soup.find_all("h2")]
    path = source.with_suffix(".html").as_posix()
    return Page(path, _title(source, soup), GROUPS[group], str(soup), headings)


def _anchors(soup: BeautifulSoup) -> None:
    """Number the headings, and drop the cells' own ids."""
    for cell in soup.select("div.cell"):
        del cell["id"]
    for number, heading in enumerate(soup.find_all(["h1", "h2", "h3"])):
        heading["id"] = f"s{number}"


def _captions(soup: BeautifulSoup) -> None:
    """Let figures of notebooks be called after the heading that they stand under."""
    for image in soup.find_all("img"):
        above = image.find_previous(["h1", "h2", "h3"])
        if not image.get("alt") or str(image["alt"]).startswith("No description"):
            image["alt"] = above.get_text() if isinstance(above, Tag) else ""


def _group(source: PurePosixPath) -> str:
    folder = source.parts[0] if len(source.parts) > 1 else ""
    if not folder and source.stem in START:
        return "start"
    return "comparison" if "-vs-" in folder else folder if folder in GROUPS else "other"


def _title(source: PurePosixPath, soup: BeautifulSoup) -> str:
    """Return the first heading, or for notebooks that share it what tells them apart."""
    if source.parent.name in NAMED_BY_FILE:
        return source.stem
    if source.suffix == ".ipynb" and source.parent.name:
        return f"{source.parent.name}（notebook）"
    heading = soup.find("h1")
    return heading.get_text() if heading else source.stem


def _text(source: Path) -> str:
    """Return the text of a file below reports/; raise ValueError for a link to somewhere else."""
    if not source.resolve().is_relative_to(reports()):
        raise ValueError("it is a link that leads out of reports/")
    return file_content(source).decode("utf-8-sig")


def _below(source: Path) -> PurePosixPath:
    return PurePosixPath(source.relative_to(reports()).as_posix())


def _normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts)


def _reports_first(path: str) -> tuple[str, int, str]:
    """Sort pages by folder, a report before the notebook behind it, and the first ones as named."""
    folder, _, name = path.rpartition("/")
    first = [*(f"{stem}.html" for stem in START), "report.html"]
    return folder, first.index(name) if name in first else len(first), name


def _readable(found: Found, made: Callable[[Path], Page], suffix: str) -> Iterator[Page]:
    """Yield the pages of the files of a kind, and note those that cannot be read."""
    taken = {"index.html", "unreadable.html", *(page.path for page in found.pages)}
    for path in _files(suffix):
        try:
            below = _below(path).with_suffix(".html")
            if below.as_posix() in taken:
                raise ValueError("another page of the book is called so; rename the file")
            if NO_TEXT.search(below.as_posix()) or len(os.fsencode(below.name)) > MOST_NAME:
                raise ValueError("no page can be called so; rename the file")
            yield made(path)
        except Exception as error:  # damaged notebooks end nbformat and nbconvert in any error
            reason = " ".join(str(error).split())[:200]
            told = reason and not isinstance(error, AttributeError | LookupError | TypeError)
            found.unreadable[shown(path)] = reason if told else "it has not the form of a notebook"


def _files(suffix: str) -> list[Path]:
    """Return the files of a kind below reports/, without the book itself and hidden ones."""
    found = sorted(path.relative_to(reports()) for path in reports().rglob(f"*.{suffix}"))
    hidden = [any(part.startswith(".") for part in path.parts) for path in found]
    kept = zip(found, hidden, strict=True)
    return [reports() / path for path, no in kept if not no and path.parts[0] != "html"]
