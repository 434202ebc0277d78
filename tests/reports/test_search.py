"""The report of a search: the point first, and how much of a gain was luck, worked out by hand."""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import yaml
from helpers.records import DATA, DIGESTS, KNOBS

from fpcore import Search, gather_search
from fpcore.analysis.search import FEWEST, importance
from fpcore.records.record import RunRecord, SizeResult
from fpcore.records.searches import SearchRecord, SearchTrial, save_best
from fpcore.reports import figures
from fpcore.reports import search as report

RANGES = {"max_iter": {"int": [20, 90]}, "context_noise": {"float": [0.0, 0.3]}}
FIRST = {"max_iter": 60, "context_noise": 0.1}
SEEDS = [1, 2, 3]


def fresh(number: int, ppl: float) -> RunRecord:
    """A trial trained again: three seeds, a percent apart."""
    results = [
        SizeResult(seed=seed, samples=25, val_ppl=ppl * math.exp(0.01 * (seed - 2)), val_tokens=900,
                   val_loss_sums=[50 * math.log(ppl) + seed] * 20, val_token_counts=[50] * 20)
        for seed in SEEDS
    ]  # fmt: skip
    config = KNOBS | {"name": f"own-best{number}", "seeds": SEEDS}
    return RunRecord(
        name=f"own-best{number}", config=config, results=results, digests=DIGESTS, data=DATA
    )


def trial(number: int, loss: float, ppl: float) -> SearchTrial:
    knobs = FIRST if number == 0 else {"max_iter": 20 + 5 * number, "context_noise": 0.02 * number}
    result = SizeResult(seed=42, samples=25, val_ppl=ppl, best_epoch=2)
    return SearchTrial(
        number=number, state="complete", knobs=knobs, losses={1: loss + 1, 2: loss}, loss=loss,
        seconds=30, result=result,
    )  # fmt: skip


@pytest.fixture
def plan(home: Path, tmp_path: Path) -> Search:
    """A search of a base of PPL 100 and twelve others; the best is 20 % better on development."""
    base = tmp_path / "base.yaml"
    base.write_text(yaml.safe_dump({"samples": [25], "select_on": "dev"}))
    given = {"title": "探す", "question": "どこまで。", "base": str(base), "ranges": RANGES}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(given | {"beside": ["other"]}))
    search = Search.load(tmp_path / "own.yaml")
    worse = [trial(n, math.log(100 + n), 110) for n in range(2, 12)]
    pruned = SearchTrial(number=12, state="pruned", knobs=FIRST | {"max_iter": 21}, losses={1: 6},
                         seconds=9)  # fmt: skip
    trials = [trial(0, math.log(100), 110), trial(1, math.log(80), 90), *worse, pruned]
    SearchRecord(
        name="own", search=search.model_dump(), first=FIRST, digests={}, trials=trials
    ).save()
    for number, ppl in {0: 110, 1: 99, 2: 108, 3: 109, 4: 110, 5: 111}.items():
        save_best("own", number, fresh(number, ppl))
    other = fresh(9, 55).model_copy(update={"name": "other", "config": {"name": "other"}})
    other.save()
    return search


def test_the_point_first(plan: Search) -> None:
    lines = report.render(gather_search(plan)).split("\n## ")[1].splitlines()
    assert lines[0] == "答え"
    best, other, luck, knobs = [line for line in lines if line.startswith("- ")]
    assert "試行 1（`max_iter` 25、`context_noise` 0.02）" in best
    assert "n=3 で 99.0 ± 1.0、基準は 110.0 ± 1.1: -10.0%" in best and "低い（良い）" in best
    assert "`other` の Val PPL は 55.0" in other and "+80.0%" in other
    # 100 → 80 on development, 110 → 90 in the same run, 110 → 99 with fresh seeds.
    for share in ("20.0% 下がった", "検証では 18.2%", "新しいシードの検証では 10.0%", "差の 11.1%"):
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
