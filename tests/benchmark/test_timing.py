"""The benchmark at toy size: it compares what it says, and writes what it found."""

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, Mock

import pandas as pd
import pytest
import torch
from helpers.counted import COUNTED
from helpers.toy import Tuned
from torch.utils._python_dispatch import TorchDispatchMode

from fpcore.benchmark import timing
from fpcore.benchmark.cards import BATCH, Card, Measured, beside, phases, section, stages
from fpcore.benchmark.cases import FULL, Case, Cases, Shapes
from fpcore.benchmark.clock import seconds
from fpcore.benchmark.counted import apart
from fpcore.benchmark.counts import Counts
from fpcore.benchmark.generated import generation
from fpcore.benchmark.peaks import bytes_per_token
from fpcore.benchmark.profiled import Stages
from fpcore.benchmark.timing import Benchmark, beside_the_spec, measure, memory, render, write
from fpcore.runs.progress import Progress

TOY = Shapes(
    24, 16, "toy", 200, 32, phase2_tokens=64, steps=20, generated=20, er_rows=5_000, phase1_batch=64
)


@pytest.fixture
def cases() -> Cases:
    source = torch.Generator().manual_seed(0)
    ids = torch.randint(40, (300,), generator=source)
    weights = torch.randn(40, 16, generator=source)
    return Cases(TOY, ids, weights, torch.device("cpu"))


def test_every_stage_is_measured(cases: Cases) -> None:
    made = [cases.phase1, cases.phase2, cases.evaluation, cases.sequential]
    for case in [*(make() for make in made), generation(cases)]:
        rows = measure(case, 3, Progress())
        assert set(rows["precision"]) <= {"float32", "bfloat16"} and len(rows) > 0
        assert (rows[["plain", "fast", "ratio", "products", "above"]] > 0).all(axis=None)


class Multiplied(TorchDispatchMode):
    """Counts multiplications of matrix products by format, and what formats are in force."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[tuple[str, str]] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        parts = apart(self, func, args, kwargs or {})
        if parts is not NotImplemented:
            return parts
        if func.overloadpacket.__name__ in ("mm", "addmm"):
            a, b = args[-2:]
            matmul: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
            self.counts[str(a.dtype), matmul.fp32_precision] += a.numel() * b.shape[1]
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("stage", ["phase2", "evaluation"])
def test_products_alone_are_those_of_the_work(cases: Cases, tuned: Tuned, stage: str) -> None:
    """The work has a few more, for training evaluates two tokens twice."""
    tuned(fused=False, packed=False, rows=32)
    cases.configs = {
        name: cases.configs["float32"].model_copy(update={"precision": name})
        for name in ("float32", "bfloat16")
    }
    case: Case = getattr(cases, stage)()
    for name in cases.configs:
        found = []
        for work in (case.fast[name], case.products[name]):
            with torch.no_grad(), Multiplied() as multiplied:
                work()
            found.append(multiplied.counts)
        assert found[0] == pytest.approx(found[1], rel=0.07)
        assert all(count > 80_000 for count in found[1].values())


def test_both_sides_do_the_same_work(cases: Cases) -> None:
    case = cases.sequential()
    ours, theirs = case.fast["float32"](), case.plain()
    assert isinstance(ours, list) and isinstance(theirs, list)
    assert torch.allclose(ours[0], theirs[0], atol=1e-5)
    assert ours[0].shape == (TOY.steps, TOY.context_dim)
    _, trace = plain_phase1(cases)
    assert len(trace) == 1  # one iteration


def plain_phase1(cases: Cases) -> tuple[torch.Tensor, list[object]]:
    found = cases.phase1().plain()
    assert isinstance(found, tuple)
    return found


def test_both_plain_versions_learn_alike(cases: Cases) -> None:
    """The same loss of an epoch, and contexts that differ by the noise alone."""
    case = cases.phase2()
    assert case.module is not None
    assert case.module() == pytest.approx(case.plain(), rel=1e-5)
    quiet = cases.configs["float32"].model_copy(update={"context_noise": 0.0})
    cases.configs["float32"] = quiet
    case = cases.phase1()
    assert case.module is not None
    contexts = case.plain()
    assert isinstance(contexts, tuple)
    assert torch.allclose(case.module(), contexts[0], atol=1e-5)  # type: ignore[arg-type]


def test_the_faster_plain_version_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def takes(seconds: float) -> Callable[[], None]:
        return lambda: now.__setitem__(0, now[0] + seconds)

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    for module, version, ratio in ((4.0, "plain", 3.0), (2.0, "nn.Module", 2.0)):
        case = Case("x", "s", 1, 1, takes(3), {"float32": takes(1)}, {}, takes(module))
        row = measure(case, 3, Progress()).iloc[0]
        assert (row["version"], row["plain"], row["ratio"]) == (version, ratio, ratio)


def test_the_least_time_of_a_row_has_three_digits() -> None:
    row = {"stage": "x", "unit": "s", "precision": "float32", "version": "plain"}
    times = {"plain": [7.3214, 0.0041], "fast": [1.7136, 0.00098], "products": [1.1, 0.0016]}
    rows = pd.DataFrame([row, row]).assign(**times, ratio=4.2, above=1.5)
    text = timing.stages(Benchmark(FULL, 1, rows, {}))
    cells = [[cell.strip() for cell in line.split("|")[5:9]] for line in text.splitlines()[2:]]
    assert [[c for c in line if "×" not in c] for line in cells] == [
        ["7.321", "1.714", "1.100"],
        ["0.004100", "0.000980", "0.001600"],
    ]


def test_what_a_card_takes_by_arithmetic() -> None:
    """A tenth of a second of products and memory against launches of 10 µs each."""
    card = Card(bfloat16=1e12, tf32=1e11, memory=1e10)
    work = Counts(5_000, 4 * 10**8, {"bfloat16": 5 * 10**10, "float32": 10**9})
    assert card.seconds(work) == pytest.approx(0.04 + 0.05 + 0.01)
    assert card.seconds(replace(work, launches=20_000)) == pytest.approx(0.2)


def test_work_adds_up_over_the_published_sizes() -> None:
    one = Counts(1, 10, {"bfloat16": 100}, {"a": 1})
    counted = dict.fromkeys(COUNTED, one)
    found = list(stages(counted).values())
    chunks, batches = [13, 25, 49, 95, 190], [16, 30, 59, 116, 232]
    assert (found[0].launches, found[0].moved) == (1, 10 * (1 + 190))  # captured
    assert (found[3].launches, found[3].moved) == (122, 1220)
    first, second = phases(counted, 60)
    assert (first.launches, first.moved) == (59 * 5, 59 * 10 * (5 + sum(chunks)))
    assert second.launches == 15 * (sum(batches) + 4 * 5)
    assert one + one * 2 - one == one * 2
    assert "計算値" in section(counted)


def test_what_was_measured_stands_beside_the_arithmetic_of_that_card() -> None:
    counted = dict.fromkeys(COUNTED, Counts(1, 67 * 10**9))
    found = {BATCH: Measured(0.0256, 0.0249, 43, 41.0)}
    text = beside(counted, found, "NVIDIA H100 80GB HBM3")
    rows = [line for line in text.splitlines() if BATCH in line]
    assert len(rows) == 1 and "漸化式、" not in text  # a stage that was not measured has no row
    cells = [cell.strip() for cell in rows[0].split("|")]
    assert cells[-4:-1] == ["20.0 ms", "25.6 ms", "24.9 ms"]
    assert "の計算値" not in beside(counted, found, "NVIDIA L40S")  # nor an unknown card arithmetic


def test_stages_are_profiled_under_their_names() -> None:
    """Where there is no GPU no kernel runs, but everything takes its time."""
    source = torch.Generator().manual_seed(0)
    ids, weights = torch.randint(40, (300,), generator=source), torch.randn(40, 16)
    found = Stages(TOY, ids, weights, torch.device("cpu")).measure()
    assert found.keys() == stages(dict.fromkeys(COUNTED, Counts())).keys()
    assert all(m.seconds > 0 and m.busy == 0 for m in found.values())


def test_ratios_are_medians_of_pairs() -> None:
    clock = iter([0.0, 8.0, 8.0, 10.0, 10.0, 12.0, 12.0, 13.0, 13.0, 22.0, 22.0, 25.0])
    case = Case("x", "s", 2, 1e3, lambda: None, {"float32": lambda: None})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.perf_counter", lambda: next(clock))
        row = measure(case, 3, Progress()).iloc[0]
    assert row["plain"] == 8.0 / 2 * 1e3  # median of 8, 2, 9 …
    assert row["fast"] == 2.0 / 2 * 1e3  # … and of 2, 1, 3
    assert row["ratio"] == 3.0  # median of 4, 2, 3


def test_the_clock_starts_when_the_device_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU still does when a turn begins, and what it does after the call returned."""
    now, left = [0.0], [5.0]

    def wait() -> None:
        now[0], left[0] = now[0] + left[0], 0.0

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.synchronize", wait)

    def work() -> None:
        left[0] += 2.0

    assert seconds(work) == 2.0
    row = measure(Case("x", "s", 1, 1, work, {"float32": work}), 3, Progress()).iloc[0]
    assert (row["plain"], row["fast"]) == (2.0, 2.0)


def test_the_memory_of_a_gpu_is_not_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its peaks would be those of this machine's memory."""
    found = []
    for kind in ("cuda", "cpu"):
        monkeypatch.setattr(timing, "_data", lambda _: (torch.zeros(9), torch.zeros(9, 2)))
        monkeypatch.setattr(timing, "Cases", Mock(return_value=Mock(device=torch.device(kind))))
        monkeypatch.setattr(timing, "bytes_per_token", lambda _: 4_500.0)
        monkeypatch.setattr(timing, "measure", lambda *_: pd.DataFrame({"stage": ["x"]}))
        for name in ("generation", "counted", "Stages"):
            monkeypatch.setattr(timing, name, MagicMock())
        found.append(timing.run(repeats=1))
    assert [(b.on_cpu, bool(b.memory)) for b in found] == [(False, False), (True, True)]


def test_a_report_from_a_gpu_has_none_of_the_facts_of_a_cpu(cases: Cases) -> None:
    rows = measure(cases.phase2(), 1, Progress())
    texts = [render(Benchmark(TOY, 1, rows, {}, on_cpu)) for on_cpu in (True, False)]
    on_gpu = Benchmark(FULL, 1, rows, {}, on_cpu=False)  # of which the notebook asks for both
    assert "CPU だけ" in memory(on_gpu) and "並べない" in beside_the_spec(on_gpu)
    assert [("参照時間" in text, "メモリ" in text) for text in texts] == [(True,) * 2, (False,) * 2]


def test_a_page_says_what_happens_once_and_is_not_in_its_rows(cases: Cases) -> None:
    rows = measure(cases.phase2(), 1, Progress())
    page = render(Benchmark(TOY, 1, rows, {}, draw=1.25, text=0.5))
    assert "引く時間（1.25 秒" in page and "ならべておく時間（0.50 秒" in page


def test_the_pages_of_devices_and_settings_stand_side_by_side(
    cases: Cases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    rows = measure(cases.phase2(), 1, Progress())
    monkeypatch.setattr(timing, "FULL", TOY)
    monkeypatch.setattr(timing, "SPEC", {})
    small = replace(TOY, tokens=100)
    for shapes, on_cpu in itertools.product((TOY, small), (True, False)):
        path = write(Benchmark(shapes, 1, rows, {}, on_cpu))
        assert f"]({path.stem}.png)" in path.read_text("utf-8")
    names = ["benchmark", "benchmark-gpu", "benchmark-gpu-small", "benchmark-small"]
    assert sorted(path.stem for path in path.parent.glob("*.md")) == names
    assert sorted(path.stem for path in path.parent.glob("*.png")) == names


def test_the_report_is_written(
    cases: Cases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    rows = measure(cases.phase2(), 2, Progress())
    b = Benchmark(TOY, 2, rows, {"plain": 27_000.0, "float32": 4_500.0})
    path = write(b)
    text = path.read_text("utf-8")
    assert text == render(b)
    assert "4.50 KB/トークン" in text and "Phase 2 training" in text and "×" in text
    assert path.with_suffix(".png").stat().st_size > 5000


def test_memory_is_measured_in_processes_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = {30_000: 10**9, 150_000: 10**9 + 120_000 * 4_500}
    monkeypatch.setattr("fpcore.benchmark.peaks._peak", lambda kind, tokens: peaks[tokens])
    assert bytes_per_token("float32") == 4_500
