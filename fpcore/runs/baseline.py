"""One run of a baseline: the fixed-point model's data → n-gram, LSTM or GPT → record."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from fpcore.config.baseline import KneserNeyConfig, NeuralConfig
from fpcore.data.dataset import Data, prepare
from fpcore.model.precision import device_of
from fpcore.records.record import RunRecord, SizeResult, columns
from fpcore.runs.experiment import earlier_record, is_current
from fpcore.runs.lock import held
from fpcore.runs.progress import Bar, Progress, Stopwatch, clock, timed
from fpcore.runs.provenance import KNESER_NEY, NEURAL, code_digests, environment
from fpcore.stats import metrics
from fpcore.stats.metrics import unigram_loss
from fpcore.trainers.kneser_ney import KneserNey
from fpcore.trainers.network_training import Trained, by_conversation, train_network
from fpcore.trainers.networks import TiedModel, matched
from fpcore.trainers.phase2 import Evaluation

CPU = torch.device("cpu")
Config = KneserNeyConfig | NeuralConfig


def run_baseline(config: Config, *, force: bool = False) -> RunRecord:
    """Train every size (and seed) of a baseline, save the record and return it.

    An earlier record is reused or refused as by `experiment.run`. The order of n-grams is chosen
    on development at every size; the learning rate once, at the largest size with the first seed.

    Raises:
        ConfigError: a device that is not there, or no width of the fixed-point model's size.
        CorpusError: texts, tokenizer or embedding cannot be had.
        HeldError: another process works on a run of this name.
        RecordError: the name belongs to another config, or its record is damaged.
        TrainingError: a loss that is not finite.
    """
    with held(config.name):
        return _run(config, force)


def _run(config: Config, force: bool) -> RunRecord:
    earlier = None if force else earlier_record(config)
    device = device_of(config.device) if isinstance(config, NeuralConfig) else CPU
    data = prepare(config.fixed_point())
    roles = KNESER_NEY if isinstance(config, KneserNeyConfig) else NEURAL
    digests = data.digests(config.samples) | code_digests(roles)
    if earlier is not None and is_current(earlier, digests):
        return earlier
    started = datetime.now(UTC).isoformat(timespec="seconds")
    record = RunRecord(
        name=config.name,
        label=config.model,
        config=config.model_dump(),
        digests=digests,
        data=data.splits(),
        results=_all(config, data, device),
        environment=environment(device, "float32"),
        started=started,
    )
    record.save()
    return record


def _all(config: Config, data: Data, device: torch.device) -> list[SizeResult]:
    progress, watch = Progress(), Stopwatch()
    if isinstance(config, KneserNeyConfig):
        results = [_kneser_ney(config, data, samples) for samples in config.samples]
    else:
        results = _neural(config, data, device, progress)
    took = clock(watch.seconds())
    progress.finish(f"{config.name}: {len(results)} sizes and seeds trained in {took}")
    return results


def _kneser_ney(config: KneserNeyConfig, data: Data, samples: int) -> SizeResult:
    """Return the result of the order whose development loss is least."""
    ids = data.training_ids(samples)
    seconds: dict[str, float] = {}
    with timed(seconds, "training", CPU):
        models = [KneserNey(ids.numpy(), len(data.weights), order) for order in config.orders]
        losses = [float(model.losses(data.dev.ids.numpy())[0].mean()) for model in models]
        model = models[losses.index(min(losses))]
        loss, hits = map(torch.from_numpy, model.losses(data.val.ids.numpy()))
    return SizeResult(
        **_common(data, ids, samples, by_conversation(loss, hits, data.val.conversation)),
        chosen=model.order,
        candidates={str(n): loss for n, loss in zip(config.orders, losses, strict=True)},
        seconds=seconds,
    )


@dataclass
class _Trial:
    """One training of a neural baseline."""

    model: TiedModel
    rate: float
    trained: Trained
    seconds: dict[str, float] = field(default_factory=dict)


def _neural(
    config: NeuralConfig, data: Data, device: torch.device, progress: Progress
) -> list[SizeResult]:
    first, largest = config.seeds[0], max(config.samples)
    trials = [
        _trial(config, data, device, progress, first, largest, rate)
        for rate in config.learning_rates
    ]
    best = min(trials, key=lambda trial: trial.trained.dev_loss)
    tried = {str(trial.rate): trial.trained.dev_loss for trial in trials}
    return [
        _result(config, data, seed, samples, best, tried)
        if (seed, samples) == (first, largest)
        else _result(
            config,
            data,
            seed,
            samples,
            _trial(config, data, device, progress, seed, samples, best.rate),
            {},
        )
        for seed in config.seeds
        for samples in config.samples
    ]


def _trial(
    config: NeuralConfig,
    data: Data,
    device: torch.device,
    progress: Progress,
    seed: int,
    samples: int,
    rate: float,
) -> _Trial:
    bar = Bar(progress, f"{config.name} seed {seed} size {samples}")
    seconds: dict[str, float] = {}
    with timed(seconds, "training", device):
        model = matched(data.weights, config, seed).to(device)
        ids = data.training_ids(samples).to(device)
        on_epoch = bar.stage(f"rate {rate}", config.epochs)
        trained = train_network(model, ids, data.dev, data.val, config, rate, on_epoch)
    return _Trial(model, rate, trained, seconds)


def _result(
    config: NeuralConfig,
    data: Data,
    seed: int,
    samples: int,
    trial: _Trial,
    tried: dict[str, float],
) -> SizeResult:
    trained = trial.trained
    return SizeResult(
        seed=seed,
        **_common(data, data.training_ids(samples), samples, trained.val),
        train_ppl=metrics.perplexity(trained.train_loss),
        best_epoch=trained.best_epoch,
        epochs_run=len(trained.trace),
        phase2=columns(trained.trace),
        trained_parameters=trial.model.trained_parameters(),
        chosen=trial.rate,
        candidates=tried,
        seconds=trial.seconds,
    )


def _common(data: Data, ids: Tensor, samples: int, val: Evaluation) -> dict[str, Any]:
    """Return the fields of SizeResult that every baseline fills in the same way."""
    unigram = unigram_loss(ids, data.val.ids, len(data.weights))
    return {
        "samples": samples,
        "train_tokens": len(ids),
        "val_tokens": len(data.val.ids),
        "val_bytes": data.val.bytes,
        "val_ppl": metrics.perplexity(val.loss),
        "val_acc": val.accuracy,
        "bits_per_byte": metrics.bits_per_byte(sum(val.loss_sums), data.val.bytes),
        "unigram_ppl": metrics.perplexity(unigram),
        "val_loss_sums": val.loss_sums,
        "val_token_counts": val.token_counts,
    }
