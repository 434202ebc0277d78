"""Every text that is said has its English, and no Japanese is written without being said."""

import ast
import re
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fpcore.language.spoken import CATALOGUES, JAPANESE, catalogue
from fpcore.paths import NOTEBOOKS, ROOT

PACKAGE = ROOT / "fpcore"
# What takes a text to say it, now or later.
SAYING = {"said", "template", "Metric"}
# Rooms and files that write reports, and what of them speaks Japanese alone: live views, the
# tutorial, and proof-readers, whose words reports quote.
WRITING = ("notation.py", "records", "analysis", "reports")
JAPANESE_ALONE = ("reports/watching.py", "reports/tutorial.py", "analysis/published.py")
NUMBER = r"\d+(?:[.,]\d+)*"
Holes = set[str]


def module_id(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


MODULES = sorted(PACKAGE.rglob("*.py"))
WRITERS = [
    path
    for path in MODULES
    if module_id(path).split("/")[0] in WRITING and module_id(path) not in JAPANESE_ALONE
]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def constants(node: ast.AST) -> Iterator[ast.Constant]:
    """The texts below a node, but for those that other calls take."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.Call | ast.JoinedStr | ast.BinOp):
            yield from constants(child)


def said_texts(tree: ast.Module) -> dict[int, str]:
    """The texts that are said, by the place of their node in memory."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and name_of(n) in SAYING]
    given = [
        argument
        for call in calls
        for argument in (
            [*call.args, *(k.value for k in call.keywords)]
            if name_of(call) == "Metric"
            else call.args[:1]
        )
    ]
    return {id(c): str(c.value) for argument in given for c in constants(argument)}


def unsaid(tree: ast.Module) -> set[int]:
    """Docstrings and kinds of literals: nobody reads them in a report."""
    docs = [n.value for n in ast.walk(tree) if isinstance(n, ast.Expr)]
    kinds = [
        c
        for n in ast.walk(tree)
        if isinstance(n, ast.Subscript) and getattr(n.value, "id", "") == "Literal"
        for c in ast.walk(n)
    ]
    return {id(n) for n in [*docs, *kinds]}


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_every_text_that_is_said_has_its_english(path: Path) -> None:
    texts = {t for t in said_texts(tree_of(path)).values() if JAPANESE.search(t)}
    assert not texts - {*catalogue()}


@pytest.mark.parametrize("path", WRITERS, ids=module_id)
def test_no_japanese_is_written_without_being_said(path: Path) -> None:
    tree = tree_of(path)
    known = {*said_texts(tree)} | unsaid(tree)
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert not [n.value for n in texts if id(n) not in known and JAPANESE.search(str(n.value))]


def test_no_english_is_left_over_or_given_twice() -> None:
    sources = [*MODULES, *NOTEBOOKS.glob("*.py")]
    used = {
        node.value
        for path in sources
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant)
    }
    pages = [yaml.safe_load(path.read_text("utf-8")) for path in CATALOGUES.glob("*.yaml")]
    keys = [key for page in pages for key in page]
    assert not {*keys} - used
    assert [key for key, count in Counter(keys).items() if count > 1] == []


def test_a_translation_has_the_holes_and_the_numbers_of_its_text() -> None:
    for japanese, english in catalogue().items():
        holes, plurals = holes_of(japanese)[0], holes_of(english)[1]
        assert holes_of(english)[0] | (holes & plurals) == holes, japanese
        assert plurals <= holes | {"n"}, japanese  # how many `n` are, whoever says it may tell
        assert Counter(numbers(japanese)) == Counter(numbers(english)), japanese
        assert not JAPANESE.search(english), english


def holes_of(text: str) -> tuple[Holes, Holes]:
    """The names in a template: those that are written out, and those that choose a plural."""
    fields = [(name, spec or "") for _, name, spec, _ in string.Formatter().parse(text) if name]
    return ({n for n, spec in fields if "|" not in spec}, {n for n, spec in fields if "|" in spec})


def numbers(text: str) -> list[str]:
    """The numbers that a template itself has."""
    return re.findall(NUMBER, "".join(part for part, *_ in string.Formatter().parse(text)))
