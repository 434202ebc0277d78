import random
import time
from pathlib import Path

import pytest
from helpers.toy import Toy
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from fpcore import CorpusError
from fpcore.data import corpus, tokens

MIXED = ["one\n\ntwo  ", "  日本語 🙂🙂", "\n\nthree", "é" * 9, "four"]


@pytest.fixture
def data(toy: Toy, conversations: list[str]) -> corpus.Corpus:
    return corpus.split(toy(), conversations)


@pytest.fixture
def bpe(data: corpus.Corpus) -> Tokenizer:
    return tokens.load_tokenizer("bpe-300", data)


@pytest.fixture(scope="module")
def gpt2() -> Tokenizer:
    empty = corpus.Corpus("none", [], [], [], range(0), range(0), range(0))
    return tokens.load_tokenizer("gpt2", empty)


def test_gpt2_is_the_genuine_one(gpt2: Tokenizer) -> None:
    assert gpt2.get_vocab_size() == 50257
    assert gpt2.encode("Hello world").ids == [15496, 995]
    assert gpt2.encode("Hello\n\nworld").ids == [15496, 198, 198, 6894]
    assert gpt2.encode(" the quick brown fox isn't").ids == [262, 2068, 7586, 21831, 2125, 470]
    assert gpt2.token_to_id("<|endoftext|>") == 50256


def test_bpe_has_the_types_that_its_name_says(data: corpus.Corpus, bpe: Tokenizer) -> None:
    assert bpe.get_vocab_size() == 300
    assert tokens.load_tokenizer("bpe-270", data).get_vocab_size() == 270
    first = tokens.training_conversations(bpe, data.train)
    assert sum(len(c) for c in first) < sum(len(t.encode()) for t in data.train) / 1.5


def test_bpe_is_the_same_every_time(
    data: corpus.Corpus, bpe: Tokenizer, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))  # with an empty cache
    again = tokens.load_tokenizer("bpe-300", data)
    assert again.to_str() == bpe.to_str()
    assert tokens.vocabulary_digest(again) == tokens.vocabulary_digest(bpe)


def test_bpe_is_trained_once(
    data: corpus.Corpus, bpe: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(size: int, texts: list[str]) -> Tokenizer:
        raise AssertionError("trained again")

    monkeypatch.setattr(tokens, "_trained", trained)
    assert tokens.load_tokenizer("bpe-300", data).to_str() == bpe.to_str()
    with pytest.raises(AssertionError, match="again"):
        tokens.load_tokenizer("bpe-301", data)


def test_bpe_reads_the_training_pool_alone(
    toy: Toy, conversations: list[str], bpe: Tokenizer
) -> None:
    other_val = corpus.split(toy(), [*conversations[:-10], *["zzz zzz zzz"] * 10])
    assert tokens.load_tokenizer("bpe-300", other_val).to_str() == bpe.to_str()
    other_train = corpus.split(toy(), ["zzz zzz zzz", *conversations[1:]])
    digest = tokens.vocabulary_digest(tokens.load_tokenizer("bpe-300", other_train))
    assert digest != tokens.vocabulary_digest(bpe)


@given(text=st.text())
def test_gpt2_gives_back_what_it_was_given(gpt2: Tokenizer, text: str) -> None:
    assert gpt2.decode(gpt2.encode(text).ids, skip_special_tokens=False) == text


def test_bpe_gives_back_what_it_was_given(bpe: Tokenizer) -> None:
    @given(text=st.text())
    def check(text: str) -> None:
        assert bpe.decode(bpe.encode(text).ids) == text

    check()


def test_training_conversations_are_tokenised_by_themselves(gpt2: Tokenizer) -> None:
    parts = tokens.training_conversations(gpt2, ["Hel", "lo", "日本"])
    assert [part.tolist() for part in parts] == [gpt2.encode(t).ids for t in ("Hel", "lo", "日本")]
    assert gpt2.encode("Hello").ids != [i for part in parts[:2] for i in part.tolist()]


def walk(tokenizer: Tokenizer, ids: list[int], texts: list[str]) -> list[int]:
    """The conversation that the first byte of every token is in, counted byte by byte."""
    owner = [n for n, text in enumerate(texts) for _ in (text + "\n\n").encode()]
    result, byte = [], 0
    for token in ids:
        result.append(owner[byte])
        byte += len(str(tokenizer.id_to_token(token)))  # byte-level: one character per byte
    assert byte == len(owner) - 2
    return result


@pytest.mark.parametrize("texts", [MIXED, ["all alone"], ["a", "b"], ["x ", " y", "z\n"]])
@pytest.mark.parametrize("kind", ["gpt2", "bpe"])
def test_held_out_is_one_text_that_knows_its_conversations(
    gpt2: Tokenizer, bpe: Tokenizer, texts: list[str], kind: str
) -> None:
    tokenizer = {"gpt2": gpt2, "bpe": bpe}[kind]
    got = tokens.held_out(tokenizer, texts)
    whole = "\n\n".join(texts)
    assert got.ids.tolist() == tokenizer.encode(whole).ids
    assert got.bytes == len(whole.encode())
    assert got.conversation.tolist() == walk(tokenizer, got.ids.tolist(), texts)
    assert len(got.conversation) == len(got.ids)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 1000])
def test_of_every_conversation_the_first_tokens_count(
    gpt2: Tokenizer, bpe: Tokenizer, most: int
) -> None:
    """A cut never ends within a character, so it may let a few more of its tokens in."""
    texts = ["one two three four five", "日本語です 🙂🙂 end", "é" * 9, "four"]
    for tokenizer in (gpt2, bpe):
        got = tokens.held_out(tokenizer, texts, most)
        separator = len(tokenizer.encode("\n\n").ids)
        for number, text in enumerate(texts):
            own = got.ids[got.conversation == number]
            kept = min(most, len(tokenizer.encode(text).ids))
            assert kept <= len(own) <= kept + 3 + separator
            assert text.startswith(tokenizer.decode(own.tolist()).rstrip("\n"))
        assert got.bytes == len(tokenizer.decode(got.ids.tolist()).encode())


def test_held_out_of_the_toy_corpus(data: corpus.Corpus, bpe: Tokenizer) -> None:
    got = tokens.held_out(bpe, data.val)
    assert got.conversation.tolist() == walk(bpe, got.ids.tolist(), data.val)
    assert set(got.conversation.tolist()) == set(range(5))


def test_held_out_needs_something_to_predict(gpt2: Tokenizer) -> None:
    with pytest.raises(CorpusError, match="fewer than 2 tokens; raise val_samples"):
        tokens.held_out(gpt2, ["Hello"])
    assert len(tokens.held_out(gpt2, ["Hello world"]).ids) == 2


runs = st.tuples(st.sampled_from(["a", "1", "語", "!", "_-", " ", "\n", "é"]), st.integers(1, 3000))


@given(parts=st.lists(runs, max_size=4))
def test_training_cuts_words_that_have_no_end(parts: list[tuple[str, int]]) -> None:
    text = "".join(part * count for part, count in parts)
    pieces = list(tokens._pieces([text]))
    assert "".join(pieces) == text
    assert not any(tokens.LONG.search(piece) for piece in pieces)
    if max((count for _, count in parts), default=0) <= tokens.LONGEST // 4:
        assert pieces == [text]  # none of the (at most four) runs can make a longer word


def test_a_word_without_end_costs_no_minutes() -> None:
    start = time.process_time()
    tokenizer = tokens._trained(600, ["a" * 200_000, "!" * 200_000, " " * 200_000, "hello there"])
    assert time.process_time() - start < 20  # uncut: three times half a minute
    assert tokenizer.decode(tokenizer.encode("hello " + "a" * 5000).ids) == "hello " + "a" * 5000


def test_conversations_are_tokenised_in_blocks(
    gpt2: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"text {number} of them" for number in range(7)]
    whole = [part.tolist() for part in tokens.training_conversations(gpt2, texts)]
    monkeypatch.setattr(tokens, "BLOCK", 3)
    assert [part.tolist() for part in tokens.training_conversations(gpt2, texts)] == whole


def test_a_damaged_tokenizer_is_trained_again(
    data: corpus.Corpus, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every byte that is changed, whether or not it is still a tokenizer, is seen."""
    first = tokens.load_tokenizer("bpe-300", data).to_str()
    [path] = (home / ".cache/tokenizers").iterdir()
    whole = path.read_bytes()
    draw = random.Random(5)
    for _ in range(20):
        place = draw.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert tokens.load_tokenizer("bpe-300", data).to_str() == first
        assert (
            "is damaged, or of another version, so what it should hold is made again"
            in capsys.readouterr().out
        )
        assert path.read_bytes() == whole
    for cut in (0, 10, 65, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert tokens.load_tokenizer("bpe-300", data).to_str() == first
    assert tokens.load_tokenizer("bpe-300", data).to_str() == first
