"""The comparison tables and the sentences of the report, on records built by small edits."""

import math

import numpy as np
import pytest
from helpers.records import PPL, edited, record, result, scaled, seeded
from hypothesis import given
from hypothesis import strategies as st

from fpcore import compare_runs
from fpcore.analysis.comparison import Comparison
from fpcore.analysis.contrasts import contrast
from fpcore.errors import RecordError
from fpcore.records.record import RunRecord
from fpcore.reports import sentences
from fpcore.reports.comparison import report, sections
from fpcore.stats.uncertainty import Array
from fpcore.stats.variance import half_width, over_conversations


def gaps(c: Comparison, metric: str) -> list[float]:
    return [d.difference for d in c.by_size(metric).values()]


def test_conditions_hold_only_what_changed() -> None:
    c = compare_runs(record("a"), record("b", {"max_iter": 100}))
    assert c.conditions["knob"].tolist() == ["max_iter"]
    assert c.conditions["relative"].tolist() == pytest.approx([2 / 3])
    assert c.common == {"gradient_clip": 1.0, "tokenizer": "bpe-4096"}
    assert "同時に変わっている" not in sections.conditions(c)
    both = compare_runs(record("a"), record("b", {"max_iter": 100, "gradient_clip": 2.0}))
    assert "2 つの条件が同時に変わっている" in sections.conditions(both)


def test_differences_are_taken_before_rounding() -> None:
    c = compare_runs(record("a", val_er=0.7084), record("b", val_er=0.6616))
    assert "-4.7 ポイント" in sections.effective_rank(c)  # rounded first it would be -4.6
    assert gaps(c, "val_er") == pytest.approx([-0.0468] * 5)


def test_summary_takes_the_largest_common_size() -> None:
    small = record("a")
    small = small.model_copy(update={"results": small.results[:3]})
    c = compare_runs(small, record("b"))
    assert c.samples == [25, 50, 100]
    summary = c.summary.set_index("metric")
    assert list(summary.loc["val_ppl", ["a", "b"]]) == [600.0, 600.0]
    assert list(summary.loc["seconds", ["a", "b"]]) == [180.0, 180.0]


def test_no_common_size_is_refused() -> None:
    small, large = record("a"), record("b")
    small = small.model_copy(update={"results": small.results[:1]})
    large = large.model_copy(update={"results": large.results[1:]})
    with pytest.raises(RecordError, match="no size"):
        compare_runs(small, large)


def test_swapping_flips_signs_and_words() -> None:
    a = record("a")
    b = scaled(a, "b", 1.1)
    ab, ba = compare_runs(a, b), compare_runs(b, a)
    assert "全 5 サイズで高い（悪い）" in sections.perplexity(ab)
    assert "全 5 サイズで低い（良い）" in sections.perplexity(ba)
    assert "低い" not in sections.perplexity(ab).split("観察")[1].split("unigram")[0]
    backward = [-value for value in gaps(ba, "val_ppl")]
    assert gaps(ab, "val_ppl") == pytest.approx(backward)


def test_a_run_against_itself_has_no_direction() -> None:
    a = record("a", unigram_ppl=1000.0)
    text = report.render(compare_runs(a, a.model_copy(update={"name": "copy"})))
    for word in ("高い", "低い（良い）", "急峻", "緩やか"):
        assert word not in text
    assert "差はない" in text and "完全に一致する" in text


def test_alpha_rows_are_windows_then_all_sizes() -> None:
    c = compare_runs(record("a"), scaled(record("b"), "b", 2.0))
    assert [*c.windows] == [(25, 200), (50, 400), (25, 400)]
    assert [d.difference for d in c.windows.values()] == pytest.approx([0, 0, 0], abs=1e-12)
    assert "Window 2 (50–400)" in sections.alpha(c)


@given(st.lists(st.integers(1, 500), min_size=3, max_size=9), st.integers(0, 99))
def test_exponents_are_held_to_the_conversations(counts: list[int], seed: int) -> None:
    """A conversation moves an exponent by the slope of its share of the mean losses."""
    rng, n = np.random.default_rng(seed), np.array(counts, float)
    tokens = {r.samples: float(r.train_tokens or 0) for r in record("x").results}

    def drawn(name: str, means: Array) -> RunRecord:
        sums = dict(zip(tokens, means * n, strict=True))
        return edited(record(name), results=[
            r.model_copy(update={
                "val_ppl": float(np.exp(sums[r.samples].sum() / n.sum())),
                "val_loss_sums": sums[r.samples].tolist(), "val_token_counts": counts,
            })
            for r in record(name).results
        ])  # fmt: skip

    one = rng.normal(6, 0.1, (5, len(n)))
    two = one + rng.normal(0, 0.1, one.shape)
    d = compare_runs(drawn("a", one), drawn("b", two))["alpha"]
    slopes = np.polyfit(np.log([*tokens.values()]), (two - one) * n, 1)[0]
    assert d.difference == pytest.approx(slopes.sum() / n.sum())
    expected = over_conversations(slopes, n)
    assert d.by_text.value == pytest.approx(expected.value, rel=1e-6, abs=1e-15)
    assert d.high - d.difference == pytest.approx(half_width(expected, 0.95), rel=1e-5, abs=1e-9)
    moved = rng.normal(0, 0.1, len(n))
    shifted = compare_runs(drawn("a", one), drawn("b", one + moved))["alpha"]
    assert shifted.by_text.value == pytest.approx(0, abs=1e-12)  # alike at all sizes


@pytest.mark.parametrize(("other", "known"), [(1000, True), (1001, False)])
def test_bits_per_byte_of_other_vocabularies_are_held_to_the_conversations(
    other: int, known: bool
) -> None:
    """Two tokens of the first stand for one of the second; losses differ by conversation."""
    counts, sums, gaps = [40, 20, 60, 80], np.array([240.0, 120, 360, 480]), [9.0, -7, 5, -3]

    def own(name: str, of: Array, tokens: list[int], length: int) -> RunRecord:
        bits = float(of.sum()) / math.log(2) / length
        found = record(name, val_loss_sums=of.tolist(), val_token_counts=tokens,
                       val_bytes=length, bits_per_byte=bits)  # fmt: skip
        return edited(found, digests={"validation_ids": name, "vocabulary": name})

    a = own("a", sums, counts, 1000)
    d = compare_runs(a, own("b", sums + gaps, [n // 2 for n in counts], other))["bits_per_byte"]
    assert d.by_text.known == known and (d.said == "unclear") == known
    if known:
        expected = half_width(over_conversations(gaps, counts), 0.95) * 0.2 / math.log(2)
        assert d.high - d.difference == pytest.approx(expected)  # 200 tokens in 1,000 bytes


def test_traces_are_compared_at_one_size() -> None:
    """The traces differ between sizes, so a mix-up would not show the largest size's values."""
    c = compare_runs(record("a"), record("b"))
    assert c.convergence["a_rate"].tolist() == pytest.approx([0.3])
    assert "400 サンプルで" in sections.convergence(c)
    assert "完全に一致する" in sections.convergence(c)
    other = record("b", phase1={"iteration": [9], "convergence_rate": [0.0], "loss": [-0.3]})
    assert "（9 まで）では、2 つの推移は一致しない" in sections.convergence(
        compare_runs(record("a"), other)
    )


def test_unknown_values_are_dashes() -> None:
    c = compare_runs(
        record("a"), record("b", unigram_ppl=None, val_acc=None, phase1={}, seconds={})
    )
    text = report.render(c)
    assert "–" in sections.summary(c) and "nan" not in text.lower()
    row = next(line for line in sections.summary(c).splitlines() if line.startswith("| Val Acc"))
    assert [cell.strip() for cell in row.split("|")[2:5]] == ["10.0%", "–", "–"]


def test_the_unigram_sentence_names_the_sizes_that_beat_it() -> None:
    c = compare_runs(record("a"), scaled(record("b"), "b", 1.5))
    assert "a: 100, 200, 400 サンプル" in sections.perplexity(c)
    assert "b: 400 サンプル" in sections.perplexity(c)


def test_means_over_seeds() -> None:
    base = record("b")
    twins = [
        r.model_copy(update={"seed": 43, "val_ppl": r.val_ppl + 10})
        for r in base.results
        if r.val_ppl
    ]
    many = base.model_copy(update={"results": base.results + twins})
    c = compare_runs(record("a"), many)
    assert gaps(c, "val_ppl") == [0.0] * 5  # on the seed that both have
    assert c.seeds == 1 and "シード n" not in sections.summary(c)
    only = many.model_copy(update={"results": [r for r in many.results if r.seed == 43]})
    assert gaps(compare_runs(record("a"), only), "val_ppl") == pytest.approx([10.0] * 5)
    half = many.model_copy(
        update={"results": [r.model_copy(update={"seed": 40 + (r.seed or 0)}) for r in twins]}
    )
    both = compare_runs(many, half)  # no seed in common: geometric means, √(x(x + 10)) and x + 10
    means = [math.sqrt(ppl * (ppl + 10)) for ppl in PPL.values()]
    want = [ppl + 10 - mean for ppl, mean in zip(PPL.values(), means, strict=True)]
    assert gaps(both, "val_ppl") == pytest.approx(want)
    assert "シード n=2" in sections.summary(compare_runs(many, many))


def test_perplexities_are_compared_by_the_logarithm_of_their_ratio() -> None:
    """Ratios 1.1 at every seed, though the seeds lie far apart: no spread at all."""
    a = seeded(record("a"), "a", {1: 0.0, 2: 100.0, 3: -100.0})
    d = compare_runs(a, scaled(a, "b", 1.1))["val_ppl"]
    assert [d.relative, *d.ends] == pytest.approx([0.1, 0.1, 0.1])
    assert d.a == pytest.approx((300 * 400 * 500) ** (1 / 3)) and d.low == pytest.approx(0.1 * d.a)


def test_what_is_small_or_negligible_in_practice() -> None:
    """A margin of 1 %: told and below it, told and above, not told but surely below."""
    a = seeded(record("a"), "a", {1: 0.0, 2: 5.0, 3: -5.0})
    small, large = (compare_runs(a, scaled(a, "b", f))["val_ppl"] for f in (1.005, 1.02))
    assert small.told and small.small and not large.small
    assert sentences.SMALL in sentences.metric(small, "up")
    assert sentences.SMALL not in sentences.metric(large, "up")
    noisy = seeded(record("b"), "b", {1: 0.4, 2: 4.8, 3: -5.1})
    d = compare_runs(a, noisy)["val_ppl"]
    assert d.direction == "unclear" and d.negligible
    assert "あっても 1 % 未満" in sentences.metric(d, "unclear")
    wild = compare_runs(a, seeded(record("b"), "b", {1: 40.0, 2: -48.0, 3: -5.1}))["val_ppl"]
    assert wild.direction == "unclear" and not wild.negligible


def test_differences_of_printed_values_are_not_said_to_be_unrounded() -> None:
    a, b = record("a"), scaled(record("b"), "b", 1.1)
    assert "丸める前に計算" in sections.summary(compare_runs(a, b))
    said = sections.summary(compare_runs(a, b.model_copy(update={"source": "imported"})))
    assert "丸める前" not in said and "b は印刷された、丸めた値" in said


def test_the_spread_of_a_perplexity_is_in_its_own_unit() -> None:
    """The seeds' logarithms have a standard deviation of log 1.1 around that of 110."""
    one, two = (
        record(name).model_copy(
            update={
                "results": [
                    result(25, seed=seed, val_ppl=factor * ppl)
                    for seed, ppl in enumerate((100.0, 110.0, 121.0))
                ]
            }
        )
        for name, factor in (("a", 1.0), ("b", 2.0))
    )
    d = contrast([(1.0, one)], [(1.0, two)], "val_ppl")[25]
    assert [d.a, d.b] == pytest.approx([110, 220])
    assert [d.a_spread, d.b_spread] == pytest.approx([n * math.log(1.1) for n in (110, 220)])


def test_the_centred_rank_stands_beside_the_rank_where_it_is_known() -> None:
    a, b = record("a", val_er_centred=0.72), record("b", val_er=0.5, val_er_centred=0.66)
    said = sections.effective_rank(compare_runs(a, b))
    assert "-20.0 ポイント" in said and "72.0% → 66.0%" in said
    assert "Val ER（中心化）" in sections.summary(compare_runs(a, b))
    assert "中心化" not in sections.effective_rank(compare_runs(record("a"), record("b")))
