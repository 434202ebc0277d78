"""The report of a search: the point first, and how much of a gain was luck, worked out by hand."""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers.searches import searched, trial

from fpcore import Search, gather_search
from fpcore.analysis.search import FEWEST, importance
from fpcore.records.searches import SearchRecord, SearchTrial
from fpcore.reports import figures
from fpcore.reports import search as report


@pytest.fixture
def plan(home: Path, tmp_path: Path) -> Search:
    """A search of a base of PPL 100 and twelve others; the best is 20 % better on development."""
    return searched(tmp_path)


def test_the_point_first(plan: Search) -> None:
    gist, answer = report.render(gather_search(plan)).split("\n## ")[1:3]
    assert gist.startswith("要点\n\n- **探したもの**: `") and "の 2 つまみを" in gist
    assert "試行 1" in gist.splitlines()[3] and "`other`" in gist.splitlines()[3]
    assert gist.splitlines()[4].startswith("- **次にすること**: ")
    lines = answer.splitlines()
    assert lines[0] == "答え"
    best, other, luck, knobs = [line for line in lines if line.startswith("- ")]
    assert "試行 1（`max_iter` 25、`context_noise` 0.02）" in best
    assert "n=3 で 99.0 ± 1.0、基準は 110.0 ± 1.1: -10.0%" in best and "低い（良い）" in best
    assert "`other` の Val PPL は 55.0" in other and "+80.0%" in other
    # 100 → 80 on development, 110 → 90 in the same run, 110 → 99 with fresh seeds.
    shares = ("開発テキストで 20.0%", "同じ実行の検証で 18.2%", "新しいシードの検証で 10.0%")
    for share in (*shares, "PPL で 11.1% に当たる分"):
        assert share in luck
    assert knobs.startswith("- 効いたつまみ")


def test_tables_and_files(plan: Search) -> None:
    e = gather_search(plan)
    assert "| 0（基準） |" in report.best(e) and "100.0 |" in report.best(e)
    assert "打ち切り" in report.trials(e) and "403.4" in report.trials(e)  # exp(6)
    assert report.luck(e).count("%") == 4 * 5
    figures.use_style()
    path = report.write(e)
    assert path.name == "report.md" and (path.parent / "search.png").is_file()
    assert (path.parent / "report.html").is_file()
    ax = figures.search(e.record, figures.axes())
    steps = next(line for line in ax.get_lines() if line.get_label() == "それまでの最良")
    assert np.asarray(steps.get_ydata())[-1] == pytest.approx(80)
    plt.close("all")


def test_importance_names_what_tells_good_from_bad(plan: Search) -> None:
    def made(n: int) -> SearchTrial:
        knobs = {"max_iter": 20 + (37 * n) % 70, "context_noise": 0.3 * ((13 * n) % 40) / 40}
        one = trial(n, 3 + knobs["context_noise"], 50)
        return one.model_copy(update={"knobs": knobs})

    record = SearchRecord.load("own").model_copy(update={"trials": [made(n) for n in range(1, 40)]})
    found = importance(record)
    assert next(iter(found)) == "context_noise" and sum(found.values()) == pytest.approx(1)
    few = record.model_copy(update={"trials": record.trials[: FEWEST - 1]})
    assert importance(few) == {}


def test_nothing_but_the_base(plan: Search) -> None:
    record = SearchRecord.load("own")
    record.model_copy(update={"trials": record.trials[:1]}).save()
    assert "基準のほかに最後まで訓練した試行がない。" in report.render(gather_search(plan))


def test_what_no_ppl_is_compared_with_is_not_checked(plan: Search) -> None:
    e = gather_search(plan)
    own, apart = ({"validation_ids": name, "vocabulary": name} for name in ("own", "apart"))
    best = {n: r.model_copy(update={"digests": own}) for n, r in e.best.items()}
    other = e.beside[0].model_copy(update={"name": "apart", "digests": apart})
    text = report.render(replace(e, best=best, beside=[*e.beside, other]))
    assert "`apart`" in text and "`apart` の Val PPL" not in text
    assert "apart" not in text.split("## 検証")[1] and "**誤り**" not in text
