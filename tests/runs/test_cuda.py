"""Whole runs on a GPU: the same record each time, and where they end on the CPU."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from helpers.cuda import CARD, left_uncompiled, needs_card, room, set_compiled
from helpers.toy import Toy, stable

import fpcore
from fpcore import TrainingError
from fpcore.stats import draws
from fpcore.trainers import phase1, phase2

pytestmark = [
    needs_card,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # what the compiler itself imports
]
KNOBS: list[dict[str, Any]] = [
    {"precision": "float32"},
    {"precision": "bfloat16", "bfloat16_contexts": True, "layers": 2, "select_on": "dev"},
    {"precision": "bfloat16", "input_tokens": 2, "output_bias": "unigram", "samples": [10]},
]
every = pytest.mark.parametrize("knobs", KNOBS, ids=lambda knobs: "-".join(knobs))


@pytest.fixture
def trial(trial: Toy) -> Toy:
    """A config of the toy corpus on the card, with a width that has to be filled up."""
    return lambda **knobs: trial(**({"device": "cuda", "context_dim": 25} | knobs))


class PulledPlugError(Exception):
    """The end of a process."""


@every
def test_two_runs_give_equal_records(
    trial: Toy, knobs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each compiled anew, and the second after chunks of other sizes."""
    found = []
    for name, before in (("one", []), ("two", [12, 15])):
        set_compiled(monkeypatch, True)
        for samples in before:
            fpcore.run(trial(name=f"other-{samples}", **knobs | {"samples": [samples]}))
        found.append(fpcore.run(trial(name=name, **knobs)))
    assert left_uncompiled() == []
    one, two = (stable(record.model_dump()) for record in found)
    assert one["results"] == two["results"]
    about = found[0].environment
    assert about["device"] == torch.cuda.get_device_name(CARD)
    assert about["precision"] == knobs["precision"]
    assert (about["first_contexts"], about["deterministic"]) == ("hashed rows", True)


@every
@pytest.mark.usefixtures("every_state")
@pytest.mark.parametrize(("where", "method"), [(phase1, "iterate"), (phase2, "_step")])
def test_an_interrupted_run_ends_with_the_same_record(
    trial: Toy, knobs: dict[str, Any], where: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fpcore.run(trial(**knobs))
    real, calls = getattr(where.Trainer, method), []

    def until_the_fifth(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 5:
            raise PulledPlugError
        return real(*given)

    monkeypatch.setattr(where.Trainer, method, until_the_fifth)
    with pytest.raises(PulledPlugError):
        fpcore.run(trial(**knobs), force=True)
    fpcore.run(trial(**knobs), force=True)
    again = stable(fpcore.load_record("toy").model_dump())
    assert again["results"] == stable(whole.model_dump())["results"]


def test_a_run_ends_where_it_does_on_the_cpu(trial: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64 from the same first contexts: everything to 1e-6."""
    monkeypatch.setattr(draws, "first_stream", Mock(return_value="hashed rows"))
    knobs: dict[str, Any] = {
        "precision": "float64",
        "layers": 2,
        "input_tokens": 2,
        "samples": [10],
    }
    cpu = fpcore.run(trial(name="cpu", device="cpu", **knobs)).results[0]
    card = fpcore.run(trial(name="card", **knobs)).results[0]
    for key in ("train_er", "val_er", "val_ppl", "train_ppl", "bits_per_byte", "convergence_rate"):
        assert getattr(card, key) == pytest.approx(getattr(cpu, key), rel=1e-6), key
    assert card.best_epoch == cpu.best_epoch


def test_a_card_that_is_too_small_is_told_what_to_lower(trial: Toy, home: Path) -> None:
    """Chunks of 200 MB, where 100 MB are left."""
    with room(100 * 10**6), pytest.raises(TrainingError, match=r"lower .*context_dim") as caught:
        fpcore.run(trial(context_dim=4000, precision="float32", samples=[20]))
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_run_is_the_same_but_for_rounding_where_nothing_compiles(
    trial: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for compiled in (False, True):
        set_compiled(monkeypatch, compiled)
        knobs: dict[str, Any] = {"precision": "float64", "samples": [10]}
        found.append(fpcore.run(trial(name=f"run-{compiled}", **knobs)).results[0])
        assert ("compiling" in found[-1].seconds) is compiled
    for key in ("train_er", "val_er", "val_ppl", "train_ppl"):
        assert getattr(found[1], key) == pytest.approx(getattr(found[0], key), rel=1e-7), key
