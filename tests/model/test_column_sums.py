"""Sums of columns that go by groups of rows."""

from typing import Any

import pytest
import torch
from helpers.toy import Build, Toy, Tuned
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from fpcore.model import column_sums as module
from fpcore.model.column_sums import GROUP, TOGETHER, column_sums
from fpcore.trainers.phase1 import train_contexts


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let groups be worth their while for toys."""
    monkeypatch.setattr(module, "WIDE", 32)
    monkeypatch.setattr(module, "WORTH", 1)


class Sums(TorchDispatchMode):
    """Collects the shapes [R, D] of matrices whose rows are added up column by column."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[tuple[int, ...]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        if name == "sum" and args[0].ndim == 2 and args[1:] and list(args[1]) == [0]:
            self.seen.append(tuple(args[0].shape))
        return func(*args, **(kwargs or {}))


@pytest.mark.usefixtures("small")
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 5_000),
    st.integers(1, 400),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(1, 4),
)
@example(483, 1085, torch.float32, 2)  # a block of the published shapes
@example(2_000, 100, torch.float32, 2)  # four columns are left over
@example(GROUP**4, 40, torch.float32, 2)
@example(18 * GROUP**3, 40, torch.float32, 2)
def test_groups_change_no_bit(rows: int, width: int, dtype: torch.dtype, threads: int) -> None:
    matrix = torch.randn(rows, width, generator=torch.Generator().manual_seed(rows)).to(dtype)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert torch.equal(column_sums(matrix), matrix.sum(0))
    finally:
        torch.set_num_threads(before)


@pytest.mark.usefixtures("small")
@given(st.integers(1, 3_000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_thread_needs_the_rows_of_another(rows: int) -> None:
    """Only columns that are left over are read from all rows."""
    left = 8
    with Sums() as sums:
        column_sums(torch.ones(rows, TOGETHER // 4 * 2 + left))
    assert all(number <= GROUP or width == left for number, width in sums.seen)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("by_rows", [True, False])
def test_an_iteration_adds_up_its_blocks_so(
    build: Build, toy: Toy, tuned: Tuned, by_rows: bool
) -> None:
    """Three blocks of 20 rows have three sums each, and the types have one."""
    tuned(block=20 * 40, by_rows=by_rows)
    config = toy(max_iter=2, context_dim=40)
    model, ids = build(config, 60)
    inputs = model.inputs(ids)
    with Sums() as sums:
        train_contexts(model.context_block, inputs, config, 42)
    shapes = (20, 40), (len(inputs.table), 40)
    assert [sums.seen.count(shape) for shape in shapes] == ([0, 0] if by_rows else [9, 1])


def test_what_is_small_or_narrow_is_added_up_at_once() -> None:
    with Sums() as sums:
        for shape in ((100, 1024), (5_000, 100), (300, 1085)):
            column_sums(torch.ones(shape))
    at_once = {(100, 1024), (5_000, 100)}
    assert at_once <= {*sums.seen}
    assert (300, 1085) not in sums.seen
