"""A training that was cut short: no place gives its perplexity, accuracy or α a word or a law."""

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.looks import seen
from helpers.records import edited, run, scaled
from helpers.searches import searched
from matplotlib.figure import Figure

from fpcore import compare_runs, gather_search
from fpcore.book import index
from fpcore.book.views import CURVES, VIEWS, Choice
from fpcore.exporting import tables
from fpcore.language import Language, speaking
from fpcore.records.record import RunRecord
from fpcore.records.searches import load_best, save_best
from fpcore.reports import baselines, comparison, figures, look, one_run, scaling
from fpcore.reports import search as search_report

WHOLE = run("whole", {"patience": 1})
CUT = scaled(run("cut", {"epochs": 3, "patience": 1, "max_iter": 100}), "cut", 0.5)  # at epoch 3
PAIR = [WHOLE, CUT]
SAID: dict[Language, tuple[str, str]] = {
    "ja": ("Phase 2 が終わっていない", "-0.292"),
    "en": ("hase 2 was stopped by", "-0.292"),
}
TEXTS: dict[str, Callable[[], str]] = {
    "summary of one run": lambda: one_run.gist(CUT),
    "laws of one run": lambda: one_run.fits_table(PAIR),
    "gist of scaling": lambda: scaling.gist(PAIR),
    "laws of several": lambda: scaling.laws_table(PAIR),
    "baselines": lambda: baselines.standing([WHOLE], [CUT]),
    "perplexities of a pair": lambda: comparison.perplexity(compare_runs(WHOLE, CUT)),
    "exponents of a pair": lambda: comparison.alpha(compare_runs(WHOLE, CUT)).split("\n\n")[-1],
}


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("place", TEXTS)
def test_every_text_says_it_and_gives_no_exponent_and_no_direction(
    place: str, language: Language
) -> None:
    with speaking(language):
        text = TEXTS[place]()
    why, alpha = SAID[language]
    assert why in text
    assert "(cut, whole)" not in text and "cut、whole" not in text  # no law, so no residuals
    own = "\n".join(line for line in text.splitlines() if "whole" not in line or "cut" in line)
    told = own.split("`whole`")[0] if place == "gist of scaling" else own
    assert alpha not in told
    assert not any(word in text for word in ("低い（良い）", "急峻", "緩やか", "lower", "steeper"))


def test_no_law_is_drawn_through_it() -> None:
    ax = figures.power_laws(PAIR, figures.axes())
    legend = ax.get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert [("α" in text, "終わっていない" in text) for text in texts] == [
        (True, False), (False, True)
    ]  # fmt: skip
    assert len(ax.lines) == 2  # both laws of the whole run


def choice(records: list[RunRecord]) -> Choice:
    """Some records at all sizes."""
    sizes = records[0].sizes
    curve = next(name for name, (_, column) in CURVES.items() if column == "val_ppl")
    return Choice(records, sizes, curve, (sizes[0], sizes[-1]), "whole", "cut")


@pytest.mark.parametrize("view", ["曲線", "ER と PPL", "α", "結果"])
def test_the_explorer_says_it_over_every_view(view: str, home: Path) -> None:
    for record in PAIR:
        record.save()
    found = VIEWS[view](choice(PAIR))
    assert "`cut` は最良エポックが" in found.text
    if isinstance(found.figure, Figure):
        assert "終わっていない実行を含む" in found.figure.axes[0].get_title()
    alone = VIEWS[view](choice([WHOLE]))
    assert "終わっていない" not in alone.text


def test_the_card_of_a_run_has_what_phase_1_gave_alone() -> None:
    assert "Val PPL" in index._run(WHOLE) and "α" in index._run(WHOLE)
    assert "Val PPL" not in index._run(CUT) and "α" not in index._run(CUT)
    assert "Val ER" in index._run(CUT)


@pytest.mark.parametrize("number", [0, 1])
def test_a_search_refuses_its_answer(number: int, home: Path, tmp_path: Path) -> None:
    """Where the base or one of the best was cut short, whatever it gained."""
    plan = searched(tmp_path)
    again = load_best("own")[number]
    short = edited(again, results=[r.model_copy(update={"best_epoch": 20}) for r in again.results])
    save_best("own", number, short)
    text = search_report.render(gather_search(plan))
    gist, answer = text.split("\n## ")[1:3]
    assert "**答えない。**" in gist and "**答えない。**" in answer and "下がった" not in text
    assert not any(word in gist + answer for word in ("低い（良い）", "見かけである"))
    assert "`epochs` を増やし" in gist and "**誤り**　Phase 2 は終わっているか" in text


def test_a_look_refuses_its_answer() -> None:
    found = seen()
    found.readings[1] = type(found.readings[1])(**vars(found.readings[1]) | {"cut_short": True})
    assert look.answer(found).startswith("- **答えない。**") and "よい" not in look.answer(found)
    assert f"`{found.readings[1].name}` は最良エポックが" in look.setting(found)


def test_exports_have_it_as_a_column() -> None:
    rows = tables([*PAIR, edited(WHOLE, name="printed", config={})])["runs"]
    assert dict(zip(rows["run"], rows["cut_short"], strict=True)) == {
        "whole": False, "cut": True, "printed": False
    }  # fmt: skip
