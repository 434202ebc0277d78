import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.toy import Toy, WriteCorpus
from hypothesis import assume, given
from hypothesis import strategies as st

from fpcore import CorpusError, RunConfig
from fpcore.data import corpus
from fpcore.data.files import read_file

TEXTS = [f"conversation {number}" for number in range(30)]


def test_chitchat_is_all_there_and_split_at_the_end() -> None:
    config = RunConfig(val_samples=25)
    data = corpus.load(config)
    assert (data.train_range, data.dev_range) == (range(7118), range(7118, 7143))
    assert data.val_range == range(7143, 7168)
    assert [len(part) for part in (data.train, data.dev, data.val)] == [7118, 25, 25]
    assert all(text.strip() for text in data.train + data.dev + data.val)
    first = data.train[0].split("\n")
    assert first[0] == "Hello"
    assert len(first) > 5
    assert sum(text.count("\n") + 1 for text in data.train + data.dev + data.val) >= 258145


@pytest.mark.parametrize(
    ("count", "held_out"), [(10, 1), (15, 1), (30, 3), (1999, 199), (2000, 200), (5000, 200)]
)
def test_a_tenth_is_held_out_but_no_more_than_200(toy: Toy, count: int, held_out: int) -> None:
    texts = [f"conversation {number}" for number in range(count)]
    data = corpus.split(toy(corpus="own.txt", val_samples=None, samples=[1]), texts)
    assert (len(data.dev), len(data.val)) == (held_out, held_out)
    assert data.train + data.dev + data.val == texts


def test_a_data_seed_draws_other_training_conversations_and_nothing_else(toy: Toy) -> None:
    plain, drawn, other, again = (
        corpus.split(toy(corpus="own.txt", data_seed=seed), TEXTS) for seed in (0, 1, 2, 1)
    )
    assert plain.train != drawn.train != other.train != plain.train
    assert sorted(plain.train) == sorted(drawn.train) and again.train == drawn.train
    assert (plain.dev, plain.val) == (drawn.dev, drawn.val)


@given(st.lists(st.sampled_from("abcde"), min_size=6, max_size=30), st.integers(1, 30))
def test_held_out_conversations_that_training_knows_are_counted(
    letters: list[str], samples: int
) -> None:
    samples = min(samples, len(letters) - 4)
    config = RunConfig(corpus="own.txt", val_samples=2, samples=[samples])
    data = corpus.split(config, letters)
    known = letters[:samples]
    expected = {"development": letters[-4:-2], "validation": letters[-2:]}
    assert data.repeated(samples) == {
        name: len([text for text in texts if text in known]) for name, texts in expected.items()
    }


def split_by_hand(config: RunConfig, texts: list[str]) -> dict[str, list[str]]:
    v = config.val_samples or 0
    return {"train": texts[: -2 * v], "dev": texts[-2 * v : -v], "val": texts[-v:]}


def as_txt(path: Path, texts: list[str]) -> Path:
    path.write_text("\n".join(texts), encoding="utf-8")  # without a last line end
    return path


def as_jsonl(path: Path, texts: list[str]) -> Path:
    lines = [json.dumps({"text": text, "id": 3}, ensure_ascii=False) for text in texts]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def as_parquet(path: Path, texts: list[str]) -> Path:
    pq.write_table(pa.table({"text": texts, "id": list(range(len(texts)))}), path)
    return path


FILES = [("a.txt", as_txt), ("a.jsonl", as_jsonl), ("a.parquet", as_parquet)]
Writer = Callable[[Path, list[str]], Path]


@pytest.mark.parametrize(("name", "write"), FILES)
def test_files_are_split_at_the_end(tmp_path: Path, toy: Toy, name: str, write: Writer) -> None:
    marks = "dernière été\u2028\x0c日本語 🙂"  # that do not end a line in a file
    texts = [*TEXTS, "  kept as it is \t", marks]
    config = toy(corpus=str(write(tmp_path / name, texts)))
    data = corpus.load(config)
    by_hand = split_by_hand(config, texts)
    assert {part: getattr(data, part) for part in by_hand} == by_hand
    whole = {"train": data.train_range, "dev": data.dev_range, "val": data.val_range}
    assert {part: [texts[i] for i in rows] for part, rows in whole.items()} == by_hand


@pytest.mark.parametrize(("name", "write"), FILES)
def test_blank_conversations_are_left_out(
    tmp_path: Path, toy: Toy, name: str, write: Writer
) -> None:
    texts = [text for pair in zip(TEXTS, ["", " \t"] * 15, strict=True) for text in pair]
    data = corpus.load(toy(corpus=str(write(tmp_path / name, texts))))
    assert data.train + data.dev + data.val == TEXTS


def test_blank_lines_of_a_jsonl_are_left_out(tmp_path: Path, toy: Toy) -> None:
    path = tmp_path / "gaps.jsonl"
    path.write_text("\n \n".join(json.dumps({"text": text}) for text in TEXTS), encoding="utf-8")
    data = corpus.load(toy(corpus=str(path)))
    assert data.train + data.dev + data.val == TEXTS


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_messages_are_joined_by_newlines(tmp_path: Path, toy: Toy, suffix: str) -> None:
    messages = [{"role": "user", "content": "one\ntwo"}, {"role": "other", "content": "three"}]
    path = tmp_path / f"talk.{suffix}"
    if suffix == "jsonl":
        path.write_text((json.dumps({"messages": messages}) + "\n") * 30, encoding="utf-8")
    else:
        pq.write_table(pa.table({"prompt": ["p"] * 30, "messages": [messages] * 30}), path)
    data = corpus.load(toy(corpus=str(path)))
    assert data.train + data.dev + data.val == ["one\ntwo\nthree"] * 30


def test_ultrachat_validates_on_1000_and_on() -> None:
    texts = [str(number) for number in range(1040)]
    knobs: dict[str, Any] = {"corpus": "ultrachat", "val_samples": 20, "samples": [1000]}
    data = corpus.split(RunConfig(**knobs, select_on="dev"), texts)
    assert data.train == texts[:1000]
    assert data.val == texts[1000:1020]
    assert data.dev == texts[1020:1040]
    assert (data.train_range, data.val_range) == (range(1000), range(1000, 1020))
    assert data.dev_range == range(1020, 1040)
    with pytest.raises(CorpusError, match="has 1039 conversations"):
        corpus.split(RunConfig(**knobs, select_on="dev"), texts[:1039])
    without = corpus.split(RunConfig(**knobs, select_on="val"), texts[:1020])
    assert (without.val, without.dev) == (data.val, [])


@given(
    st.sampled_from(["chitchat", "ultrachat"]),
    st.integers(1, 60),
    st.integers(1, 1200),
    st.integers(0, 1300),
)
def test_splits_never_overlap(name: str, v: int, samples: int, count: int) -> None:
    config = RunConfig(corpus=name, val_samples=v, samples=[samples], select_on="dev")
    texts = [str(number) for number in range(count)]
    try:
        data = corpus.split(config, texts)
    except CorpusError:
        pool = 1000 if name == "ultrachat" else count - 2 * v
        assert samples > pool or count < pool + 2 * v
        return
    parts = [data.train, data.dev, data.val]
    assert len(data.dev) == len(data.val) == v
    assert len(data.train) >= samples
    assert len({text for part in parts for text in part}) == sum(len(part) for part in parts)


def test_ultrachat_refuses_to_train_on_validation_before_it_downloads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def download(count: int) -> list[str]:
        raise AssertionError("downloaded")

    monkeypatch.setattr(corpus, "_ultrachat", download)
    with pytest.raises(CorpusError) as caught:
        corpus.load(RunConfig(corpus="ultrachat", samples=[50, 1001]))
    assert str(caught.value) == (
        "samples asks for 1001 training conversations, but ultrachat has 1000 before the ones "
        "reserved for validation; ask for at most 1000."
    )
    with pytest.raises(AssertionError, match="downloaded"):
        corpus.load(RunConfig(corpus="ultrachat", samples=[1000]))


def test_too_few_conversations(write_corpus: WriteCorpus, toy: Toy) -> None:
    path = str(write_corpus(TEXTS))
    assert len(corpus.load(toy(corpus=path, samples=[20])).train) == 20
    with pytest.raises(CorpusError) as caught:
        corpus.load(toy(corpus=path, samples=[10, 21]))
    assert str(caught.value) == (
        f"{path} has 30 conversations, but samples asks for 21 and 5 are reserved for validation "
        "and 5 for development: lower samples or val_samples."
    )
    with pytest.raises(CorpusError, match="has 30 conversations"):
        corpus.load(toy(corpus=path, samples=[1], val_samples=16))


REFUSED = [
    ("no.txt", None, "is not there"),
    ("a.csv", b"text", "must be chitchat, ultrachat, or a .txt, .jsonl or .parquet file"),
    ("empty.txt", b"", "is empty"),
    ("blank.txt", b"\n  \n\n", "is empty"),
    ("empty.jsonl", b"", "is empty"),
    ("latin.txt", b"caf\xe9\n", "it is not UTF-8 text"),
    ("latin.jsonl", b'{"text": "caf\xe9"}\n', "it is not UTF-8 text"),
    ("bad.jsonl", b'{"text": "a"}\n\n{"text": \n', "line 3 of corpus bad.jsonl is not JSON"),
    ("deep.jsonl", b"[" * 100_000, "line 1 of corpus deep.jsonl is not JSON"),
    ("digits.jsonl", b"1" * 5000, "line 1 of corpus digits.jsonl"),
    ("list.jsonl", b'{"text": "a"}\n["b"]\n', "line 2 of corpus list.jsonl has neither a text"),
    ("other.jsonl", b'{"body": "a"}\n', "line 1 of corpus other.jsonl has neither a text"),
    ("number.jsonl", b'{"text": 3}\n', "line 1 of corpus number.jsonl has neither a text"),
    ("talk.jsonl", b'{"messages": [{"role": "a"}]}\n', "messages that each have a content"),
    ("talk.jsonl", b'{"messages": ["a"]}\n', "messages that each have a content"),
    ("half.jsonl", b'{"text": "\\ud800"}\n' * 40, "line 1 of corpus half.jsonl"),  # not a character
    ("garbage.parquet", b"PAR1 or rather not", "is not readable parquet"),
    ("empty.parquet", b"", "is not readable parquet"),
]


@pytest.mark.parametrize(("name", "content", "message"), REFUSED)
def test_an_unusable_file_is_refused_in_one_sentence(
    tmp_path: Path, toy: Toy, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        corpus.load(toy(corpus=str(tmp_path / name)))
    assert message in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_not_a_corpus(tmp_path: Path, toy: Toy) -> None:
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(CorpusError, match="is not a file"):
        corpus.load(toy(corpus=str(tmp_path / "folder.txt")))


def test_a_parquet_without_the_columns_is_refused(tmp_path: Path, toy: Toy) -> None:
    path = tmp_path / "other.parquet"
    for table in ({"body": ["a"]}, {"text": [1]}):
        pq.write_table(pa.table(table), path)
        with pytest.raises(CorpusError, match=r"row 1 of corpus other\.parquet has neither a text"):
            corpus.load(toy(corpus=str(path)))


def test_a_damaged_parquet_says_what_is_wrong(tmp_path: Path, toy: Toy) -> None:
    path = as_parquet(tmp_path / "torn.parquet", TEXTS)
    content = bytearray(path.read_bytes())
    content[4:40] = b"\xff" * 36  # the first page; the footer stays whole
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"torn\.parquet") as caught:
        corpus.load(toy(corpus=str(path)))
    assert "None" not in str(caught.value)


def test_a_relative_path_is_looked_for_where_the_user_is(
    tmp_path: Path, toy: Toy, write_corpus: WriteCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(TEXTS, "here.jsonl")
    with pytest.raises(CorpusError, match=r"here\.jsonl is not there"):
        corpus.load(toy(corpus="here.jsonl"))
    monkeypatch.chdir(tmp_path)
    assert corpus.load(toy(corpus="here.jsonl")).val == TEXTS[-5:]


def test_the_digest_is_that_of_the_training_pool(toy: Toy) -> None:
    config = toy(samples=[1], val_samples=1)
    digest = corpus.split(config, ["ab", "c", "d", "e"]).digest
    assert corpus.split(config, ["ab", "c", "x", "y"]).digest == digest
    assert corpus.split(config, ["a", "bc", "d", "e"]).digest != digest
    assert corpus.split(config, ["ab", "c", "d", "e", "f"]).digest != digest


@given(st.lists(st.text(), min_size=3, max_size=8), st.booleans())
def test_any_text_comes_back_from_jsonl(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], escaped: bool
) -> None:
    filled = [text for text in texts if text.strip()]
    assume(len(filled) >= 3)
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    lines = [json.dumps({"text": text}, ensure_ascii=escaped) for text in texts]
    path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
    data = corpus.load(RunConfig(corpus=str(path), samples=[1], val_samples=1))
    assert data.train + data.dev + data.val == filled


@given(texts=st.lists(st.text(st.sampled_from("aé語\ufeff "), min_size=1), min_size=1, max_size=4))
@pytest.mark.parametrize("suffix", ["txt", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_a_corpus(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, texts: list[str]
) -> None:
    lines = texts if suffix == "txt" else [json.dumps({"text": text}) for text in texts]
    folder, content = tmp_path_factory.mktemp("bom"), "\n".join(["x", *lines])
    if suffix == "jsonl":
        content = "\n".join([json.dumps("x").join(['{"text": ', "}"]), *lines])
    plain, marked = folder / f"plain.{suffix}", folder / f"marked.{suffix}"
    plain.write_text(content, "utf-8")
    marked.write_text(content, "utf-8-sig")
    found = read_file(str(marked))
    assert found == read_file(str(plain)) and found[0] == "x"
