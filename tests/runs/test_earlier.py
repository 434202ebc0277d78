"""A record of fewer seeds or sizes is the beginning of a longer run."""

from typing import Any

import pytest
from helpers.toy import Toy
from hypothesis import given
from hypothesis import strategies as st

import fpcore
from fpcore import RunConfig
from fpcore.errors import RecordError
from fpcore.records.record import RunRecord, load_record
from fpcore.records.result import SizeResult
from fpcore.runs import earlier, provenance
from fpcore.runs.training import Training

RATES = {"select_on": "dev", "phase2_lr": [0.001, 0.01], "samples": [10], "seeds": [42, 43]}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The seeds and sizes that are trained."""
    found: list[tuple[int, int]] = []
    real = Training.result

    def counted(training: Training) -> Any:
        found.append((training.trial.seed, training.trial.samples))
        return real(training)

    monkeypatch.setattr(Training, "result", counted)
    return found


def test_only_new_seeds_and_sizes_are_trained_to_the_record_of_the_whole(
    trial: Toy, trained: list[tuple[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    first = fpcore.run(trial(**RATES))
    more = {"seeds": [42, 43, 44], "samples": [10, 20]}
    trained.clear()
    longer = fpcore.run(trial(**RATES | more))
    assert trained == [(42, 20), (43, 20), (44, 10), (44, 20)]
    assert "toy: its record goes on with more samples and seeds." in capsys.readouterr().out
    assert [result for result in longer.results if result in first.results] == first.results
    whole = fpcore.run(trial(**RATES | more | {"name": "whole"}))
    for a, b in zip(longer.results, whole.results, strict=True):
        assert a.model_dump(exclude={"seconds"}) == b.model_dump(exclude={"seconds"})
    assert load_record("toy") == longer == fpcore.run(trial(**RATES | more))


def test_what_another_machine_measured_is_measured_again(
    trial: Toy, trained: list[tuple[int, int]], monkeypatch: Any, capsys: Any
) -> None:
    fpcore.run(trial(seeds=[42]))
    monkeypatch.setattr(provenance, "machine_id", lambda: "other")
    trained.clear()
    fpcore.run(trial(seeds=[42, 43]))
    assert trained == [(42, 10), (42, 20), (43, 10), (43, 20)]
    assert "made on another machine" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ({"seeds": [42, 43]}, {"seeds": [43, 42, 44]}, "seeds"),
        ({"seeds": [42, 43]}, {"seeds": [42]}, "seeds"),
        ({"samples": [10, 20]}, {"samples": [20, 30]}, "samples"),
        ({"seeds": [42]}, {"seeds": [42, 43], "max_iter": 9}, "max_iter"),
        ({"built_from": "training"}, {"built_from": "training", "samples": [10, 30]}, "samples"),
    ],
)
def test_a_run_that_is_no_longer_one_is_refused(
    trial: Toy, before: dict[str, Any], after: dict[str, Any], named: str
) -> None:
    record = fpcore.run(trial(**before))
    with pytest.raises(RecordError) as error:
        fpcore.run(trial(**before | after))
    assert {*named.split(", ")} == {
        *str(error.value).split("another ")[1].split(";")[0].split(", ")
    }
    assert load_record("toy") == record


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True),
)
def test_a_beginning_keeps_the_order_of_seeds(before: list[int], after: list[int]) -> None:
    config = RunConfig(seeds=before).model_dump(mode="json")
    record = RunRecord(name="a", config=config, results=[SizeResult(samples=5)])
    begins = earlier._begins(record, RunConfig(seeds=after))
    assert begins == (before == after[: len(before)])
