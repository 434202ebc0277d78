"""What a GPU would be asked to do, counted on a device that only keeps shapes.

The real trainers run on fake tensors, whose operations compute nothing: so launches, bytes and
floating-point operations can be counted where no GPU is, and every hidden copy or read between
host and device can be named. The device is one of PyTorch's kinds for backends from outside, and a
process that has it cannot be rid of it; so `python -m fpcore.benchmark.counted` is a process of its
own, which prints the counts as JSON.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend
from torch.utils.flop_counter import flop_registry

from fpcore.benchmark.cases import FULL, SEED
from fpcore.benchmark.counts import Counts
from fpcore.config.run_config import RunConfig
from fpcore.model import plain
from fpcore.model.blocks import FixedPointModel, Inputs
from fpcore.model.head import Head
from fpcore.trainers import contexts, phase1
from fpcore.trainers.phase1 import train_contexts
from fpcore.trainers.phase2 import evaluate, train_tokens
from fpcore.trainers.texts import Text, Texts

KIND = "gpu"  # of the fake device
PACKAGE = Path(__file__).parent.parent
TYPES, TYPES_THAT_OCCUR = 50_257, 8_192
aten = torch.ops.aten
# What starts nothing on a device: memory taken, and other names for it.
FREE = {aten.empty, aten.empty_like, aten.empty_strided, aten.new_empty, aten.detach, aten.alias}
FREE |= {aten._unsafe_view, aten.new_empty_strided, torch.ops.prim.device}
GATHERS = {aten.index_select, aten.embedding, aten.index, aten.gather}  # read what they return
OPERATIONS = flop_registry | {aten.addmm_: flop_registry[aten.addmm]}


class Watch(TorchDispatchMode):
    """Counts the operations on the fake device; a read returns ones."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts = Counts()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do an operation on shapes alone, and count it."""
        kwargs = kwargs or {}
        parts = apart(self, func, args, kwargs)
        if parts is not NotImplemented:
            return parts
        given = _tensors((args, kwargs))
        if func is aten._local_scalar_dense.default:
            if _on_device(given):
                self._cross()
            return 1.0
        out = func(*args, **kwargs)
        made = _tensors(out)
        if not _on_device(given + made):
            return out
        if any(t.device.type == "cpu" and t.ndim for t in given + made):
            self._cross()
        if not (func.is_view or func.overloadpacket in FREE):
            self._count(func, args, kwargs, out)
        if func.overloadpacket is aten._to_copy and made[0].device.type == "cpu":
            with unset_fake_temporarily():
                return torch.ones(out.shape, dtype=out.dtype)
        return out

    def _count(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        counts, packet = self.counts, func.overloadpacket
        read = {k: v for k, v in kwargs.items() if k not in ("out", "grad_input")}
        given = _tensors((args, read))
        if packet in GATHERS:
            given = given[1:] + _tensors(out)[:1]
        counts.launches += 1
        counts.moved += sum(t.numel() * t.element_size() for t in given + _tensors(out))
        if packet in OPERATIONS:
            name = str(given[-1].dtype).removeprefix("torch.")
            done = OPERATIONS[packet](*args, **kwargs, out_val=out)
            counts.products[name] = counts.products.get(name, 0) + done

    def _cross(self) -> None:
        place = _place()
        self.counts.crossings[place] = self.counts.crossings.get(place, 0) + 1


def apart(mode: TorchDispatchMode, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do an operation by those that it is made of, which `mode` sees; NotImplemented if it is one.

    In inference mode, PyTorch hands operations that are made of others over whole.
    """
    with mode:
        return func.decompose(*args, **kwargs) if func.namespace == "aten" else NotImplemented


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _on_device(tensors: list[Tensor]) -> bool:
    return any(t.device.type == KIND for t in tensors)


def _place() -> str:
    """Return the file, line and function of this package that is at work."""
    frame = sys._getframe(1)
    while frame.f_back:
        path = Path(frame.f_code.co_filename)
        if PACKAGE in path.parents and path != Path(__file__):
            name = path.relative_to(PACKAGE).as_posix()
            return f"{name}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return "elsewhere"


class Eager:
    """In place of a captured graph: the work itself, and nothing at first."""

    def __init__(self, work: Callable[[], Any], device: torch.device) -> None:
        self.replay = work

    @property
    def first(self) -> Any:
        """What the work returns."""
        return self.replay()


class Fake:
    """The trainers at the published run's shapes on the fake device."""

    def __init__(self, **knobs: Any) -> None:
        self.config = RunConfig(
            context_dim=FULL.context_dim,
            embed_dim=FULL.embed_dim,
            phase1_batch=FULL.phase1_batch,
            phase2_batch=FULL.phase2_batch,
            epochs=1,
            precision="bfloat16",
            **knobs,
        )
        self.device = torch.device(KIND)
        with unset_fake_temporarily(), torch.device("meta"):
            self.model = FixedPointModel(torch.empty(TYPES, FULL.embed_dim), self.config, SEED)
        _move(self.model, self.device)
        self.weights = self.model.embedding.weight

    def inputs(self, tokens: int) -> Inputs:
        """Return inputs of so many tokens."""
        table = torch.empty(TYPES_THAT_OCCUR + 1, FULL.embed_dim, device=self.device)
        index = torch.empty(tokens, self.config.input_tokens, dtype=torch.int64, device=self.device)
        return Inputs(table, index)

    def text(self, tokens: int) -> Text:
        """Return a text of so many predictions for phase 2."""
        inputs = self.inputs(tokens + 1)
        ids = torch.empty(tokens + 1, dtype=torch.int64, device=self.device)
        wide = torch.empty(tokens + 1, self.config.context_dim, device=self.device)
        return Text.of([wide] * self.config.layers, inputs, ids)

    def phase1(self, chunks: int, iterations: int) -> None:
        """Run phase 1."""
        config = self.config.model_copy(update={"max_iter": iterations + 1})
        inputs = self.inputs(chunks * config.phase1_batch)
        with patch.object(phase1, "Captured", Eager):
            train_contexts(self.model.context_block, inputs, config, SEED)

    def evaluation(self, pieces: int) -> None:
        """Evaluate a text of so many pieces."""
        evaluate(self.model.token_block, Head(self.weights), self.text(pieces * 8_192))

    def phase2(self, batches: int) -> None:
        """Run an epoch of phase 2, and evaluate it as its own and as the best one."""
        train, val = self.text(batches * self.config.phase2_batch), self.text(8_192)
        train_tokens(self.model.token_block, self.weights, Texts(train, val), self.config)

    def sequential(self, steps: int) -> None:
        """Run the recurrence, without capturing it."""
        with patch.object(contexts, "Captured", Eager):
            contexts.sequential_contexts(self.model.context_block, self.inputs(steps))

    def plain(self) -> None:
        """Run an iteration of the plain version."""
        with unset_fake_temporarily(), torch.device("meta"):
            block = plain.ContextBlock(1, self.config.context_dim, FULL.embed_dim)
        _move(block, self.device)
        x = torch.empty(100, FULL.embed_dim, device=self.device)
        config = self.config.model_copy(update={"max_iter": 2})
        plain.train_contexts(block, x, config, SEED)


def _move(block: nn.Module, device: torch.device) -> None:
    """Give a block that has no memory fake parameters on the device."""
    for module in block.modules():
        for name, p in module.named_parameters(recurse=False):
            fake = torch.empty(p.shape, dtype=p.dtype, device=device)
            setattr(module, name, nn.Parameter(fake, requires_grad=p.requires_grad))


@contextmanager
def watched() -> Iterator[Counts]:
    """Count within it."""
    with Watch() as watch:
        yield watch.counts


def _of(work: Callable[[], object]) -> Counts:
    with watched() as counts:
        work()
    return counts


def count() -> dict[str, Counts]:
    """Return the counts by stage, on the fake device: what each repetition adds."""
    fake, biased = Fake(), Fake(output_bias="unigram")

    def phase1(chunks: int) -> Counts:
        later = _of(lambda: fake.phase1(chunks, 2))
        return later - _of(lambda: fake.phase1(chunks, 1))

    def phase2(batches: int, fake: Fake = fake) -> Counts:
        return _of(lambda: fake.phase2(batches))

    def evaluation(pieces: int) -> Counts:
        return _of(lambda: fake.evaluation(pieces))

    def recurrence(steps: int) -> Counts:
        return _of(lambda: fake.sequential(steps))

    chunk = phase1(2) - (one := phase1(1))
    return {
        "phase 1 iteration": one - chunk,
        "phase 1 chunk": chunk,
        "phase 2 batch": phase2(3) - (epoch := phase2(2)),
        "phase 2 batch with a bias": phase2(3, biased) - phase2(2, biased),
        "phase 2 evaluation piece": evaluation(2) - evaluation(1),
        "phase 2 epoch": epoch,
        "recurrence of 256 steps": recurrence(512) - recurrence(256),
        "plain phase 1": _of(fake.plain),
    }


def main() -> None:
    """Print the counts of the published run as JSON."""
    _setup_privateuseone_for_python_backend(KIND)
    with FakeTensorMode(allow_non_fake_inputs=True):
        made = count()
    print(json.dumps(made, default=asdict))


def counted() -> dict[str, Counts]:
    """Return what `main` prints, from a process of its own."""
    command = [sys.executable, "-m", "fpcore.benchmark.counted"]
    made = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {stage: Counts(**counts) for stage, counts in made.items()}


if __name__ == "__main__":
    main()
