"""An interrupted run goes on, and ends with the record of a run that nothing disturbed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from helpers.toy import Toy, stable

import fpcore
from fpcore import stored
from fpcore.data.dataset import prepare
from fpcore.records.record import RunRecord
from fpcore.runs import checkpoint, states
from fpcore.runs import trial as trials
from fpcore.runs.training import Training
from fpcore.trainers.phase1 import Trainer

Store = Callable[..., None]


class PulledPlugError(Exception):
    """The end of a process."""


@pytest.fixture
def trial(trial: Toy, every_state: None) -> Toy:
    """A config of the toy corpus; every state is stored."""
    return trial


def same(record: RunRecord) -> dict[str, Any]:
    """A record without what may differ between two runs of one config."""
    found: dict[str, Any] = stable(record.model_dump())
    return found


def written(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


class Count:
    """Lets the process end before the n-th file of a checkpoint (from 1) is stored."""

    def __init__(self) -> None:
        self.stored: list[str] = []  # the kinds of the files, in order
        self._left = 0

    def __call__(self, n: int) -> None:
        self._left = n

    def counted(self, store: Store) -> Store:
        def counting(path: Path, *args: Any) -> None:
            if "checkpoints" not in path.parts:
                return store(path, *args)
            self._left -= 1
            if self._left == 0:
                raise PulledPlugError
            self.stored.append("".join(path.suffixes[-2:]))
            store(path, *args)

        return counting


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Count:
    made = Count()
    monkeypatch.setattr(states, "write", made.counted(states.write))
    monkeypatch.setattr(stored, "write", made.counted(stored.write))
    return made


def moments(stored: list[str]) -> list[int]:
    """The first, a middle and the last file of each kind, counted from 1 in the order stored."""
    places = {kind: [n for n, other in enumerate(stored, 1) if other == kind] for kind in {*stored}}
    return sorted({p for at in places.values() for p in (at[0], at[len(at) // 2], at[-1])})


KNOBS: list[dict[str, Any]] = [
    {},
    {"precision": "bfloat16", "bfloat16_contexts": True, "select_on": "dev", "layers": 2},
    {"seeds": [1, 2], "samples": [10], "input_tokens": 2, "precision": "float64"},
    {"convergence_threshold": 1e6, "patience": 2, "phase2_lr": 0.05, "epochs": 6},
    {"contexts": "zero", "output_bias": "unigram"},
    {"contexts": "untrained", "samples": [10], "select_on": "dev", "phase2_lr": [0.01, 0.002]},
]


@pytest.mark.parametrize("knobs", KNOBS, ids=lambda knobs: "-".join(knobs) or "default")
def test_wherever_it_stops_it_ends_with_the_same_record(
    trial: Toy, count: Count, knobs: dict[str, Any], tmp_path: Path
) -> None:
    whole = same(fpcore.run(trial(**knobs)))
    for n in moments(count.stored):
        count(n)
        with pytest.raises(PulledPlugError):
            fpcore.run(trial(**knobs), force=True)
        count(7)  # and once more, a little later
        try:
            fpcore.run(trial(**knobs), force=True)
        except PulledPlugError:
            assert len(list(checkpoint.folder("toy").glob("*.safetensors"))) <= 3
            count(0)
            fpcore.run(trial(**knobs), force=True)
        assert same(fpcore.load_record("toy")) == whole
        assert not checkpoint.folder("toy").exists()
    assert not list((tmp_path / "home").rglob(".*.safetensors*"))


def test_what_is_finished_is_not_trained_again(trial: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*args: Any, **more: Any) -> Any:
        raise PulledPlugError

    whole = same(fpcore.run(trial(name="whole", samples=[10, 15, 20])))
    with monkeypatch.context() as patch:
        patch.setattr("fpcore.runs.training.train_tokens", _until(2, failing))
        with pytest.raises(PulledPlugError):
            fpcore.run(trial(samples=[10, 15, 20]))
    trained: list[int] = []
    real = Training.result

    def counted(self: Training) -> Any:
        trained.append(self.trial.samples)
        return real(self)

    monkeypatch.setattr(Training, "result", counted)
    again = fpcore.run(trial(samples=[10, 15, 20]))
    assert trained == [20]
    assert same(again)["results"] == whole["results"]


def test_numbers_that_are_not_finite_keep_what_came_before(
    trial: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contexts of the second size break in the middle of phase 1."""
    real = Trainer.iterate
    sizes: list[int] = []

    def iterate(self: Any, iteration: int) -> dict[str, Any]:
        sizes.append(len(self._P))
        if len(set(sizes)) == 2 and iteration == 4:
            self._P.fill_(torch.nan)
        row: dict[str, Any] = real(self, iteration)
        return row

    monkeypatch.setattr("fpcore.trainers.phase1.Trainer.iterate", iterate)
    with pytest.raises(fpcore.TrainingError) as caught:
        fpcore.run(trial())
    text = str(caught.value)
    assert text.startswith("toy, seed 42, size 20: Phase 1 on ")
    assert "not finite in iteration 4; a phase1_lr below 0.002 may help." in text
    assert text.endswith(" 1 finished before it are kept.")
    monkeypatch.setattr("fpcore.trainers.phase1.Trainer.iterate", real)
    assert same(fpcore.run(trial())) == same(fpcore.run(trial(), force=True))


def _until(calls: int, failing: Callable[..., Any]) -> Callable[..., Any]:
    from fpcore.trainers.phase2 import train_tokens

    left = [calls]

    def once(*args: Any, **more: Any) -> Any:
        left[0] -= 1
        return train_tokens(*args, **more) if left[0] >= 0 else failing()

    return once


@pytest.mark.parametrize(
    "other", [{"max_iter": 9}, {"phase2_lr": 0.5}, {"select_on": "dev"}, {"precision": "float64"}]
)
def test_a_state_of_another_config_is_not_taken(
    trial: Toy, count: Count, other: dict[str, Any]
) -> None:
    whole = same(fpcore.run(trial(**other)))
    count(9)
    with pytest.raises(PulledPlugError):
        fpcore.run(trial(), force=True)
    assert same(fpcore.run(trial(**other), force=True)) == whole


Damage = Callable[[Path], None]
Edit = Callable[[dict[str, torch.Tensor], dict[str, Any]], None]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flipped(path: Path) -> None:
    """One bit of a number, where every reader of the format still finds its place."""
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def a_folder(path: Path) -> None:
    path.unlink()
    (path / "inner").mkdir(parents=True)


def edited(edit: Edit) -> Damage:
    """Change what a state holds, and store it under the digest of what it then is."""

    def damage(path: Path) -> None:
        if path.suffix != ".safetensors":
            return
        found = states.read(path)
        assert found is not None
        edit(*found)
        states.write(path, *found)

    return damage


def another_shape(tensors: dict[str, torch.Tensor], _: dict[str, Any]) -> None:
    name = next(name for name in tensors if name.startswith("exp_avg/"))
    tensors[name] = tensors[name].flatten()[:3]


def one_for_all(tensors: dict[str, torch.Tensor], _: dict[str, Any]) -> None:
    """A shape that PyTorch would stretch without a word."""
    name = next(name for name in tensors if name.startswith("parameter/"))
    tensors[name] = tensors[name].flatten()[:1]


def another_format(tensors: dict[str, torch.Tensor], _: dict[str, Any]) -> None:
    tensors |= {name: tensor.half() for name, tensor in tensors.items()}


def without_a_moment(tensors: dict[str, torch.Tensor], _: dict[str, Any]) -> None:
    del tensors[next(name for name in tensors if name.startswith("step/"))]


def another_tensor(tensors: dict[str, torch.Tensor], _: dict[str, Any]) -> None:
    tensors["more"] = torch.zeros(2)


def no_trace(_: dict[str, torch.Tensor], said: dict[str, Any]) -> None:
    del said["trace"]


def a_list(_: dict[str, torch.Tensor], said: dict[str, Any]) -> None:
    said["trace"] = [[1, 2]] * len(said["trace"])


def a_word(_: dict[str, torch.Tensor], said: dict[str, Any]) -> None:
    said["seconds"] = "1.5"


def a_trace_that_ends_earlier(_: dict[str, torch.Tensor], said: dict[str, Any]) -> None:
    said["trace"] = said["trace"][1:]
    if "epoch" in said:
        said["epoch"] += 1


EDITS: list[Edit] = [another_shape, one_for_all, another_format, without_a_moment, another_tensor]
EDITS += [no_trace, a_list, a_word, a_trace_that_ends_earlier]
DAMAGES = {edit.__name__: edited(edit) for edit in EDITS}
DAMAGES |= {damage.__name__: damage for damage in (cut, flipped, a_folder)}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_state_that_is_none_is_not_taken(
    trial: Toy, count: Count, damage: Damage, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = same(fpcore.run(trial()))
    count(len(count.stored) - 2)  # in phase 2 of the second size
    with pytest.raises(PulledPlugError):
        fpcore.run(trial(), force=True)
    files = list(checkpoint.folder("toy").iterdir())
    kinds = {"".join(path.suffixes[-2:]) for path in files}
    assert {".result", ".phase1.safetensors"} <= kinds and len(kinds) == 3
    for path in files:
        damage(path)
    capsys.readouterr()
    if damage is a_folder:
        with pytest.raises(fpcore.StorageError, match="is a folder where a file belongs"):
            fpcore.run(trial(), force=True)
        shutil.rmtree(checkpoint.folder("toy"))
    assert same(fpcore.run(trial(), force=True)) == whole
    if damage is not a_folder:
        said = capsys.readouterr().out
        assert "made again" in said


def test_seconds_count_what_was_measured_before(trial: Toy, count: Count) -> None:
    one = trials.Trial(trial(), prepare(trial()), 42, 10, torch.device("cpu"))
    count(5)
    with pytest.raises(PulledPlugError):
        fpcore.run(trial())
    path = next(checkpoint.folder("toy").glob("*.phase1.safetensors"))
    reached = checkpoint.read_phase1(path, one)
    assert reached is not None and reached.state.iterations == 5
    checkpoint.write_phase1(path, checkpoint.Reached(reached.state, 1000.0))
    assert 1000 < fpcore.run(trial()).results[0].seconds["phase1"] < 1100


def test_states_are_stored_only_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now, stored = [0.0], []
    monkeypatch.setattr("fpcore.runs.states.time.monotonic", lambda: now[0])

    def store(state: int) -> None:
        stored.append(state)
        now[0] += 2

    keep = states.Keeper(store, size=0)
    for second in (0.5, 1.5, 3.6, 50, 103.4, 103.6):
        now[0] = second
        keep(lambda: int(now[0]))
    assert stored == [1, 103]  # storing took 2 seconds, so the next is due 100 seconds later


def test_the_first_state_waits_for_what_it_is_expected_to_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """4.1 GB, those of the seed's largest size, take 8.2 seconds at 500 MB/s."""
    now: list[float] = [0.0]
    stored: list[float] = []
    monkeypatch.setattr("fpcore.runs.states.time.monotonic", lambda: now[0])
    keep: states.Keeper[float] = states.Keeper(stored.append, size=948_524 * 1085 * 4)
    for second in (1.5, 100.0, 411.0, 412.0):
        now[0] = second
        keep(lambda: now[0])
    assert stored == [412.0]


@pytest.mark.parametrize("knobs", [{}, {"precision": "bfloat16", "bfloat16_contexts": True}])
def test_what_a_state_is_expected_to_cost_is_by_its_size(
    trial: Toy, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any]
) -> None:
    """Of either phase, but for the few bytes that count Adam's steps."""
    expected: list[float] = []
    stored: list[int] = []

    def keeper(store: Store, size: float) -> Store:
        expected.append(size)
        return states.Keeper(store, size)

    def write(path: Path, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
        if len(stored) < len(expected):  # the first of a phase
            stored.append(sum(tensor.nbytes for tensor in tensors.values()))

    monkeypatch.setattr("fpcore.runs.training.Keeper", keeper)
    monkeypatch.setattr(states, "write", write)
    with pytest.raises(PulledPlugError), monkeypatch.context() as patch:
        patch.setattr(Training, "_chosen", Mock(side_effect=PulledPlugError))
        fpcore.run(trial(**knobs))
    assert len(stored) == 2
    assert stored == pytest.approx(expected, rel=0.01)


def test_a_state_of_one_card_does_not_continue_on_another(
    trial: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = prepare(trial())
    found = []
    for card in ("NVIDIA L4", "NVIDIA H100", "NVIDIA L4"):
        monkeypatch.setattr("torch.cuda.get_device_name", lambda device, card=card: card)
        one = trials.Trial(trial(precision="float32"), data, 42, 10, torch.device("cuda"))
        one.__dict__["ids"] = data.training_ids(10)
        found.append(one.fingerprint(set()))
    assert found[0] == found[2] != found[1]
