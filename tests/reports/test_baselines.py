"""What the report of baselines says, on records whose figures are worked out by hand."""

import math
from typing import Any

import matplotlib.pyplot as plt

from fpcore import RunRecord
from fpcore.records.record import SizeResult
from fpcore.reports import baselines, figures


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
    run = record("run", [[8.0, 12.0]])
    better, unclear = record("better", [[4.0, 6.0]]), record("unclear", [[12.0, 6.0]])
    worse = record("worse", [[12.0, 18.0]])
    lines = baselines.standing([run], [better, unclear, worse]).splitlines()
    assert lines[0] == (
        "- **10 サンプルで `run` の Val PPL は、`worse` より低く（よく）、"
        "`better` より高く（悪く）、`unclear` とは差があるとは言えない。**"
    )
    assert lines[1] == (
        "- `run` の Val PPL 7.4 は `better` の 2.7 に対し +171.8%（10 サンプル、"
        "95 % 区間 [+171.8%, +171.8%]、検証会話 n=2）。"
    )
    # 20 / 10 - 18 / 10 = 0.2; drawing one conversation twice gives 2 - 3 = -1 or 2 - 1 = 1.
    assert (
        "+22.1%（10 サンプル、95 % 区間 [-63.2%, +171.8%]、検証会話 n=2）で、差がある" in lines[2]
    )
    assert "-63.2%" in lines[3]


def test_a_baseline_must_differ_over_seeds_as_well() -> None:
    """Mean gaps of 1 and 0.1 nats: every conversation agrees, two seeds of such spread do not."""
    run = record("run", [[8.0, 12.0], [8.0, 12.0]])
    unsure = record("unsure", [[4.0, 6.0], [7.6, 11.4]])
    sure = record("sure", [[4.0, 6.0], [4.0, 6.1]])
    counted = record("counted", [[4.0, 6.0]])
    counted = counted.model_copy(
        update={"results": [r.model_copy(update={"seed": None}) for r in counted.results]}
    )
    first = baselines.standing([run], [unsure, sure, counted]).splitlines()[0]
    assert "`sure`、`counted` より高く（悪く）、`unsure` とは差があるとは言えない" in first


def test_the_unigram_model_is_put_into_words() -> None:
    run = record("run", [[8.0, 12.0]])
    for unigram, where in ((8.0, "10 サンプル"), (7.0, "どのサイズでもない")):  # PPL is e² = 7.4
        own = [r.model_copy(update={"unigram_ppl": unigram}) for r in run.results]
        said = baselines.standing([run.model_copy(update={"results": own})], [])
        assert f"`run` の Val PPL が unigram モデルより低いのは、{where}" in said


def test_seeds_are_averaged_and_their_spread_shown() -> None:
    """PPL e and e² have mean 5.05 and standard deviation 3.30; their mean loss gives e^1.5."""
    two = record("two", [[4.0, 6.0], [8.0, 12.0]])
    one = record("one", [[8.0, 12.0]])
    assert "5.1 ± 3.3" in baselines.by_size([one], [two])
    assert f"{math.exp(1.5):.1f}" in baselines.standing([one], [two])


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
    said = baselines.embeddings([frozen, free, gpt])
    assert said.count("\n") == 0
    assert "`free` の Val PPL 7.4 は `frozen` の 20.1 に対し -63.2%" in said
    assert "組はない" in baselines.embeddings([frozen, gpt])


def test_caveats_follow_from_the_records() -> None:
    plain = record("plain", [[8.0, 12.0], [8.0, 12.0]], select_on="dev")
    said = baselines.caveats([plain], [])
    assert said == (
        "- 区間は検証会話 n=2 を選び直した bootstrap で、最大の会話が検証トークンの "
        "60%を占めるので粗い。"
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
