"""Phase 1 at one size, and how far it is from its fixed point: frozen weights, no noise.

Shapes: N tokens of a text, D context width.
"""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import Tensor

from fpcore.config.run_config import RunConfig
from fpcore.data.dataset import prepare
from fpcore.errors import ConfigError
from fpcore.language import said
from fpcore.model.blocks import ContextBlock, FixedPointModel, Inputs
from fpcore.model.precision import device_of, resolve
from fpcore.runs.progress import Bar, Progress
from fpcore.stats.draws import generator
from fpcore.stats.fixed_point import Settling, Step, distance, settle
from fpcore.stats.metrics import same_rows, spectrum
from fpcore.trainers.contexts import sequential_contexts, training_contexts
from fpcore.trainers.hooks import Hooks
from fpcore.trainers.phase1 import FIRST_STD, Phase1State, train_contexts

LOOKS = (0, 1, 2, 5, 10, 20, 40, 80, 160)  # steps after which the spectrum is measured


@dataclass(frozen=True)
class Settled:
    """A model after phase 1 on one size with one seed (those of `config`), and its two texts."""

    config: RunConfig
    model: FixedPointModel
    first: Phase1State
    train: Inputs
    val: Inputs


@dataclass(frozen=True)
class TextDiagnosis:
    """How the contexts of one text of `tokens` tokens settle.

    `settling` is the trace of `fixed_point.settle`, `left` the distance to the sequential contexts
    after its last step, `spectra` the measures of `spectrum` by `step`.
    """

    tokens: int
    settling: pd.DataFrame
    left: dict[str, float]
    spectra: pd.DataFrame


@dataclass(frozen=True)
class Diagnosis:
    """What was measured of one training of phase 1.

    `phase1` is its trace, `rows` the number of contexts that every spectrum was measured on,
    `scale` the root mean square of the sequential training contexts, and `parallel` the distance
    from the contexts that phase 2 trains on to the sequential ones of the same text.
    """

    config: RunConfig
    phase1: pd.DataFrame
    train: TextDiagnosis
    val: TextDiagnosis
    rows: int
    scale: float
    parallel: dict[str, float]

    @property
    def title(self) -> str:
        """The run and the size, as figures and reports head them."""
        return said(
            "{run}（{samples} サンプル）", run=self.config.run_name, samples=self.config.samples[0]
        )

    @property
    def threshold(self) -> float:
        """The training's threshold of a mean squared change, as a relative residual."""
        return math.sqrt(self.config.convergence_threshold) / self.scale


def trained(config: str, samples: int, seed: int) -> Settled:
    """Train phase 1 of `params/<config>.yaml` (or of a YAML file) at one size with one seed.

    Raises:
        ConfigError: no such config, a bad size or seed, or a config without phase 1.
        CorpusError: texts, tokenizer or embedding cannot be had, or there are too few texts.
        TrainingError: a loss that is not finite.
    """
    knobs = RunConfig.load(config).model_dump() | {"samples": [samples], "seeds": [seed]}
    one = RunConfig(**knobs)
    if one.contexts != "trained":
        raise ConfigError(f"{one.run_name} has contexts {one.contexts}, so no phase 1 to look at.")
    device, data = device_of(one.device), prepare(one)
    model = FixedPointModel(data.weights, one, seed).to(device)
    train = model.inputs(data.training_ids(samples).to(device))
    val = model.inputs(data.val.ids.to(device))
    progress = Progress()
    bar = Bar(progress, f"{one.run_name} seed {seed} size {samples}")
    on_iteration = bar.stage("phase 1", one.max_iter - 1)
    first = train_contexts(model.context_block, train, one, seed, hooks=Hooks(on_iteration))
    progress.finish(f"{one.run_name}: {first.iterations} iterations on {len(train.index)} tokens")
    return Settled(one, model, first, train, val)


def diagnose(config: str, samples: int, seed: int, iterations: int) -> Diagnosis:
    """Train phase 1 as `trained` does, and `measure` it over some noise-free iterations.

    Raises:
        ConfigError: as `trained`, or fewer than 2 iterations: they tell nothing of contraction.
        CorpusError, TrainingError: as `trained`.
    """
    if iterations < 2:
        raise ConfigError(f"iterations must be a whole number of at least 2, not {iterations}.")
    return measure(trained(config, samples, seed), iterations)


def measure(t: Settled, iterations: int) -> Diagnosis:
    """Iterate the noise-free parallel map on both texts, and measure.

    The training text starts from phase 1's last contexts, noise included; the validation text,
    which phase 1 never saw, from a draw like that of iteration 1.
    """
    block, store = t.model.context_block, t.train.table.dtype
    last = t.first.contexts.to(store)
    drawn = _drawn(t, last)
    rows = min(t.config.er_rows or len(last), len(last), len(drawn))
    product = resolve(t.config, last.device).product
    used = training_contexts(block, last, t.train, product)[-1]
    goals = [sequential_contexts(block, inputs)[-1] for inputs in (t.train, t.val)]
    return Diagnosis(
        t.config,
        pd.DataFrame(t.first.trace),
        _text(t, t.train, last, goals[0], iterations, rows),
        _text(t, t.val, drawn, goals[1], iterations, rows),
        rows,
        float(goals[0].double().square().mean().sqrt()),
        distance(used, goals[0]),
    )


def _drawn(t: Settled, like: Tensor) -> Tensor:
    """Draw contexts of the validation text as iteration 1 draws those of the training text."""
    source = generator(t.config.seeds[0], "contexts", "val", device=like.device)
    drawn = like.new_empty(len(t.val.index), like.shape[1])
    return drawn.normal_(0, FIRST_STD, generator=source)


def _text(
    t: Settled, inputs: Inputs, start: Tensor, goal: Tensor, steps: int, rows: int
) -> TextDiagnosis:
    """Settle one text from `start` [N, D] towards its sequential contexts `goal` [N, D]."""
    spectra: list[dict[str, Any]] = []

    def look(step: int, contexts: Tensor) -> None:
        if step in LOOKS or step == steps:
            source = generator(t.config.seeds[0], "effective rank")
            spectra.append({"step": step} | spectrum(same_rows(contexts, rows, source)))

    settling: Settling = settle(
        parallel_map(t.model.context_block, inputs),
        start,
        steps,
        t.config.convergence_threshold,
        shift=1,
        on_iterate=look,
    )
    left = distance(settling.contexts, goal)
    return TextDiagnosis(len(start), settling.trace, left, pd.DataFrame(spectra))


def parallel_map(block: ContextBlock, inputs: Inputs) -> Step:
    """Return the map from P [N, D] to the block's contexts, the input of token i being P[i-1].

    Token 0 takes zero, as in the contexts of phase 2 (phase 1 itself takes the last token's). So a
    context depends on earlier tokens alone, and every iteration makes one more of them exact: the
    only fixed point is the sequential recurrence, reached after N iterations at the latest.
    """
    return lambda P: training_contexts(block, P, inputs)[-1]
