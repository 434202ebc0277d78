import math
import os
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.toy import Toy, WriteCorpus
from safetensors.torch import save_file
from scipy import sparse
from scipy.sparse.linalg import svds

from fpcore import CorpusError
from fpcore.data import embedding
from fpcore.data.dataset import prepare
from fpcore.data.embedding import embedding_digest, factorise, load_embedding, ppmi

TALK = [torch.tensor(ids) for ids in ([0, 1, 2, 0, 1, 3, 0, 1], [4, 4, 0], [3], [2, 3, 2, 5, 1, 0])]


def slow_ppmi(conversations: list[list[int]], vocabulary: int) -> list[list[float]]:
    """PPMI as its definition reads: pairs within 4 tokens, in both directions, 1/distance."""
    pairs: Counter[tuple[int, int]] = Counter()
    for ids in conversations:
        for i, word in enumerate(ids):
            for j, context in enumerate(ids):
                if 1 <= abs(i - j) <= 4:
                    pairs[word, context] += 1 / abs(i - j)  # type: ignore[assignment]
    total = sum(pairs.values())
    words, contexts = Counter[int](), Counter[int]()
    for (word, context), count in pairs.items():
        words[word] += count
        contexts[context] += count
    smooth = {context: count**0.75 for context, count in contexts.items()}
    shares = {context: value / sum(smooth.values()) for context, value in smooth.items()}
    table = [[0.0] * vocabulary for _ in range(vocabulary)]
    for (word, context), count in pairs.items():
        value = math.log((count / total) / (words[word] / total * shares[context]))
        table[word][context] = max(0.0, value)
    return table


def test_ppmi_equals_its_definition() -> None:
    got = ppmi(TALK, 7).toarray()
    expected = np.array(slow_ppmi([c.tolist() for c in TALK], 7))
    np.testing.assert_allclose(got, expected, atol=1e-12)
    assert 0 < (expected > 0).sum() < 36
    assert not np.allclose(got, got.T)  # only the contexts are smoothed
    assert not got[6].any()  # a type that does not occur


def test_ppmi_by_hand() -> None:
    """Two types side by side: each pair has half the count, each share is 1/2, so log 2."""
    got = ppmi([torch.tensor([0, 1])], 2).toarray()
    np.testing.assert_allclose(got, [[0, math.log(2)], [math.log(2), 0]], atol=1e-12)


def test_ppmi_does_not_look_across_conversations() -> None:
    apart = ppmi([torch.tensor([0, 1]), torch.tensor([2, 3])], 4).toarray()
    together = ppmi([torch.tensor([0, 1, 2, 3])], 4).toarray()
    assert apart[1, 2] == apart[2, 1] == 0
    assert together[1, 2] > 0


def test_ppmi_looks_four_tokens_far() -> None:
    """Types 0 and 1 stand nowhere else, so whenever they count at all they inform."""
    for between, inform in ((3, True), (4, False)):
        talk = [torch.tensor([0, *[2] * between, 1]), torch.full((200,), 2)]
        got = ppmi(talk, 3).toarray()
        assert (got[0, 1] > 0) == (got[1, 0] > 0) == inform


def test_factorise_equals_the_dense_decomposition() -> None:
    rng = np.random.default_rng(8)
    matrix = np.maximum(rng.normal(size=(30, 30)), 0)
    matrix[7] = matrix[:, 7] = matrix[9] = 0  # a type that does not occur, and one without row
    got = factorise(sparse.csr_array(matrix), 5).numpy()
    u, s, _ = np.linalg.svd(matrix)
    expected = u[:, :5] * np.sqrt(s[:5])
    used = [row for row in range(30) if row != 7]
    expected /= np.linalg.norm(expected[used], axis=1).mean()
    assert got.dtype == np.float32
    assert np.linalg.norm(got[used], axis=1).mean() == pytest.approx(1, rel=1e-6)
    peaks = got[np.abs(got).argmax(0), range(5)]
    assert np.sign(peaks).tolist() == [1, -1, 1, -1, 1]  # whatever the solver's signs are
    for column in range(5):
        sign = np.sign(got[:, column] @ expected[:, column])
        np.testing.assert_allclose(sign * got[:, column], expected[:, column], atol=1e-5)


def test_the_solvers_signs_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """They change with the number of threads, say; other signs would be another embedding."""
    rng = np.random.default_rng(8)
    matrix = sparse.csr_array(np.maximum(rng.normal(size=(30, 30)), 0))
    first = factorise(matrix, 6)

    def flipped(*words: Any, **names: Any) -> Any:
        u, s, v = svds(*words, **names)
        signs = rng.choice([-1, 1], len(s))
        return u * signs, s, v

    monkeypatch.setattr(embedding, "svds", flipped)
    assert torch.equal(factorise(matrix, 6), first)


def test_ppmi_embedding_is_the_factorised_matrix(toy: Toy) -> None:
    got = load_embedding(toy(embedding="ppmi", embed_dim=3), TALK, 7)
    assert torch.equal(got, factorise(ppmi(TALK, 7), 3))
    assert got.shape == (7, 3)


def test_the_last_column_says_how_often_a_type_occurs(toy: Toy) -> None:
    """Types 0 to 5 occur 5, 4, 3, 3, 2 and 1 times, type 6 never."""
    got = load_embedding(toy(embed_dim=4), TALK, 7)
    assert torch.equal(got[:, :3], factorise(ppmi(TALK, 7), 3))
    logs = np.log([6, 5, 4, 4, 3, 2, 1])
    expected = 0.3 * (logs - logs[:6].mean()) / logs[:6].std()
    np.testing.assert_allclose(got[:, 3], expected, rtol=1e-6)
    level = [torch.tensor([0, 1, 0, 1])]  # all as often: nothing to tell
    assert not load_embedding(toy(embed_dim=2), level, 2)[:, 1].any()


def test_ppmi_embedding_is_made_once(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_embedding(toy(embed_dim=4), TALK, 7)

    def again(*_: object) -> torch.Tensor:
        raise AssertionError("made again")

    monkeypatch.setattr(embedding, "factorise", again)
    assert torch.equal(load_embedding(toy(embed_dim=4), TALK, 7), first)
    recut = [torch.cat(TALK[:2]), *TALK[2:]]  # the same ids in other conversations
    for width, talk, types in ((2, TALK, 7), (4, TALK[::-1], 7), (4, recut, 7), (4, TALK, 8)):
        with pytest.raises(AssertionError, match="again"):
            load_embedding(toy(embed_dim=width), talk, types)


@pytest.mark.parametrize("width", [6, 7, 8])
def test_ppmi_refuses_more_columns_than_types_occur(toy: Toy, width: int) -> None:
    with pytest.raises(CorpusError, match=f"{width} columns: only 6 types.*lower embed_dim"):
        load_embedding(toy(embedding="ppmi", embed_dim=width), TALK, 7)
    assert load_embedding(toy(embedding="ppmi", embed_dim=5), TALK, 7).shape == (7, 5)


def test_ppmi_refuses_a_corpus_without_neighbours(toy: Toy) -> None:
    with pytest.raises(CorpusError, match="at least 2 tokens"):
        load_embedding(toy(embed_dim=3), [torch.tensor([1]), torch.tensor([2])], 7)


def test_a_ppmi_embedding_is_known_by_what_it_is_made_from(toy: Toy) -> None:
    """Its values differ in the last bits between processors; other texts make another one."""
    weights = load_embedding(toy(embed_dim=4), TALK, 7)
    digest = embedding_digest(toy(embed_dim=4), TALK, weights)
    assert embedding_digest(toy(embed_dim=4), TALK, weights * (1 + 1e-7)) == digest
    others = [TALK[:-1], [torch.cat(TALK)], [talk.flip(0) for talk in TALK]]
    digests = {embedding_digest(toy(embed_dim=4), other, weights) for other in others}
    assert len(digests | {digest}) == 4
    for other in (toy(embed_dim=3), toy(embed_dim=4, embedding="ppmi")):
        assert embedding_digest(other, TALK, weights) not in digests | {digest}
    random = toy(embedding="random")
    assert embedding_digest(random, TALK, weights) != embedding_digest(random, TALK, weights * 2)


def test_random_embedding_is_the_same_for_every_seed(toy: Toy) -> None:
    first = load_embedding(toy(embedding="random"), [], 200)
    assert torch.equal(load_embedding(toy(embedding="random", seeds=[7]), TALK, 200), first)
    assert first.shape == (200, 16)
    assert first.norm(dim=1).mean().item() == pytest.approx(1, rel=1e-6)
    assert first.mean().item() == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("key", ["wte.weight", "transformer.wte.weight"])
def test_stored_embedding_is_read_as_it_is(tmp_path: Path, toy: Toy, key: str) -> None:
    path = tmp_path / "own.safetensors"
    weights = torch.arange(7 * 16).reshape(7, 16).double()
    save_file({"wpe.weight": torch.zeros(3, 3), key: weights}, path)
    got = load_embedding(toy(embedding=str(path)), [], 7)
    assert got.dtype == torch.float32
    assert torch.equal(got, weights.float())


@pytest.mark.parametrize("shape", [(7, 15), (8, 16), (16, 7)])
def test_stored_embedding_of_another_shape_is_refused(
    tmp_path: Path, toy: Toy, shape: tuple[int, int]
) -> None:
    path = tmp_path / "own.safetensors"
    save_file({"wte.weight": torch.ones(shape)}, path)
    with pytest.raises(CorpusError) as caught:
        load_embedding(toy(embedding=str(path)), [], 7)
    assert str(caught.value) == (
        f"embedding {path} is {shape[0]} x {shape[1]}, but the tokenizer has 7 types and "
        "embed_dim is 16."
    )


def test_stored_embedding_that_is_none(tmp_path: Path, toy: Toy) -> None:
    path = tmp_path / "own.safetensors"
    config = toy(embedding=str(path))
    for missing in (config, toy(embedding="~nobody-here/x.safetensors")):
        with pytest.raises(CorpusError, match="is not there"):
            load_embedding(missing, [], 7)
    os.mkfifo(path)
    with pytest.raises(CorpusError, match="is not a file"):
        load_embedding(config, [], 7)
    path.unlink()
    for content in (b"", b"garbage" * 10):
        path.write_bytes(content)
        with pytest.raises(CorpusError, match=r"not a safetensors file that holds wte\.weight"):
            load_embedding(config, [], 7)
    save_file({"other": torch.zeros(7, 16)}, path)
    with pytest.raises(CorpusError, match=r"not a safetensors file that holds wte\.weight"):
        load_embedding(config, [], 7)
    save_file({"wte.weight": torch.zeros(7)}, path)
    with pytest.raises(CorpusError, match="must be a matrix"):
        load_embedding(config, [], 7)


@pytest.mark.parametrize(
    ("format", "said"),
    [
        (torch.float8_e4m3fn, "F8_E4M3"),
        (torch.float8_e5m2, "F8_E5M2"),
        (torch.complex64, "C64"),
        (torch.int8, "I8"),
        (torch.bool, "BOOL"),
    ],
)
def test_stored_embedding_of_another_format_is_refused(
    tmp_path: Path, toy: Toy, format: torch.dtype, said: str
) -> None:
    path = tmp_path / "own.safetensors"
    save_file({"wte.weight": torch.ones(7, 16).to(format)}, path)
    with pytest.raises(CorpusError) as caught:
        load_embedding(toy(embedding=str(path)), [], 7)
    assert str(caught.value) == (
        f"wte.weight of embedding {path} is stored as {said}; F16, BF16, F32, F64 are read."
    )


@pytest.mark.parametrize("format", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_stored_embedding_of_every_other_format_is_read(
    tmp_path: Path, toy: Toy, format: torch.dtype
) -> None:
    weights = torch.randn(7, 16, generator=torch.Generator().manual_seed(0)).to(format)
    save_file({"wte.weight": weights}, tmp_path / "own.SAFETENSORS")
    got = load_embedding(toy(embedding=str(tmp_path / "own.SAFETENSORS")), [], 7)
    assert got.dtype == torch.float32 and torch.equal(got, weights.float())


def test_stored_embedding_whose_values_are_none(tmp_path: Path, toy: Toy) -> None:
    path = tmp_path / "own.safetensors"
    ones, odd = torch.ones(7, 16, dtype=torch.float64), "not finite in float32"
    cases = [(ones * 1e300, odd), (ones * float("nan"), odd), (ones / 0, odd)]
    nothing = "is zero throughout"
    for weights, message in [*cases, (ones * 0, nothing), (ones * 1e-300, nothing)]:
        save_file({"wte.weight": weights}, path)
        with pytest.raises(CorpusError, match=message):
            load_embedding(toy(embedding=str(path)), [], 7)


def test_stored_embedding_is_the_only_one(tmp_path: Path, toy: Toy) -> None:
    path = tmp_path / "own.safetensors"
    ones = torch.ones(7, 16)
    save_file({"wte.weight": ones, "transformer.wte.weight": ones * 2}, path)
    with pytest.raises(CorpusError, match=r"holds transformer\.wte\.weight and wte\.weight"):
        load_embedding(toy(embedding=str(path)), [], 7)
    save_file({"wte.weight": ones, "mywte.weight": ones * 2}, path)
    assert torch.equal(load_embedding(toy(embedding=str(path)), [], 7), ones)


def test_a_damaged_embedding_is_made_again(
    toy: Toy, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One flipped bit would be another embedding, and so another run, under the same digests."""
    config = toy(embed_dim=4)
    first = load_embedding(config, TALK, 7)
    [path] = (home / ".cache/embeddings").iterdir()
    whole = path.read_bytes()
    draw = random.Random(3)
    for cut in (0, 64, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert torch.equal(load_embedding(config, TALK, 7), first)
    for _ in range(30):
        place, bit = draw.randrange(len(whole)), 1 << draw.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        capsys.readouterr()
        assert torch.equal(load_embedding(config, TALK, 7), first)
        assert (
            "is damaged, or of another version, so what it should hold is made again"
            in capsys.readouterr().out
        )
        assert path.read_bytes() == whole


def test_a_record_knows_the_values_of_its_embedding(
    toy: Toy, write_corpus: WriteCorpus, conversations: list[str]
) -> None:
    """Beside what it was made from, as the last bits change with the processor."""
    config = toy(corpus=str(write_corpus(conversations)))
    data = prepare(config)
    values = data.splits()["embedding_values"]
    assert values != data.digests([10])["embedding"]
    other = replace(data, weights=data.weights * (1 + 1e-6))
    assert other.splits()["embedding_values"] != values
    assert other.digests([10]) == data.digests([10])
