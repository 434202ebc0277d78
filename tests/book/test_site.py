"""The browsable book of the committed reports: complete, searchable, and without a network."""

import errno
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from hashlib import sha256
from os import getpid
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpcore import StorageError
from fpcore.analysis.comparison import load_comparison
from fpcore.book import pages, site
from fpcore.book.pages import Page, linked
from fpcore.book.site import sections
from fpcore.notation import metric
from fpcore.paths import ROOT, hidden, runs, write_atomically
from fpcore.records.record import load_record, load_records
from fpcore.reports import comparison

HOSTS = re.compile(r"""(?:src|srcset|href|action|url)\s*[=(]\s*["']?\s*(?:https?:)?//""")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the book of a home with the committed comparisons, a study and their runs."""
    home = tmp_path_factory.mktemp("site")
    for name in ("runs", "published", "v5-small-vs-v6-small", "scaling", "studies"):
        shutil.copytree(ROOT / "reports" / name, home / "reports" / name)
    shutil.copy(ROOT / "reports" / "tutorial.ipynb", home / "reports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(home))
        return site.build().parent


def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def test_every_run_and_comparison_has_a_card_with_the_numbers_of_its_record(book: Path) -> None:
    cards = {str(a["href"]): a.find_parent("li") for a in soup(book / "index.html").select("h3 a")}
    assert {f"runs/{path.stem}.html" for path in (ROOT / "reports/runs").glob("*.json")} <= {*cards}
    own = cards["runs/v6-small.html"]
    result = max(json.loads((ROOT / "reports/runs/v6-small.json").read_text())["results"],
                 key=lambda r: r["samples"])  # fmt: skip
    assert isinstance(own, Tag)
    shown = {dt.get_text(): dt.find_next("dd").get_text() for dt in own.find_all("dt")}  # type: ignore[union-attr]
    assert shown["Val PPL"] == metric("val_ppl", result["val_ppl"])
    assert shown["Val ER"] == metric("val_er", result["val_er"])
    comparison = cards["v5-small-vs-v6-small/report.html"]
    assert comparison and "検証" in comparison.get_text() and "ポイント" in comparison.get_text()
    assert (
        "v5-small-vs-v6-small/compare.html" not in cards
        and "studies/iterations/report.html" in cards
    )


def test_internal_links_lead_to_pages_and_anchors(book: Path) -> None:
    pages = {path: soup(path) for path in book.rglob("*.html")}
    for path, page in pages.items():
        for link in page.find_all("a", href=True):
            target, _, anchor = unquote(str(link["href"])).partition("#")
            found = (path.parent / target).resolve() if target else path
            assert found in pages, (path, link)
            assert not anchor or pages[found].find(id=anchor), (path, link)
        for file in [*page.select("link[href]"), *page.select("script[src]")]:
            name = str(file.get("href") or file["src"])
            assert name == "data:," or (path.parent / name).is_file()
        ids = [str(tag["id"]) for tag in page.find_all(id=True)]
        assert len(ids) == len(set(ids)), path


def test_nothing_leads_to_another_host(book: Path) -> None:
    for path in [*book.rglob("*.html"), *book.glob("*.css"), *book.glob("*.js")]:
        assert not HOSTS.search(path.read_text("utf-8")), path
    images = [img for path in book.rglob("*.html") for img in soup(path).find_all("img")]
    assert len(images) > 10
    assert all(str(img["src"]).startswith("data:image/") and img["alt"] for img in images)


def test_every_page_allows_its_own_style_and_script_alone(book: Path) -> None:
    for path in book.rglob("*.html"):
        page = soup(path)
        own = {}
        for tag in page.find_all(["style", "script"]):
            assert not tag.get("src") and tag.name not in own
            own[tag.name] = b64encode(sha256(str(tag.string).encode()).digest()).decode()
        policy = str(page.select_one("meta[http-equiv=Content-Security-Policy]")["content"])  # type: ignore[index]
        assert policy == (
            "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
            f"font-src data:; style-src 'sha256-{own['style']}'; "
            f"script-src 'sha256-{own['script']}' 'strict-dynamic'"
        )
        assert not page.select("[style]")


def test_what_is_seen_and_what_is_a_head_is_said(book: Path) -> None:
    for path in book.rglob("*.html"):
        page = soup(path)
        assert all(th["scope"] in ("col", "row") for th in page.find_all("th")), path
        assert all(th["scope"] == "col" for th in page.select("thead th")), path
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(book.parent.parent))
        written = comparison.write(load_comparison("v5-small", "v6-small"))
        first, *_, last = sorted(load_record("v5-small").results, key=lambda r: r.samples)
        shown = BeautifulSoup(pages.report_page(written).body, "html.parser")
    told = " ".join(str(image["alt"]) for image in shown.find_all("img"))
    assert f"v5-small: {first.val_er:.1%}（4k） → {last.val_er:.1%}（88k）" in told
    assert {path.suffix for path in written.parent.glob("perplexity.*")} == {".png", ".svg"}


def test_a_report_and_its_english_one_lead_to_each_other_and_share_a_card(book: Path) -> None:
    folder = book / "v5-small-vs-v6-small"
    for path, name, other in (
        (folder / "report.html", "English", "en/report.html"),
        (folder / "en" / "report.html", "日本語", "report.html"),
    ):
        link = next(a for a in soup(path).select("main a") if a.get_text() == name)
        assert str(link["href"]).endswith(f"v5-small-vs-v6-small/{other}")
    english = soup(folder / "en" / "report.html").select_one("main")
    assert english and "In short" in english.get_text() and "図:" not in english.get_text()
    assert english.select(".verdict.care")
    cards = [str(a["href"]) for a in soup(book / "index.html").select(".cards a")]
    assert "v5-small-vs-v6-small/report.html" in cards
    assert not [path for path in cards if "/en/" in path]


def test_the_search_knows_other_words_for_a_metric(book: Path) -> None:
    script = (book / "search-index.js").read_text("utf-8")
    groups = json.loads(script.removeprefix("const BOOK = ").removesuffix(";\n"))["aliases"]
    assert {"ppl", "perplexity", "パープレキシティ"} <= {*next(g for g in groups if "ppl" in g)}
    assert "有効ランク" in next(g for g in groups if "effective rank" in g)


def test_the_start_page_leads_to_the_tutorial_the_words_and_a_report(book: Path) -> None:
    links = [str(a["href"]) for a in soup(book / "index.html").select(".start a")]
    assert links[:3] == ["tutorial.html", "glossary.html", "v5-small-vs-v6-small/report.html"]
    words = soup(book / "glossary.html").get_text()
    for word in ("固定点文脈", "PPL", "nat", "digest", "収束率", "95 % 区間"):
        assert word in words
    assert "はじめての固定点文脈" in soup(book / "tutorial.html").h1.get_text()  # type: ignore[union-attr]


def test_pages_of_runs_say_nothing_to_whoever_executes_them(book: Path) -> None:
    """Of other notebooks than the book's own nothing is left out."""
    page = soup(book / "runs" / "v5-small.html")
    assert page.h1 and page.h1.get_text() == "v5-small"
    for code in page.select("details.code"):
        code.decompose()
    text = page.select_one("main").get_text()  # type: ignore[union-attr]
    assert not re.search("papermill|下のセル", text) and "Phase 1" in text
    cells = [nbformat.v4.new_markdown_cell("# 題\n\npapermill とセルの話。")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(book.parent.parent))
        path = book.parent / "mine.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        assert "papermill とセルの話" in pages.notebook_page(path).body
        path.unlink()


def test_a_link_that_leads_out_of_the_reports_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "reports" / "deep").mkdir(parents=True)
    (tmp_path / "secret").write_text("# secret\n")
    (tmp_path / "reports" / "real.md").write_text("# real\n")
    for name in ("a.md", "b.ipynb", "deep/c.md"):
        (tmp_path / "reports" / name).symlink_to(tmp_path / "secret")
    (tmp_path / "reports" / "inside.md").symlink_to("real.md")
    os.mkfifo(tmp_path / "reports" / "pipe.md")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(tmp_path))
        made = site.build().parent
    names = {path.stem for path in made.rglob("*.html")}
    assert names == {"index", "unreadable", "glossary", "real", "inside"}
    assert all("secret" not in path.read_text("utf-8") for path in made.glob("[ir]*.html"))


def test_files_that_would_be_one_page_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    for stem in ("a", "index", "unreadable"):
        (tmp_path / "reports" / f"{stem}.md").write_text(f"# {stem} of mine\n")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "reports" / "a.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(tmp_path))
        made = site.build().parent
    assert "a of mine" in (made / "a.html").read_text("utf-8")
    assert "fpcore の本" in soup(made / "index.html").h1.get_text()  # type: ignore[union-attr]
    listed = {row.get_text() for row in soup(made / "unreadable.html").select("td:first-child")}
    assert listed == {"reports/a.ipynb", "reports/index.md", "reports/unreadable.md"}


def test_code_is_folded_and_outputs_are_not(book: Path) -> None:
    page = soup(book / "runs" / "v5-small.html")
    assert page.select("details.code pre") and not page.select("details[open]")
    assert all(code.find_parent("details") for code in page.select(".highlight"))
    assert page.select("main table") and not page.select("details table")


def test_pages_are_turned_in_the_order_of_the_contents(book: Path) -> None:
    index = soup(book / "index.html")
    order = [str(a["href"]) for a in index.select("#contents > ul > li > a")][1:]
    path, seen = book / "index.html", []
    while (after := soup(path).select_one("a[rel=next]")) is not None:
        path = (path.parent / str(after["href"])).resolve()
        seen.append(path.relative_to(book).as_posix())
    assert seen == order
    assert {*seen, "index.html"} == {p.relative_to(book).as_posix() for p in book.rglob("*.html")}


def test_a_byte_order_mark_is_no_part_of_a_page(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 題")])
    texts = {"a.md": "# 題\n", "a.ipynb": nbformat.writes(notebook)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(tmp_path))
        (tmp_path / "reports").mkdir()
        for name, text in texts.items():
            (tmp_path / "reports" / name).write_text(text, "utf-8-sig")
        made = pages.report_page(tmp_path / "reports" / "a.md")
        assert made.title == "題" == pages.notebook_page(tmp_path / "reports" / "a.ipynb").title


@given(stem=st.text(st.sampled_from("a実 #1%?&+;:='\"<>[]()~@!$,"), min_size=1, max_size=12))
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
def test_every_name_of_a_file_can_be_followed(
    tmp_path_factory: pytest.TempPathFactory, stem: str
) -> None:
    home = tmp_path_factory.mktemp("names")
    (home / "reports").mkdir()
    for name in (stem, f"{stem}z"):
        (home / "reports" / f"{name}.md").write_text(f"# a\n\n[b](<{quote(name + 'z.md')}>)\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(home))
        made = site.build().parent
    for path in made.glob("*.html"):
        links = [str(a["href"]) for a in soup(path).find_all("a", href=True)]
        for link in links:
            target = link.partition("#")[0]
            assert (made / unquote(target)).exists() and target == quote(unquote(target)), link
    first = [unquote(str(a["href"])) for a in soup(made / f"{stem}.html").select("main p a")]
    assert f"{stem}z.html" in first


def test_books_made_at_once_leave_one_whole_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty builds of eight threads, each of one page, and what a killed one has left."""
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    monkeypatch.setattr(site, "collect", lambda: [])
    monkeypatch.setattr(site, "write", lambda _, folder: write_atomically(folder / "a", b"whole"))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = hidden(tmp_path / "reports" / "html").name.replace(f".{getpid()}.", f".{ended.pid}.")
    (tmp_path / "reports" / left / "a").mkdir(parents=True)
    with ThreadPoolExecutor(8) as pool:
        for made in [pool.submit(site.build) for _ in range(40)]:
            made.result(timeout=60)
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["html"]
    assert (tmp_path / "reports" / "html" / "a").read_bytes() == b"whole"


@pytest.mark.parametrize(
    "call", ["pathlib.Path.write_bytes", "pathlib.Path.write_text", "pathlib.Path.rename"]
)
def test_a_full_disk_leaves_the_earlier_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Wherever the room ends: in one sentence, with nothing half made beside it."""
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    site.build()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    real, left = pathlib.Path.rename, [1]

    def full(path: Path, *args: Any) -> Any:
        if call.endswith("rename") and left[0] > 0:  # the earlier book is moved away, no further
            left[0] -= 1
            return real(path, *args)
        if call.endswith("rename") and left[0] < 0:
            return real(path, *args)
        left[0] = -1
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(call, full)
        with pytest.raises(StorageError, match="cannot be written: No space left on device"):
            site.build()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    site.build()


def test_sections_hold_the_text_that_is_searched_without_code() -> None:
    heading, code = '<h2 id="s1">ＥＲの変化</h2>', '<details class="code">x=1</details>'
    body = f"<p>前</p>{heading}<p>Val <b>ＥＲ</b></p>{code}"
    assert sections(Page("a.html", "a", "実行", body, [])) == [
        ("", "", "前"),
        ("s1", "ＥＲの変化", "Val ER"),
    ]


def test_links_to_reports_become_links_to_pages_and_others_text() -> None:
    body = '<a href="../runs/x.json">r</a><a href="p/y.yaml">y</a><a href="#s0">0</a>'
    assert linked(body, "a-vs-b/report.html", {"runs/x.html"}) == (
        '<a href="../runs/x.html">r</a>y<a href="#s0">0</a>'
    )


def test_the_book_is_made_anew_and_never_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    runs().mkdir(parents=True)
    shutil.copy(ROOT / "reports/runs/v5-small.json", runs())
    index = site.build()
    assert load_record("v5-small").name in index.read_text("utf-8")
    (index.parent / "report.md").write_text("# old\n")
    (runs() / "v5-small.json").unlink()
    site.build()
    assert {p.name for p in index.parent.rglob("*.html")} == {"index.html", "glossary.html"}
    assert [p.name for p in (tmp_path / "reports").iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    "name", [b"\xff.md", b"caf\xe9/a.ipynb", b"\xed\xa0\x80.ipynb", b"a" * 252 + b".md"]
)
def test_a_file_that_no_page_can_be_called_after_is_listed(tmp_path: Path, name: bytes) -> None:
    good = tmp_path / "reports" / "good.ipynb"
    good.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(), good)
    bad = good.parent / os.fsdecode(name)
    bad.parent.mkdir(exist_ok=True)
    shutil.copy(good, bad)
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(io.StringIO()) as said:
        patch.setenv("FPCORE_HOME", str(tmp_path))
        made = site.build().parent
    assert {p.stem for p in made.rglob("*.html")} == {"index", "glossary", "good", "unreadable"}
    assert "no page can be called so; rename the file" in (made / "unreadable.html").read_text()
    assert said.getvalue().startswith("Left out, as they cannot be read: reports/")


@st.composite
def a_bad_file(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file that is called as a record or an executed notebook is, and is none."""
    suffix = draw(st.sampled_from(["json", "ipynb", "md"]))
    stem = draw(
        st.sampled_from(["._v5-small", "v5-small (1)", "package", "zz", "行 #1 100%", "a|b*c*_d_"])
    )
    whole = (
        (ROOT / "reports" / "runs" / f"v6-small.{suffix}").read_bytes() if suffix != "md" else b""
    )
    cut = whole[: draw(st.integers(0, len(whole) // 2))]
    marked = cut + b"\n<<<<<<< HEAD\n" + whole[len(cut) :]
    content = draw(st.sampled_from([b"", b"[]", b"{}", b"null", b"\xff\xfe\x00", cut, marked]))
    if suffix == "md":
        content = draw(st.sampled_from([b"\xff", b"# a \xe6\n"]))
    return f"{stem}.{suffix}", content


@given(bad=st.lists(a_bad_file(), min_size=1, max_size=3))
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
def test_a_bad_file_is_listed_and_the_rest_is_built(
    tmp_path_factory: pytest.TempPathFactory, bad: list[tuple[str, bytes]]
) -> None:
    home = tmp_path_factory.mktemp("bad")
    folder = home / "reports" / "runs"
    folder.mkdir(parents=True)
    for name in ("v5-published.json", "v6-published.json"):
        shutil.copy(ROOT / "reports" / "runs" / name, folder)
    nbformat.write(nbformat.v4.new_notebook(), folder / "v5-published.ipynb")
    for name, content in bad:
        (folder / name).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(io.StringIO()) as said:
        patch.setenv("FPCORE_HOME", str(home))
        made = site.build().parent
        assert [record.name for record in load_records()] == ["v5-published", "v6-published"]
    assert all((made / f"runs/v{n}-published.html").is_file() for n in (5, 6))
    listed = {f"reports/runs/{name}" for name, _ in bad if not name.startswith(".")}
    lines = said.getvalue().splitlines()
    assert len(lines) <= 2 and all(name in lines[0] for name in listed)
    if listed:
        rows = soup(made / "unreadable.html").select("td:first-child")
        assert {row.get_text() for row in rows} == listed
    else:
        assert not lines and not (made / "unreadable.html").exists()
