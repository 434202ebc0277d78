"""States on disk: what comes back is what was stored, or nothing, and then that is said."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from fpcore.runs import states

ABOUT = {"trace": [{"iteration": 2, "loss": -0.25}], "seconds": 1.5, "best": None}
FORMATS = [torch.float32, torch.float64, torch.bfloat16, torch.int64]


def tensors() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    shapes = {"step": (), "contexts": (5, 3), "none": (0, 4), "moment": (7,)}
    pairs = zip(shapes.items(), FORMATS, strict=True)
    return {n: torch.randn(s, generator=draw).mul(9).to(f) for (n, s), f in pairs}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("states") / "a.safetensors"


def test_what_was_stored_comes_back(path: Path) -> None:
    given_tensors = tensors() | {"turned": tensors()["contexts"].T}
    states.write(path, given_tensors, ABOUT)
    found = states.read(path)
    assert found is not None and found[1] == ABOUT == states.about(path)
    assert {*found[0]} == {*given_tensors}
    assert all(torch.equal(found[0][name], tensor) for name, tensor in given_tensors.items())
    assert all(found[0][name].dtype == tensor.dtype for name, tensor in given_tensors.items())


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_file_is_none(path: Path, place: int, bit: int, cut: bool) -> None:
    """Every bit counts: of the numbers, of their names and shapes, and of what is said."""
    states.write(path, tensors(), ABOUT)
    content = bytearray(path.read_bytes())
    at = place % len(content)
    content[at] ^= 1 << bit
    path.write_bytes(content[:at] if cut else content)
    assert states.read(path) is None
    said = states.about(path)
    assert said in (None, ABOUT)  # the numbers are not looked at


def test_what_is_not_taken_is_said_and_what_is_not_there_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert states.read(tmp_path / "none") is None
    assert states.about(tmp_path / "none") is None
    assert capsys.readouterr().out == ""
    (tmp_path / "folder").mkdir()
    assert states.read(tmp_path / "folder") is None
    assert "is a folder, no file, so what it should hold is made again" in capsys.readouterr().out
    save_file(tensors(), tmp_path / "old", {"about": json.dumps(ABOUT)})
    assert states.read(tmp_path / "old") is None
    assert "is damaged, or of another version, so what" in capsys.readouterr().out
