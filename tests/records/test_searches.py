"""What a search left behind is read whole, or the file and what is wrong in it are named."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.searches import fresh, searched

from fpcore import RecordError, Search, gather_search
from fpcore.records.searches import folder, load_best, save_best
from fpcore.reports import search as report

Edit = Callable[[dict[str, Any]], object]


def every(**fields: Any) -> Edit:
    return lambda record: [trial.update(copy.deepcopy(fields)) for trial in record["trials"]]


def ranges(given: Any) -> Edit:
    return lambda record: record["search"].update(ranges=given)


STRANGE: list[Any] = [
    None, "x", 5, {}, {"max_iter": {"ints": [20, 90]}}, {"int": [70, 90]}, {"int": [20]},
    {"int": [90, 20]}, {"int": "20"}, {"choice": []},
]  # fmt: skip
EDITS: list[Edit] = [
    *(every(**{name: None}) for name in ("loss", "result", "number", "knobs", "seconds")),
    *(every(knobs=knobs) for knobs in ({}, {"layers": 1}, {"max_iter": [1], "context_noise": 0})),
    every(knobs={"max_iter": "x", "context_noise": 0.1}),
    every(knobs={"max_iter": 60.5, "context_noise": 0.1}),
    every(knobs={"max_iter": 60, "context_noise": True}),
    every(knobs={"max_iter": 10**400, "context_noise": 0.1}),
    *(every(number=number) for number in (0, -1, 10**30)),
    *(every(losses={at: 1.0}) for at in ("-1", "x", "9" * 30)),
    every(seconds=1e300),
    *map(ranges, STRANGE),
    *(ranges({"max_iter": given, "context_noise": {"float": [0.0, 0.3]}}) for given in STRANGE),
    lambda record: record["search"].clear(),
    lambda record: record["first"].clear(),
    lambda record: record["trials"].clear(),
]  # fmt: skip


@pytest.fixture
def plan(home: Path, tmp_path: Path) -> Search:
    return searched(tmp_path)


@pytest.mark.parametrize("number", range(len(EDITS)))
def test_trials_that_do_not_fit_are_one_sentence(plan: Search, number: int) -> None:
    path = folder(plan.name) / "trials.json"
    record = json.loads(path.read_text())
    EDITS[number](record)
    path.write_text(json.dumps(record))
    with pytest.raises(
        RecordError, match=r"^(reports/searches/own/trials\.json is|The search own)"
    ):
        report.render(gather_search(plan))


def test_losses_beyond_all_numbers_are_read(plan: Search) -> None:
    """A run that broke can have any loss."""
    path = folder(plan.name) / "trials.json"
    record = json.loads(path.read_text())
    every(loss=1e308, losses={"1": 1e308})(record)
    path.write_text(json.dumps(record))
    assert len(report.render(gather_search(plan))) < 20_000


def test_a_byte_order_mark_and_a_newer_schema(plan: Search) -> None:
    path = folder(plan.name) / "trials.json"
    text = path.read_text()
    path.write_text(text, "utf-8-sig")
    assert gather_search(plan).record.name == "own"
    path.write_text(text.replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(RecordError, match="was made by a newer fpcore"):
        gather_search(plan)


@pytest.mark.parametrize("name", ["trial²", "trial01", "trial٣", "trial-1", "trial", "trial 1"])
def test_other_files_are_no_trials(plan: Search, name: str) -> None:
    (folder(plan.name) / f"{name}.json").write_text(fresh(1, 99).model_dump_json())
    assert [*load_best(plan.name)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", None])
def test_a_record_that_cannot_be_read_is_left_out_and_said(
    plan: Search, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder(plan.name) / "trial3.json"
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    assert [*load_best(plan.name)] == [0, 1, 2, 4, 5]
    assert capsys.readouterr().err == (
        "Left out, as they cannot be read: reports/searches/own/trial3.json.\n"
    )


def test_without_the_base_there_is_nothing_to_compare_with(plan: Search) -> None:
    (folder(plan.name) / "trial0.json").write_text("{")
    with pytest.raises(RecordError, match="no readable record of its base, trial 0, trained again"):
        report.render(gather_search(plan))
    save_best(plan.name, 0, fresh(0, 110))
    assert report.render(gather_search(plan))
