"""What a search may be, refused in one sentence otherwise."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fpcore import ConfigError, Search

SHIPPED = sorted(Search.folder().glob("*.yaml"))
RANGES = {"phase2_lr": {"log": [0.0001, 0.01]}, "max_iter": {"int": [20, 90]}}


def made(path: Path, **fields: Any) -> Search:
    base = path / "base.yaml"
    base.write_text(yaml.safe_dump({"samples": [25], "select_on": "dev", "seeds": [42, 43]}))
    known = {"title": "探す", "question": "どこまで。", "base": str(base), "ranges": RANGES}
    (path / "own.yaml").write_text(yaml.safe_dump(known | fields))
    return Search.load(path / "own.yaml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_searches_can_begin(path: Path) -> None:
    search = Search.load(path.stem)
    assert search.name == path.stem and search.first.keys() == search.ranges.keys()


def test_a_trial_is_the_base_with_the_first_seed(tmp_path: Path) -> None:
    search = made(tmp_path, start={"patience": 5})
    config = search.config({"max_iter": 30})
    assert (config.max_iter, config.patience, config.seeds) == (30, 5, [42])
    assert search.config({}, search.seeds).seeds == [1, 2, 3]
    assert search.first == {"phase2_lr": 0.005, "max_iter": 60}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ranges": {"max_itr": {"int": [1, 2]}}}, "max_itr is not a knob of RunConfig (did you"),
        ({"ranges": {"max_iter": {"int": [60, 20]}}}, "that of max_iter is none"),
        ({"ranges": {"max_iter": {"int": [20.5, 90]}}}, "that of max_iter is none"),
        ({"ranges": {"max_iter": {"ints": [20, 90]}}}, "that of max_iter is none"),
        ({"ranges": {"max_iter": {"int": [20, 90], "log": [1, 2]}}}, "that of max_iter is none"),
        ({"ranges": {"max_iter": {"int": [1, 90]}}}, "max_iter must be a whole number of at least"),
        ({"ranges": {"max_iter": {"int": [70, 90]}}}, "must hold the value of the first trial, 60"),
        ({"ranges": {"phase2_lr": {"log": [0, 1]}}}, "that of phase2_lr is none"),
        ({"ranges": {"layers": {"choice": [1, 1]}}}, "that of layers is none"),
        ({"ranges": {"layers": {"choice": [2, 3]}}}, "must hold the value of the first trial, 1"),
        ({"ranges": {"samples": {"choice": [25, 50]}}}, "so it cannot vary samples"),
        ({"start": {"phase2_lr": [0.001, 0.002]}, "ranges": {"layers": {"choice": [1, 2]}}},
         "phase2_lr must be one number"),
        ({"start": {"epochs": 0}}, "epochs must be a whole number of at least 1"),
        ({"seeds": [42, 1]}, "seeds must be others than 42"),
        ({"seeds": [1]}, "seeds must be a list of at least 2"),
        ({"trials": 1}, "trials must be a whole number from 2 to 1000"),
        ({"seconds": 0}, "seconds must be a whole number of at least 1"),
        ({"base": "v5-small"}, "must have one size, and select_on dev"),
        ({"budget": 3}, "budget is not a field of a search"),
    ],
)  # fmt: skip
def test_refusals(fields: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        made(tmp_path, **fields)
    assert words in str(refused.value)
