"""Searches: a budget, trials judged by development alone, none lost and none done twice."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.toy import Toy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fpcore
from fpcore import ConfigError, RunConfig, Search
from fpcore.errors import StorageError, TrainingError
from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult
from fpcore.records.searches import SearchRecord, folder, load_best
from fpcore.runs import journal, searching
from fpcore.runs.searching import search

RANGES: dict[str, dict[str, Any]] = {
    "phase2_lr": {"log": [0.001, 0.1]},
    "output_bias": {"choice": ["none", "unigram"]},
}
Plan = Callable[..., Search]


@pytest.fixture
def plan(trial: Toy, tmp_path: Path) -> Plan:
    """A search over the toy run."""

    def make(**fields: Any) -> Search:
        base = trial(samples=[10], select_on="dev", name="base", epochs=5)
        (tmp_path / "base.yaml").write_text(yaml.safe_dump(base.model_dump()))
        known = {"title": "探す", "question": "?", "base": str(tmp_path / "base.yaml")}
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(known | {"ranges": RANGES} | fields))
        return Search.load(tmp_path / "own.yaml")

    return make


class Fake:
    """Trainings that are done at once: the loss says how far the learning rate is from 0.03."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trained: list[RunConfig] = []
        self.again: list[RunConfig] = []
        self.dies_at = self.diverges_at = -1
        monkeypatch.setattr(searching, "_trained", self._trained)
        monkeypatch.setattr(searching, "work_of", lambda config: None)
        monkeypatch.setattr(searching, "made", self._made)

    def _trained(self, config: RunConfig, tell: Callable[[dict[str, Any]], None]) -> SizeResult:
        self.trained.append(config)
        number = len(self.trained) - 1
        if number == self.dies_at:
            raise KeyboardInterrupt  # as a kill: nothing is told to the journal
        if number == self.diverges_at:
            raise TrainingError("a loss that is not finite")
        assert isinstance(config.phase2_lr, float)
        off = abs(math.log(config.phase2_lr / 0.03))
        losses = [5 + off + 1 / epoch for epoch in range(1, 6)]
        for epoch, loss in enumerate(losses, 1):
            tell({"epoch": epoch, "dev_loss": loss})
        trace = {"epoch": [*range(1, 6)], "dev_loss": losses}
        ppl = math.exp(5 - off)  # validation likes the opposite
        return SizeResult(samples=10, seed=42, val_ppl=ppl, best_epoch=5, phase2=trace)

    def _made(self, config: RunConfig, _: None) -> RunRecord:
        self.again.append(config)
        results = [SizeResult(samples=10, seed=seed, val_ppl=9.0) for seed in config.seeds]
        digests = SearchRecord.load("own").digests
        return RunRecord(
            name=config.run_name, config=config.model_dump(), results=results, digests=digests
        )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    return Fake(monkeypatch)


def test_a_search_within_its_budget(plan: Plan, fake: Fake) -> None:
    record = search(plan(trials=20))
    assert [trial.number for trial in record.trials] == [*range(20)]
    assert record.base.number == 0 and record.trials[0].knobs["phase2_lr"] == 0.005
    states = [trial.state for trial in record.trials]
    assert states[: searching.RANDOM] == ["complete"] * searching.RANDOM
    assert "pruned" in states
    for trial in record.trials:
        low, high = RANGES["phase2_lr"]["log"]
        assert low <= trial.knobs["phase2_lr"] <= high
        assert (trial.state == "complete") == (trial.loss is not None and trial.result is not None)
        assert len(trial.losses) == 5 or trial.state == "pruned"
    # The best by development are trained again, with seeds that no trial has seen.
    losses = sorted(t.loss for t in record.trials if t.loss is not None and t.number)
    assert [t.loss for t in record.best[1:]] == losses[:5]
    assert all(config.seeds == [1, 2, 3] for config in fake.again)
    assert set(load_best("own")) == {trial.number for trial in record.best}
    assert not fpcore.load_records()  # reports/runs is of runs that somebody asked for
    assert SearchRecord.load("own") == record


def test_a_finished_search_is_not_run_again(plan: Plan, fake: Fake) -> None:
    record = search(plan(trials=9))
    before = len(fake.trained), len(fake.again)
    path = folder("own") / "trials.json"
    content = path.read_bytes()
    assert search(plan(trials=9)) == record
    assert (len(fake.trained), len(fake.again)) == before and path.read_bytes() == content
    assert len(search(plan(trials=12)).trials) == 12  # a larger budget goes on
    assert len(fake.trained) == 12


@pytest.mark.parametrize("killed", [0, 1, 7, 9])
def test_what_was_killed_is_tried_again_once(killed: int, plan: Plan, fake: Fake) -> None:
    fake.dies_at = killed
    with pytest.raises(KeyboardInterrupt):
        search(plan(trials=10))
    lost = fake.trained[-1]
    record = search(plan(trials=10))
    again = [config for config in fake.trained[killed + 1 :] if config == lost]
    assert len(again) == 1  # of the same name, so that it goes on from its checkpoint
    assert len(fake.trained) == 11 and len(record.trials) == 10
    knobs = [json.dumps(trial.knobs) for trial in record.trials]
    assert len({*knobs}) == 10 and record.base.state == "complete"


def test_a_trial_that_diverges_is_counted(plan: Plan, fake: Fake) -> None:
    fake.diverges_at = 3
    record = search(plan(trials=9))
    assert [trial.state for trial in record.trials].count("failed") == 1
    assert record.trials[3].state == "failed" and record.trials[3].loss is None


def test_the_time_is_over(plan: Plan, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_seconds", lambda trial: 10.0)
    assert len(search(plan(trials=20, seconds=45)).trials) == 5


def test_another_search_of_the_same_name_is_refused(plan: Plan, fake: Fake) -> None:
    search(plan(trials=8))
    other = {"phase2_lr": {"log": [0.001, 0.2]}}
    with pytest.raises(ConfigError, match="is of another search of this name, or of other code"):
        search(plan(trials=8, ranges=other))
    with pytest.raises(ConfigError, match="workers must be a whole number of at least 1, not 0"):
        search(plan(trials=8), workers=0)


def test_a_trial_is_a_run(plan: Plan, trial: Toy) -> None:
    """Trained for real: its result is that of a run of the same knobs."""
    record = search(plan(trials=2, seeds=[5, 6]))
    for one in record.trials:
        own = fpcore.run(trial(samples=[10], select_on="dev", name="own", epochs=5, **one.knobs),
                         force=True)  # fmt: skip
        (due,) = own.results
        assert one.result and one.result.val_loss_sums == due.val_loss_sums
        losses = pytest.approx(due.phase2["dev_loss"], rel=1e-8)  # the record's digits
        assert [*one.losses.values()] == losses and one.loss == min(due.phase2["dev_loss"])
    again = load_best("own")[0]
    same = fpcore.run(trial(samples=[10], select_on="dev", name="again", epochs=5, seeds=[5, 6]))
    assert [r.val_ppl for r in again.results] == [r.val_ppl for r in same.results]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_journal_is_never_believed(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    """One changed byte, a cut or a strange line: a sentence, or a beginning of what was told."""
    path = searching._path(plan(trials=3, seeds=[5, 6]))
    kept = path.with_suffix(".whole")
    if not kept.exists():
        Fake(monkeypatch)
        search(plan(trials=3, seeds=[5, 6]))
        kept.write_bytes(path.read_bytes())
    whole = kept.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    strange = data.draw(st.sampled_from([b"[]", b"5", b"{}", b'{"op_code": 99}', b"\xff\xfe"]))
    changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    kinds = [whole[:at], changed, whole[:at] + bytes(len(whole) - at), whole + strange + b"\n"]
    path.write_bytes(data.draw(st.sampled_from([*kinds, strange + b"\n" + whole])))
    try:
        journal.check(path)
    except ConfigError as error:
        assert "journal.log is damaged in line" in str(error)
    else:
        left = path.read_bytes()
        assert whole.startswith(left) and (not left or left.endswith(b"\n"))


@pytest.mark.parametrize("name", ["journal.log", "journal.lock"])
def test_a_folder_in_the_place_of_the_journal_is_one_sentence(plan: Plan, name: str) -> None:
    own = plan()
    (searching._path(own).parent / name).mkdir(parents=True)
    with pytest.raises(StorageError, match="is a folder where a file belongs"):
        search(own)
