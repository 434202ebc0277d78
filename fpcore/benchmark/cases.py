"""What the benchmark times: each stage at given shapes, plain, fast and its products alone.

The tokens are real (chitchat); weights and contexts are random, which costs the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from fpcore.benchmark import straightforward
from fpcore.config.run_config import RunConfig
from fpcore.model import plain
from fpcore.model.blocks import FixedPointModel
from fpcore.model.head import Head
from fpcore.model.precision import multiplies_bfloat16, product, rounded_products
from fpcore.model.tuning import tuning
from fpcore.stats import metrics
from fpcore.stats.draws import first_contexts
from fpcore.trainers.contexts import sequential_contexts
from fpcore.trainers.phase1 import FIRST_STD, Phase1State, Trainer
from fpcore.trainers.phase2 import evaluate, train_tokens
from fpcore.trainers.texts import Text, Texts

SEED = 42
SIZES = (62_891, 122_795, 240_132, 473_429, 948_524)  # training tokens of the published run
VAL_TOKENS = 31_024
PLAIN_ROWS = 2_048  # of logits that a plain evaluation holds
EPOCHS = 15  # the published run stopped after 13 to 17
Work = Callable[[], object]


@dataclass(frozen=True)
class Shapes:
    """Sizes of the work: tokens of phase 1 and 2, steps of the recurrence, rows of ER.

    `generated` are the tokens of a generation.
    """

    context_dim: int
    embed_dim: int
    tokenizer: str
    tokens: int
    phase2_batch: int
    phase2_tokens: int = 8_192
    steps: int = 8_192
    generated: int = 200
    er_rows: int = 100_000
    phase1_batch: int = 5_000


FULL = Shapes(1085, 768, "gpt2", 79_571, phase2_batch=4_096)


# So many tokens of phase 2 that what happens once in a training weighs as little as in a run.
QUICK = Shapes(
    181,
    128,
    "bpe-4096",
    20_000,
    phase2_batch=512,
    phase2_tokens=32_768,
    generated=2_000,
    er_rows=20_000,
)


@dataclass(frozen=True)
class Case:
    """One stage: the plain work, the fast work and its products alone by precision.

    Seconds times `scale` over `amount` are in `unit`. `module` is the plain work once more, as
    `straightforward` has it.
    """

    stage: str
    unit: str
    amount: float
    scale: float
    plain: Work
    fast: dict[str, Work]
    products: dict[str, Work] = field(default_factory=dict)
    module: Work | None = None


class Cases:
    """The cases at some shapes, on tensors that the plain and the fast work share."""

    def __init__(self, shapes: Shapes, ids: Tensor, weights: Tensor, device: torch.device) -> None:
        self.shapes, self.device = shapes, device
        most = max(shapes.tokens, shapes.phase2_tokens + 1)
        self.ids, self.weights = ids[:most].to(device), weights.to(device)
        names = ["float32", "bfloat16"] if multiplies_bfloat16(device) else ["float32"]
        self.configs = {name: self._config(name) for name in names}
        self.x = plain.input_vectors(self.weights, self.ids, 1)

    def phase1(self) -> Case:
        """One iteration of phase 1, without the draw that iteration 1 is."""
        config, P, x = self.configs["float32"], self.first(), self.x[: self.shapes.tokens]
        block, other = self.plain_context_block(), self.plain_context_block()
        adam = torch.optim.Adam(other.parameters(), lr=config.phase1_lr)
        return Case(
            "Phase 1 iteration",
            "s",
            1,
            1,
            lambda: plain.train_contexts(block, x, config, SEED, P),
            {name: self._iterate(name, P) for name in self.configs},
            {name: self._phase1_products(name) for name in self.configs},
            lambda: straightforward.iterate(other, adam, P, x, config),
        )

    def first(self) -> Tensor:
        """Draw the contexts of iteration 1, [N, D]."""
        tokens = min(self.shapes.tokens, len(self.ids))
        P = torch.empty(tokens, self.shapes.context_dim, device=self.device)
        return first_contexts(SEED, P, FIRST_STD)

    def phase2(self) -> Case:
        """Training of phase 2, by token."""
        block, adam = self.plain_token_block()
        other, its_adam = self.plain_token_block()
        contexts, ids = self._contexts(), self.ids[: self.shapes.phase2_tokens + 1]
        batch, text = self.shapes.phase2_batch, ([contexts], self.x[: len(ids)], ids)
        return Case(
            "Phase 2 training",
            "ms/token",
            self.shapes.phase2_tokens,
            1e3,
            lambda: plain.train_epoch(block, adam, text, self.weights, batch),
            {name: self._train_tokens(name, contexts, ids) for name in self.configs},
            {name: self._phase2_products(name, training=True) for name in self.configs},
            lambda: straightforward.train_epoch(other, its_adam, text, self.weights, batch),
        )

    def text(self) -> Work:
        """Return the work that makes phase 2's text, once: narrow inputs are laid out."""
        ids = self.ids[: self.shapes.phase2_tokens + 1]
        return partial(Text.of, [self._contexts()], self.model("float32").inputs(ids), ids)

    def evaluation(self) -> Case:
        """Evaluation of phase 2, by token, in float32 with products as a run of a precision has."""
        block, _ = self.plain_token_block()
        contexts, ids = self._contexts(), self.ids[: self.shapes.phase2_tokens + 1]
        model = self.model("float32")
        text = Text.of([contexts], model.inputs(ids), ids)
        work = partial(evaluate, model.token_block, Head(self.weights), text)
        return Case(
            "Phase 2 evaluation",
            "ms/token",
            self.shapes.phase2_tokens,
            1e3,
            lambda: self._plain_evaluation(block, contexts, ids),
            {name: _within(name, work) for name in self.configs},
            {name: self._phase2_products(name, training=False) for name in self.configs},
        )

    def sequential(self) -> Case:
        """The true recurrence, by token; float32 whatever the precision."""
        model, steps = self.model("float32"), self.shapes.steps
        block = self.plain_context_block()
        inputs, D = model.inputs(self.ids[:steps]), self.shapes.context_dim
        weight, c = torch.randn(D, D, device=self.device), torch.randn(D, device=self.device)
        return Case(
            "Sequential validation",
            "ms/token",
            steps,
            1e3,
            lambda: plain.sequential_contexts(block, self.x[:steps], D),
            {"float32": lambda: sequential_contexts(model.context_block, inputs)},
            {"float32": lambda: [torch.mv(weight, c) for _ in range(steps)]},
        )

    def effective_rank(self, dtype: torch.dtype) -> Case:
        """Effective rank of float32 contexts, against their singular values in a format.

        Ours sums in float64, so singular values in float64 are as exact; in float32 they are not.
        """
        name = str(dtype).removeprefix("torch.")
        rows = torch.randn(self.shapes.er_rows, self.shapes.context_dim, device=self.device)
        double = rows[:5_000].double()
        pieces = self.shapes.er_rows // len(double)
        return Case(
            f"ER of {self.shapes.er_rows:,} rows (svdvals {name})",
            "s",
            1,
            1,
            lambda: torch.linalg.svdvals(rows.to(dtype)),
            {"float64": lambda: metrics.effective_rank(rows)},
            {"float64": lambda: [double.T @ double for _ in range(pieces)]},
        )

    def _config(self, precision: str) -> RunConfig:
        s = self.shapes
        return RunConfig(
            context_dim=s.context_dim,
            embed_dim=s.embed_dim,
            max_iter=2,
            phase1_batch=s.phase1_batch,
            phase2_batch=s.phase2_batch,
            epochs=1,
            precision=precision,
        )

    def model(self, precision: str) -> FixedPointModel:
        """Return the model at these shapes, on the embedding that all cases share."""
        return FixedPointModel(self.weights, self.configs[precision], SEED).to(self.device)

    def _contexts(self) -> Tensor:
        size = (self.shapes.phase2_tokens + 1, self.shapes.context_dim)
        return torch.randn(size, device=self.device)

    def plain_context_block(self) -> plain.ContextBlock:
        """Return the plain block with the parameters of `model`'s."""
        block = plain.ContextBlock(1, self.shapes.context_dim, self.shapes.embed_dim)
        block.load_state_dict(self.model("float32").context_block.state_dict())
        return block.to(self.device)

    def plain_token_block(self) -> tuple[plain.TokenBlock, torch.optim.Adam]:
        """Return the plain block with the parameters of `model`'s, and its Adam."""
        s = self.shapes
        block = plain.TokenBlock(1, s.context_dim, s.embed_dim, 1)
        block.load_state_dict(self.model("float32").token_block.state_dict())
        block.to(self.device)
        return block, torch.optim.Adam(block.parameters(), lr=1e-3)

    def _plain_evaluation(self, block: plain.TokenBlock, contexts: Tensor, ids: Tensor) -> None:
        """Evaluate in slices: the plain version holds all logits of a text."""
        for part in torch.arange(len(ids)).split(PLAIN_ROWS):
            seen = [contexts[part]], self.x[part], ids[part]
            plain.evaluate(block, seen, self.weights)

    def _iterate(self, precision: str, first: Tensor) -> Work:
        model, state = self.model(precision), Phase1State(first.clone())
        inputs, config = model.inputs(self.ids[: len(first)]), self.configs[precision]
        trainer = Trainer(model.context_block, inputs, config, SEED, state)
        return lambda: trainer.iterate(2)

    def _train_tokens(self, precision: str, contexts: Tensor, ids: Tensor) -> Work:
        model, config = self.model(precision), self.configs[precision]
        text = Text.of([contexts], model.inputs(ids), ids)
        few = Text.of([contexts[:3]], model.inputs(ids[:3]), ids[:3])
        texts = Texts(text, few)
        return lambda: train_tokens(model.token_block, self.weights, texts, config)

    def _phase1_products(self, precision: str) -> Work:
        """The products of one iteration: forward and weight gradient, of chunks and of types."""
        s = self.shapes
        types = int(self.ids[: s.tokens].unique().numel())
        c, w = self._random(precision, s.phase1_batch, s.context_dim, s.context_dim)
        table, w_x = self._random(precision, types, s.embed_dim, s.context_dim)
        chunks = s.tokens / s.phase1_batch

        def work() -> None:
            for _ in range(round(chunks)):
                out = c @ w
                out.T @ c
            terms = table @ w_x
            terms.T @ table

        return work

    def _phase2_products(self, precision: str, training: bool) -> Work:
        """The products of phase 2 in the formats of a run of a precision.

        The block multiplies in float32 within the formats of the precision. So does the head in an
        evaluation, which goes by tiles; in training it has rounded factors.
        """
        s = self.shapes
        batch = s.phase2_batch if training else tuning(self.device).rows
        joined, w = self._random("float32", batch, s.context_dim + s.embed_dim, s.embed_dim)
        head = self.weights.to(getattr(torch, precision) if training else torch.float32)
        chunks = (joined @ w).to(head.dtype).split(1_024 if training else batch)
        p = chunks[0] @ head.T

        def work() -> None:
            for _ in range(s.phase2_tokens // batch):
                h = joined @ w
                for rows in chunks:
                    product(rows, head.T, torch.float32)
                    if training:
                        product(p[: len(rows)], head, torch.float32)
                if training:
                    h.T @ joined

        return _within(precision, work)

    def _random(self, precision: str, rows: int, inner: int, width: int) -> tuple[Tensor, Tensor]:
        dtype = getattr(torch, precision)
        a, b = torch.randn(rows, inner), torch.randn(inner, width)
        return a.to(self.device, dtype), b.to(self.device, dtype)


def _within(precision: str, work: Work) -> Work:
    """Return work within the formats of float32 products of a precision, as in phase 2 of a run."""

    def done() -> object:
        with rounded_products(getattr(torch, precision)):
            return work()

    return done
