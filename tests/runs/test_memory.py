"""What does not fit into memory is told before it is tried, with what is free and what to lower."""

import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.toy import Toy

import fpcore
from fpcore import TrainingError
from fpcore.config.baseline import NeuralConfig
from fpcore.data.dataset import prepare
from fpcore.runs import experiment, memory
from fpcore.runs.baseline import Networks, run_baseline
from fpcore.runs.training import Training
from fpcore.runs.trial import Trial


def never(*_: Any) -> Any:
    raise AssertionError("trained")


@pytest.mark.parametrize(
    ("knobs", "advice"),
    [
        ({"context_dim": 30_000}, "lower context_dim"),
        ({"context_dim": 3_000, "layers": 1_000}, "lower context_dim, layers"),
        ({"input_tokens": 200_000, "layers": 50}, "input_tokens"),
        ({"embedding": "random", "embed_dim": 2_000_000_000}, "lower embed_dim"),
        ({"embedding": "random", "embed_dim": 1_000_000, "context_dim": 2_000}, "embed_dim"),
    ],
)
def test_a_training_that_cannot_fit_is_not_begun(
    trial: Toy, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any], advice: str
) -> None:
    monkeypatch.setattr(Training, "result", never)
    monkeypatch.setattr(memory, "_free", lambda device: 8e9)
    with pytest.raises(TrainingError) as caught:
        fpcore.run(trial(**knobs))
    text = str(caught.value)
    assert re.search(r"needs at least [\d,.]+ GB of memory, most of it for", text), text
    assert "but 8.0 GB are free; " in text and advice in text and "\n" not in text


@pytest.mark.parametrize(
    ("knobs", "advice"),
    [
        (
            {"context_dim": 30_000},
            "lower context_dim, layers, embed_dim or input_tokens, with which",
        ),
        (
            {"embed_dim": 2**30, "embedding": "random"},
            "lower embed_dim, or take a smaller tokenizer",
        ),
        ({"streams": 100_000}, "lower streams or segment, or take a smaller tokenizer"),
    ],
)
def test_a_baseline_that_cannot_fit_is_not_begun(
    trial: Toy, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any], advice: str
) -> None:
    monkeypatch.setattr(Networks, "train", never)
    monkeypatch.setattr(memory, "_free", lambda device: 2e9)
    shared = {"corpus", "tokenizer", "embed_dim", "context_dim", "samples", "val_samples"}
    own = trial().model_dump(include=shared) | {"name": "lstm", "model": "lstm"}
    with pytest.raises(TrainingError, match=re.escape(advice)):
        run_baseline(NeuralConfig(**own | knobs))


def test_the_estimate_of_a_network_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    config = NeuralConfig(
        name="a", model="lstm", embed_dim=16, context_dim=50, layers=2, input_tokens=3, streams=4,
        segment=10,
    )  # fmt: skip
    found: dict[str, int] = {}
    monkeypatch.setattr(memory, "_compare", lambda parts, *_: found.update(parts))
    memory.check_network(config, 300, torch.device("cpu"))
    blocks = 2 * 50 * (50 + 48) + 2 * 16 * (50 + 16)
    assert found == {
        "embedding": 300 * 16 * 4,
        "parameters of the network": 4 * blocks * 4,
        "logits": 4 * 10 * 300 * 4 * 2,
    }


def test_the_estimate_by_hand(trial: Toy) -> None:
    config = trial(context_dim=50, embed_dim=16, layers=2, input_tokens=3, precision="float32")
    one = Trial(config, prepare(config), 42, 10, torch.device("cpu"))
    n, u = len(one.ids), len(one.ids.unique())
    assert memory._parts(config, n, u, 300, torch.float32) == {
        "contexts": n * 50 * 4 * 2,
        "inputs": (u * 16 + u * 50 * 2 * 3) * 4 + n * 3 * 8,
        "parameters": (4 * 2 * 50 * (50 + 48) + 2 * 16 * (50 + 16)) * 4,
        "effective rank": 2 * 50 * 50 * 8,
        "embedding": 300 * 16 * 4,
    }
    assert memory._parts(config, n, u, 300, torch.bfloat16)["contexts"] == n * 50 * 2 * 2


def test_what_is_free_knows_limits_of_a_container_and_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = torch.device("cpu")
    free = memory._free(cpu)
    assert 1e6 < free < 1e14
    for name, text in {
        "max": "5000",
        "current": "3000",
        "stat": "anon 1\ninactive_file 70\n",
    }.items():
        (tmp_path / f"memory.{name}").write_text(text)
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory._free(cpu) == 2070
    (tmp_path / "memory.max").write_text("max\n")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1, 1))
    assert memory._free(cpu) < 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    ],
)
def test_what_fails_all_the_same_is_one_sentence(
    trial: Toy, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(Training, "result", fails)
    with pytest.raises(TrainingError, match="toy, seed 42, size 10: this training needs more mem"):
        fpcore.run(trial())
    monkeypatch.setattr(experiment, "prepare", fails)
    with pytest.raises(TrainingError, match="toy: preparing the data needs more memory than"):
        fpcore.run(trial())


def test_other_errors_are_what_they_were(trial: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Training, "result", fails)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        fpcore.run(trial())


LIMITED = """
import resource, sys, psutil, torch
from fpcore.runs import memory
now = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (now + 2**30, now + 2**30))
try:
    with memory.told("this"):
        torch.empty(2**33)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_real_allocation_that_fails_is_known() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True)
    assert done.stdout.startswith("TrainingError this needs more memory than there is"), done.stderr
