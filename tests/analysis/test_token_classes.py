"""Losses by class of token: classes are parts of the text, and intervals those of conversations."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpcore.analysis.token_classes import GROUPINGS, changes, classes, gap, gaps
from fpcore.stats.uncertainty import simultaneous
from fpcore.stats.variance import half_width, over_conversations


def tokens(draw: np.random.Generator, conversations: int) -> pd.DataFrame:
    lengths = draw.integers(1, 600, conversations)
    rows = pd.DataFrame({"conversation": np.repeat(np.arange(conversations), lengths)})
    rows["position"] = rows.groupby("conversation").cumcount()
    rows["length"] = np.repeat(lengths, lengths)
    rows["frequency"] = (10 ** draw.uniform(-1, 4, len(rows))).astype(int)
    return rows.assign(copied=draw.random(len(rows)) < 0.4)


@given(seed=st.integers(0, 999), conversations=st.integers(2, 9))
def test_classes_are_parts_of_the_text_whose_means_make_the_whole(
    seed: int, conversations: int
) -> None:
    draw = np.random.default_rng(seed)
    rows = tokens(draw, conversations)
    a, b = draw.exponential(4, (2, len(rows)))
    found = gaps(rows, a, b)
    whole = gap(rows["conversation"], a, b)
    assert not classes(rows).isna().any(axis=None)
    for _, own in found.groupby("grouping"):
        assert own["tokens"].sum() == len(rows)
        for side in ("a", "b", "difference"):
            mean = (own[side] * own["tokens"]).sum() / len(rows)
            assert mean == pytest.approx(getattr(whole, side), abs=1e-9)
    assert set(found["grouping"]) == {*GROUPINGS}
    for row in found.to_dict("records"):
        inside = (classes(rows)[row["grouping"]] == row["class"]).to_numpy()
        assert row["conversations"] == rows["conversation"][inside].nunique()
    mirrored = gaps(rows, b, a)
    assert np.allclose(mirrored["difference"], -found["difference"])
    assert np.allclose(mirrored["low"], -found["high"], equal_nan=True)


def test_a_gap_has_the_interval_of_its_conversations() -> None:
    a = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    b = a + np.array([0.5, 0.3, 0.1, 0.2, 0.4])
    found = gap(["x", "x", "y", "z", "z"], a, b)
    half = half_width(over_conversations([0.8, 0.1, 0.6], [2, 1, 2]), 0.95)
    assert found.difference == pytest.approx(0.3)
    assert [found.low, found.high] == pytest.approx([0.3 - half, 0.3 + half])
    assert (found.tokens, found.conversations) == (5, 3)
    assert gap([0, 1, 2], a[:3], a[:3]).direction == "same"
    alone = gap([0, 0], a[:2], b[:2])
    assert math.isnan(alone.low) and alone.direction == "unclear"


def test_a_planted_difference_is_found_where_it_is_and_nowhere_else() -> None:
    draw = np.random.default_rng(0)
    rows = tokens(draw, 60)
    a = draw.exponential(4, len(rows))
    b = a + draw.normal(0, 0.3, len(rows)) - 0.5 * rows["copied"].to_numpy()
    found = gaps(rows, a, b)
    copied = found[found["grouping"] == "copied"].to_dict("records")
    yes, no = (next(row for row in copied if row["class"] == name) for name in ("yes", "no"))
    assert yes["direction"] == "down" and yes["low"] < -0.5 < yes["high"]
    assert no["direction"] == "unclear"
    inside = rows["copied"].to_numpy()
    level = simultaneous(len(found))
    alone = gap(rows["conversation"][inside], a[inside], b[inside], level)
    assert (alone.low, alone.high) == (yes["low"], yes["high"])


def test_the_bounds_of_the_classes() -> None:
    rows = pd.DataFrame({"frequency": [0, 1, 9, 10, 999, 1000, 10**6]})
    rows = rows.assign(position=[0, 1, 4, 5, 19, 299, 300], length=[1, 49, 50, 100, 200, 399, 400])
    found = classes(rows.assign(copied=False))
    assert found["frequency"].tolist() == ["0", "1–9", "1–9", "10–99", "100–999", "1000–", "1000–"]
    assert found["position"].tolist() == ["0", "1–4", "1–4", "5–19", "5–19", "100–299", "300–"]
    assert found["length"].tolist() == [
        "0–49", "0–49", "50–99", "100–199", "200–399", "200–399", "400–"
    ]  # fmt: skip


def test_changes_are_means_over_places_with_intervals_of_conversations() -> None:
    rows = pd.DataFrame(
        {"run": "a", "contexts": "trained", "conversation": [0, 0, 1], "change": [0.2, 0.4, 0.3]}
    )
    table = pd.concat([rows.assign(back=1), rows.assign(back=2, change=0.0)])
    first, second = changes(table).to_dict("records")
    assert first["mean"] == pytest.approx(0.3) and first["places"] == 3
    assert first["low"] <= 0.3 <= first["high"]
    assert [second[key] for key in ("back", "mean", "low", "high")] == [2, 0, 0, 0]
    assert changes(table.iloc[:0]).empty
