import json
import math
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.toy import Toy, WriteCorpus, conversation, stable
from torch import Tensor

import fpcore
from fpcore import ConfigError, RecordError, RunConfig, RunRecord, TrainingError, load_record, paths
from fpcore.analysis import factors
from fpcore.data import tokens
from fpcore.data.dataset import prepare
from fpcore.data.embedding import tensor_digest
from fpcore.model import plain
from fpcore.model.blocks import FixedPointModel
from fpcore.records.result import SizeResult
from fpcore.runs import experiment, training
from fpcore.runs.progress import Progress
from fpcore.runs.provenance import RUN, code_digests
from fpcore.runs.ranks import effective_rank as effective_rank_of
from fpcore.runs.training import Training
from fpcore.runs.trial import Trial


def test_the_tests_leave_the_repository_alone(home: Path) -> None:
    for folder in (paths.reports(), paths.runs(), paths.cache("tokenizers")):
        assert folder.is_relative_to(home.resolve())
        assert not folder.is_relative_to(paths.ROOT)


def test_a_run_is_complete_and_agrees_with_itself(trial: Toy, conversations: list[str]) -> None:
    config = trial(er_rows=200, select_on="val", patience=3, seeds=[42, 7])
    record = fpcore.run(config)
    assert load_record("toy") == record
    assert json.loads(json.dumps(record.model_dump())) == record.model_dump()  # plain data
    assert (record.name, record.label, record.source) == ("toy", "1L_24d_1tok", "measured")
    assert RunConfig(**record.config) == config
    assert record.data == {
        "training_pool": [0, 49],
        "development": [50, 54],
        "validation": [55, 59],
        "vocabulary": 300,
        "embedding_values": tensor_digest(prepare(config).weights),
        "some_conversations": [sha256(t.encode()).hexdigest()[:12] for t in conversations[::3]],
        "repeated": {"development": 0, "validation": 0},
    }
    order = [(result.seed, result.samples) for result in record.results]
    assert order == [(42, 10), (42, 20), (7, 10), (7, 20)]
    tokenizer = tokens.load_tokenizer("bpe-300", prepare(config).corpus)
    val_text = "\n\n".join(conversations[55:])
    for result in record.results:
        own = [tokenizer.encode(text).ids for text in conversations[: result.samples]]
        ids = [token for part in own for token in part]
        val_ids = tokenizer.encode(val_text).ids
        assert (result.train_tokens, result.val_tokens) == (len(ids), len(val_ids))
        assert result.val_bytes == len(val_text.encode())
        assert (result.train_er_rows, result.val_er_rows) == (200, min(200, len(val_ids)))
        agrees_with_itself(config, result)
        counts = [ids.count(token) + 1 for token in val_ids[1:]]
        losses = [-math.log(count / (len(ids) + 300)) for count in counts]
        assert result.unigram_ppl == pytest.approx(math.exp(sum(losses) / len(losses)))


def agrees_with_itself(config: RunConfig, result: SizeResult) -> None:
    of_baselines = {"trained_parameters", "chosen"}
    assert None not in result.model_dump(exclude=of_baselines).values()
    assert 0 < float(result.val_er or 0) < 1
    assert 0 < float(result.train_er or 0) < 1
    assert all(len(column) == config.max_iter - 1 for column in result.phase1.values())
    assert result.phase1["iteration"] == list(range(2, config.max_iter + 1))
    assert result.phase1_iterations == config.max_iter
    assert result.phase1["convergence_rate"][-1] == pytest.approx(result.convergence_rate, rel=1e-8)
    assert result.epochs_run == len(result.phase2["epoch"]) <= config.epochs
    train_losses = result.phase2["train_loss"]
    assert train_losses == sorted(train_losses, reverse=True)  # it learns
    losses = result.phase2["val_loss"]
    assert result.best_epoch == 1 + losses.index(min(losses))
    best = result.best_epoch - 1
    assert result.val_ppl == pytest.approx(math.exp(losses[best]))
    assert result.train_ppl == pytest.approx(math.exp(train_losses[best]))
    assert result.phase2["val_acc"][best] == pytest.approx(result.val_acc, rel=1e-8)
    sums, counts = result.val_loss_sums or [], result.val_token_counts or []
    assert len(sums) == len(counts) == config.val_samples
    assert result.val_tokens is not None
    assert result.val_bytes is not None
    assert sum(counts) == result.val_tokens - 1
    assert result.val_ppl == pytest.approx(math.exp(sum(sums) / sum(counts)))
    assert result.bits_per_byte == pytest.approx(sum(sums) / math.log(2) / result.val_bytes)
    assert set(result.seconds) == {"phase1", "contexts", "effective_rank", "phase2"}


def effective_rank(contexts: Tensor) -> float:
    sigma = torch.linalg.svdvals(contexts)
    p = sigma / sigma.sum()
    return math.exp(-(p * p.log()).sum().item()) / contexts.shape[1]


@pytest.mark.parametrize(("layers", "inputs"), [(1, 1), (2, 3)])
def test_a_run_equals_the_plain_pipeline(trial: Toy, layers: int, inputs: int) -> None:
    """From ids to every figure with plain.py, including which text is measured where."""
    size = {"layers": layers, "input_tokens": inputs, "samples": [20], "patience": 3}
    config = trial(precision="float64", er_rows=None, **size)
    result, data = fpcore.run(config).results[0], prepare(config)
    model, ids = FixedPointModel(data.weights, config, 42), data.training_ids(20)
    weights = model.embedding.weight
    x, val_x = (plain.input_vectors(weights, i, inputs) for i in (ids, data.val.ids))
    block = plain.ContextBlock(layers, 24, 16 * inputs).double()
    block.load_state_dict(model.context_block.state_dict())
    head = plain.TokenBlock(layers, 24, 16, inputs).double()
    head.load_state_dict(model.token_block.state_dict())
    P, rows = plain.train_contexts(block, x, config, 42)
    assert result.phase1["loss"] == pytest.approx([row["loss"] for row in rows], rel=1e-8)
    contexts = plain.training_contexts(block, P, x)
    val_contexts = plain.sequential_contexts(block, val_x, 24)
    assert result.train_er == pytest.approx(effective_rank(P), rel=1e-7)
    assert result.val_er == pytest.approx(effective_rank(val_contexts[-1]), rel=1e-7)
    adam = torch.optim.Adam(head.parameters(), lr=config.rates[0])
    for epoch in range(3):
        loss = plain.train_epoch(head, adam, (contexts, x, ids), weights, config.phase2_batch)
        val_loss, correct = plain.evaluate(head, (val_contexts, val_x, data.val.ids), weights)
        assert result.phase2["train_loss"][epoch] == pytest.approx(loss, rel=1e-8)
        assert result.phase2["val_loss"][epoch] == pytest.approx(val_loss.mean().item(), rel=1e-8)
        assert result.phase2["val_acc"][epoch] == pytest.approx(correct.double().mean().item())


def test_effective_rank_is_measured_on_random_rows_without_repetition() -> None:
    """On rows of a scaled identity it counts which rows were taken."""
    contexts, config = torch.eye(50, dtype=torch.float64), RunConfig(context_dim=50, er_rows=20)
    ranks = effective_rank_of(contexts, config, 42, "val")
    centred = pytest.approx(19 / 50)  # without their mean, one direction less
    assert ranks == {"val_er": pytest.approx(0.4), "val_er_centred": centred, "val_er_rows": 20}
    # The first rows alone would have rank 1.
    contexts[:20] = contexts[0]
    val = effective_rank_of(contexts, config, 42, "val")["val_er"]
    assert val * 50 > 5
    assert val != effective_rank_of(contexts, config, 42, "train")["train_er"]


def test_controls_train_the_token_block_on_contexts_without_phase_1(trial: Toy) -> None:
    """The token block sees what it is given: nothing at all, or the block as it is drawn."""
    zero, drawn, trained = (
        fpcore.run(trial(name=kind, contexts=kind)).results[-1]
        for kind in ("zero", "untrained", "trained")
    )
    for control in (zero, drawn):
        assert control.phase1 == {} and control.convergence_rate is None
        assert control.phase1_iterations is None and "phase1" not in control.seconds
    assert zero.val_er is None and zero.train_er is None
    assert drawn.val_er is not None and drawn.train_er is not None and drawn.val_er > 0
    assert len({zero.val_ppl, drawn.val_ppl, trained.val_ppl}) == 3


def test_the_control_on_zero_contexts_reads_the_last_token_alone(trial: Toy) -> None:
    """Equal to the plain trainer on zeros."""
    config = trial(contexts="zero", epochs=2, precision="float64")
    data = prepare(config)
    cpu = torch.device("cpu")
    result = Training(Trial(config, data, 42, 20, cpu), Progress()).result()
    model = FixedPointModel(data.weights.double(), config, 42)
    head = plain.TokenBlock(1, config.context_dim, config.embed_dim, 1).double()
    head.load_state_dict(model.token_block.state_dict())
    ids, weights = data.training_ids(20), data.weights.double()
    x = plain.input_vectors(weights, ids, 1)
    zeros = [x.new_zeros(len(ids), config.context_dim)]
    adam = torch.optim.Adam(head.parameters(), lr=config.rates[0])
    for epoch in range(2):
        loss = plain.train_epoch(head, adam, (zeros, x, ids), weights, config.phase2_batch)
        assert result.phase2["train_loss"][epoch] == pytest.approx(loss, rel=1e-8)


def test_a_younger_knob_had_its_default_in_older_records(
    trial: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fpcore.run(trial())
    older = {k: v for k, v in record.config.items() if k != "contexts"}
    record.model_copy(update={"config": older}).save()
    monkeypatch.setattr(Training, "result", never)
    assert fpcore.run(trial()).results == record.results
    with pytest.raises(RecordError, match="another contexts"):
        fpcore.run(trial(contexts="zero"))


def test_the_same_config_again_is_reused(
    trial: Toy,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = fpcore.run(trial())
    read, err = capsys.readouterr()
    assert read.startswith("corpus ") and read.count("\n") == 1 and err == ""
    before, changed = first.path.read_bytes(), first.path.stat().st_mtime_ns
    monkeypatch.setattr(Training, "result", never)
    assert fpcore.run(trial()) == first
    out = capsys.readouterr().out
    assert out == "toy: same config and digests, so its record is reused.\n"
    assert (first.path.read_bytes(), first.path.stat().st_mtime_ns) == (before, changed)


def never(*_: Any) -> SizeResult:
    raise AssertionError("trained")


@pytest.mark.parametrize("knobs", [{"max_iter": 9}, {"seeds": [1]}, {"precision": "float64"}])
def test_another_config_under_the_same_name_is_refused(
    trial: Toy, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any]
) -> None:
    path = fpcore.run(trial()).path
    before = path.read_bytes()
    monkeypatch.setattr(Training, "result", never)
    with pytest.raises(RecordError) as caught:
        fpcore.run(trial(**knobs))
    assert str(caught.value) == (
        f"reports/runs/toy.json is the record of another {next(iter(knobs))}; give this run "
        "another name, or set force to replace it."
    )
    assert path.read_bytes() == before


def test_imported_figures_are_never_replaced_by_chance(trial: Toy) -> None:
    config, figures = trial().model_dump(), [SizeResult(samples=5)]
    RunRecord(name="toy", source="imported", label="", config=config, results=figures).save()
    with pytest.raises(RecordError, match="is the record of imported figures; give this run"):
        fpcore.run(trial())


def test_a_damaged_record_stops_the_run_and_force_replaces_it(trial: Toy) -> None:
    path = paths.runs() / "toy.json"
    path.parent.mkdir(parents=True)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(RecordError, match="not a readable record"):
        fpcore.run(trial())
    assert fpcore.run(trial(), force=True) == load_record("toy")


def test_a_changed_digest_is_named_and_trains_again(
    trial: Toy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fpcore.run(trial())
    changed = code_digests(RUN) | {"code/phase 2": "0" * 16}
    monkeypatch.setattr(experiment, "code_digests", lambda roles: changed)
    second = fpcore.run(trial())
    message = "toy: trained again, for what it was made from has changed: the code of phase 2.\n"
    lines = capsys.readouterr().out.splitlines(keepends=True)
    assert [line for line in lines if not line.startswith("corpus ")] == [message]
    assert load_record("toy") == second
    assert second.digests == first.digests | changed
    assert stable(second.model_dump()["results"]) == stable(first.model_dump()["results"])
    assert fpcore.run(trial()) == second
    assert "reused" in capsys.readouterr().out


def test_a_changed_text_is_named_and_trains_again(
    trial: Toy, write_corpus: WriteCorpus, conversations: list[str], capsys: Any
) -> None:
    fpcore.run(trial())
    write_corpus([*conversations[:15], "another text", *conversations[16:]])
    fpcore.run(trial())
    message = "has changed: the tokenizer, the embedding, the validation text"
    out = capsys.readouterr().out
    assert message in out
    assert "the training text of size 20" in out
    assert "the code of" not in out


def test_a_file_is_known_by_what_it_holds_however_it_is_spelled(
    trial: Toy, write_corpus: WriteCorpus, conversations: list[str], monkeypatch: Any
) -> None:
    first = fpcore.run(trial())
    path = Path(first.config["corpus"])
    spelled = trial(corpus=f"{path.parent}/../{path.parent.name}/{path.name}")
    copied = trial(corpus=str(write_corpus(conversations, "copy.jsonl")))
    other = trial(corpus=str(write_corpus([*conversations[:-1], "other"], "other.jsonl")))
    renamed = fpcore.run(copied.model_copy(update={"name": "copied"}))
    assert factors.changed(first, renamed) == []
    monkeypatch.setattr(Training, "result", never)
    assert fpcore.run(spelled) == fpcore.run(copied) == first
    with pytest.raises(RecordError, match=r"is the record of another corpus; give this run"):
        fpcore.run(other)


def test_other_texts_under_the_same_name_are_not_taken_for_edited_ones(
    trial: Toy, write_corpus: WriteCorpus, monkeypatch: Any
) -> None:
    first = fpcore.run(trial())
    path, before = first.path, first.path.read_bytes()
    write_corpus([conversation(number) for number in range(100, 160)])
    with monkeypatch.context() as patch:
        patch.setattr(Training, "result", never)
        with pytest.raises(RecordError, match="the record of other texts, although their file had"):
            fpcore.run(trial())
        assert path.read_bytes() == before
    write_corpus([conversation(number) for number in [*range(3), *range(103, 160)]])
    assert fpcore.run(trial()).digests != first.digests  # edited, if very much: trained again
    write_corpus([conversation(number) for number in range(200, 260)])
    assert fpcore.run(trial(), force=True) == load_record("toy")


def test_digests_cover_all_that_a_result_depends_on(trial: Toy) -> None:
    digests = fpcore.run(trial()).digests
    data = {"vocabulary", "embedding", "validation_ids", "development_ids"}
    code = {f"code/{role}" for role in RUN}
    assert set(digests) == data | {"training_ids/10", "training_ids/20"} | code
    assert all(len(digest.removeprefix("ppmi-frequency-")) == 16 for digest in digests.values())


def test_force_trains_again_and_replaces_any_config(
    trial: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    fpcore.run(trial())
    trained: list[int] = []
    real = Training.result

    def counted(self: Training) -> SizeResult:
        trained.append(self.trial.samples)
        return real(self)

    monkeypatch.setattr(Training, "result", counted)
    assert fpcore.run(trial(), force=True) == load_record("toy")
    assert trained == [10, 20]
    assert fpcore.run(trial(samples=[12]), force=True) == load_record("toy")
    assert trained == [10, 20, 12]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float64"])
def test_two_runs_give_the_same_record(trial: Toy, precision: str) -> None:
    config = trial(precision=precision, layers=2, input_tokens=2)
    first, second = fpcore.run(config), fpcore.run(config, force=True)
    assert first.path.exists()
    assert stable(first.model_dump()) == stable(second.model_dump())
    assert {"environment", "started"} & stable(first.model_dump()).keys() == set()
    assert first.environment["precision"] == precision


def test_a_size_does_not_depend_on_the_sizes_before_it(trial: Toy) -> None:
    both, alone = fpcore.run(trial()), fpcore.run(trial(name="alone", samples=[20]))
    assert stable(both.results[1].model_dump()) == stable(alone.results[0].model_dump())
    other = fpcore.run(trial(name="other", samples=[20], seeds=[1])).results[0]
    assert other.val_ppl != alone.results[0].val_ppl
    assert other.phase1["loss"] != alone.results[0].phase1["loss"]


def test_runs_that_differ_in_max_iter_share_their_first_iterations(trial: Toy) -> None:
    short, long = (fpcore.run(trial(name=f"n{n}", max_iter=n)).results[0] for n in (5, 8))
    for column, values in short.phase1.items():
        assert long.phase1[column][:4] == values


def test_a_run_that_fails_leaves_nothing_and_no_record_is_touched(
    trial: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = fpcore.run(trial(name="earlier"))
    before = earlier.path.read_bytes()

    real = Training.result

    def failing(self: Training) -> SizeResult:
        if self.trial.samples == 20:
            raise TrainingError("no more")
        return real(self)

    monkeypatch.setattr(Training, "result", failing)
    for name in ("earlier", "new"):
        with pytest.raises(TrainingError, match="no more"):
            fpcore.run(trial(name=name), force=True)
    assert [path.name for path in paths.runs().iterdir()] == ["earlier.json"]
    assert earlier.path.read_bytes() == before


def changed_texts(conversations: list[str], first: int, last: int) -> list[str]:
    """The corpus with some conversations turned around and longer."""
    other = [" ".join(reversed(text.split())) + " kalo newi" for text in conversations[first:last]]
    return [*conversations[:first], *other, *conversations[last:]]


def test_validation_text_changes_validation_alone(
    trial: Toy, write_corpus: WriteCorpus, conversations: list[str]
) -> None:
    first = fpcore.run(trial(patience=3))
    write_corpus(changed_texts(conversations, 55, 60))
    second = fpcore.run(trial(name="other", patience=3))
    for one, two in zip(first.results, second.results, strict=True):
        assert one.phase1 == two.phase1
        assert one.phase2["train_loss"] == two.phase2["train_loss"]
        assert (one.train_er, one.train_tokens) == (two.train_er, two.train_tokens)
        assert one.phase2["val_loss"] != two.phase2["val_loss"]
        assert one.val_tokens != two.val_tokens
        assert one.val_er != two.val_er
    different = {key for key in first.digests if first.digests[key] != second.digests[key]}
    assert different == {"validation_ids"}


def test_development_selects_and_changes_nothing_else(
    trial: Toy, write_corpus: WriteCorpus, conversations: list[str]
) -> None:
    knobs = {"select_on": "dev", "patience": 3}
    val = fpcore.run(trial(patience=3))
    first = fpcore.run(trial(name="dev", **knobs))
    write_corpus(changed_texts(conversations, 50, 55))
    second = fpcore.run(trial(name="other", **knobs))
    for zero, one, two in zip(val.results, first.results, second.results, strict=True):
        assert zero.phase1 == one.phase1 == two.phase1
        assert zero.phase2["train_loss"] == one.phase2["train_loss"] == two.phase2["train_loss"]
        assert not {"dev_loss", "dev_acc"} & zero.phase2.keys()
        losses = one.phase2["dev_loss"]
        assert losses != two.phase2["dev_loss"] and not {"val_loss", "val_acc"} & one.phase2.keys()
        assert one.best_epoch == 1 + losses.index(min(losses))
        # Validation is read in the chosen epoch: there the other run, which took the same steps,
        # had the same loss.
        loss = zero.phase2["val_loss"][one.best_epoch - 1]  # to nine digits, as in all lists
        assert one.val_ppl == pytest.approx(math.exp(loss), rel=1e-7)


def test_a_size_can_be_trained_on_its_own(trial: Toy) -> None:
    config = trial(samples=[10])
    cpu, data = torch.device("cpu"), prepare(config)
    result = Training(Trial(config, data, 42, 10, cpu), Progress()).result()
    whole = fpcore.run(config).results[0].model_copy(update={"model_digest": None})
    assert stable(result.model_dump()) == stable(whole.model_dump())


@pytest.mark.parametrize("max_iter", [2, 8])
def test_numbers_that_are_not_finite_stop_the_run(trial: Toy, max_iter: int) -> None:
    """Whether an iteration meets them, or only the contexts made with the last step's weights."""
    with pytest.raises(TrainingError, match=r"not finite.*phase1_lr below"):
        fpcore.run(trial(phase1_lr=1e30, max_iter=max_iter))
    assert not paths.runs().exists()


REALS = [name for name, value in RunConfig().model_dump().items() if isinstance(value, float)]


@pytest.mark.parametrize("knob", REALS)
def test_of_what_diverges_the_sentence_names_the_knob_that_did_it(trial: Toy, knob: str) -> None:
    """Every other knob is bounded to where nothing diverges."""
    for value in (1e6, 1e12, 1e30):
        with suppress(ConfigError):
            try:
                fpcore.run(trial(**{knob: value}), force=True)
            except TrainingError as error:
                assert f"; a {knob} below {value} may help." in str(error)
                break
    else:
        assert knob not in ("phase1_lr", "phase2_lr")


def test_a_learning_rate_that_breaks_phase_2_stops_the_run(trial: Toy) -> None:
    with pytest.raises(TrainingError, match="not finite in epoch 1; a phase2_lr below"):
        fpcore.run(trial(phase2_lr=1e30))


def test_a_device_that_is_not_there(trial: Toy) -> None:
    with pytest.raises(ConfigError, match="device cuda:99 is not on this machine; use auto or cpu"):
        fpcore.run(trial(device="cuda:99"))


def test_a_first_size_without_tokens_is_refused(
    trial: Toy, write_corpus: WriteCorpus, conversations: list[str]
) -> None:
    write_corpus(["x", *conversations])
    with pytest.raises(fpcore.CorpusError, match=r"first 1 conversations of .* have fewer than 2"):
        fpcore.run(trial(samples=[1, 10]))


def test_progress_names_the_run_the_stage_and_the_time(
    trial: Toy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.setattr("fpcore.runs.progress.KEPT", 0)
    fpcore.run(trial(samples=[10]))
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out.startswith("corpus ") and out.count("\n") == 1
    assert sum("toy seed 42 size 10 (1/1) phase 1" in line for line in lines) == 7
    assert any("(1/1) phase 1 |" in line and "| 8/8, convergence" in line for line in lines)
    assert sum("toy seed 42 size 10 (1/1) phase 2" in line for line in lines) >= 1
    assert lines[-1].startswith("toy: 1 sizes and seeds trained in 0:0")


def test_a_sweep_shares_phase_1_and_gives_the_records_of_separate_runs(trial: Toy) -> None:
    stops = (4, 6, 7, 9, 12)
    shared = [fpcore.run(trial(name=f"s{n}", max_iter=n), share="sweep") for n in stops]
    alone = [fpcore.run(trial(name=f"a{n}", max_iter=n)) for n in stops]
    for x, y in zip(shared, alone, strict=True):
        assert stable(x.model_dump()["results"]) == stable(y.model_dump()["results"])
        assert x.results[0].seconds["phase1"] > 0
    taken = [record.results[0].shared_iterations for record in shared]
    assert taken == [0, 4, 6, 7, 9]  # so 11 iterations are run, as many as 12 alone takes
    assert all(record.results[0].shared_iterations == 0 for record in alone)


@pytest.mark.parametrize("knobs", [{"phase2_lr": 0.01}, {"epochs": 2, "er_rows": 100}], ids=str)
def test_a_run_takes_over_the_whole_phase_1_that_it_has_in_common(
    trial: Toy, knobs: dict[str, Any]
) -> None:
    fpcore.run(trial(name="one"), share="sweep")
    shared = fpcore.run(trial(name="other", **knobs), share="sweep")
    alone = fpcore.run(trial(name="alone", **knobs))
    assert [r.shared_iterations for r in shared.results] == [8, 8]  # all of them
    assert stable(shared.model_dump()["results"]) == stable(alone.model_dump()["results"])


@pytest.mark.parametrize("share", ["../../x", "a/b", " ", ".x", "x" * 90, 3])
def test_what_cannot_be_a_name_shares_nothing(trial: Toy, home: Path, share: object) -> None:
    with pytest.raises(ConfigError, match="share must be a name such as study, or empty, not"):
        fpcore.run(trial(), share=share)  # type: ignore[arg-type]
    assert not list(home.rglob("*.safetensors"))


@pytest.mark.parametrize("knobs", [{"context_noise": 0.2}, {"dist_reg_weight": 0.5}], ids=str)
def test_runs_of_one_name_that_differ_otherwise_share_nothing(
    trial: Toy, knobs: dict[str, Any]
) -> None:
    fpcore.run(trial(name="one"), share="sweep")
    other = fpcore.run(trial(name="other", max_iter=12, **knobs), share="sweep")
    assert {r.shared_iterations for r in other.results} == {0}


CONTEXTS = "The pass that makes contexts on 205 tokens does not fit .*val_samples"


@pytest.mark.parametrize(("stage", "contexts", "said"), [
    ("train_contexts", "trained", "Phase 1 on 205 tokens does not fit .*phase1_batch"),
    ("training_contexts", "trained", CONTEXTS),
    ("sequential_contexts", "trained", CONTEXTS),
    ("sequential_contexts", "untrained", CONTEXTS),
    ("metrics.effective_rank", "trained", "Effective rank on 205 tokens does not fit .*er_rows"),
    ("train_tokens", "trained", "Phase 2 on 205 tokens does not fit .*phase2_batch"),
])  # fmt: skip
def test_a_text_that_does_not_fit_names_what_to_lower(
    trial: Toy, monkeypatch: pytest.MonkeyPatch, stage: str, contexts: str, said: str
) -> None:
    def too_large(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(f"fpcore.runs.training.{stage}", too_large)
    with pytest.raises(TrainingError, match=said):
        fpcore.run(trial(contexts=contexts))


def test_what_compiling_takes_is_counted_apart(trial: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 5 seconds of phase 1 and 2 of phase 2, compilers take 3 and 1; nothing else takes time."""
    now, spent = [0.0], [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    monkeypatch.setattr("fpcore.model.fused.spent", lambda: spent[0])

    def slower(name: str, seconds: float, compiling: float) -> None:
        real = getattr(training, name)

        def work(*given: Any) -> Any:
            now[0], spent[0] = now[0] + seconds, spent[0] + compiling
            return real(*given)

        monkeypatch.setattr(training, name, work)

    slower("train_contexts", 5.0, 3.0)
    slower("train_tokens", 2.0, 1.0)
    expected = {"phase1": 2.0, "effective_rank": 0.0, "contexts": 0.0, "phase2": 1.0}
    for result in fpcore.run(trial()).results:
        assert result.seconds == expected | {"compiling": 4.0}
