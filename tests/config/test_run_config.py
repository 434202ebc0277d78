import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fpcore import ConfigError, FpcoreError, RunConfig
from fpcore.config.run_config import KNOBS, OFF_THE_PATH, knob_table, knobs_where
from fpcore.paths import PARAMS

SAMPLES = (
    "a list of different whole numbers of at least 1 (training conversations), such as [25, 50]"
)
SEEDS = "a list of different whole numbers from 0 to 2147483647, such as [42]"
NAME = (
    "ASCII letters, digits and . _ + - (at most 80, beginning with a letter or digit), or empty "
    "for a name made from what differs from the defaults"
)
ITERATIONS = "a whole number of at least 2 (iteration 1 only draws the first contexts)"
TOKENIZER = (
    "gpt2, or bpe-N for a byte-level BPE of N types (257 to 99999) trained on the corpus, such as "
    "bpe-4096"
)
EMBEDDING = (
    "ppmi-frequency (its last column says how often a type occurs), ppmi, gpt2, random, or the "
    "path of a .safetensors file that holds wte.weight"
)
RATES = (
    "a number above 0, or a list of different ones such as [0.001, 0.002], of which development "
    "chooses at every size, with the first seed (select_on: dev)"
)
PRECISION = (
    "auto (bfloat16 products where the device has them, otherwise float32), float32, bfloat16 or "
    "float64"
)
BFLOAT16_CONTEXTS = (
    "true or false (whether phase 1 stores its contexts in bfloat16; only with bfloat16 products)"
)
CORPUS = "chitchat, ultrachat, or the path of a file such as chats.jsonl"


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("samples", [0], SAMPLES),
        ("samples", [], SAMPLES),
        ("samples", [25, 25], SAMPLES),
        ("samples", [25, 25.0], SAMPLES),
        ("samples", ["25"], SAMPLES),
        ("samples", [True], SAMPLES),
        ("samples", [1.5], SAMPLES),
        ("samples", "25", SAMPLES),
        ("samples", 25, SAMPLES),
        ("samples", None, SAMPLES),
        ("samples", [[25]], SAMPLES),
        ("seeds", [1, 1], SEEDS),
        ("seeds", [-1], SEEDS),
        ("seeds", [2**31], SEEDS),
        ("seeds", 42, SEEDS),
        ("context_dim", -1, "a whole number of at least 2"),
        ("context_dim", 1, "a whole number of at least 2"),
        ("context_dim", True, "a whole number of at least 2"),
        ("context_dim", "181", "a whole number of at least 2"),
        ("context_dim", None, "a whole number of at least 2"),
        ("embed_dim", 0, "a whole number of at least 1"),
        ("layers", 0, "a whole number of at least 1"),
        ("input_tokens", [], "a whole number of at least 1"),
        ("epochs", math.nan, "a whole number of at least 1"),
        ("patience", math.inf, "a whole number of at least 1"),
        ("max_iter", 1, ITERATIONS),
        ("max_iter", 59.5, ITERATIONS),
        ("max_iter", "many", ITERATIONS),
        ("phase1_lr", 0, "a number above 0"),
        ("phase1_lr", math.nan, "a number above 0"),
        ("phase1_lr", "nan", "a number above 0"),
        ("phase1_lr", "fast", "a number above 0"),
        ("phase1_lr", True, "a number above 0"),
        ("phase2_lr", math.inf, RATES),
        ("phase2_lr", [], RATES),
        ("phase2_lr", [0.1, 0], RATES),
        ("phase2_lr", [0.1, 0.1], RATES),
        ("phase2_lr", "1e999", RATES),
        ("gradient_clip", -1.0, "a number above 0"),
        ("gradient_clip", [1.0], "a number above 0"),
        ("convergence_threshold", 0.0, "a number above 0"),
        ("context_noise", -0.1, "a number from 0 to 1000000"),
        ("dist_reg_weight", 1.01, "a number from 0 to 1"),
        ("dist_reg_weight", False, "a number from 0 to 1"),
        ("min_converged_ratio", 0, "a number above 0, at most 1"),
        ("er_rows", 1, "a whole number of at least 2, or null for all rows"),
        ("er_rows", "null", "a whole number of at least 2, or null for all rows"),
        ("select_on", "test", "dev or val"),
        ("precision", "float16", PRECISION),
        ("bfloat16_contexts", "yes", BFLOAT16_CONTEXTS),
        ("bfloat16_contexts", 1, BFLOAT16_CONTEXTS),
        ("device", "gpu", "auto, cpu, cuda or cuda:N"),
        ("device", "cuda:", "auto, cpu, cuda or cuda:N"),
        ("tokenizer", "bpe-256", TOKENIZER),
        ("tokenizer", "bpe-100000", TOKENIZER),
        ("tokenizer", "bpe-", TOKENIZER),
        ("tokenizer", "gpt2 ", TOKENIZER),
        ("embedding", "glove", EMBEDDING),
        ("embedding", ".safetensors", EMBEDDING),
        ("corpus", "wikitext", CORPUS),
        ("corpus", "chitchatt", CORPUS),
        ("corpus", 3, CORPUS),
        ("name", "../x", NAME),
        ("name", ".hidden", NAME),
        ("name", "_x", NAME),
        ("name", "-x", NAME),
        ("name", "a/b", NAME),
        ("name", "日本語", NAME),
        ("name", "a b", NAME),
        ("name", "a\n", NAME),
        ("name", "a" * 81, NAME),
        ("name", 5, NAME),
    ],
    ids=lambda value: str(value)[:20].strip(),
)
def test_a_refusal_names_the_knob_the_value_and_what_is_allowed(
    key: str, value: Any, allowed: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig(**{key: value})
    hint = ' (a text that looks like something else needs quotes; to papermill, "-r {} TEXT")'
    text = RunConfig.model_fields[key].annotation is str and not isinstance(value, str)
    hint = hint.format(key) if text else ""
    assert str(caught.value) == f"{key} must be {allowed}, not {value!r}{hint}"


def test_what_is_just_allowed() -> None:
    knobs = {"samples": [1], "context_dim": 2, "embed_dim": 1, "max_iter": 2, "er_rows": 2}
    ratios = {"dist_reg_weight": 0, "min_converged_ratio": 1, "context_noise": 0}
    texts = {"name": "a" * 80, "device": "cuda:1", "tokenizer": "bpe-257"}
    for key, value in (knobs | ratios | texts).items():
        assert getattr(RunConfig(**{key: value, "embedding": "ppmi"}), key) == value
    assert RunConfig(dist_reg_weight=1, seeds=[0, 2**31 - 1], er_rows=None).er_rows is None
    assert RunConfig(tokenizer="bpe-99999", embedding="w.safetensors", corpus="a b.txt")
    assert RunConfig(name="Run-1.5+x_y").run_name == "Run-1.5+x_y"


def test_an_unknown_knob_comes_with_a_suggestion() -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig(max_itr=100)  # type: ignore[call-arg]
    assert str(caught.value) == "max_itr is not a knob of RunConfig (did you mean max_iter?)"
    with pytest.raises(ConfigError, match=r"^zzz is not a knob of RunConfig$"):
        RunConfig(zzz=1)  # type: ignore[call-arg]


def test_several_refusals_make_one_sentence() -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig(epochs=0, samples=[0, -1], paitence=2)  # type: ignore[call-arg]
    assert str(caught.value).split("; ") == [
        f"samples must be {SAMPLES}, not [0, -1]",
        "epochs must be a whole number of at least 1, not 0",
        "paitence is not a knob of RunConfig (did you mean patience?)",
    ]


def test_a_config_error_is_a_value_error_and_shows_without_a_stack() -> None:
    with pytest.raises(ValueError, match="epochs") as caught:
        RunConfig(epochs=0)
    assert isinstance(caught.value, FpcoreError)
    assert caught.value._render_traceback_() == [str(caught.value)]


def test_numbers_as_yaml_and_papermill_give_them() -> None:
    config = RunConfig(phase1_lr="5e-2", max_iter=1e2, samples=[1e1, 20], gradient_clip=2)
    assert (config.phase1_lr, config.gradient_clip) == (0.05, 2.0)
    assert (config.max_iter, config.samples) == (100, [10, 20])
    assert type(config.max_iter) is type(config.samples[0]) is int
    assert type(config.gradient_clip) is type(config.phase1_lr) is float


def test_a_config_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RunConfig().max_iter = 100  # type: ignore[misc]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_load_reads_yaml_and_takes_the_name_of_the_file(tmp_path: Path) -> None:
    text = (
        "max_iter: 1.0e+2\nphase1_lr: 5e-2  # text to YAML 1.1\nsamples: [10, 20]\ner_rows: null\n"
    )
    config = RunConfig.load(write(tmp_path / "trial-1.yaml", text))
    changed = {"max_iter": 100, "phase1_lr": 0.05, "samples": [10, 20], "er_rows": None}
    assert config == RunConfig(name="trial-1", **changed)
    assert config.run_name == "trial-1"
    named = write(tmp_path / "trial-2.yml", "name: other\n")
    assert RunConfig.load(str(named)) == RunConfig(name="other")


def test_load_takes_1e2_for_a_whole_number(tmp_path: Path) -> None:
    """It is text to YAML 1.1, as 5e-2 is."""
    config = RunConfig.load(write(tmp_path / "e.yaml", "max_iter: 1e2\nsamples: [1e1]\n"))
    assert (config.max_iter, config.samples) == (100, [10])


def test_load_by_name_reads_the_params_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fpcore.config.run_config.PARAMS", tmp_path)
    write(tmp_path / "v9.5-small.yaml", "max_iter: 90\n")
    assert RunConfig.load("v9.5-small") == RunConfig(name="v9.5-small", max_iter=90)
    with pytest.raises(ConfigError, match=r"no readable params file .*v9\.5-smal\.yaml \(did you "):
        RunConfig.load("v9.5-smal")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold lines of the form 'name: value'."),
        ("- max_iter\n", "must hold lines of the form 'name: value'."),
        ("max_iter 60\n", "must hold lines of the form 'name: value'."),
        ("max_iter: [60\n", "is not readable YAML: "),
        ("max_iter: 60\n\tepochs: 3\n", "is not readable YAML: "),
        ("max_itr: 60\n", "max_itr is not a knob of RunConfig (did you mean max_iter?)"),
        ("60: 60\n", "60 is not a knob of RunConfig"),
        ("max_iter: on\n", "max_iter must be a whole number of at least 2"),
        ("max_iter: 2020-13-45\n", "bad.yaml"),  # what YAML takes for a date is not one
    ],
)
def test_a_bad_params_file_is_named_in_one_sentence(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.load(write(tmp_path / "bad.yaml", text))
    assert "bad.yaml" in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_params_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError, match="no readable params file"):
            RunConfig.load(path)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"no readable params file .*latin\.yaml"):
        RunConfig.load(tmp_path / "latin.yaml")


def test_label_and_made_names() -> None:
    assert RunConfig().run_name == RunConfig().label == "1L_181d_1tok"
    assert RunConfig(max_iter=100).run_name == "1L_181d_1tok-max_iter100"
    deep = RunConfig(layers=2, context_dim=1085, input_tokens=3, er_rows=None, phase1_lr=1e-5)
    assert deep.label == "2L_1085d_3tok"
    assert deep.run_name == "2L_1085d_3tok-phase1_lr1e-05-er_rowsnull"
    lists = RunConfig(samples=[10, 20], device="cuda:1")
    assert lists.run_name == "1L_181d_1tok-samples10-20-devicecuda_1"
    assert RunConfig(max_iter=100, name="mine").run_name == "mine"
    assert RunConfig(max_iter=60.0).run_name == "1L_181d_1tok"


def test_paths_in_made_names() -> None:
    """Files that differ in their folder, suffix or punctuation are different corpora."""
    paths = ["x.txt", "x.jsonl", "a/x.txt", "b/x.txt", "x y.txt", "x_y.txt", "ultrachat.txt"]
    names = [RunConfig(corpus=path).run_name for path in [*paths, "ultrachat"]]
    assert all(re.fullmatch(r"\w[\w.+-]*", name) for name in names)
    assert len(set(names)) == len(names)


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "max_iter": st.integers(2, 10**6),
        "layers": st.integers(1, 3),
        "context_dim": st.integers(2, 2000),
        "samples": st.lists(st.integers(1, 10**4), min_size=1, max_size=30, unique=True),
        "seeds": st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=9, unique=True),
        "phase1_lr": st.floats(1e-9, 1),
        "gradient_clip": st.floats(1e-3, 1e3),
        "er_rows": st.none() | st.integers(2, 10**5),
        "precision": st.sampled_from(["auto", "float32", "bfloat16", "float64"]),
        "bfloat16_contexts": st.booleans(),
        "select_on": st.sampled_from(["dev", "val"]),
        "tokenizer": st.sampled_from(["gpt2", "bpe-300", "bpe-4096"]),
        "corpus": st.sampled_from(["chitchat", "ultrachat", "a/b.txt", "b/b.txt"]),
    },
)


@given(CHANGES, CHANGES)
def test_made_names_are_allowed_and_tell_configs_apart(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    one, other = RunConfig(**first), RunConfig(**second)
    assert RunConfig(name=one.run_name).run_name == one.run_name
    assert one.run_name.startswith(one.label)
    assert (one.run_name == other.run_name) == (one.knobs() == other.knobs())


def test_a_varied_config_is_called_after_what_differs() -> None:
    base = RunConfig(name="base", max_iter=80)
    assert base.varied(max_iter=100, er_rows=None).name == "base-max_iter100-er_rowsnull"
    assert (
        base.varied(max_iter=100, er_rows=None).knobs()
        == RunConfig(max_iter=100, er_rows=None).knobs()
    )
    assert base.varied(max_iter=80) == base
    folders = [base.varied(embedding=f"{x}/w.safetensors").name for x in "ab"]
    assert folders[0] != folders[1]
    assert len(RunConfig(name="n" * 79).varied(max_iter=100).name) == 80
    with pytest.raises(ConfigError, match="epochs must be"):
        base.varied(epochs=0)


def test_a_long_made_name_is_cut_and_still_tells_configs_apart() -> None:
    configs = [RunConfig(samples=[*range(1, 60), last]) for last in (60, 61)]
    names = [config.run_name for config in configs]
    assert [len(name) for name in names] == [80, 80]
    assert names[0] != names[1]


def test_knobs_leave_out_what_decides_no_number() -> None:
    assert RunConfig(name="a").knobs() == RunConfig(name="b", keep_models=False).knobs()
    assert RunConfig().knobs().keys() == RunConfig.model_fields.keys() - {"name", "keep_models"}
    assert RunConfig(keep_models=False).run_name == RunConfig().run_name


def test_knobs_that_do_not_fit_together_are_refused_in_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"^phase2_lr must be one number where select_on is val"):
        RunConfig(phase2_lr=[0.1, 0.2])
    assert RunConfig(phase2_lr=[0.1, 0.2], select_on="dev").rates == (0.1, 0.2)
    assert RunConfig(phase2_lr=0.1).rates == (0.1,)
    with pytest.raises(ConfigError, match=r"^embed_dim must be at least 2 for the embedding"):
        RunConfig(embed_dim=1)


def test_facts_of_knobs() -> None:
    """What may be shared between runs, and what a report says nothing of, is given by hand here."""
    assert KNOBS.keys() == RunConfig.model_fields.keys()
    unread = {
        "epochs",
        "patience",
        "phase2_lr",
        "phase2_batch",
        "select_on",
        "er_rows",
        "dev_tokens",
    }
    unread |= {"output_bias", "keep_models"}
    assert unread | {"max_iter"} == OFF_THE_PATH
    resolved = {"samples", "seeds", "device", "precision"}
    assert knobs_where(lambda knob: knob.resolved) == resolved
    unlisted = {"name", "samples", "contexts", "bfloat16_contexts", "keep_models"}
    assert knobs_where(lambda knob: not knob.group) == unlisted


def test_the_page_of_params_lists_every_knob() -> None:
    """Print `fpcore.config.run_config.knob_table()` between the marks where this fails."""
    page = (PARAMS / "README.md").read_text("utf-8")
    shown = page.split("<!-- knobs -->\n")[1].split("\n<!-- /knobs -->")[0]
    assert shown == knob_table()


NUMBERS = {
    name: field
    for name, field in RunConfig.model_fields.items()
    if type(field.default) in (int, float) or name in ("er_rows", "val_tokens", "samples", "seeds")
}
BEYOND = [-(2**31), 10**39, 10**400, 1e39, -1e300, 1e308, 1e-39, 1e-300, 5e-324]


@pytest.mark.parametrize("value", BEYOND)
@pytest.mark.parametrize("knob", NUMBERS)
def test_a_number_that_cannot_be_computed_with_is_refused(knob: str, value: float) -> None:
    given: Any = [value] if isinstance(RunConfig.model_fields[knob].default, list) else value
    limits = "2147483647" if knob in ("seeds", "data_seed") else "(whole numbers up to 2147483647"
    with pytest.raises(ConfigError) as caught:
        RunConfig(**{knob: given})
    text = str(caught.value)
    assert text.startswith(f"{knob} must be ") and "\n" not in text and len(text) < 500
    assert limits in text


def test_lists_and_devices_have_an_end() -> None:
    assert len(RunConfig(seeds=list(range(1000))).seeds) == 1000
    for knobs in (
        {"seeds": list(range(1001))},
        {"device": "cuda:1000"},
        {"context_noise": 1e6 + 1},
    ):
        with pytest.raises(ConfigError, match=f"{next(iter(knobs))} must be "):
            RunConfig(**knobs)
