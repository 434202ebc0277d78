"""The explorer in JupyterLab and the browsable book from its files, in Debian's Chromium.

Skipped where there is no Chromium; with CI set, as `.ci/run` does, its absence is a failure.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.browser import PATIENCE, Watch, needs_chromium
from playwright.sync_api import Locator, Page, expect

from fpcore import notation
from fpcore.book import site
from fpcore.paths import NOTEBOOKS, ROOT

pytestmark = needs_chromium
LAB = {
    "ServerApp.token": "",
    "ServerApp.password": "",
    "ServerApp.ip": "127.0.0.1",
    "ServerApp.open_browser": False,
    "ServerApp.allow_root": True,
    "LabApp.news_url": None,
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "LabApp.extension_manager": "readonly",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the committed records and one comparison."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("runs", "published", "v5-small-vs-v6-small"):
        shutil.copytree(ROOT / "reports" / name, folder / "reports" / name)
    (folder / "reports" / "runs" / "<img src=x onerror=alert(1)>.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def lab(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of JupyterLab in a folder with copies of the notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(NOTEBOOKS / "explore.ipynb", folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "config.json"
    sections: dict[str, dict[str, Any]] = {}
    for key, value in (LAB | {"ServerApp.port": port, "ServerApp.root_dir": str(folder)}).items():
        part, name = key.split(".")
        sections.setdefault(part, {})[name] = value
    config.write_text(json.dumps(sections))
    environment = os.environ | {"FPCORE_HOME": str(home), "JUPYTER_CONFIG_DIR": str(folder / "c")}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / "w"), "IPYTHONDIR": str(folder / "i")}
    environment.pop("PYTEST_CURRENT_TEST", None)
    command = [sys.executable, "-m", "jupyterlab", "--config", str(config)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield _answering(f"http://127.0.0.1:{port}", folder / "log")
    finally:
        server.terminate()
        server.wait(20)


def _answering(address: str, log: Path) -> str:
    """Return the address once the server answers."""
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/api/status", timeout=5):
                return address
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def result(home: Path, run: str, samples: int) -> dict[str, Any]:
    """What the record of a run holds at a size."""
    record = json.loads((home / "reports" / "runs" / f"{run}.json").read_text("utf-8"))
    found: dict[str, Any] = next(r for r in record["results"] if r["samples"] == samples)
    return found


def run_all(page: Page) -> None:
    """Run all cells of the notebook that is open, once it has its kernel."""
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.get_by_text("| Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def row(page: Page, run: str) -> Locator:
    """The row of a run in the shown table."""
    return page.locator(".fpcore tr", has=page.get_by_role("cell", name=run, exact=True))


def test_the_explorer_shows_what_is_chosen(lab: str, home: Path, page: Page, watch: Watch) -> None:
    page.goto(f"{lab}/lab/tree/explore.ipynb?reset")
    run_all(page)
    page.get_by_role("button", name="曲線").click()
    page.get_by_label("実行", exact=True).select_option(["v5-small", "v6-small"])
    page.get_by_label("サイズ").select_option("200")
    for run in ("v5-small", "v6-small"):
        expect(row(page, run)).to_have_count(1)
        expect(row(page, run)).to_contain_text(f"{result(home, run, 200)['val_ppl']:,.1f}")
    page.get_by_label("サイズ").select_option("100")
    expect(row(page, "v6-small")).to_contain_text(
        f"{result(home, 'v6-small', 100)['val_ppl']:,.1f}"
    )
    page.get_by_label("指標").select_option("収束率（反復）")
    rate = result(home, "v6-small", 100)["phase1"]["convergence_rate"][-1]
    expect(row(page, "v6-small")).to_contain_text(notation.metric("convergence_rate", rate))
    expect(page.locator(".fpcore svg")).to_be_visible()
    assert not watch.outside and not watch.dialogs


def test_the_explorer_by_keyboard_and_on_a_second_run(lab: str, home: Path, page: Page) -> None:
    page.goto(f"{lab}/lab/tree/explore.ipynb?reset")
    run_all(page)
    page.get_by_role("button", name="A/B 比較").focus()
    page.keyboard.press("Enter")
    page.get_by_label("A", exact=True).select_option("v5-published")
    page.get_by_label("B", exact=True).focus()
    page.keyboard.type("v6-p")  # a list takes letters, and arrows, as anywhere in a browser
    expect(page.get_by_label("B", exact=True)).to_have_value("v6-published")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("B", exact=True)).to_have_value("v6-small")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("B", exact=True)).to_have_value("v6-published")
    gap = (
        result(home, "v6-published", 800)["val_ppl"] - result(home, "v5-published", 800)["val_ppl"]
    )
    expect(row(page, "Val PPL")).to_contain_text(notation.difference("val_ppl", gap))
    expect(page.locator(".fpcore .verdict.wrong")).to_be_visible()
    run_all(page)
    expect(page.locator(".fpcore")).to_have_count(1)
    expect(page.get_by_label("B", exact=True)).to_have_value("v6-published")
    expect(row(page, "Val PPL")).to_contain_text(notation.difference("val_ppl", gap))


@pytest.fixture(scope="module")
def book(home: Path) -> str:
    """The address of the built book."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(home))
        return site.build().as_uri()


def test_search_finds_japanese_words(book: str, page: Page, watch: Watch) -> None:
    page.goto(book)
    page.keyboard.press("/")
    page.keyboard.type("収束率")
    hits = page.locator("#hits a")
    expect(hits.first).to_contain_text("収束率")
    hits.filter(has_text="収束の推移").first.click()
    expect(page.locator("main")).to_contain_text("収束率")
    anchor = page.evaluate("document.getElementById(location.hash.slice(1)).textContent")
    assert "収束の推移" in anchor
    page.get_by_role("searchbox").fill("ＶＡＬ　ＥＲ")  # full width, and two words
    expect(hits.first).to_contain_text("ER")
    page.get_by_role("searchbox").fill("存在しない言葉")
    expect(page.locator("#hits")).to_contain_text("見つからない")
    assert not watch.outside and not watch.errors


def test_search_knows_other_words_and_is_moved_in_by_keys(book: str, page: Page) -> None:
    page.goto(book)
    hits = page.locator("#hits a")
    for word in ("perplexity", "パープレキシティ"):
        page.get_by_role("searchbox").fill(word)
        expect(hits.filter(has_text="PPLの変化").first).to_be_visible()
    page.get_by_role("searchbox").fill("有効ランク")
    expect(hits.filter(has_text="Effective Rank").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(hits.nth(1)).to_be_focused()
    page.keyboard.press("End")
    expect(hits.last).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    expect(page.locator("#hits")).to_be_hidden()
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("searchbox").fill("収束率")
    expect(hits.first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".crumbs")).not_to_be_empty()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_at_a_desk_the_contents_show_this_page_and_tables_their_last_column(
    book: str, page: Page, watch: Watch, scheme: str
) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for name in ("runs/v6-small.html", "runs/study-max_iter30-dist_reg_weight0.25.html",
                 "v5-small-vs-v6-small/report.html"):  # fmt: skip
        page.goto(book.replace("index.html", name))
        expect(page.locator("#contents [aria-current]")).to_be_in_viewport()
        cut = page.evaluate(
            "[...document.querySelectorAll('main .table')]"
            ".filter((t) => t.scrollWidth > t.clientWidth + 1).map((t) => t.textContent)"
        )
        assert not cut, (name, cut)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = page.evaluate("getComputedStyle(document.querySelector('main p')).color")
    light = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in (paper, ink)]
    assert (light[0] > light[1] + 400) == (scheme == "light"), (paper, ink)
    page.emulate_media(media="print", color_scheme=scheme)  # type: ignore[arg-type]
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    assert not watch.errors


def test_every_page_opens_without_complaint_and_fits_a_phone(
    book: str, page: Page, watch: Watch
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    todo, seen = [book], set()
    while todo:
        address = todo.pop()
        page.goto(address)
        seen.add(address)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, (address, wide)
        assert page.locator("h1").count() >= 1, address
        links = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
        found = {link.partition("#")[0] for link in links}
        assert all(link.startswith("file:") for link in found)
        todo += found - seen - {*todo}
    assert len(seen) > 10
    assert not watch.outside and not watch.errors


def test_code_unfolds_and_is_not_printed(book: str, page: Page) -> None:
    page.goto(book.replace("index.html", "runs/v5-small.html"))
    code = page.locator("details.code").first
    expect(code.locator("pre")).to_be_hidden()
    code.locator("summary").click()
    expect(code.locator("pre")).to_be_visible()
    page.emulate_media(media="print")
    expect(code).to_be_hidden()
    expect(page.locator("#contents")).to_be_hidden()
    expect(page.locator("main table").first).to_be_visible()
