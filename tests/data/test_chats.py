"""One conversation, as every common schema writes it, is one text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcore import CorpusError
from fpcore.data import chats
from fpcore.data.files import read_file

Turns = list[str]


def openai(turns: Turns) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": turn} for turn in turns]}


def listed(turns: Turns) -> dict[str, Any]:
    parts = [[{"type": "text", "text": turn}, {"type": "image_url"}] for turn in turns]
    return {"messages": [{"role": "user", "content": part} for part in parts]}


def in_json(turns: Turns) -> dict[str, Any]:
    parts = [json.dumps([{"type": "text", "text": turn}]) for turn in turns]
    return {"messages": [{"role": "user", "content": part} for part in parts]}


def whole_in_json(turns: Turns) -> dict[str, Any]:
    return {"messages": json.dumps(openai(turns)["messages"])}


def sharegpt(turns: Turns) -> dict[str, Any]:
    return {"id": "x1", "conversations": [{"from": "human", "value": turn} for turn in turns]}


def lmsys(turns: Turns) -> dict[str, Any]:
    return {"conversation": openai(turns)["messages"]}


def assistants(turns: Turns) -> dict[str, Any]:
    parts = [[{"type": "text", "text": {"value": turn, "annotations": []}}] for turn in turns]
    return {"messages": [{"role": "user", "content": part} for part in parts]}


def beside_an_empty_field(turns: Turns) -> dict[str, Any]:
    return {"text": "", "messages": None} | sharegpt(turns)


def beside_empty_values(turns: Turns) -> dict[str, Any]:
    messages = [{"content": None, "value": turn, "text": ""} for turn in turns]
    return {"text": None, "messages": messages}


def plain(turns: Turns) -> dict[str, Any]:
    return {"text": "\n".join(turns), "messages": [], "n": 3}


SCHEMAS = [
    openai,
    listed,
    in_json,
    whole_in_json,
    sharegpt,
    lmsys,
    assistants,
    beside_an_empty_field,
    beside_empty_values,
    plain,
]
characters = st.characters(exclude_categories=["Cs"])
turns = st.lists(st.text(characters, min_size=1).filter(str.strip), min_size=1, max_size=4)


def as_lines(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def as_parquet(path: Path, rows: list[dict[str, Any]]) -> str:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


@pytest.mark.parametrize("schema", SCHEMAS)
@given(talks=st.lists(turns, min_size=1, max_size=3))
def test_every_schema_says_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    schema: Callable[[Turns], dict[str, Any]],
    talks: list[Turns],
) -> None:
    folder = tmp_path_factory.getbasetemp()
    texts, rows = ["\n".join(talk) for talk in talks], [schema(talk) for talk in talks]
    assert read_file(as_lines(folder / "talk.jsonl", rows)) == texts
    assert read_file(as_parquet(folder / "talk.parquet", rows)) == texts


@pytest.mark.parametrize("empty", [None, "", " ", []])
def test_null_and_empty_are_a_conversation_without_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], empty: Any
) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "here"},
        {"messages": empty},
        {"conversations": [{"value": empty}]},
    ]
    source = as_lines(tmp_path / "gaps.jsonl", rows)
    assert read_file(source) == ["here"]
    assert "2 conversations without text left out" in capsys.readouterr().out


def test_a_null_content_is_an_empty_message() -> None:
    row = {"messages": [{"content": "a"}, {"content": None, "tool_calls": [1]}, {"content": "b"}]}
    assert chats.conversation(row, "row 1") == "a\n\nb"


def test_a_text_that_looks_like_json_is_a_text() -> None:
    for text in ("[1, 2]", "[]", '["a"]', '[{"text": "a"}]', '[{"type": 3}]', "[TODO]"):
        assert chats.conversation({"messages": [{"content": text}]}, "row 1") == text


def test_a_text_goes_before_messages() -> None:
    assert chats.conversation({"messages": [{"content": "b"}], "text": "a"}, "row 1") == "a"
    assert chats.conversation({"text": "a", "messages": 3}, "row 1") == "a"


REFUSED = [
    ({"body": "a", "n": 1}, "its keys are 'body', 'n'"),
    ({}, "its keys are none"),
    ({"text": 3}, "its text is a number"),
    ({"text": {"a": 1}}, "its text is an object"),
    ({"messages": 0}, "its messages are a number, not a list"),
    ({"text": "", "messages": {"a": 1}}, "its messages are an object, not a list"),
    ({"messages": "hello"}, "its messages are a text, not a list"),
    ({"messages": '[{"content": '}, "its messages are a text, not a list"),
    ({"conversations": ["a"]}, "message 1 is a text"),
    ({"conversations": [{"value": "a"}, {"from": "gpt"}]}, "message 2 has the keys 'from'"),
    ({"messages": [{"content": 3}]}, "the content of message 1 is a number"),
    ({"messages": [{"content": True}]}, "the content of message 1 is a boolean"),
    ({"messages": [{"content": [{"kind": "b"}]}]}, "a part of message 1 has the keys 'kind'"),
    ({"messages": [{"content": [[]]}]}, "a part of message 1 is a list"),
    (["a"], "it is a list"),
    (None, "it is null"),
]


@pytest.mark.parametrize(("row", "problem"), REFUSED)
def test_what_is_no_conversation_is_told_by_what_it_is(row: Any, problem: str) -> None:
    with pytest.raises(CorpusError) as caught:
        chats.conversation(row, "row 7")
    assert str(caught.value) == (
        f"row 7 has neither a text nor messages that each have a content: {problem}."
    )


keys = st.sampled_from([*chats.FIELDS, *chats.CONTENTS, "role", "type", "\ud800\n"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)


@given(row=json_values | st.dictionaries(keys, json_values, max_size=4))
def test_any_row_is_read_or_refused_in_one_line(row: Any) -> None:
    try:
        text = chats.conversation(row, "row 1")
    except CorpusError as error:
        message = str(error)
        assert message.startswith("row 1 ") and message.isprintable() and len(message) < 400
    else:
        text.encode()


def test_a_conversation_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chats, "MAX_CHARACTERS", 10)
    row = {"messages": [{"content": "12345"}, {"content": "1234"}]}
    assert len(chats.conversation(row, "row 1")) == 10
    with pytest.raises(CorpusError, match="row 1 has 11 characters; a conversation may have 10"):
        chats.conversation({"text": "12345678901"}, "row 1")
