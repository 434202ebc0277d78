"""A search that is done, its records written by hand into the book's home."""

import math
from pathlib import Path

import yaml

from fpcore import Search
from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult
from fpcore.records.searches import SearchRecord, SearchTrial, save_best
from helpers.records import DATA, DIGESTS, KNOBS

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


def searched(tmp_path: Path) -> Search:
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
