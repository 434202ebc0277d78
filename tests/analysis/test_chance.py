"""A perplexity above word counts or guessing is named wherever the run is shown."""

import math
from typing import Any

import pytest
from helpers.records import edited, run, scaled
from helpers.studies import evidence
from hypothesis import given
from hypothesis import strategies as st

from fpcore import compare_runs
from fpcore.analysis.chance import worse_than_chance
from fpcore.analysis.checks.check import CARE, OK
from fpcore.analysis.checks.of_records import ppl_beside_chance
from fpcore.book.pages import record_page
from fpcore.records.record import RunRecord
from fpcore.reports import baselines, comparison, one_run, study

PPL = st.floats(1.5, 1e10)


def of(ppl: float, unigram: float | None, types: int | None, **knobs: Any) -> RunRecord:
    """A run with one PPL at all sizes; its vocabulary is told by the corpus, or by nothing."""
    base = run("a", {"tokenizer": "?"} | knobs, val_ppl=ppl, unigram_ppl=unigram)
    return edited(base, data=base.data | ({} if types is None else {"vocabulary": types}))


@given(PPL, st.none() | PPL, st.none() | st.integers(257, 60_000))
def test_it_is_named_exactly_where_it_is_above(
    ppl: float, unigram: float | None, types: int | None
) -> None:
    above = ppl > min(unigram or math.inf, types or math.inf)
    record = of(ppl, unigram, types)
    found = ppl_beside_chance([record, run("b", val_ppl=100.0)])
    assert found.verdict == (CARE if above else OK)
    assert bool(worse_than_chance(record)) is above
    assert ("**注意**" in one_run.gist(record)) is above


@pytest.mark.parametrize(("tokenizer", "types"), [("bpe-300", 300), ("gpt2", 50_257)])
def test_the_name_of_a_tokenizer_says_how_many_types_it_has(tokenizer: str, types: int) -> None:
    for ppl, above in ((types - 1.0, False), (types + 1.0, True)):
        assert bool(worse_than_chance(of(ppl, None, None, tokenizer=tokenizer))) is above


def test_one_bad_seed_is_enough() -> None:
    good = of(100.0, 600.0, None)
    bad = [r.model_copy(update={"seed": 43, "val_ppl": 7e9}) for r in good.results[:1]]
    said = worse_than_chance(edited(good, results=good.results + bad))
    assert said.startswith(
        "25 サンプルで高い（25 サンプルの 7,000,000,000.0 に対し unigram モデル 600.0"
    )


@pytest.mark.parametrize(
    ("knobs", "fields", "cause"),
    [
        ({"embedding": "random"}, {}, "`random`"),
        ({"embedding": "ppmi"}, {}, "`ppmi` は語の頻度を知らない"),
        ({}, {"train_ppl": 50.0}, "覚えすぎている"),
        ({}, {"train_ppl": 5e8}, "訓練テキストでも高い"),
        ({}, {"best_epoch": 20}, "`epochs` の上限"),
        ({}, {"train_ppl": None}, "小さすぎる"),
    ],
)
def test_its_likely_cause_follows_from_the_record(
    knobs: dict[str, Any], fields: dict[str, Any], cause: str
) -> None:
    assert cause in worse_than_chance(run("a", knobs, val_ppl=1e9, **fields))
    plain = run("a", val_ppl=1e9, train_ppl=700.0)
    assert cause == "訓練テキストでも高い" or cause not in worse_than_chance(plain)


def test_every_kind_of_report_names_it() -> None:
    """The run's notebook and page, the comparison, the study and the baselines."""
    bad = scaled(run("bad"), "bad", 1e7)
    e = evidence("iterations", **{"study-max_iter100": {"val_ppl": 3e9}})
    for text in (
        one_run.gist(bad),
        one_run.checked(bad).listed(),
        record_page(bad).body,
        comparison.render(compare_runs(run("a"), bad)),
        study.render(e),
        baselines.render([run("a")], [bad]),
    ):
        assert "考えられる原因" in text
