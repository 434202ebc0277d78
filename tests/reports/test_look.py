"""The report of a look: what it says follows from the numbers, and its conversation is coloured."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bs4 import BeautifulSoup
from helpers.looks import WORDS, seen
from helpers.payloads import CLOSED, UNCLOSED
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fpcore.reports import figures, look
from fpcore.reports.coloured import Token, coloured, html
from fpcore.reports.figures.run_style import MARKERS, PALETTE
from fpcore.reports.markup import clean
from fpcore.reports.page import rendered


def test_the_first_lines_answer_by_rule() -> None:
    first, second, third = str(look.answer(seen())).splitlines()
    assert "訓練した文脈のほうが良い" in first and "-0.2" in first
    assert "得をするのは会話に既出か 既出（-0.5" in second.replace("-0.49", "-0.5")
    assert "損をするのは、確かなものがない" in second
    assert "1% 以上と言えるのは 3 番目まで" in third and "k=2 で 25.0%" in third
    worse = str(look.answer(seen(gain=-0.5))).splitlines()
    assert "悪い" in worse[0] and "損をするのは会話に既出か 既出" in worse[1]
    assert "差があるとは言えない" in str(look.answer(seen(gain=0.0))).splitlines()[0]
    assert "答えられない" in look.answer(seen("trained"))
    controlled = seen("trained untrained zero", compared=1)
    assert look.answer(controlled) == look.answer(seen("trained zero"))


def test_what_is_compared_once_is_not_shown_twice() -> None:
    assert "上の表" in look.versus_zero(seen("zero trained"))
    assert "上の表" in look.versus_zero(seen("trained zero"))
    other = seen("untrained trained zero")
    assert "untrained-run" in look.classes(other) and "zero-run" not in look.classes(other)
    assert "zero-run" in look.versus_zero(other)


def spans(page: str) -> list[Any]:
    return list(BeautifulSoup(page, "html.parser").select("div.tokens > span.token"))


@pytest.mark.parametrize("compared", [1, 2])
def test_every_token_of_a_conversation_has_its_colour_and_its_note(
    compared: int, tmp_path: Path
) -> None:
    one = seen(compared=compared)
    found = spans(rendered(look.render(one), tmp_path))
    assert [span.get_text() for span in found] == [w.replace("\n", "⏎") for w in WORDS]
    assert found[0]["title"] == "最初のトークンは予測されない"
    for span, losses in zip(found[1:], one.conversation.losses[1:], strict=True):
        assert f"trained-run {losses[0]:.2f}" in span["title"]
        assert (f"zero-run {losses[1]:.2f}" in span["title"]) == (compared == 2)
        assert " 25%" in span["title"]
    levels = [span["class"][1] for span in found[1:]]
    if compared == 1:
        limits = look.conversation.__globals__["LOSSES"]
        want = [f"up{sum(loss >= n for n in limits)}" for loss in one.conversation.losses[1:, 0]]
        assert levels == want and len(set(levels)) > 2
    else:
        assert set(levels) == {"up2"}  # each is half a nat worse


TEXT = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(CLOSED + UNCLOSED)


@settings(max_examples=20)
@given(words=st.lists(TEXT, min_size=1, max_size=5), note=TEXT, level=st.integers(0, 5))
def test_any_text_is_shown_as_it_is_and_nothing_more(
    words: list[str], note: str, level: int
) -> None:
    block = coloured(Token(word, note, f"down{level}") for word in words)
    page = rendered(f"# a\n\n{block}\n\nb\n", Path())
    found = spans(page)
    assert len(found) == len(words) and page.count("<p>b</p>") == 1
    for span, word in zip(found, words, strict=True):
        bare = word.replace("\n", "⏎").replace("\x00", "\ufffd").replace("\r", "\n")
        assert span.get_text().split() == bare.split() or not word.isprintable()
        assert span["class"] == ["token", f"down{level}"]
    assert clean(page) == page
    shown = BeautifulSoup(block._repr_html_(), "html.parser")
    assert {tag.name for tag in shown.find_all(True)} <= {"style", "div", "span", "br"}
    kinds = [token.type for token in MarkdownIt("commonmark").parse(str(block))]
    assert kinds == ["fence"]


@pytest.mark.parametrize(
    "line", ["", "x", "up1", "up9\t1\t", 'up1\t["a"]\t', '" onx="1\t"a"\tb', "up1\t{\t"]
)
def test_a_line_that_is_no_token_is_text(line: str) -> None:
    soup = BeautifulSoup(clean(html([line, 'up1\t"a"\tb'])), "html.parser")
    assert soup.get_text() == line + "a"
    assert len(soup.select("span.token")) == 1


def kinds(text: str) -> list[str]:
    parts = MarkdownIt("commonmark").enable("table").parse(text)
    inner = ("text", "code_inline", "softbreak", "text_special")
    return [
        *(token.type for token in parts),
        *(c.type for token in parts for c in token.children or [] if c.type not in inner),
    ]


@pytest.mark.parametrize("text", [*CLOSED[::5], *UNCLOSED[::3], "```\n# a", "x\n```\n<b>"])
def test_no_token_changes_what_a_report_is_made_of(text: str) -> None:
    assert kinds(look.render(seen(words=[text] * 8))) == kinds(look.render(seen()))


def test_figures_have_what_the_tables_have() -> None:
    ax = figures.token_classes(seen(), figures.axes())
    assert len(ax.get_yticks()) == look.classes(seen()).count("\n| ")
    ax = figures.far_back(seen("trained untrained zero"), figures.axes())
    lines = {line.get_label(): np.size(line.get_xdata()) for line in ax.get_lines()}
    assert lines == {"trained-run": 3, "untrained-run": 2, "zero-run": 1}


@pytest.mark.parametrize("marker", MARKERS)
def test_a_figure_is_drawn_in_every_look_of_a_run(home: Path, marker: str) -> None:
    (home / "reports").mkdir(parents=True)
    kept = {name: [PALETTE[0], marker] for name in ("trained-run", "zero-run")}
    (home / "reports" / "looks.json").write_text(json.dumps(kept))
    ax = figures.far_back(seen(), figures.axes())
    assert {line.get_marker() for line in ax.get_lines()} == {marker}


def test_the_report_is_written(home: Path) -> None:
    path = look.write(seen())
    assert path.parent == home / "reports" / "look" / "trained-run-vs-zero-run-100"
    text = path.read_text("utf-8")
    assert text == look.render(seen())
    body = text.split("```tokens\n")[1].split("\n```")[0].splitlines()
    assert [json.loads(line.split("\t")[1]) for line in body] == WORDS
    page = path.with_name("report.html").read_text("utf-8")
    assert len(spans(page)) == len(WORDS) and page.count("data:image/png") == 2
