"""Kept models: what a run stores comes back as the record's own, or one sentence says why not."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.toy import Toy, conversation, stable, written
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import fpcore
from fpcore.errors import FpcoreError, ModelError, RecordError, StorageError
from fpcore.runs import exports, models, states
from fpcore.runs.language_model import load_model
from fpcore.runs.models_command import main
from fpcore.runs.training import Training

KNOBS: list[dict[str, Any]] = [
    {"layers": 2, "input_tokens": 3},
    {"precision": "bfloat16", "select_on": "dev", "phase2_lr": [0.05, 0.002, 0.01]},
    {"precision": "float64", "output_bias": "unigram", "built_from": "training"},
    {"contexts": "zero", "embedding": "random", "val_tokens": None},
    {"contexts": "untrained", "seeds": [1, 2]},
]


@pytest.mark.parametrize("knobs", KNOBS, ids=lambda knobs: "-".join(knobs))
def test_every_model_gives_the_perplexity_of_its_record(trial: Toy, knobs: dict[str, Any]) -> None:
    record = fpcore.run(trial(**knobs))
    for result in record.results:
        model = load_model("toy", samples=result.samples, seed=result.seed)
        assert model.val_ppl() == result.val_ppl
        assert model.kept.digest == result.model_digest
        text = model.tokenizer.decode(model.held_out().ids.tolist())
        assert sum(model.losses(text)) == pytest.approx(sum(result.val_loss_sums or []), rel=1e-8)
    assert len({result.model_digest for result in record.results}) == len(record.results)


def test_a_file_is_no_larger_than_the_blocks(trial: Toy) -> None:
    record = fpcore.run(trial(context_dim=200, samples=[10]))
    path = models.path_of("toy", record.results[0])
    counts = load_model("toy").kept.model.parameter_counts()
    blocks = 4 * (counts["context_block"] + counts["token_block"])
    assert blocks <= path.stat().st_size < blocks + 4096
    assert [p.name for p in models.folder("toy").iterdir()] == [path.name]


def test_keeping_models_changes_no_number_and_no_name(trial: Toy, home: Path) -> None:
    kept = fpcore.run(trial())
    again = fpcore.run(trial(keep_models=False))
    assert again == kept  # the very record: nothing was trained
    other = fpcore.run(trial(name="other", keep_models=False))
    assert stable(other.model_dump())["results"] == stable(kept.model_dump())["results"]
    assert not models.folder("other").exists()
    with pytest.raises(ModelError, match=r"^other, seed 42, size 20: its model was not kept, as "):
        load_model("other")


def test_what_a_run_trains_anew_replaces_its_models(trial: Toy) -> None:
    """Until the new record is there, the old one has its own."""
    before = fpcore.run(trial())
    seen: list[float] = []
    real = Training.result

    def result(training: Training) -> Any:
        seen.append(load_model("toy", samples=training.trial.samples).val_ppl())
        return real(training)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "result", result)
        after = fpcore.run(trial(max_iter=5), force=True)
    assert seen == [r.val_ppl for r in before.results]
    assert {*models.folder("toy").iterdir()} == {models.path_of("toy", r) for r in after.results}


def test_a_longer_run_keeps_what_a_shorter_one_stored(trial: Toy) -> None:
    fpcore.run(trial(samples=[10]))
    for result in fpcore.run(trial()).results:
        assert load_model("toy", samples=result.samples).val_ppl() == result.val_ppl


def test_a_run_that_goes_on_has_the_models_of_what_was_finished(
    trial: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = models.keep

    def failing(one: Any, model: Any) -> str:
        if one.samples == 20:
            raise StorageError("the disk is full")
        return real(one, model)

    with monkeypatch.context() as patch:
        patch.setattr(models, "keep", failing)
        with pytest.raises(StorageError):
            fpcore.run(trial())
    for result in fpcore.run(trial()).results:
        assert load_model("toy", samples=result.samples).val_ppl() == result.val_ppl


STORE = """
import sys, torch, fpcore
from fpcore.runs import states
real = states.save_file
def slow(content, path, metadata):
    real(content, path, metadata)
    if "models" in str(path) and "checkpoints" not in str(path):
        print("storing", flush=True)
        import time; time.sleep(60)
states.save_file = slow
fpcore.run(fpcore.RunConfig.model_validate_json(sys.argv[1]), force=True)
"""


@pytest.mark.system
def test_a_process_killed_while_it_stores_leaves_the_old_model(trial: Toy) -> None:
    old = fpcore.run(trial(samples=[10])).results[0]
    words = [sys.executable, "-c", STORE, trial(samples=[10], max_iter=5).model_dump_json()]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None and any("storing" in line for line in process.stdout)
    process.kill()
    process.communicate()
    assert (
        len(list(models.folder("toy").glob("*.safetensors")))
        == 1
        < len(list(models.folder("toy").iterdir()))
    )
    assert load_model("toy").val_ppl() == old.val_ppl
    new = fpcore.run(trial(samples=[10], max_iter=5), force=True).results[0]
    assert load_model("toy").val_ppl() == new.val_ppl != old.val_ppl
    assert len(list(models.folder("toy").iterdir())) == 1  # what the killed one left is swept


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a run of one model, and its export."""
    home = tmp_path_factory.mktemp("kept")
    corpus = written(home / "toy.jsonl", [conversation(number) for number in range(60)])
    size = {"embed_dim": 8, "context_dim": 12, "samples": [10], "val_samples": 5, "max_iter": 3}
    knobs = {"corpus": str(corpus), "tokenizer": "bpe-300", "epochs": 1, "device": "cpu"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(home))
        fpcore.run(fpcore.RunConfig(**size, **knobs, name="toy"))
        main(["export", "toy", str(home / "out")])
        yield home


def stored_files(home: Path) -> list[Path]:
    recipe = load_model("toy").kept.recipe
    cache = home / ".cache"
    return [
        next(models.folder("toy").glob("*.safetensors")),
        cache / "embeddings" / f"{recipe.embedding}.safetensors",
        cache / "tokenizers" / f"{recipe.vocabulary}.json",
    ]


@given(
    file=st.integers(0, 5), place=st.integers(0, 10**7), bit=st.integers(0, 7), cut=st.booleans()
)
def test_every_bit_of_a_stored_model_counts(
    kept: Path, file: int, place: int, bit: int, cut: bool
) -> None:
    """Of the blocks, the embedding, the tokenizer, and of each file of an export."""
    folder = kept / "out"
    names = (exports.TENSORS, exports.CONFIG, exports.TOKENIZER)
    paths = [*stored_files(kept), *(folder / name for name in names)]
    path, source = paths[file], "toy" if file < 3 else folder
    whole = path.read_bytes()
    content, at = bytearray(whole), place % len(whole)
    content[at] ^= 1 << bit
    path.write_bytes(content[:at] if cut else content)
    try:
        with pytest.raises(ModelError) as caught:
            load_model(source)
        assert str(path.name) in str(caught.value) and "\n" not in str(caught.value)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("kind", ["missing", "a folder", "a pipe", "foreign", "pickle", "empty"])
@pytest.mark.parametrize("file", range(6))
def test_what_is_no_file_of_a_model_gives_one_sentence(kept: Path, file: int, kind: str) -> None:
    folder = kept / "out"
    names = (exports.TENSORS, exports.CONFIG, exports.TOKENIZER)
    path = [*stored_files(kept), *(folder / name for name in names)][file]
    aside = path.rename(path.with_name("aside"))
    try:
        if kind == "a folder":
            path.mkdir()
        elif kind == "a pipe":
            os.mkfifo(path)
        elif kind == "foreign":
            save_file({"wte.weight": torch.zeros(2, 3)}, path)
        elif kind == "pickle":
            torch.save({"wte.weight": torch.zeros(2)}, path)
        elif kind == "empty":
            path.touch()
        with pytest.raises(ModelError, match=r"^\S.*\.$"):
            load_model("toy" if file < 3 else folder)
    finally:
        if path.is_dir():
            path.rmdir()
        aside.rename(path)


def test_a_model_that_is_another_one_is_refused(kept: Path) -> None:
    path = next(models.folder("toy").glob("*.safetensors"))
    digest = path.stem.rpartition("-")[2]
    own, said = states.loaded(path)
    other = path.with_name(path.name.replace(digest, "0" * 16))
    path.rename(other)
    try:
        with pytest.raises(
            ModelError, match=f"model kept is 0{{16}}, but the record is of {digest}"
        ):
            load_model("toy")
        states.write(path, {name: tensor + 1 for name, tensor in own.items()}, said)
        with pytest.raises(ModelError, match="another digest than its name"):
            load_model("toy")
        for wrong in ({"context_dim": 13}, {"layers": 2}, {"unknown": 1}, {"contexts": "none"}):
            changed = said | {"config": said["config"] | wrong}
            recipe = models.Recipe.model_validate(changed)
            weights = models.embedding_of(recipe)
            with pytest.raises(ModelError, match="does not fit its config"):
                models.rebuilt(own, recipe, weights, models.tokenizer_of(recipe))
    finally:
        other.replace(path)


def test_an_export_needs_nothing_beside_it(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = load_model("toy")
    (kept / "out").rename(tmp_path / "model")
    try:
        monkeypatch.setenv("FPCORE_HOME", str(tmp_path / "elsewhere"))
        monkeypatch.chdir(tmp_path)
        for name in ("model", tmp_path / "model", str(tmp_path / "model")):
            model = load_model(name)
            assert model.generate("ka", 20) == own.generate("ka", 20)
            assert model.losses("kalo kalo newi") == own.losses("kalo kalo newi")
            assert model.val_ppl() == own.val_ppl()
        assert not (tmp_path / "elsewhere").exists()
        config = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))
        assert config["model"] == own.kept.digest and config["config"]["context_dim"] == 12
        assert "wte.weight" in load_file(tmp_path / "model" / "model.safetensors")
    finally:
        (tmp_path / "model").rename(kept / "out")


def test_the_card_has_the_figures_of_the_record(kept: Path) -> None:
    card = (kept / "out" / "README.md").read_text("utf-8")
    result = fpcore.load_record("toy").results[0]
    assert result.val_ppl and result.val_acc
    for figure in (f"| {result.val_ppl:,.1f} |", f"| {100 * result.val_acc:.1f}% |", "固定点文脈"):
        assert figure in card
    assert "A fixed-point-context language model" in card and str(result.model_digest) in card


def test_the_command_lists_exports_and_removes(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = fpcore.load_record("toy").results[0]
    odd = models.folder("odd")
    odd.mkdir()
    (odd / "1-2-x.safetensors").write_bytes(b"")
    capsys.readouterr()
    main(["list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["run", "odd", "toy"]
    assert lines[1].endswith("no record") and f"{result.val_ppl:,.1f}" in lines[2]
    main(["remove", "odd"])
    assert not odd.exists()
    for words, said in {
        ("remove", "ody"): "No models of ody are kept",
        ("remove", "../toy"): "No models of ../toy are kept",
        ("export", "toy", str(kept / "out")): "no empty folder; name a new one",
        ("export", "toy", str(kept / "x"), "--seed", "7"): "the sizes 10 and the seeds 42",
        ("export", "none", str(kept / "x")): "There is no record",
    }.items():
        with pytest.raises(FpcoreError, match=re.escape(said)):
            main([*words])
        assert not (kept / "x").exists()


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("v5-published", ModelError, "no run of the fixed-point model"),
        ("lstm-small", ModelError, "no run of the fixed-point model"),
        ("study", ModelError, "not in .cache/models/study .*; run its config again with force"),
        ("v5-smal", RecordError, "did you mean v5-small"),
        ("no/folder", FpcoreError, "cannot be the name of a run"),
    ],
)
def test_a_run_without_models_says_why(name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        load_model(name)


def test_a_record_that_is_older_than_kept_models_says_so(trial: Toy) -> None:
    now = fpcore.run(trial(samples=[10]))
    before = [result.model_copy(update={"model_digest": None}) for result in now.results]
    now.model_copy(update={"name": "old", "results": before}).save()
    with pytest.raises(ModelError, match="older than kept models; run its config again with force"):
        load_model("old")
