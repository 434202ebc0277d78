"""Files of one's own: every format, whatever it holds, is read or refused in one sentence."""

import datetime
import json
import os
import socket
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcore import CorpusError
from fpcore.data import files
from fpcore.data.files import read_file


def written(path: Path, texts: list[str]) -> str:
    """Write texts in the format that the suffix says; return the path."""
    if path.suffix.lower() == ".parquet":
        pq.write_table(pa.table({"text": texts}), path)
    else:
        lines = path.suffix.lower() == ".jsonl"
        content = "\n".join(json.dumps({"text": text}) if lines else text for text in texts)
        path.write_text(content, encoding="utf-8")
    return str(path)


def refusal(source: str) -> str:
    with pytest.raises(CorpusError) as caught:
        read_file(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


SUFFIXES = ["txt", "jsonl", "parquet"]


@pytest.mark.parametrize("suffix", [*SUFFIXES, "TXT", "JSONL", "Parquet"])
def test_a_suffix_is_known_in_any_case(tmp_path: Path, suffix: str) -> None:
    assert read_file(written(tmp_path / f"chats.v2.{suffix}", ["a", "b"])) == ["a", "b"]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_rows_are_counted_from_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"odd.{suffix}"
    messages = [[{"content": "a"}], [{"content": "b"}], [None]]
    if suffix == "parquet":
        pq.write_table(pa.table({"messages": messages}), path)
    else:
        path.write_text("\n".join(json.dumps({"messages": m}) for m in messages), encoding="utf-8")
    what = "row" if suffix == "parquet" else "line"
    assert refusal(str(path)).startswith(f"{what} 3 of corpus odd.{suffix} ")


lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)
block = st.lists(lines, min_size=2, max_size=5)


@given(blocks=st.lists(block, min_size=3, max_size=6), gap=st.sampled_from(["\n", "\n\n", " \n"]))
def test_blank_lines_part_dialogues(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[list[str]], gap: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "dialogues.txt"
    texts = ["\n".join(block) for block in blocks]
    path.write_text(gap + f"\n{gap}".join(texts) + f"\n{gap}", encoding="utf-8", newline="\n")
    assert read_file(str(path)) == texts


def test_what_blank_lines_are_taken_for_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("a\nb\n\nc\n\nd\ne\n\n", encoding="utf-8")
    assert read_file(str(path)) == ["a\nb", "c", "d\ne"]
    said = capsys.readouterr().out
    assert "talk.txt" in said and "each of its 3 blocks is read as one conversation" in said


@pytest.mark.parametrize(
    "content",
    ["a\nb\nc\nd", "a\n\nb\n\nc\n\nd", "a\n\nb\n\nc\nd", "a\nb\n\nc\nd", "\n\na\nb\nc\nd\n\n"],
)
def test_one_line_each_is_read_by_the_line_without_a_word(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lines.txt"
    path.write_text(content, encoding="utf-8")
    assert read_file(str(path)) == ["a", "b", "c", "d"]
    assert capsys.readouterr().out == ""


def test_a_stray_blank_line_makes_no_dialogues(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(500)]
    stray = [
        line for number, text in enumerate(texts) for line in ([text], [text, ""])[not number % 120]
    ]
    path = tmp_path / "stray.txt"
    path.write_text("\n".join(stray), encoding="utf-8")
    assert read_file(str(path)) == texts


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_corpus_has_an_end(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = written(tmp_path / f"long.{suffix}", ["12345"] * 8)
    monkeypatch.setattr(files, "MAX_CHARACTERS", 40)
    assert read_file(source) == ["12345"] * 8
    monkeypatch.setattr(files, "MAX_CHARACTERS", 39)
    assert "more than 39 characters" in refusal(source)
    monkeypatch.setattr(files, "MAX_CHARACTERS", 40)
    monkeypatch.setattr(files, "MAX_ROWS", 8)
    assert read_file(source) == ["12345"] * 8
    monkeypatch.setattr(files, "MAX_ROWS", 7)
    assert "more than 7 lines or rows" in refusal(source)


@pytest.mark.parametrize("suffix", ["txt", "jsonl"])
def test_a_line_has_an_end(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"endless.{suffix}"
    with path.open("wb") as file:
        file.write(b"one\n" if suffix == "txt" else b'{"text": "one"}\n')
        file.truncate(2**40)  # a terabyte of zeros, none of which is stored
    assert "line 2" in refusal(str(path)) and "40,000,000 characters" in refusal(str(path))


def test_a_parquet_that_unfolds_is_refused_before_it_does(tmp_path: Path) -> None:
    """Three gigabytes in 1,600 bytes: 300 messages of one text of ten million letters."""
    contents = pa.DictionaryArray.from_arrays(pa.array([0] * 300), pa.array(["ab" * 5_000_000]))
    messages = pa.StructArray.from_arrays([contents], ["content"])
    path = tmp_path / "bomb.parquet"
    rows = pa.ListArray.from_arrays(pa.array([0, 300], pa.int32()), messages)
    pq.write_table(pa.table({"messages": rows}), path, compression="zstd")
    assert path.stat().st_size < 10_000
    before = pa.total_allocated_bytes()
    assert "row 1 of corpus bomb.parquet has more than 40,000,000 bytes" in refusal(str(path))
    assert pa.default_memory_pool().max_memory() - before < 500_000_000


def test_rows_that_weigh_much_are_read_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [str(number) * 50 for number in range(30)]
    source = written(tmp_path / "heavy.parquet", texts)
    monkeypatch.setattr(files, "MAX_LINE", files.VALUE + 110)
    assert read_file(source) == texts
    monkeypatch.setattr(files, "MAX_LINE", files.VALUE + 90)
    assert "row 11 of corpus heavy.parquet has more than" in refusal(source)


FAR = pa.array([2**62], pa.timestamp("us"))  # no date of Python's
ODD = {
    "text": [
        FAR,
        pa.array([b"a"]),
        pa.array([1.5]),
        pa.nulls(1),
        pa.array([[1]]),
        pa.array([True]),
    ],
    "messages": [
        pa.ListArray.from_arrays([0, 1], FAR),
        pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string())),
        pa.array([[["a"]]]),
        pa.array([{"content": "a"}]),
        pa.array([[Decimal("1.5")]]),
        FAR,
    ],
}


@pytest.mark.parametrize(
    ("field", "number"), [(f, n) for f, odd in ODD.items() for n in range(len(odd))]
)
def test_a_column_of_another_kind_is_refused(tmp_path: Path, field: str, number: int) -> None:
    path = tmp_path / "odd.parquet"
    column = ODD[field][number]
    pq.write_table(pa.table({field: column, "id": [1]}), path)
    message = refusal(str(path))
    assert message.startswith("row 1 of corpus odd.parquet has neither a text")


def test_columns_that_say_nothing_are_not_read(tmp_path: Path) -> None:
    fields = [pa.array(["a", "b"]), pa.concat_arrays([FAR, FAR])]
    messages = pa.StructArray.from_arrays(fields, ["content", "at"])
    path = tmp_path / "dated.parquet"
    talk = pa.ListArray.from_arrays([0, 2], messages)
    pq.write_table(pa.table({"messages": talk, "when": FAR, "n": [1]}), path)
    assert read_file(str(path)) == ["a\nb"]


KINDS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_may_be_stored_in_any_way(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "kinds.parquet"
    pq.write_table(pa.table({"text": pa.array(["a", "b", "a"]).cast(kind)}), path)
    assert read_file(str(path)) == ["a", "b", "a"]


def no_files(folder: Path) -> list[str]:
    """Things that have a path but are no files, and paths that lead nowhere."""
    pipe, device, loop = folder / "pipe.txt", folder / "device.txt", folder / "loop.txt"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    loop.symlink_to(loop)
    (folder / "folder.jsonl").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s.txt"))
    there = [str(folder / name) for name in ("pipe.txt", "device.txt", "loop.txt", "folder.jsonl")]
    odd = ["~nobody-here/x.txt", "a\0.txt", "x" * 5000 + ".txt", "\ud800.txt", "no.txt"]
    return [*there, str(folder / "s.txt"), *odd]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    for source in no_files(tmp_path):
        assert "is not there, or is not a file" in refusal(source)


values: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.binary(max_size=5),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 1, 1)),
    st.decimals(-1000, 1000, places=2),
)
nested = st.one_of(
    values,
    st.lists(values, max_size=3),
    st.dictionaries(st.sampled_from(["content", "value", "role", "at"]), values, max_size=3),
    st.lists(st.dictionaries(st.sampled_from(["content", "value", "at"]), values, max_size=3)),
)


@given(
    column=st.lists(nested, min_size=1, max_size=3),
    name=st.sampled_from(["text", "messages", "conversations", "a.b", "text.x", ""]),
    damage=st.none() | st.tuples(st.integers(0, 10**6), st.integers(1, 255)),
)
def test_any_parquet_is_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory,
    column: list[Any],
    name: str,
    damage: tuple[int, int] | None,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.parquet"
    try:
        table = pa.table({name: column})
    except (pa.ArrowException, OverflowError, TypeError):  # no column holds values so different
        table = pa.table({name: [repr(value) for value in column]})
    try:
        pq.write_table(table, path)
    except pa.ArrowException:  # pyarrow writes no structure without fields
        return
    content = bytearray(path.read_bytes())
    if damage:
        content[damage[0] % len(content)] ^= damage[1]
        path.write_bytes(content)
    try:
        texts = read_file(str(path))
    except CorpusError as error:
        assert "any.parquet" in str(error) and "\n" not in str(error)
    else:
        assert texts and all(text.strip() for text in texts)
