"""A run that is recorded already is not trained, nor its notebook executed, a second time."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.toy import Toy

import fpcore
from fpcore import RunConfig
from fpcore.book.making import Book
from fpcore.records.record import load_record, load_records
from fpcore.runs import cluster, current
from fpcore.runs.jobs import Job, perform
from fpcore.runs.training import Training


def never(*_: Any) -> Any:
    raise AssertionError("it is trained again")


def test_a_run_without_a_name_takes_the_record_of_the_same_run(
    trial: Toy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under whatever name; a name of its own, another knob or `force` trains."""
    first = fpcore.run(trial(name="toy"))
    monkeypatch.setattr(Training, "result", never)
    assert fpcore.run(trial(name="")) == first
    said = capsys.readouterr().out
    assert "toy is the same run, so its record is reused: reports/runs/toy.json" in said
    assert [record.name for record in load_records()] == ["toy"]
    for other in (trial(name="own"), trial(name="", max_iter=9)):
        with pytest.raises(AssertionError, match="trained again"):
            fpcore.run(other)
    with pytest.raises(AssertionError, match="trained again"):
        fpcore.run(trial(name=""), force=True)


def test_a_stale_record_is_nobodys_twin(trial: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    record = fpcore.run(trial(name="toy"))
    record.model_copy(update={"digests": record.digests | {"code/phase 2": "0" * 16}}).save()
    made = fpcore.run(trial(name=""))
    assert made.name != "toy" and load_record("toy").digests["code/phase 2"] == "0" * 16


def test_a_study_with_all_records_executes_nothing(
    trial: Toy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configs = [trial(name=f"r{n}", max_iter=n, samples=[10]) for n in (6, 7, 8)]
    for config in configs[:2]:
        fpcore.run(config)
    asked: list[str] = []

    def train(chains: list[list[Job]], *_: Any) -> tuple[list[str], dict[str, str]]:
        asked.extend(job.name for chain in chains for job in chain)
        return [fpcore.run(job.config).name for chain in chains for job in chain], {}

    monkeypatch.setattr(cluster, "train", train)
    for want in (["r8"], []):
        asked.clear()
        book = Book()
        book.train(configs, force=False, pages=False)
        assert asked == want and book.runs == ["r6", "r7", "r8"] and not book.failures
    assert "3 of 3 runs have current records" in capsys.readouterr().out
    book = Book()
    book.train(configs[:1], force=False)  # a book has a page for every run
    assert asked == ["r6"]


def test_what_cannot_be_told_is_left_to_the_run(trial: Toy, home: Path) -> None:
    good, bad = trial(name="good", samples=[10]), trial(name="bad", samples=[10])
    fpcore.run(good)
    (home / "reports" / "runs" / "bad.json").write_text("{")
    lost = trial(name="good", corpus="nowhere.jsonl", samples=[10])
    other = trial(name="good", max_iter=9, samples=[10])
    assert [r.name for r in current.current([bad, lost, other, good])] == ["good"]


def test_a_worker_gives_a_run_its_name(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """So that its record lies where it is looked for, whatever other record is the same."""
    given: dict[str, Any] = {}
    monkeypatch.setattr("fpcore.runs.jobs.execute", lambda *a, **_: given.update(a[2]))
    perform(Job("made", RunConfig().model_dump(), False, "1", home=str(home)), print, bool)
    assert given["name"] == "made"


def test_what_was_read_is_said_before_training(
    trial: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str], conversations: list[str]
) -> None:
    """Conversations and tokens of every part, the beginning, and what stands in two parts."""
    texts = [*conversations[:59], conversations[0]]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps({"text": f"\x1b[31m{t}"}) + "\n" for t in texts))
    fpcore.run(trial(corpus=str(path), samples=[10], val_samples=5))
    said = capsys.readouterr().out
    assert "50 conversations to train on (10 used, " in said and "5 for validation (" in said
    assert "the first begins: \ufffd[31m" in said and "\x1b" not in said
    assert "In the training text word for word: 1 of validation." in said
