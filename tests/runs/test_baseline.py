"""Whole runs of baselines at toy size: their records, their reuse, and what the report says."""

import math
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch
from helpers.toy import Toy, WriteCorpus

import fpcore
from fpcore import ConfigError, RecordError, RunRecord
from fpcore.config.baseline import KneserNeyConfig, NeuralConfig
from fpcore.data.dataset import prepare
from fpcore.records.pairs import incomparable
from fpcore.records.record import SizeResult, load_record
from fpcore.reports import baselines, figures
from fpcore.runs.baseline import run_baseline
from fpcore.runs.provenance import NEURAL, code_digests
from fpcore.trainers.kneser_ney import KneserNey

Make = Callable[..., NeuralConfig]
DATA: dict[str, Any] = {"tokenizer": "bpe-300", "embed_dim": 16, "samples": [10, 20]}


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def data(write_corpus: WriteCorpus, conversations: list[str]) -> dict[str, Any]:
    return DATA | {"corpus": str(write_corpus(conversations)), "val_samples": 5}


@pytest.fixture
def neural(data: dict[str, Any]) -> Make:
    small = {"context_dim": 90, "epochs": 3, "segment": 16, "streams": 4, "device": "cpu"}
    return lambda **knobs: NeuralConfig(**{"name": "toy", "model": "lstm"} | data | small | knobs)


def test_a_neural_run_is_complete_and_agrees_with_itself(neural: Make) -> None:
    config = neural(seeds=[42, 7], learning_rates=[0.001, 0.02])
    record = run_baseline(config)
    assert load_record("toy") == record
    assert NeuralConfig(**record.config) == config
    order = [(r.seed, r.samples) for r in record.results]
    assert order == [(42, 10), (42, 20), (7, 10), (7, 20)]
    assert set(record.digests) >= {"vocabulary", "embedding", "validation_ids", "training_ids/20"}
    assert {f"code/{role}" for role in NEURAL} <= set(record.digests)
    chosen = record.results[1]  # the first seed at the largest size, where the rate is chosen
    assert set(chosen.candidates) == {"0.001", "0.02"}
    assert chosen.chosen == float(min(chosen.candidates, key=lambda c: chosen.candidates[c]))
    for r in record.results:
        assert r.chosen == chosen.chosen
        assert bool(r.candidates) == (r is chosen)
        dev = r.phase2["dev_loss"]
        assert r.best_epoch == 1 + dev.index(min(dev))
        sums, counts = r.val_loss_sums or [], r.val_token_counts or []
        assert sum(counts) == (r.val_tokens or 0) - 1
        assert r.val_ppl == pytest.approx(math.exp(sum(sums) / sum(counts)))
        assert r.bits_per_byte == pytest.approx(sum(sums) / math.log(2) / (r.val_bytes or 0))
        assert r.train_ppl == pytest.approx(math.exp(r.phase2["train_loss"][r.best_epoch - 1]))
    best = chosen.candidates[str(chosen.chosen)]
    assert best == min(chosen.phase2["dev_loss"])


def test_a_kneser_ney_run_takes_the_order_that_development_prefers(data: dict[str, Any]) -> None:
    config = KneserNeyConfig(name="counts", orders=[1, 2, 3], **data)
    record = run_baseline(config)
    texts = prepare(config.fixed_point())
    for r in record.results:
        ids = texts.training_ids(r.samples).numpy()
        dev = [
            KneserNey(ids, 300, order).losses(texts.dev.ids.numpy())[0].mean()
            for order in (1, 2, 3)
        ]
        assert r.candidates == pytest.approx({"1": dev[0], "2": dev[1], "3": dev[2]})
        assert r.chosen == 1 + dev.index(min(dev))
        val, hits = KneserNey(ids, 300, int(r.chosen)).losses(texts.val.ids.numpy())
        assert (r.val_ppl, r.val_acc) == pytest.approx((math.exp(val.mean()), hits.mean()))
        assert (r.seed, r.trained_parameters, r.best_epoch) == (None, None, None)


@pytest.mark.parametrize("model", ["lstm", "gpt"])
def test_two_runs_of_one_config_give_the_same_figures(neural: Make, model: str) -> None:
    config = neural(model=model, samples=[10], learning_rates=[0.01])
    first = run_baseline(config)
    torch.manual_seed(99)  # the global generator does not matter
    again = run_baseline(config, force=True)
    keys = ("val_loss_sums", "phase2", "val_acc", "best_epoch")
    a, b = (r.results[0].model_dump(include=set(keys)) for r in (first, again))
    assert a == b


def test_a_record_is_reused_named_and_protected(
    neural: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = neural(samples=[10], epochs=1, learning_rates=[0.01])
    record = run_baseline(config)
    before = record.path.read_bytes()
    assert run_baseline(config) == record
    assert "its record is reused" in capsys.readouterr().out
    with pytest.raises(RecordError, match="the record of another epochs; give this run another"):
        run_baseline(neural(samples=[10], epochs=2, learning_rates=[0.01]))
    assert record.path.read_bytes() == before
    changed = code_digests(NEURAL) | {"code/networks": "other"}
    monkeypatch.setattr("fpcore.runs.experiment.code_digests", lambda roles: changed)
    run_baseline(config)
    assert "has changed: the code of networks" in capsys.readouterr().out


def test_a_device_that_is_not_there(neural: Make) -> None:
    with pytest.raises(ConfigError, match="device cuda:99 is not on this machine"):
        run_baseline(neural(device="cuda:99"))


def test_a_baseline_compares_with_a_fixed_point_run_on_the_same_tokens(
    neural: Make, toy: Toy, data: dict[str, Any]
) -> None:
    knobs = data | {"context_dim": 90, "max_iter": 4, "epochs": 2, "select_on": "val"}
    run = fpcore.run(toy(name="fixed", **knobs))
    config = neural(learning_rates=[0.01])
    lstm, counts = run_baseline(config), run_baseline(KneserNeyConfig(name="counts", **data))
    assert incomparable(run, lstm) == incomparable(run, counts) == {}
    for a, b, c in zip(run.results, lstm.results, counts.results, strict=True):
        assert a.val_token_counts == b.val_token_counts == c.val_token_counts
        assert a.unigram_ppl == b.unigram_ppl == c.unigram_ppl
    fixed = baselines.trained_parameters(run)
    assert fixed == (16 + 90) * 90 + 3 * 90 + (16 + 90) * 16 + 3 * 16
    assert baselines.trained_parameters(lstm) == pytest.approx(fixed, rel=0.1)
    said = baselines.standing([run], [lstm, counts])
    assert said.count("`fixed` の Val PPL") == 4  # the unigram model, too
    assert "検証会話 n=5" in said
    table = baselines.by_size([run], [lstm, counts])
    assert table.count("unigram モデル") == 2
    assert f"{run.results[1].val_ppl:,.1f}" in table
    caveats = baselines.caveats([run], [lstm, counts])
    assert "`fixed`: エポックを検証テキスト自身で選んだ" in caveats


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
