"""Toy settings shared by the tests; nothing here writes outside pytest's temporary folder."""

import functools
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from helpers.toy import Build, Toy, Tuned, WriteCorpus, conversation, written
from hypothesis.configuration import set_hypothesis_home_dir

from fpcore import RunConfig
from fpcore.model import fused, tuning
from fpcore.model.blocks import FixedPointModel
from fpcore.paths import ROOT
from fpcore.runs import provenance

hypothesis.settings.register_profile(
    "fpcore", deadline=None, derandomize=True, database=None, max_examples=50
)
hypothesis.settings.load_profile("fpcore")
SYSTEM = Path(__file__).parent / "system"
torch.set_num_threads(1)  # toy matrices only lose time on more


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies in tests/system is the second tier, but for what is run by hand, however long."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(0))
        elif SYSTEM in item.path.parents:
            item.add_marker("system")


@pytest.fixture(scope="session", autouse=True)
def _session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("home")
    set_hypothesis_home_dir(folder / "hypothesis")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(folder))
        patch.setenv("OMP_NUM_THREADS", "1")  # of processes that tests start, for the same reason
        # PyTorch's compiler works in this process: workers of its own could outlive a test.
        patch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
        # The same sources are digested several hundred times; each text is read once.
        patch.setattr(provenance, "said", functools.cache(provenance.said))
        yield


@pytest.fixture
def conversations() -> list[str]:
    """The 60 conversations of the toy corpus."""
    return [conversation(number) for number in range(60)]


@pytest.fixture
def write_corpus(tmp_path: Path) -> WriteCorpus:
    """Write texts as the .jsonl corpus of this test."""

    def write(texts: list[str], name: str = "toy.jsonl") -> Path:
        return written(tmp_path / name, texts)

    return write


@pytest.fixture
def toy() -> Toy:
    """The small setting at toy size, with the knobs that a test changes."""

    def config(**knobs: Any) -> RunConfig:
        size = {"embed_dim": 16, "context_dim": 24, "samples": [10, 20], "val_samples": 5}
        length = {"max_iter": 8, "phase1_batch": 128, "epochs": 3, "phase2_batch": 64}
        common = {"tokenizer": "bpe-300", "device": "cpu", "precision": "float32"}
        return RunConfig(**(common | size | length | knobs))

    return config


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own, so that no test finds another's records."""
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The committed records and reports as the home, for a test that writes nothing."""
    monkeypatch.setenv("FPCORE_HOME", str(ROOT))


@pytest.fixture
def trial(toy: Toy, home: Path, write_corpus: WriteCorpus, conversations: list[str]) -> Toy:
    """The toy setting on the toy corpus in a home of this test's own."""
    path = str(write_corpus(conversations))
    return lambda **knobs: toy(**({"corpus": path, "name": "toy"} | knobs))


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch) -> Tuned:
    """Cut the work on the CPU in another way."""
    own = tuning.TABLE["cpu"]

    def change(**values: Any) -> None:
        monkeypatch.setitem(tuning.TABLE, "cpu", replace(own, **values))

    return change


@pytest.fixture(params=["cpu", "gpu", "gpu that compiles"])
def row_of_tuning(
    request: pytest.FixtureRequest, tuned: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work on the CPU in its own way, and in that of a GPU, with toy widths that must be filled.

    Chains that would be compiled are done as they are written.
    """
    monkeypatch.setattr(fused.Fused, "__call__", lambda chain, *given: chain._chain(*given))
    if request.param != "cpu":
        compiled = request.param == "gpu that compiles"
        tuned(**asdict(tuning.GPU) | {"multiple": 7, "captured": False, "compiled": compiled})


@pytest.fixture(scope="session", autouse=True)
def _wide_products() -> Iterator[None]:
    """Give the CPU the products of bfloat16 factors in float32 that a GPU has."""
    with torch.library._scoped_library("aten", "IMPL") as library:
        library.impl("mm.dtype", lambda a, b, dtype: a.to(dtype) @ b.to(dtype), "CPU")
        yield


@pytest.fixture(autouse=True)
def _no_figure_left() -> Iterator[None]:
    """Close what a test has drawn: of too many open figures the next test would be told."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture
def build() -> Build:
    """A model with a random embedding of 40 types, and the ids of a random text."""

    def model(
        config: RunConfig, tokens: int, seed: int = 42
    ) -> tuple[FixedPointModel, torch.Tensor]:
        source = torch.Generator().manual_seed(1)
        weights = torch.randn(40, config.embed_dim, generator=source, dtype=torch.float64)
        ids = torch.randint(37, (tokens,), generator=source)  # so that some types do not occur
        return FixedPointModel(weights, config, seed), ids

    return model
