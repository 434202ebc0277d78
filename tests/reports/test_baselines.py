"""What the report of baselines says, on records whose figures are worked out by hand."""

import math
from typing import Any

import matplotlib.pyplot as plt
import pytest

from fpcore import RunRecord
from fpcore.analysis.comparison import compare_runs
from fpcore.records.result import SizeResult
from fpcore.reports import baselines, figures


def twice(sums: list[float]) -> list[list[float]]:
    """The same losses at two seeds."""
    return [sums, sums]


def record(name: str, sums: list[list[float]], **config: Any) -> RunRecord:
    counts = [4, 6]
    results = [
        SizeResult(
            seed=seed, samples=10, train_tokens=99, val_token_counts=counts, val_loss_sums=own,
            val_ppl=math.exp(sum(own) / 10), val_bytes=20, val_acc=0.25, bits_per_byte=1.0,
            unigram_ppl=math.exp(4), best_epoch=2, chosen=0.01,
        )
        for seed, own in enumerate(sums)
    ]  # fmt: skip
    digests = {"validation_ids": "x", "vocabulary": "y"}
    return RunRecord(name=name, config={"epochs": 3} | config, digests=digests, results=results)


def test_what_is_said_is_worked_out_by_hand() -> None:
    """Losses per token: run 2 and 2 = e²; better 1 and 1; unclear 3 and 1; worse 3 and 3."""
    run = record("run", twice([8.0, 12.0]))
    better, unclear = record("better", twice([4.0, 6.0])), record("unclear", twice([12.0, 6.0]))
    worse = record("worse", twice([12.0, 18.0]))
    lines = baselines.standing([run], [better, unclear, worse]).splitlines()
    assert lines[0] == (
        "- **10 サンプルで `run` の Val PPL は、`worse` より低く（よく）、"
        "`better` より高く（悪く）、`unclear` とは差があるとは言えない。**"
    )
    assert lines[1] == (
        "- `run` の Val PPL 7.4 は `better` の 2.7 に対し +171.8% [+171.8%, +171.8%]"
        "（10 サンプル、シード n=2）。"
    )
    # 20 / 10 - 18 / 10 = 0.2: e^0.2 is 1.221.
    assert "+22.1% [" in lines[2] and lines[2].endswith("で、差があるとは言えない。")
    assert "-63.2%" in lines[3]


def test_one_seed_tells_no_direction() -> None:
    """Whatever the conversations say: another seed may turn it round."""
    run, better = record("run", [[8.0, 12.0]]), record("better", [[4.0, 6.0]])
    first = baselines.standing([run], [better]).splitlines()[0]
    assert "`better` とは差があるとは言えない" in first


def test_a_baseline_must_differ_over_seeds_as_well() -> None:
    """Mean gaps of 1 and 0.2 nats: every conversation agrees, two seeds of such spread do not."""
    run = record("run", [[8.0, 12.0], [8.0, 12.0]])
    unsure = record("unsure", [[4.0, 6.0], [7.6, 11.4]])
    sure = record("sure", [[4.0, 6.0], [4.0, 6.001]])
    counted = record("counted", [[4.0, 6.0]])
    counted = counted.model_copy(
        update={"results": [r.model_copy(update={"seed": None}) for r in counted.results]}
    )
    first = baselines.standing([run], [unsure, sure, counted]).splitlines()[0]
    assert "`sure`、`counted` より高く（悪く）、`unsure` とは差があるとは言えない" in first


def test_n_grams_count_the_seeds_of_the_other() -> None:
    """Kneser-Ney has no seeds; the run's spread over them, 1 to 3 nats, leaves it open."""
    counted = record("counted", [[4.0, 6.0]])
    counted = counted.model_copy(
        update={"results": [r.model_copy(update={"seed": None}) for r in counted.results]}
    )
    wide = record("wide", [[4.0, 6.0], [8.0, 12.0], [12.0, 18.0]])
    d = compare_runs(counted, wide)["val_ppl"]
    assert d.seeds == 3 and d.by_seeds.value == pytest.approx(1 / 3) and d.by_seeds.dof == 2
    assert d.certain == "unclear"


def test_training_cut_short_is_compared_with_nothing() -> None:
    run, short = record("run", twice([8.0, 12.0])), record("short", twice([4.0, 6.0]), epochs=2)
    said = baselines.standing([run], [short])
    assert "short は最良エポックが `epochs` の上限" in said and "%" not in said
    assert "より低く" not in said and "より高く" not in said
    assert "`short`: 最良エポックが `epochs` の上限" in baselines.caveats([run], [short])
    assert "unigram" not in baselines.standing([short], [])


def test_the_unigram_model_is_put_into_words() -> None:
    run = record("run", [[8.0, 12.0]])
    for unigram, where in ((8.0, "10 サンプル"), (7.0, "どのサイズでもない")):  # PPL is e² = 7.4
        own = [r.model_copy(update={"unigram_ppl": unigram}) for r in run.results]
        said = baselines.standing([run.model_copy(update={"results": own})], [])
        assert f"`run` の Val PPL が unigram モデルより低いのは、{where}" in said


def test_seeds_are_averaged_and_their_spread_shown() -> None:
    """PPL e and e² have the geometric mean e^1.5 = 4.48 and the standard deviation 3.30."""
    two = record("two", [[4.0, 6.0], [8.0, 12.0]])
    one = record("one", [[8.0, 12.0]])
    assert "4.5 ± 3.3" in baselines.by_size([one], [two])


def test_other_texts_are_not_compared() -> None:
    other = record("other", [[4.0, 6.0]])
    other = other.model_copy(update={"digests": {"validation_ids": "z", "vocabulary": "y"}})
    said = baselines.standing([record("run", [[8.0, 12.0]])], [other])
    assert "比べられない" in said
    assert "%" not in said


def test_the_price_of_a_frozen_embedding() -> None:
    frozen = record("frozen", [[12.0, 18.0]], model="lstm", own_embedding=False)
    free = record("free", [[8.0, 12.0]], model="lstm", own_embedding=True)
    gpt = record("gpt", [[8.0, 12.0]], model="gpt", own_embedding=True)
    said = baselines.embeddings([], [frozen, free, gpt])
    assert said.count("\n") == 0
    assert "`free` の Val PPL 7.4 は `frozen` の 20.1 に対し -63.2%" in said
    assert "組はない" in baselines.embeddings([], [frozen, gpt])


def test_caveats_follow_from_the_records() -> None:
    plain = record("plain", [[8.0, 12.0], [8.0, 12.0]], select_on="dev")
    said = baselines.caveats([plain], [])
    assert said == (
        "- 区間は 95 %（この報告の全比較が同時に 95 %）で、シードと検証会話 n=2 による。"
        "最大の会話は検証トークンの 60%で、実質の会話数は 2。"
    )
    bad = record("bad", [[8.0, 12.0]], select_on="val", learning_rates=[0.001, 0.01])
    bad = bad.model_copy(update={"config": bad.config | {"epochs": 2}})
    said = baselines.caveats([plain], [bad])
    assert said.count("`bad`") == 4
    assert "`plain`" not in said


def test_the_figure_has_log_axes_and_every_model() -> None:
    ax = figures.perplexity_log(
        [record("a", [[4.0, 6.0]]), record("b", [[8.0, 12.0]])], figures.axes()
    )
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    legend = ax.get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == ["a", "b", "unigram モデル"]
    plt.close("all")
