"""The learning rate of phase 2, chosen on development, and the bias that it trains."""

import math
from typing import Any

import pytest
import torch
from helpers.toy import Toy, stable

import fpcore
from fpcore import TrainingError
from fpcore.data.dataset import prepare
from fpcore.runs.progress import Progress
from fpcore.runs.training import Training
from fpcore.runs.trial import Trial
from fpcore.stats.metrics import unigram_logs, unigram_loss

RATES = [1e-4, 0.01, 0.003]
NUMBERS = ("val_ppl", "val_acc", "train_ppl", "best_epoch", "epochs_run", "phase2", "val_loss_sums")


def figures(result: Any) -> dict[str, Any]:
    """What phase 2 gave."""
    return {name: getattr(result, name) for name in NUMBERS}


def test_the_first_seed_chooses_at_every_size_and_the_others_follow(trial: Toy) -> None:
    several = fpcore.run(trial(select_on="dev", phase2_lr=RATES, seeds=[42, 7]))
    single = {
        rate: fpcore.run(trial(name=f"r{n}", select_on="dev", phase2_lr=rate, seeds=[42, 7]))
        for n, rate in enumerate(RATES)
    }
    for place, result in enumerate(several.results):
        losses = {
            str(rate): min(run.results[place % 2].phase2["dev_loss"])
            for rate, run in single.items()
        }
        assert result.candidates == pytest.approx(losses if result.seed == 42 else {}, rel=1e-8)
        assert result.chosen == float(min(losses, key=lambda rate: losses[rate]))
        assert figures(result) == figures(single[result.chosen].results[place])
    assert {result.chosen for run in single.values() for result in run.results} == {None}


def test_a_rate_that_diverges_is_passed_over(trial: Toy) -> None:
    result = fpcore.run(trial(samples=[10], select_on="dev", phase2_lr=[0.01, 1e30])).results[0]
    assert (result.chosen, set(result.candidates)) == (0.01, {"0.01"})
    with pytest.raises(TrainingError, match=r"a phase2_lr below 1e\+31 may help"):
        fpcore.run(trial(name="none", samples=[10], select_on="dev", phase2_lr=[1e30, 1e31]))


def test_other_rates_are_another_checkpoint(trial: Toy, every_state: None) -> None:
    """A run that is interrupted and goes on with other rates takes nothing over from the others."""
    alone = fpcore.run(trial(samples=[10], select_on="dev", phase2_lr=[0.01, 0.003]))
    again = fpcore.run(trial(samples=[10], select_on="dev", phase2_lr=[0.003, 0.01]), force=True)
    assert stable(alone.model_dump())["results"] != []
    assert figures(alone.results[0]) == figures(again.results[0])


def test_a_bias_starts_from_the_frequencies_of_the_training_text(trial: Toy) -> None:
    """Where nothing is learnt, and the embedding says nothing, it is the unigram model."""
    config = trial(output_bias="unigram", phase2_lr=1e-12, epochs=1, precision="float64")
    data, cpu = prepare(config), torch.device("cpu")
    data.weights.zero_()
    trained = Training(Trial(config, data, 42, 20, cpu), Progress(), resumable=False)
    result = trained.result()
    ids = data.training_ids(20)
    expected = unigram_loss(ids, data.val.ids, len(data.weights))
    assert result.val_ppl == pytest.approx(math.exp(expected), rel=1e-9)
    assert result.unigram_ppl == math.exp(expected)
    bias = trained.model.token_block.bias
    assert bias is not None
    torch.testing.assert_close(bias.data, unigram_logs(ids, len(data.weights)))


def test_a_bias_is_trained(trial: Toy) -> None:
    without, with_bias = (
        fpcore.run(trial(name=kind, output_bias=kind, embedding="ppmi")).results[-1]
        for kind in ("none", "unigram")
    )
    assert (with_bias.val_ppl or 0) < 0.9 * (without.val_ppl or 0)
