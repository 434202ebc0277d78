"""The knobs of baselines: their checks, their sentences, and that the data's are RunConfig's."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fpcore import ConfigError, RunConfig
from fpcore.config.baseline import (
    BaselineConfig,
    KneserNeyConfig,
    NeuralConfig,
    load_baseline,
)

SHIPPED = sorted(BaselineConfig.folder().glob("*.yaml"))
SHARED = [k for k in NeuralConfig.model_fields if k in RunConfig.model_fields]
OWN_RULES = {"name", "select_on", "precision"}


def neural(**knobs: Any) -> NeuralConfig:
    return NeuralConfig(**{"name": "toy", "model": "lstm"} | knobs)


@pytest.mark.parametrize("knob", sorted(set(SHARED) - OWN_RULES))
def test_shared_knobs_have_the_defaults_and_the_words_of_a_run(knob: str) -> None:
    mine, own = NeuralConfig.model_fields[knob], RunConfig.model_fields[knob]
    assert (mine.default, mine.description) == (own.default, own.description)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_files_stand_beside_the_studies_base(path: Path) -> None:
    """On the same texts, sizes and seeds; a file holds only what differs from the defaults."""
    config, study = load_baseline(path.stem), RunConfig.load("study")
    assert config.run_name == path.stem and config.select_on == study.select_on == "dev"
    beside = config.fixed_point()
    own = set(type(config).model_fields) & set(SHARED) - OWN_RULES
    if path.stem == "kneser-ney-own":
        study = RunConfig.load("small-own")
        own -= {"embed_dim"}  # n-grams have none
    if isinstance(config, NeuralConfig):
        assert config.seeds == study.seeds[:3]
        own -= {"seeds"}
    if path.stem == "kneser-ney-pool":
        assert config.samples == study.samples[-1:]
        own -= {"samples"}
    for knob in own:
        assert getattr(beside, knob) == getattr(study, knob), knob
    fields = type(config).model_fields
    given = yaml.safe_load(path.read_text("utf-8"))
    # A model's name chooses the class, so it is there even where it is that class's default.
    assert all(v != fields[k].default for k, v in given.items() if k != "model")


def test_the_shipped_baselines() -> None:
    kinds = {p.stem: (c.model, getattr(c, "own_embedding", None)) for p in SHIPPED
             for c in [load_baseline(p)]}  # fmt: skip
    assert kinds == {
        "kneser-ney-small": ("kneser-ney", None),
        "kneser-ney-pool": ("kneser-ney", None),
        "kneser-ney-own": ("kneser-ney", None),
        "lstm-small": ("lstm", False),
        "lstm-small-free": ("lstm", True),
        "gpt-small": ("gpt", False),
        "gpt-small-free": ("gpt", True),
    }


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"embed_dm": 3}, r"embed_dm is not a knob of NeuralConfig \(did you mean embed_dim\?\)"),
        ({"max_iter": 60}, "max_iter is not a knob of NeuralConfig"),
        ({"samples": [1, 1]}, "samples must be a list of different whole numbers"),
        ({"samples": [0]}, "samples must be a list of different whole numbers"),
        ({"embed_dim": True}, "embed_dim must be a whole number of at least 1, not True"),
        ({"corpus": "foo"}, "corpus must be chitchat, ultrachat, or the path of"),
        ({"seeds": [-1]}, "seeds must be a list of different whole numbers from 0"),
        ({"segment": 7}, "segment must be an even whole number of at least 2 .*, not 7"),
        ({"streams": 0}, "streams must be a whole number of at least 1, not 0"),
        ({"select_on": "val"}, "select_on must be dev .*, not 'val'"),
        ({"precision": "bfloat16"}, "precision must be float32, not 'bfloat16'"),
        ({"own_embedding": "yes"}, "own_embedding must be true or false"),
        ({"learning_rates": [0]}, "learning_rates must be a list of different numbers above 0"),
        ({"learning_rates": [0.1, 0.1]}, "learning_rates must be a list of different numbers"),
        ({"model": "an lstm"}, "model must be kneser-ney, or the name of a network such as lstm"),
        ({"name": "a/b"}, "name must be ASCII letters"),
        ({"device": "tpu"}, "device must be auto, cpu, cuda or cuda:N, not 'tpu'"),
    ],
)
def test_a_bad_knob_gives_one_sentence(knobs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        neural(**knobs)


def test_a_knob_of_another_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="epochs is not a knob of KneserNeyConfig"):
        KneserNeyConfig(**{"name": "toy", "epochs": 3})
    with pytest.raises(ConfigError, match="orders must be a list of different whole numbers"):
        KneserNeyConfig(name="toy", orders=[3, 3])


def test_numbers_are_read_as_a_run_reads_them() -> None:
    config = neural(learning_rates=["1e-3", 0.01], embed_dim="1e2")
    assert (config.learning_rates, config.embed_dim) == ([0.001, 0.01], 100)


def test_files(tmp_path: Path) -> None:
    def written(text: str | bytes) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    config = load_baseline(written("model: gpt\nsamples: [3]"))
    assert isinstance(config, BaselineConfig)
    assert (config.name, config.samples) == ("mine", [3])
    bad: list[tuple[str | bytes, str]] = [
        (
            "samples: [3]",
            "mine.yaml: model must be kneser-ney, or the name of a network such as lstm",
        ),
        ("- lstm", "must hold lines of the form 'name: value'"),
        ("a: [", "is not readable YAML"),
        (b"\xff\xfe\x00", "There is no readable params file"),
    ]
    for text, sentence in bad:
        with pytest.raises(ConfigError, match=sentence):
            load_baseline(written(text))
    with pytest.raises(ConfigError, match=r"no readable .* \(did you mean lstm-small\?\)"):
        load_baseline("lstm-smal")
