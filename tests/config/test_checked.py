"""YAML of params files: plain data, and nothing that hides or unfolds."""

import time
from pathlib import Path

import pytest

from fpcore import ConfigError, RunConfig
from fpcore.config.baseline import KneserNeyConfig, NeuralConfig
from fpcore.config.checked import Checked, parse
from fpcore.config.study import Study


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\na: 2", "a is given twice"),
        ("a: &x 1\nb: *x", "aliases"),
        ("a: !!python/object/apply:os.system [echo]", "could not determine a constructor"),
        ("a: [", "expected"),
        ("a: 2020-13-45", "month must be"),
    ],
)
def test_yaml_is_plain_data(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert parse("a: [1, 2.5, x]\nb: {c: null}") == {"a": [1, 2.5, "x"], "b": {"c": None}}


def test_a_byte_order_mark_is_no_part_of_a_params_file(tmp_path: Path) -> None:
    (tmp_path / "marked.yaml").write_text("max_iter: 7\n", "utf-8-sig")
    assert RunConfig.load(tmp_path / "marked.yaml").max_iter == 7


LONG = [
    "".join(f"k{i}: 1\n" for i in range(90_000)),
    "a: 1" + ":00" * 350_000,
    "a: 1" + ":00" * 20_000,
    "a: " + "1" * 60_000,
    "a: " + "[" * 60_000,
    "".join(f"k{i}: 1\n" for i in range(6_000)) + "k0: 1",
]


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
def test_long_texts_are_refused_in_one_sentence_and_soon(tmp_path: Path, text: str) -> None:
    start = time.process_time()
    (tmp_path / "long.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        RunConfig.load(tmp_path / "long.yaml")
    with pytest.raises(ValueError):
        parse(text)
    assert time.process_time() - start < 30
    assert str(caught.value).isprintable() and len(str(caught.value)) < 600


KINDS = [RunConfig, KneserNeyConfig, NeuralConfig, Study]
WHOLE = [name for name, f in RunConfig.model_fields.items() if type(f.default) in (int, float)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "key", ["self", "cls", "data", "given", "name", "__class__", "model_config"]
)
def test_no_key_of_a_file_is_an_argument_of_ours(kind: type[Checked], key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key} (is not a|must be)"):
        kind(**{key: [1]})


@pytest.mark.parametrize("knob", WHOLE)
@pytest.mark.parametrize("value", [10**400, -(10**5000), 10**39], ids="abc")
def test_a_number_without_measure_is_refused_in_one_sentence(knob: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"^{knob} must be ") as caught:
        RunConfig(**{knob: value})
    assert len(str(caught.value)) < 400
    for listed in ("samples", "seeds"):
        with pytest.raises(ConfigError, match=f"^{listed} must be "):
            RunConfig(**{listed: [value]})
