"""One run of a baseline: the fixed-point model's data → n-gram, LSTM or GPT → record."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch
from torch import Tensor

from fpcore.config.baseline import KneserNeyConfig, NeuralConfig
from fpcore.data.dataset import Data, prepare
from fpcore.model.precision import device_of
from fpcore.records.record import RunRecord, columns, load_record
from fpcore.records.result import SizeResult
from fpcore.runs import memory, models, networks_kept
from fpcore.runs.experiment import Work, recorded
from fpcore.runs.progress import Bar, Progress, Stopwatch, clock, timed
from fpcore.runs.provenance import KNESER_NEY, NEURAL
from fpcore.stats import metrics
from fpcore.stats.metrics import unigram_logs, unigram_loss
from fpcore.trainers.hooks import Hooks
from fpcore.trainers.kneser_ney import KneserNey
from fpcore.trainers.network_training import NetworkResult, train_network
from fpcore.trainers.networks import TiedModel, matched
from fpcore.trainers.texts import Evaluation, Texts

CPU = torch.device("cpu")
Config = KneserNeyConfig | NeuralConfig


def run_baseline(config: Config, *, force: bool = False) -> RunRecord:
    """Train every size (and seed) of a baseline, save the record and return it.

    An earlier record is reused or refused as by `experiment.run`; networks are kept. The order of
    n-grams is chosen on development at every size; so is the learning rate, with the first seed.

    Raises:
        ConfigError: a device that is not there, or no width of the fixed-point model's size.
        CorpusError: texts, tokenizer or embedding cannot be had.
        HeldError: another process works on a run of this name.
        RecordError: the name belongs to another config, or its record is damaged.
        TrainingError: a loss that is not finite.
    """
    return recorded(config, force, lambda: _work(config), lambda: _tidy(config.name))


def _tidy(name: str) -> None:
    """Remove the networks that a run has kept before, once the record of newer ones is saved."""
    models.tidy(load_record(name))


def _work(config: Config) -> Work:
    if isinstance(config, KneserNeyConfig):
        data = prepare(config.fixed_point())
        return Work(data, CPU, "float32", KNESER_NEY, lambda: _counted(config, data))
    device = device_of(config.device)
    data = prepare(config.fixed_point())
    memory.check_network(config, len(data.weights), device)
    return Work(data, device, "float32", NEURAL, Networks(config, data, device).train)


def _counted(config: KneserNeyConfig, data: Data) -> list[SizeResult]:
    progress, watch = Progress(), Stopwatch()
    results = [_kneser_ney(config, data, samples) for samples in config.samples]
    progress.finish(_done(config, results, watch))
    return results


def _done(config: Config, results: list[SizeResult], watch: Stopwatch) -> str:
    took = clock(watch.seconds())
    return f"{config.name}: {len(results)} sizes and seeds trained in {took}"


def _kneser_ney(config: KneserNeyConfig, data: Data, samples: int) -> SizeResult:
    """Return the result of the order whose development loss is least."""
    whole = config.counts == "pool"
    ids = data.training_ids(len(data.conversations) if whole else samples)
    seconds: dict[str, float] = {}
    with timed(seconds, "training", CPU):
        models = [KneserNey(ids.numpy(), len(data.weights), order) for order in config.orders]
        losses = [float(model.losses(data.dev.ids.numpy())[0].mean()) for model in models]
        model = models[losses.index(min(losses))]
        loss, hits = map(torch.from_numpy, model.losses(data.val.ids.numpy()))
    return SizeResult(
        **_common(data, ids, samples, Evaluation.of(loss, hits, data.val.conversation[1:])),
        chosen=model.order,
        candidates={str(n): loss for n, loss in zip(config.orders, losses, strict=True)},
        seconds=seconds,
    )


@dataclass(frozen=True)
class Trained:
    """One training of a network."""

    model: TiedModel
    rate: float
    result: NetworkResult
    seconds: dict[str, float]


@dataclass(frozen=True)
class Networks:
    """The trainings of a neural baseline."""

    config: NeuralConfig
    data: Data
    device: torch.device
    progress: Progress = field(default_factory=Progress)

    def train(self) -> list[SizeResult]:
        """Choose the rate at every size with the first seed, and train the others with it."""
        config, watch = self.config, Stopwatch()
        results: list[SizeResult] = []
        chosen: dict[int, float] = {}
        for seed, samples in product(config.seeds, config.samples):
            rates = [chosen[samples]] if samples in chosen else config.learning_rates
            tried = [self._trained(seed, samples, rate) for rate in rates]
            best = min(tried, key=lambda one: one.result.dev_loss)
            losses = {str(one.rate): one.result.dev_loss for one in tried}
            results.append(self._result(seed, samples, best, {} if samples in chosen else losses))
            chosen.setdefault(samples, best.rate)
        self.progress.finish(_done(config, results, watch))
        return results

    def _trained(self, seed: int, samples: int, rate: float) -> Trained:
        config, data = self.config, self.data
        bar = Bar(self.progress, f"{config.name} seed {seed} size {samples}")
        seconds: dict[str, float] = {}
        with timed(seconds, "training", self.device):
            model = matched(data.weights, config, seed).to(self.device)
            ids = data.training_ids(samples).to(self.device)
            if model.bias is not None:
                model.bias.data.copy_(unigram_logs(ids.cpu(), len(data.weights)))
            hooks: Hooks[None] = Hooks(bar.stage(f"rate {rate}", config.epochs))
            texts = Texts(ids, data.val, data.dev)
            result = train_network(model, texts, config, rate, hooks)
        return Trained(model, rate, result, seconds)

    def _result(
        self, seed: int, samples: int, one: Trained, candidates: dict[str, float]
    ) -> SizeResult:
        result, config = one.result, self.config
        return SizeResult(
            seed=seed,
            model_digest=networks_kept.keep(config, self.data, seed, samples, one.model),
            **_common(self.data, self.data.training_ids(samples), samples, result.val),
            train_ppl=metrics.perplexity(result.train_loss),
            best_epoch=result.best_epoch,
            epochs_run=len(result.trace),
            phase2=columns(result.trace),
            trained_parameters=one.model.trained_parameters(),
            chosen=one.rate,
            candidates=candidates,
            seconds=one.seconds,
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
