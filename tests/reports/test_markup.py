"""What becomes HTML: nothing that runs or loads, and no text that passes for more than text."""

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from helpers.payloads import CLOSED, FORGED, UNCLOSED
from helpers.records import record
from helpers.studies import evidence
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fpcore import ConfigError, RunConfig, compare_runs
from fpcore.analysis.study import Evidence
from fpcore.records.record import RunRecord
from fpcore.reports.comparison import report
from fpcore.reports.markup import TAGS, clean
from fpcore.reports.page import PNG, page, rendered
from fpcore.reports.study import report as study_report

PIECES = [*re.split(r"(?<=>)|(?=<)", "".join(CLOSED + UNCLOSED)), "<td", " style=", '"', "'", "&"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_what_is_cleaned_holds_no_more_than_tables_and_figures_need(text: str) -> None:
    found = clean(text)
    for tag in BeautifulSoup(found, "html.parser").find_all(True):
        assert tag.name in TAGS
        assert not [name for name in tag.attrs if name.startswith("on") or name == "style"]
        assert re.match(r"data:image/\w|$", str(tag.get("src", "")))
        assert not re.match(r"\W*(\w+:|//|\\)", str(tag.get("href", "")))
    assert clean(found) == found


def test_tables_figures_code_and_links_to_files_are_kept() -> None:
    kept = (
        '<div class="highlight"><pre><span class="k">if</span></pre></div>'
        '<table><tbody><tr><td align="right" colspan="2">1</td></tr></tbody></table>'
        '<img src="data:image/png;base64,iVBORw0KGgo=" alt="a" width="3">'
        '<p><a href="../runs/a%3Ab.md#s1">a</a> <a href="#s0">b</a></p>'
    )
    assert clean(kept) == kept
    assert clean('<table><tbody><tr><td style="text-align: right">1</td></tr></tbody></table>') == (
        '<table><tbody><tr><td align="right">1</td></tr></tbody></table>'
    )


def test_a_page_allows_its_own_style_alone(tmp_path: Path) -> None:
    html = page(f"# {CLOSED[0]}\n\n## {CLOSED[3]}\n", tmp_path)
    soup = BeautifulSoup(html, "html.parser")
    allowed = str(soup.select_one("meta[http-equiv]")["content"])  # type: ignore[index]
    style = re.search("<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'; script-src 'none'" in allowed
    assert "default-src 'none'" in allowed and "unsafe" not in allowed
    assert soup.find("script") is None and CLOSED[0] in soup.get_text()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a figure, beside one that is not its own, and what only looks like figures."""
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "own.png").write_bytes(PNG + b"own")
    (folder / "text.png").write_bytes(b"secret")
    (tmp_path / "other.png").write_bytes(PNG + b"secret")
    (folder / "link.png").symlink_to(tmp_path / "other.png")
    (folder / "sub").mkdir()
    (folder / "sub" / "in.png").write_bytes(PNG + b"secret")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    return folder


def test_a_figure_of_the_folder_is_shown(pictures: Path) -> None:
    data = base64.b64encode(PNG + b"own").decode()
    assert f'src="data:image/png;base64,{data}"' in rendered("![a](own.png)", pictures)


@pytest.mark.parametrize(
    "source",
    [*"text.png ../other.png link.png sub/in.png ./own.png folder.png pipe.png none.png".split(),
     *"/etc/passwd file:///etc/passwd http://a.invalid/own.png //a.invalid/own.png".split(),
     *"%2e%2e/other.png ..%2fother.png own.png?x own.png#x".split()],
)  # fmt: skip
def test_no_other_file_is_shown(pictures: Path, source: str) -> None:
    for text in (f"![図 a]({source})", f"b ![図 a]({source}) c", f'![図 a]({source} "t")'):
        html = rendered(text, pictures)
        assert "src=" not in html and "図 a" in html
        assert base64.b64encode(b"secret").decode()[:6] not in html


def kinds(text: str) -> list[str]:
    """The blocks of a Markdown text, and what is in its lines but for text."""
    words = ("text", "code_inline", "softbreak", "text_special")
    found: list[str] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        inside = [child for child in token.children or [] if child.type not in words]
        found += [token.type, *(f"{c.type} {c.attrs.get('src', '')}" for c in inside)]
    return found


def hostile(name: str, texts: list[str], value: Any, **more: Any) -> RunRecord:
    """A record whose texts are the given ones; `value` differs between the two runs."""
    knobs = {f"knob{n}": text + str(value) for n, text in enumerate(texts)}
    own = record(name, knobs | {"corpus": texts[0] + ".txt", "select_on": texts[-1], "epochs": 9})
    environment = {"device": texts[0], "precision": texts[-1], "packages": {texts[0]: texts[-1]}}
    return RunRecord(**own.model_dump() | {"label": texts[0], "environment": environment} | more)


def test_no_text_of_a_record_changes_what_a_report_is_made_of() -> None:
    plain = ["x"] * len(CLOSED + UNCLOSED)
    reports = [
        report.render(compare_runs(hostile("a", texts, 1), hostile("b", texts, 2)))
        for texts in (plain, CLOSED + UNCLOSED)
    ]
    assert kinds(reports[0]) == kinds(reports[1])
    assert reports[0].count("\n") == reports[1].count("\n")


@pytest.mark.parametrize("text", [*CLOSED[::9], *FORGED])
def test_no_text_of_a_study_changes_what_its_report_is_made_of(text: str) -> None:
    e = evidence("two-factors")
    study = e.study.model_copy(update={"title": text, "question": text})
    records = tuple(r.model_copy(update={"label": text}) for r in e.records)
    own, plain = study_report.render(Evidence(study, records)), study_report.render(e)
    assert kinds(own) == kinds(plain)


@pytest.mark.parametrize("text", FORGED)
def test_a_text_of_several_lines_is_in_no_config_and_no_record(text: str) -> None:
    with pytest.raises(ConfigError, match="corpus must be"):
        RunConfig(corpus=f"{text}.txt")
    with pytest.raises(ConfigError, match="embedding must be"):
        RunConfig(embedding=f"{text}.safetensors")
    for place in ("config", "environment"):
        for odd in ({"corpus": text}, {"x": [text]}, {"x": {text: 1}}, {text: 1}):
            with pytest.raises(ValueError, match=r"more than one line|should match pattern"):
                RunRecord(**record("a").model_dump() | {place: odd})
    places = {"label": text, "started": text, "name": text, "digests": {text: text}}
    for place, value in places.items():
        with pytest.raises(ValueError, match=r"more than one line|should match pattern"):
            RunRecord(**record("a").model_dump() | {place: value})
