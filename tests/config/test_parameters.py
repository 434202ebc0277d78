import io
from contextlib import redirect_stdout
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcore import ConfigError, RunConfig
from fpcore.config.checked import parse
from fpcore.config.parameters import check, run_config

OWN = "# Parameters: v5-small\nmax_iter = 60\nsamples = [25, 50]"
SPLIT = "# Parameters: compare\nruns = ['a', 'b']\nshow = True\ntitle = 'x'"


def notebook(*cells: str, **values: Any) -> dict[str, Any]:
    """The globals of the run notebook after these cells: every knob, and what they changed."""
    defaults = RunConfig().model_dump() | {"force": False, "share": ""}
    return {"In": ["", "import fpcore", *cells], "fpcore": object()} | defaults | values


def compare(*cells: str, **values: Any) -> dict[str, Any]:
    given = {"runs": ["a", "b"], "show": True, "title": "x"} | values
    namespace = {"In": [SPLIT, *cells], "other": 3} | given
    return check(namespace, runs=list, show=bool, title=str)


def test_run_config_describes_the_notebook() -> None:
    config, force, share = run_config(notebook(OWN, name="a", max_iter=90, samples=[10]))
    assert config == RunConfig(name="a", max_iter=90, samples=[10])
    assert force is False and share == ""
    assert run_config(notebook(OWN, force=True, share="study"))[1:] == (True, "study")
    for wrong in ("../up", 3):
        with pytest.raises(ConfigError, match="share must be a name"):
            run_config(notebook(OWN, share=wrong))


@pytest.mark.parametrize("head", ["# Parameters", "# Parameters  ", "# Parameters: v5-small"])
def test_an_unknown_name_comes_with_a_suggestion(head: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run_config(notebook(OWN, f"{head}\nmax_itr = 100", max_itr=100))
    message = "max_itr is not a parameter of this notebook (did you mean max_iter?)."
    assert str(caught.value) == message
    with pytest.raises(ConfigError, match=r"^zzz is not a parameter of this notebook\.$"):
        run_config(notebook(OWN, f"{head}\nzzz = 100"))


def test_names_of_other_cells_are_nobodys_business() -> None:
    cells = ["# Parameters of the model\nmax_itr = 1", "x = 1\n# Parameters\nmax_itr = 2"]
    assert run_config(notebook(OWN, *cells))[0] == RunConfig()


def test_the_latest_cell_wins_over_a_stale_one() -> None:
    """A mistake that was mended, and the cell run again, is forgotten; for either kind of cell."""
    for head in ("# Parameters: v5-small", "# Parameters"):
        bad, good = f"{head}\nmax_itr = 100", f"{head}\nmax_iter = 100"
        assert run_config(notebook(OWN, bad, good, max_iter=100))[0].max_iter == 100
        with pytest.raises(ConfigError, match="max_itr"):
            run_config(notebook(OWN, good, bad, max_iter=100))


def test_both_cells_are_checked() -> None:
    own, injected = "# Parameters: v5-small\npatince = 3", "# Parameters\nmax_iter = 3"
    with pytest.raises(ConfigError, match="patience"):
        run_config(notebook(own, injected))
    with pytest.raises(ConfigError, match="max_iter"):
        run_config(notebook(OWN, injected.replace("iter", "itr")))


def test_text_is_understood_as_papermill_means_it() -> None:
    given = {"samples": "[25, 50]", "seeds": "[1]", "er_rows": "null", "max_iter": "100"}
    given |= {"phase1_lr": "5e-2", "select_on": "dev", "force": "true"}
    config, force, _ = run_config(notebook(OWN, **given))
    expected = {"samples": [25, 50], "seeds": [1], "er_rows": None, "max_iter": 100}
    assert config == RunConfig(**expected, phase1_lr=0.05, select_on="dev")
    assert force is True


def test_numbers_as_papermill_gives_them() -> None:
    config, *_ = run_config(notebook(OWN, max_iter=1e2, gradient_clip=2))
    assert (config.max_iter, config.gradient_clip) == (100, 2.0)


def test_text_knobs_stay_text() -> None:
    config, *_ = run_config(notebook(OWN, name="1e2", corpus="[a].txt"))
    assert (config.name, config.corpus) == ("1e2", "[a].txt")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"force": "no way"}, "force must be true or false, not 'no way'."),
        ({"force": 1}, "force must be true or false, not 1."),
        ({"force": None}, "force must be true or false, not None."),
        ({"samples": "[0]"}, "samples must be a list of different whole numbers"),
        ({"samples": "25"}, "samples must be a list of different whole numbers"),
        ({"samples": "[25"}, "samples must be a list of different whole numbers"),
        ({"max_iter": "many"}, "max_iter must be a whole number of at least 2"),
        ({"max_iter": "2020-13-45"}, "max_iter must be a whole number of at least 2"),
        ({"max_iter": True}, "max_iter must be a whole number of at least 2"),
        ({"name": 5}, "name must be ASCII letters"),
    ],
)
def test_a_wrong_type_is_refused_in_one_sentence(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run_config(notebook(OWN, **values))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_cell_that_sets_too_little_is_named() -> None:
    namespace = notebook(OWN)
    del namespace["force"], namespace["share"]
    with pytest.raises(ConfigError, match=r"^The parameters cell must set force, share\.$"):
        run_config(namespace)


def test_a_knob_that_the_cell_does_not_list_has_its_default_and_can_be_given() -> None:
    namespace = notebook(OWN)
    del namespace["epochs"]
    assert run_config(namespace)[0] == RunConfig()
    namespace["In"].append("# Parameters\nepochs = 3")
    assert run_config(namespace | {"epochs": 3})[0] == RunConfig(epochs=3)


def test_check_returns_the_parameters_alone() -> None:
    assert compare() == {"runs": ["a", "b"], "show": True, "title": "x"}
    text = compare("# Parameters\nruns = 1", runs="[c, d]", show="false", title="false")
    assert text == {"runs": ["c", "d"], "show": False, "title": "false"}


def test_check_needs_no_history() -> None:
    assert check({"title": "x"}, title=str) == {"title": "x"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"runs": "a"}, "runs must be a list, such as [a, b], not 'a'."),
        ({"runs": ("a", "b")}, "runs must be a list, such as [a, b], not ('a', 'b')."),
        (
            {"runs": "[1, 2]"},
            "runs must be a list of names, not [1, 2]; put each that looks like a number or a date "
            "in quotes, such as runs: ['2024', 'v5-small'].",
        ),
        ({"show": 1}, "show must be true or false, not 1."),
        ({"show": "nein"}, "show must be true or false, not 'nein'."),
        (
            {"title": 3},
            "title must be text, not 3 (a text that looks like something else needs quotes; to "
            'papermill, "-r title TEXT").',
        ),
    ],
)
def test_check_refuses_other_types(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compare(**values)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [7, "7"])
def test_check_takes_whole_numbers(value: Any) -> None:
    assert check({"size": value}, size=int) == {"size": 7}


@pytest.mark.parametrize("value", [7.5, True, "many", None])
def test_check_refuses_what_is_not_a_whole_number(value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        check({"size": value}, size=int)
    assert str(caught.value) == f"size must be a whole number, not {value!r}."


def test_check_refuses_unknown_names() -> None:
    with pytest.raises(ConfigError, match=r"^run is not a parameter .* \(did you mean runs\?\)\.$"):
        compare("# Parameters\nrun = ['a']")


HIDDEN = [
    "max_itr: int = 6",
    "if True: max_itr = 6",
    "max_itr += 6",
    "max_iter = max_itr = 6",
    "max_iter, max_itr = 6, 6",
    "max_iter = (max_itr := 6)",
    "samples = [max_itr := 6]",
    "for max_itr in [6]: pass",
    "import os as max_itr",
    "globals()['max_itr'] = 6",
    "exec('max_itr = 6')",
    "def max_itr(): pass",
    "with open('x') as max_itr: pass",
    "del max_iter",
    "'text'",
]


@given(
    lines=st.lists(st.sampled_from(["max_iter = 6", "seeds = [1]", "name = 'a'"]), max_size=3),
    hidden=st.sampled_from(HIDDEN),
    at=st.integers(0, 3),
    head=st.sampled_from(["# Parameters", "# Parameters: mine"]),
)
def test_a_line_that_is_not_name_and_value_is_refused(
    lines: list[str], hidden: str, at: int, head: str
) -> None:
    cell = "\n".join([head, *lines[:at], hidden, *lines[at:]])
    with pytest.raises(ConfigError, match="must be lines of the form name = value, not "):
        run_config(notebook(OWN, cell))
    run_config(notebook(OWN, "\n".join([head, *lines])))


@pytest.mark.parametrize(
    "head", ["", "# parameters:\n", "# Parameters of mine\n", "\n# Parameters:"]
)
def test_without_a_parameters_cell_nothing_is_run(head: str) -> None:
    with pytest.raises(ConfigError, match="No parameters cell was run; the first line"):
        run_config(notebook(f"{head}max_itr = 6", "# Parameters\nmax_iter = 6"))


def test_a_parameters_cell_that_lost_its_tag_is_noticed() -> None:
    """Papermill then puts its own cell above it, and the defaults would win."""
    injected = "# Parameters\nmax_iter = 6"
    with pytest.raises(ConfigError, match='give that cell the tag "parameters"'):
        run_config(notebook(injected, OWN))
    assert run_config(notebook(OWN, injected, OWN))[0] == RunConfig()


@given(st.integers() | st.floats(allow_nan=False) | st.dates() | st.booleans() | st.none())
def test_a_name_that_is_no_text_comes_with_how_to_quote_it(value: Any) -> None:
    with pytest.raises(ConfigError, match=r'needs quotes; to papermill, "-r name TEXT"'):
        RunConfig(name=value)
    with pytest.raises(ConfigError, match=r"in quotes, such as runs: \['2024'"):
        compare(runs=["a", value])


@given(st.integers(0, 10**6), st.sampled_from("+- "))
def test_numbers_are_plain_decimals(number: int, sign: str) -> None:
    signed = f"{sign.strip()}{number}"
    assert parse(f"[{signed}, {signed}.5, '0{number}']") == [
        int(signed),
        float(f"{signed}.5"),
        f"0{number}",
    ]
    for odd in (
        f"0{number:o}",
        f"0x{number:x}",
        f"0b{number:b}",
        f"1_{number}",
        f"1:{number % 60}",
    ):
        try:
            found = parse(f"[{sign.strip()}{odd}]")[0]
        except ValueError as error:
            assert "is no plain decimal number" in str(error)
        else:
            assert isinstance(found, str)  # no number to YAML either, and refused as such
    with pytest.raises(ConfigError, match="samples must be a list of different whole numbers"):
        run_config(notebook(OWN, samples=f"[0{number + 1:o}]"))


CHANGES: dict[str, Any] = {
    "max_iter": 100, "samples": [25], "embedding": "random", "er_rows": None, "name": "mine",
    "phase2_lr": 0.1,
}  # fmt: skip
SOME = st.sets(st.sampled_from(sorted(CHANGES)))


@given(SOME, SOME)
def test_what_the_cell_itself_changed_is_named(in_cell: set[str], injected: set[str]) -> None:
    """Every knob that was saved into the notebook, but for what papermill was given anew."""
    values = {name: CHANGES[name] for name in in_cell | injected}
    cells = [OWN, *(["# Parameters\n" + "\n".join(f"{n} = 0" for n in sorted(injected))] if
                    injected else [])]  # fmt: skip
    out = io.StringIO()
    with redirect_stdout(out):
        config, *_ = run_config(notebook(*cells, **values))
    assert config == RunConfig(**values)
    left = in_cell - injected
    named = {name for name in CHANGES if f" {name} = " in out.getvalue()}
    assert named == left and bool(out.getvalue()) is bool(left)
