"""Chains that are compiled: which kernels are made, and when they are used."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest
import torch
from helpers.toy import Build, Toy, Tuned
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpcore.model.fused import ROWS, Fused
from fpcore.model.precision import rounded_products
from fpcore.model.tuning import GPU
from fpcore.trainers.phase1 import train_contexts

LIMIT = 5000  # rows that a kernel may be made for more or fewer of


@dataclass
class Kernels:
    """The lengths that kernels were made for, and how often one was used."""

    made: list[list[int]] = field(default_factory=list)
    used: int = 0


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Kernels:
    """Kernels that are none: the chain is done as it is.

    Like a compiler's, a kernel fits only so many rows as are on its side of a limit.
    """
    real, kernels = torch.compile, Kernels()

    def traced(graph: torch.fx.GraphModule, examples: list[Any]) -> Any:
        lengths = [length for length in examples if isinstance(length, torch.SymInt)]
        rows = [length for length in lengths if length.node.hint in ROWS]  # others are strides
        kernels.made.append([length.node.hint for length in rows])
        assert len({bool(length < LIMIT) for length in rows}) == 1

        def use(*given: Any) -> Any:
            kernels.used += 1
            return graph.forward(*given)

        return use

    def only_traced(chain: Any, *, dynamic: bool, options: dict[str, Any]) -> Any:
        return real(chain, dynamic=dynamic, backend=traced)

    monkeypatch.setattr("torch.compile", only_traced)
    return kernels


@given(rows=st.lists(st.integers(1, 3 * LIMIT), min_size=1, max_size=5))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_compiled_does_not_depend_on_the_texts_that_came_first(
    kernels: Kernels, rows: list[int]
) -> None:
    """One kernel for few rows and one for many; what none fits is done as it is written."""
    kernels.made.clear()
    kernels.used = -len(ROWS)  # while they are made, each is tried
    chain = Fused(lambda c, out: out.copy_(c + c.sum(0)))
    for n in rows:
        c, out = torch.ones(n, 24), torch.empty(n, 24)
        chain(c, out)
        assert out[-1, 0] == 1 + n
    assert kernels.made == [[ROWS[0]], [ROWS[1]]]
    assert kernels.used == len([n for n in rows if n > 1])


@contextmanager
def deterministic() -> Iterator[None]:
    """Ask PyTorch for deterministic algorithms."""
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(
    "other",
    [
        torch.no_grad,
        torch.inference_mode,
        lambda: rounded_products(torch.bfloat16),
        lambda: torch.autocast("cpu"),
        deterministic,
    ],
)
def test_settings_that_were_others_at_first_take_no_kernel_away(
    kernels: Kernels, other: Callable[[], AbstractContextManager[None]]
) -> None:
    chain = Fused(lambda c, out: out.copy_(2 * c))
    for setting in (nullcontext, other, nullcontext, other):
        with setting():
            chain(torch.ones(5, 8), torch.empty(5, 8))
    assert kernels.used == 2 * len(ROWS) + 4


def test_models_of_one_shape_share_their_kernels(
    kernels: Kernels, build: Build, toy: Toy, tuned: Tuned
) -> None:
    """Two chunks in each of two iterations, four chains in each; a chunk of 1 row has none."""
    tuned(**asdict(GPU) | {"captured": False})
    config = toy(max_iter=3, phase1_batch=30, min_converged_ratio=1.0)
    used = []
    for seed in range(3):
        model, ids = build(config, 61, seed)
        kernels.used = 0
        train_contexts(model.context_block, model.inputs(ids), config, seed)
        used.append(kernels.used)
    assert used[1:] == [2 * 2 * 4] * 2


def test_every_kind_of_call_has_a_kernel_of_its_own(kernels: Kernels) -> None:
    """Other widths, formats and parts of wider arrays; not other values."""
    chain = Fused(lambda c, std, out: out.copy_(std * c))
    wide = torch.ones(5, 9)
    for c in (torch.ones(5, 8), torch.ones(5, 9), wide[:, :8], wide.double(), torch.ones(7, 8)):
        for std in (0.1, 0.2):
            out = torch.empty_like(c, memory_format=torch.contiguous_format)
            chain(c, c.new_tensor([std]), out)
            torch.testing.assert_close(out, std * c)
    assert len(kernels.made) == 4 * 2
