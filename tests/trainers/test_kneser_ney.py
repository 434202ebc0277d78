"""Kneser-Ney n-grams against probabilities worked out by hand."""

import math
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.lm import KneserNeyInterpolated
from nltk.util import everygrams
from numpy.typing import NDArray

from fpcore import RunConfig
from fpcore.data import corpus, tokens
from fpcore.trainers.kneser_ney import KneserNey, discounts

TEXT = np.array([0, 1, 0, 1, 0, 2])  # bigrams 01 twice, 10 twice, 02 once
TEXTS = st.lists(st.integers(0, 6), min_size=5, max_size=60)


def test_discounts_by_hand() -> None:
    """n1..n4 = 4, 2, 1, 1: Y = 1/2; 1 - 2Y·2/4, 2 - 3Y·1/2, 3 - 4Y·1/1."""
    counts = np.array([1, 1, 1, 1, 2, 2, 3, 4, 0])
    assert discounts(counts).tolist() == [0, 0.5, 1.25, 1]
    assert discounts(np.array([2, 2])).tolist() == [0, 0.5, 1, 1.5]  # no count of 1 to tell from


def test_a_bigram_by_hand() -> None:
    """Unigrams count preceding types: 0 after {1}, 1 after {0}, 2 after {0}: 1 each of 3.

    n1 = 3, n2 = 0, so Y = 1 and D1 = 1 - 0 would be the count itself: 1/2 instead. The mass of 3
    halves goes to the uniform 1/4: p = (1/2)/3 + (1/2)/4 = 7/24, and 1/8 for the unseen type 3.
    Bigrams: n1 = 1, n2 = 2, n3 = 0: Y = 1/5, D1 = 1 - 2/5·2 = 1/5, D2 = 2 - 0 -> 1.
    After 0, seen 3 times: 1 with 2 - 1, 2 with 1 - 1/5, the rest is 6/5 of 3.
    """
    lower = [Fraction(7, 24)] * 3 + [Fraction(1, 8)]
    kept = [Fraction(0), Fraction(1), Fraction(4, 5), Fraction(0)]
    want = [k / 3 + Fraction(6, 15) * p for k, p in zip(kept, lower, strict=True)]
    p = KneserNey(TEXT, 4, 2).probabilities(np.array([[0], [3], [-1], [2]]))
    assert p[0] == pytest.approx([float(x) for x in want], rel=1e-12)
    for row in p[1:]:  # never seen, before the start, and seen without a successor
        assert row == pytest.approx([float(x) for x in lower], rel=1e-12)


def test_losses_leave_out_the_first_token_and_see_no_target() -> None:
    model = KneserNey(TEXT, 4, 3)
    losses, hits = model.losses(np.array([0, 1, 0, 3]))
    contexts = np.array([[-1, 0], [0, 1], [1, 0]])
    p = model.probabilities(contexts)
    assert losses == pytest.approx([-math.log(p[0, 1]), -math.log(p[1, 0]), -math.log(p[2, 3])])
    assert hits.tolist() == [True, True, False]


def test_a_repeated_text_needs_the_higher_order() -> None:
    """In 0 1 0 2 0 1 0 2 … the token after 0 is told by the one before it alone."""
    text = np.array([0, 1, 0, 2] * 40)
    loss = [KneserNey(text, 3, order).losses(text)[0].mean() for order in (1, 2, 3)]
    assert loss[0] > loss[1] > loss[2]
    assert loss[2] < 0.1 < 0.3 < loss[1]


def test_one_discount_by_hand() -> None:
    """Unigrams: (1 - 3/4)/3 and 9/4 of 3 times the uniform 1/4. After 0: 2 and 1 of 3, less 3/4."""
    lower = [Fraction(1, 12) + Fraction(3, 16)] * 3 + [Fraction(3, 16)]
    kept = [Fraction(0), Fraction(5, 4), Fraction(1, 4), Fraction(0)]
    want = [k / 3 + Fraction(6, 12) * p for k, p in zip(kept, lower, strict=True)]
    p = KneserNey(TEXT, 4, 2, discount=0.75).probabilities(np.array([[0]]))
    assert p[0] == pytest.approx([float(x) for x in want], rel=1e-12)


@pytest.fixture(scope="module")
def chat() -> tuple[list[int], list[int]]:
    """The first and the following tokens of real conversations, numbered as they occur."""
    own = corpus.load(RunConfig())
    tokenizer = tokens.load_tokenizer("gpt2", own)
    ids = np.concatenate(tokens.training_conversations(tokenizer, own.train[:50]))[:9000].tolist()
    numbers = {token: number for number, token in enumerate(dict.fromkeys(ids))}
    text = [numbers[token] for token in ids]
    return text[:6000], text[6000:]


@pytest.mark.parametrize("discount", [0.1, 0.75])
def test_agrees_with_nltk(chat: tuple[list[int], list[int]], discount: float) -> None:
    """Order 3, one discount, real tokens: the PPL agrees to 1 % (and each probability to 1e-9).

    Positions are left out where the two tokens before were not seen together, and where the token
    itself was not seen: there NLTK's probability is 0. The models differ in the unigrams alone:
    NLTK takes nothing off them, ours takes the discount off and gives it to all types alike. With
    the types of the text for vocabulary each type gets back what it gave. In a larger vocabulary
    the rest goes to types that never occur, and the PPL of those that do is higher.
    """
    text, held_out = chat
    seen, known = set(pairwise(text)), set(text)
    triples = zip(held_out, held_out[1:], held_out[2:], strict=False)
    windows = np.array([w for w in triples if w[:2] in seen and w[2] in known])
    theirs = KneserNeyInterpolated(3, discount=discount)
    words = [str(token) for token in text]
    theirs.fit([everygrams(words, max_len=3)], vocabulary_text=words)
    want = np.array([theirs.unmasked_score(c, (a, b)) for a, b, c in windows.astype(str).tolist()])
    found = _of_the_last(KneserNey(np.array(text), len(known), 3, discount), windows)
    assert len(windows) > 500
    assert _ppl(found) == pytest.approx(_ppl(want), rel=0.01)
    assert found == pytest.approx(want, rel=1e-9)
    larger = _of_the_last(KneserNey(np.array(text), 2 * len(known), 3, discount), windows)
    assert _ppl(larger) > 1.005 * _ppl(want)


def _of_the_last(model: KneserNey, windows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probability of the last token of each window after the others."""
    return model.probabilities(windows[:, :-1])[np.arange(len(windows)), windows[:, -1]]


def _ppl(probabilities: NDArray[np.float64]) -> float:
    return math.exp(-np.log(probabilities).mean())


@given(
    TEXTS,
    st.integers(1, 5),
    st.lists(st.integers(-1, 6), min_size=4, max_size=4),
    st.sampled_from([None, 0.1, 0.75, 1.0]),
)
def test_probabilities_sum_to_one(
    text: list[int], order: int, context: list[int], discount: float | None
) -> None:
    ids = np.array(text)
    model = KneserNey(ids, 7, order, discount)
    seen = ids[1 : order if order > 1 else 1]
    for tail in (context[4 - (order - 1) :], seen.tolist()):
        p = model.probabilities(np.array(tail, np.int64).reshape(1, order - 1))
        assert p.sum() == pytest.approx(1, abs=1e-12)
        assert p.min() > 0


@given(TEXTS)
def test_bigrams_agree_with_dictionaries(text: list[int]) -> None:
    """The same formula with Python's counters, for every pair of types."""
    pairs = Counter(pairwise(text))
    before = Counter(b for _, b in pairs)
    d1, d2 = (discounts(np.array([*c.values()])) for c in (before, pairs))
    left = sum(d1[min(n, 3)] for n in before.values())
    p = KneserNey(np.array(text), 7, 2).probabilities(np.arange(7).reshape(-1, 1))
    for a in range(7):
        own = {b: n for (x, b), n in pairs.items() if x == a}
        rest = sum(d2[min(n, 3)] for n in own.values())
        for b in range(7):
            low = (before[b] - d1[min(before[b], 3)] + left / 7) / sum(before.values())
            n, total = own.get(b, 0), sum(own.values())
            want = (n - d2[min(n, 3)] + rest * low) / total if total else low
            assert p[a, b] == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("order", [0, 7])
def test_an_impossible_order_is_refused(order: int) -> None:
    with pytest.raises(ValueError, match="order must be from 1 to the 6 tokens"):
        KneserNey(TEXT, 4, order)


@pytest.mark.parametrize("discount", [0, -0.5, 1.5, math.nan])
def test_an_impossible_discount_is_refused(discount: float) -> None:
    with pytest.raises(ValueError, match="discount must be above 0 and at most 1"):
        KneserNey(TEXT, 4, 2, discount)
