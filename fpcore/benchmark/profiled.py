"""What the published run's stages take on a GPU: time, kernels, and how long any of them ran.

Where the device is at work for less time than passes, it waits for the host.
"""

import itertools
import statistics

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from fpcore.benchmark.cards import BATCH, ITERATION, PIECE, RECURRENCE, Measured
from fpcore.benchmark.cases import SEED, VAL_TOKENS, Shapes, Work
from fpcore.benchmark.clock import seconds
from fpcore.config.run_config import RunConfig
from fpcore.model.blocks import FixedPointModel
from fpcore.model.head import Head
from fpcore.model.precision import rounded_products
from fpcore.model.tuning import tuning
from fpcore.stats.draws import first_contexts
from fpcore.trainers.contexts import sequential_contexts
from fpcore.trainers.phase1 import FIRST_STD, Phase1State, Trainer
from fpcore.trainers.phase2 import evaluate, train_tokens
from fpcore.trainers.texts import Text, Texts

BATCHES = 128  # of phase 2, so that what happens once weighs little
PIECES = 3  # of an evaluation
TURNS = 3
STARTS = ("Launch", "Memcpy", "Memset")  # what the host asks of a GPU, by CUDA's names


def measured(work: Work, times: int = 1) -> Measured:
    """Measure work that does a stage so many times; before that, do it twice.

    The first time compiles, and the second one captures.
    """
    work()
    work()
    took = statistics.median(seconds(work) for _ in range(TURNS))
    on_gpu = [ProfilerActivity.CUDA] if torch.cuda.is_available() else []
    with profile(activities=[ProfilerActivity.CPU, *on_gpu], acc_events=True) as found:
        seconds(work)
    events = [e for e in found.events() or [] if not e.is_user_annotation]
    ran = [e for e in events if e.device_type.name == "CUDA"]
    asked = [e for e in events if e.name.startswith("cu") and any(w in e.name for w in STARTS)]
    busy = sum(e.time_range.elapsed_us() for e in ran) / 1e6
    return Measured(took / times, busy / times, len(ran) / times, len(asked) / times)


class Stages:
    """The stages at the published run's shapes, on the first tokens of a text `ids` [N]."""

    def __init__(self, shapes: Shapes, ids: Tensor, weights: Tensor, device: torch.device) -> None:
        self._config = RunConfig(
            context_dim=shapes.context_dim,
            embed_dim=shapes.embed_dim,
            phase1_batch=shapes.phase1_batch,
            phase2_batch=shapes.phase2_batch,
            epochs=1,
            precision="bfloat16",
        )
        self._model = FixedPointModel(weights, self._config, SEED).to(device)
        self._ids, self._weights = ids.to(device), self._model.embedding.weight
        self._inputs = self._model.inputs(self._ids)

    def measure(self) -> dict[str, Measured]:
        """Measure every stage, under the name that `cards.stages` gives it."""
        found = {ITERATION: self._phase1()}
        train = self._text(BATCHES * self._config.phase2_batch)
        found[BATCH] = measured(lambda: self._learn(train), BATCHES)
        rows = tuning(self._ids.device).rows
        held_out, block = self._text(PIECES * rows), self._model.token_block
        head = Head(self._weights)
        with rounded_products(torch.bfloat16), torch.no_grad():
            found[PIECE] = measured(lambda: evaluate(block, head, held_out), PIECES)
        found[RECURRENCE] = measured(self._recur)
        return found

    def _phase1(self) -> Measured:
        P = self._ids.new_empty(len(self._ids), self._config.context_dim, dtype=torch.float32)
        state = Phase1State(first_contexts(SEED, P, FIRST_STD))
        with rounded_products(torch.float32):
            block = self._model.context_block
            trainer = Trainer(block, self._inputs, self._config, SEED, state)
            count = itertools.count(2)
            return measured(lambda: trainer.iterate(next(count)))

    def _learn(self, train: Text) -> None:
        few = Text([c[:2] for c in train.contexts], train.inputs.rows(slice(2)), train.targets[:2])
        train_tokens(self._model.token_block, self._weights, Texts(train, few), self._config)

    def _recur(self) -> None:
        inputs = self._inputs.rows(slice(VAL_TOKENS))
        sequential_contexts(self._model.context_block, inputs)

    def _text(self, predictions: int) -> Text:
        """Return a text of so many predictions, its contexts random."""
        ids = self._ids.repeat(-(-(predictions + 1) // len(self._ids)))[: predictions + 1]
        wide = torch.randn(len(ids), self._config.context_dim, device=ids.device)
        return Text.of([wide], self._model.inputs(ids), ids)
