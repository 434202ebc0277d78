"""The look notebook as a user executes it, and its report in a browser: tokens tell losses."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from helpers.browser import Watch, needs_chromium
from helpers.notebooks import papermill, ran_through, toy_knobs
from playwright.sync_api import Page

import fpcore
from fpcore.book import site


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two runs, a control, and the executed notebook that looks at them."""
    folder = tmp_path_factory.mktemp("look")
    knobs = toy_knobs(folder) | {"samples": [40], "epochs": 200, "phase2_lr": 0.03}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FPCORE_HOME", str(folder))
        runs: dict[str, dict[str, Any]] = {"a": {}, "b": {"max_iter": 4}, "z": {"contexts": "zero"}}
        for name, more in runs.items():
            fpcore.run(fpcore.RunConfig(**knobs | more | {"name": name}))
    shown: dict[str, Any] = {"conversation": 1, "token": 3, "samples": 40}
    output = folder / "reports" / "look" / "look.ipynb"
    output.parent.mkdir()
    done = papermill(
        folder, "notebooks/look.ipynb", str(output), runs='["a", "b"]', controls='["z"]', **shown
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_notebook_answers_and_writes_its_report(home: Path) -> None:
    notebook = nbformat.read(home / "reports" / "look" / "look.ipynb", as_version=4)
    stored = json.dumps(notebook, ensure_ascii=False)
    assert ran_through(notebook) and "image/png" in stored and "Glyph" not in stored
    assert "ゼロ文脈（`z`）から訓練した文脈（`a`）" in stored
    text = (home / "reports" / "look" / "a-vs-b-40" / "report.md").read_text("utf-8")
    assert text.splitlines()[2].startswith("- **全体**: ゼロ文脈（`z`）")


@needs_chromium
@pytest.mark.parametrize("where", ["report", "book", "notebook"])
def test_a_token_under_the_pointer_tells_its_losses(
    home: Path, page: Page, watch: Watch, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(home))
    address = (home / "reports" / "look" / "a-vs-b-40" / "report.html").as_uri()
    if where != "report":
        name = "a-vs-b-40/report.html" if where == "book" else "look.html"
        address = site.build().as_uri().replace("index.html", f"look/{name}")
    page.goto(address)
    models = [fpcore.load_model(name) for name in "ab"]
    val = models[0].held_out()
    start = int((val.conversation == 1).nonzero()[0])
    losses = [model.foretold(val.ids).losses[start - 1 :].tolist() for model in models]
    tokens = page.locator(".tokens .token")
    assert tokens.count() == int((val.conversation == 1).sum())
    for n in (0, 5, 11):
        tokens.nth(n).hover()
        note = page.evaluate("document.querySelector('.token:hover').title")
        said = re.match(r"a ([\d.]+)｜b ([\d.]+)｜差", note)
        assert said is not None, note
        assert [float(text) for text in said.groups()] == pytest.approx(
            [own[n] for own in losses], abs=0.0051
        )
        colour = page.evaluate(
            "getComputedStyle(document.querySelector('.token:hover')).backgroundColor"
        )
        strong = tokens.nth(n).get_attribute("class") not in ("token up0", "token down0")
        assert (colour != "rgba(0, 0, 0, 0)") == strong
    assert not watch.outside and not watch.errors
