"""What people exchange (records, reports, notebooks, names of files) as an attack on whoever reads.

Each payload stands in every place that reaches HTML; whatever runs, loads, or is only stopped by
the policy of the page fails. The first test shows that the payloads would work.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from helpers.browser import Watch, needs_chromium
from helpers.payloads import CLOSED, FORGED, NAMES, UNCLOSED
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from playwright.sync_api import Page, expect

from fpcore import load_comparison
from fpcore.book import explorer, site
from fpcore.book.views import CURVES, VIEWS, Choice
from fpcore.paths import ROOT
from fpcore.records.record import read_shelf
from fpcore.reports import figures
from fpcore.reports.comparison import report
from fpcore.reports.page import page as whole_page

pytestmark = needs_chromium
LOUD = """[...document.querySelectorAll("*")].filter(e =>
    [...e.attributes].some(a => /^on|^srcset$|^style$|^formaction$/.test(a.name)
        || (/^(src|href|action|data)$/.test(a.name) && /^\\W*(\\w+:|[/\\\\]{2})/.test(a.value)
            && !/^data:(image|,)/.test(a.value)))
    || (/^(script|style)$/i.test(e.tagName) && !e.closest("head") && e.parentNode != document.body)
    || /^(iframe|object|embed|base|form|svg|math|template|meta)$/i.test(e.tagName)
       && !e.closest("head, .fpcore > svg")).map(e => e.outerHTML.slice(0, 200))"""


def outputs(text: str) -> list[nbformat.NotebookNode]:
    """Every kind of output that can hold a text."""
    kinds = ("html", "markdown", "plain", "latex")
    data = [{f"text/{kind}": text} for kind in kinds]
    data += [{"image/png": text}, {"image/svg+xml": f"<svg xmlns='x'>{text}</svg>"}]
    data += [{"application/javascript": text}]
    about = {"image/png": {"alt": text, "width": text}, "text/html": {"isolated": True}}
    shown = [new_output("display_data", own, metadata=about) for own in data]
    wrong = new_output("error", ename=text, evalue=text, traceback=[text, f"\x1b[31m{text}"])
    return [*shown, new_output("stream", name="stdout", text=text), wrong,
            new_output("execute_result", {"text/html": text})]  # fmt: skip


def notebook(texts: list[str]) -> nbformat.NotebookNode:
    """A notebook that holds texts in all its places."""
    made: nbformat.NotebookNode = new_notebook()
    for text in texts:
        tags = {"tags": text.split(",")}
        made.cells += [
            new_markdown_cell(text),
            new_markdown_cell(f"# {text}\n\n- {text}"),
            new_raw_cell(text, metadata={"raw_mimetype": "text/html"}),
            new_code_cell(text, outputs=outputs(text), metadata=tags),
        ]
    return made


def hostile_records(folder: Path) -> None:
    """Two records whose knobs hold all payloads, and some that are none, by name or content."""
    whole = json.loads((ROOT / "reports/runs/v5-small.json").read_text("utf-8"))
    for name, more in (("evil-a", ""), ("evil-b", " b")):
        knobs = {f"knob{n}": text + more for n, text in enumerate(CLOSED + UNCLOSED)}
        knobs |= {"corpus": f"{CLOSED[0]}{more}.txt", "select_on": CLOSED[1], "device": CLOSED[2]}
        places = {"name": name, "label": CLOSED[3], "config": whole["config"] | knobs}
        places["environment"] = whole["environment"] | {"device": CLOSED[4] + more}
        folder.joinpath(f"{name}.json").write_text(json.dumps(whole | places), "utf-8")
    for number, text in enumerate(CLOSED + FORGED):
        digests = whole | {"name": f"bad-{number}", "digests": {f"code/{text}": text}}
        folder.joinpath(f"bad-{number}.json").write_text(json.dumps(digests), "utf-8")
        small = {"name": text, "config": {text: text}, "environment": {text: text}, "results": []}
        folder.joinpath(f"odd-{number}.json").write_text(json.dumps(small), "utf-8")
    for name in NAMES:
        folder.joinpath(f"{name}.json").write_text(json.dumps(whole | {"name": name}), "utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which everything is hostile; it is the current one."""
    folder = tmp_path_factory.mktemp("hostile") / "reports"
    (folder / "runs").mkdir(parents=True)
    for name in ("v5-published", "v6-published"):
        shutil.copy(ROOT / "reports" / "runs" / f"{name}.json", folder / "runs")
    hostile_records(folder / "runs")
    paragraphs = "\n\n".join(f"{text}\n\nafter {n}" for n, text in enumerate(CLOSED))
    (folder / "evil").mkdir()
    (folder / "evil" / "report.md").write_text(f"# {CLOSED[0]}\n\n## {CLOSED[3]}\n\n{paragraphs}")
    nbformat.write(notebook(CLOSED), folder / "evil" / "closed.ipynb")
    for number, text in enumerate(UNCLOSED):
        nbformat.write(notebook([text]), folder / "evil" / f"open-{number}.ipynb")
    for name in NAMES[-12:]:
        (folder / "evil" / f"{name}.md").write_text(f"# {name}\n\n[n](<{name}.ipynb>)\n")
        nbformat.write(notebook([name]), folder / "evil" / f"n{name}.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(folder.parent))
        figures.use_style()
        yield folder.parent


@pytest.fixture
def page(page: Page) -> Page:
    """A page in which alerts are complaints of the console, so that none stops a test."""
    page.add_init_script("window.alert = (n) => console.error(`alert ${n}`)")
    return page


def visit(page: Page, path: Path) -> None:
    """Open a page, and do in it what a reader could do."""
    page.goto(path.as_uri())
    page.evaluate("""document.querySelectorAll("details").forEach(d => { d.open = true; })""")
    page.evaluate(
        """document.querySelectorAll("main *, body > *, .fpcore *").forEach(e => {
            for (const kind of ["mouseover", "focus", "pointerenter", "error", "load", "toggle"])
                e.dispatchEvent(new Event(kind)); })"""
    )
    page.wait_for_timeout(30)
    assert page.evaluate(LOUD) == [], path


def quiet(watch: Watch, *allowed: str) -> None:
    """Nothing ran, was asked for or was blocked."""
    assert not watch.dialogs and not watch.errors, (watch.dialogs[:5], watch.errors[:5])
    other = [url for url in watch.asked if not url.partition("#")[0].endswith(allowed)]
    assert not watch.outside and not other, other[:5]


def test_the_payloads_would_run_and_load(tmp_path: Path, page: Page, watch: Watch) -> None:
    frames = ""
    for number, text in enumerate(CLOSED + UNCLOSED):
        (tmp_path / f"{number}.html").write_text(f"<!doctype html><body>{text}", "utf-8")
        frames += f"<iframe src={number}.html></iframe>"
    (tmp_path / "all.html").write_text(frames)
    page.goto((tmp_path / "all.html").as_uri(), wait_until="commit")
    for _ in range(100):
        ran = {text for text in watch.errors if text.startswith("alert")}
        if len(ran) >= 20 and len({*watch.outside}) >= 8:
            return
        page.wait_for_timeout(200)
    raise AssertionError((watch.errors, watch.outside))


def test_no_page_of_the_book_runs_or_loads_what_it_holds(
    home: Path, page: Page, watch: Watch
) -> None:
    index = site.build()
    pages = sorted(index.parent.rglob("*.html"))
    assert len(pages) > 25
    for path in pages:
        visit(page, path)
    text = page.goto((index.parent / "evil" / "report.html").as_uri()) and page.inner_text("main")
    assert all(f"after {n}" in str(text) for n in range(len(CLOSED)))
    page.goto((index.parent / "evil" / "closed.html").as_uri())
    assert page.locator(".cell").count() == 3 * len(CLOSED)
    page.locator("#search").fill("alert")
    expect(page.locator("#hits a").first).to_be_visible()
    listed = page.goto((index.parent / "unreadable.html").as_uri()) and page.inner_text("main")
    assert all(f"odd-{n}.json" in str(listed) for n in range(len(CLOSED)))
    quiet(watch, ".html", "search-index.js")


def test_no_report_runs_or_loads_what_its_records_hold(
    home: Path, page: Page, watch: Watch
) -> None:
    report.write(load_comparison("evil-a", "evil-b"))
    folder = home / "reports" / "evil-a-vs-evil-b"
    visit(page, folder / "report.html")
    assert CLOSED[40] in page.inner_text("body")
    text = (home / "reports" / "evil" / "report.md").read_text("utf-8")
    (folder / "report.html").write_text(whole_page(text, folder), "utf-8")
    visit(page, folder / "report.html")
    quiet(watch, "report.html")


def test_no_view_of_the_explorer_runs_or_loads_what_records_hold(
    home: Path, page: Page, watch: Watch, tmp_path: Path
) -> None:
    """JupyterLab puts the views into its own page as they are, without a policy of ours."""
    records = [r for r in read_shelf().records if r.name.startswith("evil")]
    assert len(records) == 2
    sizes = records[0].sizes
    choice = Choice(records, sizes, next(iter(CURVES)), (sizes[0], sizes[-1]), "evil-a", "evil-b")
    page.goto("about:blank")
    for show in VIEWS.values():
        body = explorer.shown(show(choice))
        page.evaluate("html => { document.body.innerHTML = html; }", body)
        page.wait_for_timeout(30)
        assert page.evaluate(LOUD.replace('"*"', '".fpcore > :not(svg, p:first-child) *"')) == []
    for name in NAMES:
        (home / "reports" / "runs" / f"{name}.json").write_text("{}")
    made = explorer.Explorer(records)
    (home / "reports" / "runs" / "evil-a.json").write_text(json.dumps({"name": CLOSED[0]}))
    made.controls["view"].value = "A/B 比較"
    page.evaluate("html => { document.body.innerHTML = html; }", made.shown.value)
    page.wait_for_timeout(30)
    assert "evil-a.json" in page.inner_text("body")
    quiet(watch, "about:blank")
