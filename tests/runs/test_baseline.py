"""Whole runs of baselines at toy size: their records, their reuse, and what the report says."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.toy import Toy, WriteCorpus

import fpcore
from fpcore import ConfigError, ModelError, RecordError
from fpcore.config.baseline import KneserNeyConfig, NeuralConfig
from fpcore.data.dataset import prepare
from fpcore.records.pairs import incomparable
from fpcore.records.record import load_record
from fpcore.reports import baselines
from fpcore.runs import models, networks_kept
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
    for r, first in zip(record.results, 2 * record.results[:2], strict=True):
        tried = first.candidates  # the first seed chooses the rate of each size
        assert set(tried) == {"0.001", "0.02"} and bool(r.candidates) == (r is first)
        assert r.chosen == first.chosen == float(min(tried, key=lambda rate: tried[rate]))
        dev = r.phase2["dev_loss"]
        assert r.best_epoch == 1 + dev.index(min(dev))
        sums, counts = r.val_loss_sums or [], r.val_token_counts or []
        assert sum(counts) == (r.val_tokens or 0) - 1
        assert r.val_ppl == pytest.approx(math.exp(sum(sums) / sum(counts)))
        assert r.bits_per_byte == pytest.approx(sum(sums) / math.log(2) / (r.val_bytes or 0))
        assert r.train_ppl == pytest.approx(math.exp(r.phase2["train_loss"][r.best_epoch - 1]))
        if r is first:
            assert min(dev) == pytest.approx(tried[str(r.chosen)], rel=1e-8)


@pytest.mark.parametrize("more", [{}, {"own_embedding": True, "output_bias": "unigram"}], ids=str)
@pytest.mark.parametrize("body", ["lstm", "gpt"])
def test_a_kept_network_says_what_its_record_says(
    neural: Make, body: str, more: dict[str, Any]
) -> None:
    config = neural(model=body, samples=[20], seeds=[7], learning_rates=[0.01], **more)
    (result,) = run_baseline(config).results
    network = networks_kept.load(load_record("toy"), result)
    assert network.val_ppl() == result.val_ppl
    prompt = network.tokenizer.encode("kalo newi").ids
    made = [network.continued(prompt, 12, seed) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2] and len(made[0]) == 12
    path, _ = models.kept_at(load_record("toy"), result)
    content = path.read_bytes()
    for damaged in (content[:-9], b"", content[:-1] + b"~"):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="is damaged, or no file of a model"):
            networks_kept.load(load_record("toy"), result)
    run_baseline(config.model_copy(update={"keep_models": False}), force=True)
    path.unlink()
    with pytest.raises(ModelError, match="was not kept, as keep_models was false"):
        networks_kept.load(load_record("toy"), result)


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
    whole: dict[str, Any] = {"epochs": 60, "patience": 1}  # so many that training ends before
    knobs = data | whole | {"context_dim": 90, "max_iter": 4, "phase2_lr": 0.05}
    run = fpcore.run(toy(name="fixed", **knobs))
    config = neural(learning_rates=[0.05], **whole)
    lstm, counts = run_baseline(config), run_baseline(KneserNeyConfig(name="counts", **data))
    assert {*incomparable(run, lstm), *incomparable(run, counts)} <= {"seconds"}  # if not alone
    for a, b, c in zip(run.results, lstm.results, counts.results, strict=True):
        assert a.val_token_counts == b.val_token_counts == c.val_token_counts
        assert a.unigram_ppl == b.unigram_ppl == c.unigram_ppl
    fixed = baselines.trained_parameters(run)
    assert fixed == (16 + 90) * 90 + 3 * 90 + (16 + 90) * 16 + 3 * 16
    assert baselines.trained_parameters(lstm) == pytest.approx(fixed, rel=0.1)
    said = baselines.standing([run], [lstm, counts])
    assert said.count("`fixed` の Val PPL") == 4  # the unigram model, too

    table = baselines.by_size([run], [lstm, counts])
    assert table.count("unigram モデル") == 2
    assert f"{run.results[1].val_ppl:,.1f}" in table
    caveats = baselines.caveats([run], [lstm, counts])
    assert "検証会話 n=5" in caveats and "`fixed`: エポックを検証テキスト自身で選んだ" in caveats
