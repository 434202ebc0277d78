"""Free text in Markdown: whatever it holds, a reader sees it as it was written."""

import pandas as pd
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fpcore import RunConfig
from fpcore.config.checked import BREAK
from fpcore.metric import METRICS
from fpcore.notation import code, difference, escaped, metric, number, percent, table
from fpcore.reports.one_run import config_table
from fpcore.reports.page import rendered

# Every character that Markdown, HTML, YAML or a URL treats specially, and what they make together.
ODD = st.text(st.sampled_from("ab1語 |\\`*_~$[](){}<>&;:#!?/\"'%+-=.@^,\n\t\u2028"), max_size=14)
MARKUP = st.sampled_from(
    [
        "[x](y)",
        "**a**",
        "<b>x</b>",
        "&amp;",
        "<!-- x -->",
        "a|b",
        "`a`",
        "~~a~~",
        "![x](y)",
        "a\\|b",
        "https://a.b",
        "<https://a.b>",
        "_a_",
        "a_b_c",
        "$x$",
        "``",
        "\\",
        "]: a",
        "&#35;",
    ]
)
TEXT = ODD | MARKUP | st.tuples(ODD, MARKUP).map("".join)


def one_line(text: str) -> str:
    return " ".join(text.split())


def cells(text: str, tag: str) -> list[str]:
    html = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text)
    return [one_line(cell.get_text()) for cell in BeautifulSoup(html, "html.parser").find_all(tag)]


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3), TEXT)
def test_cells_and_headings_are_shown_as_written(rows: list[tuple[str, str]], name: str) -> None:
    text = table(pd.DataFrame(rows, columns=["first", name]))
    assert cells(text, "th") == ["first", one_line(name)]
    assert cells(text, "td") == [one_line(value) for row in rows for value in row]


@given(TEXT.filter(str.strip))
def test_text_in_a_sentence_and_code_are_shown_as_written(text: str) -> None:
    assert cells(f"a {escaped(text)} b", "p") == [one_line(f"a {text} b")]
    both = table(pd.DataFrame({"code": [code(text)]}), "code")
    assert cells(both, "code") == [one_line(text)] == cells(f"a {code(text)}", "code")


def test_a_column_of_markdown_stays_so() -> None:
    assert cells(table(pd.DataFrame({"a": ["**b**"]}), "a"), "strong") == ["b"]


@given(TEXT)
def test_the_table_of_a_config_keeps_its_columns(text: str) -> None:
    corpus = BREAK.sub("", text) + ".jsonl"
    config = RunConfig(corpus=f"a{corpus}", name="x")
    page = BeautifulSoup(rendered(config_table(config), RunConfig.folder()), "html.parser")
    rows = [[cell.get_text() for cell in row.find_all("td")] for row in page.find_all("tr")]
    own = next(row for row in rows if row and row[0] == "corpus")
    assert (one_line(own[1]), own[2:]) == (one_line(f"a{corpus}"), ["chitchat", "★"])


@given(st.floats(), st.integers(0, 4), st.sampled_from(list(METRICS)))
def test_no_number_is_printed_with_hundreds_of_digits(value: float, digits: int, name: str) -> None:
    texts = [number(value, digits), percent(value), metric(name, value), difference(name, value)]
    assert all(len(text) < 40 for text in texts)
    if abs(value) < 1e15:
        assert number(value, digits) == f"{value:,.{digits}f}"
