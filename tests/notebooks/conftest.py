"""The toy knobs of the notebooks, and a home with a record made with them."""

from pathlib import Path
from typing import Any

import pytest
from helpers.notebooks import toy_knobs

import fpcore


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The toy knobs with a corpus of 60 conversations."""
    return toy_knobs(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory, toy: dict[str, Any]) -> Path:
    """A home that holds the record of v5-small at toy size; to be copied, not to be written to."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(folder))
        fpcore.run(fpcore.RunConfig(**toy, name="v5-small"))
    return folder
