"""A mean over seeds is one thing in the whole book: geometric where ratios are compared."""

import math

import pytest
from helpers.records import run, scaled, seeded
from hypothesis import given
from hypothesis import strategies as st

from fpcore import compare_runs
from fpcore.book import index
from fpcore.notation import metric
from fpcore.records.by_seed import moments, values
from fpcore.records.frames import curve, frame, over_seeds
from fpcore.reports import baselines, comparison, one_run


@given(st.lists(st.floats(-350, 4000), min_size=1, max_size=5))
def test_every_table_and_sentence_has_the_same_mean(shifts: list[float]) -> None:
    a = seeded(run("a"), "a", dict(enumerate(shifts)))
    ppl = [400.0 + shift for shift in shifts]
    mean = math.exp(sum(map(math.log, ppl)) / len(ppl))
    found = over_seeds(frame([a]), ["run", "samples"], ["val_ppl", "val_er"])
    assert found["val_ppl"].iloc[-1] == pytest.approx(mean)
    assert found["val_er"].tolist() == pytest.approx([0.7] * 5)
    assert curve(a)["val_ppl"].iloc[-1] == pytest.approx(mean)
    assert moments("val_ppl", values(a, "val_ppl")[400])[0] == pytest.approx(mean)
    shown = metric("val_ppl", mean)
    c = compare_runs(a, seeded(scaled(run("b"), "b", 1.1), "b", dict(enumerate(shifts))))
    row = next(x for x in comparison.er_ppl(c).splitlines() if x.startswith("| a "))
    for text in (comparison.summary(c), row, one_run.gist(a), baselines.by_size([a], [])):
        assert shown in text
    assert shown in index._run(a)
