"""The diagnosis of a small trained model, and what its report says."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from helpers.toy import Build, Toy, WriteCorpus

from fpcore import ConfigError, CorpusError
from fpcore.reports import fixed_point
from fpcore.runs.diagnosis import Diagnosis, Settled, diagnose, measure, parallel_map, trained
from fpcore.stats import metrics
from fpcore.stats.fixed_point import TOLERANCE, distance
from fpcore.trainers.contexts import sequential_contexts, training_contexts


@pytest.mark.parametrize(("layers", "slots"), [(1, 1), (2, 2)])
def test_the_parallel_map_settles_on_the_sequential_contexts(
    toy: Toy, build: Build, layers: int, slots: int
) -> None:
    """Step k makes the first k contexts exact, whatever the start, and keeps them."""
    model, ids = build(toy(layers=layers, input_tokens=slots, precision="float64"), 12)
    block, inputs = model.context_block, model.inputs(ids)
    goal = sequential_contexts(block, inputs)[-1]
    step, z = parallel_map(block, inputs), torch.randn_like(goal)
    for k in range(1, 13):
        z = step(z)
        assert torch.allclose(z[:k], goal[:k], rtol=0, atol=1e-12)
        assert k == 12 or not torch.allclose(z[k], goal[k], rtol=0, atol=1e-6)
    kept = goal.clone()
    assert torch.allclose(step(goal), goal, rtol=0, atol=1e-12)
    assert torch.equal(goal, kept)  # the map leaves its argument alone


WriteConfig = Callable[..., str]


@pytest.fixture
def write_config(
    toy: Toy, conversations: list[str], write_corpus: WriteCorpus, tmp_path: Path
) -> WriteConfig:
    """Write the toy config as a YAML file, with the knobs that a test changes."""

    def write(**knobs: Any) -> str:
        path = tmp_path / "small.yaml"
        made = toy(
            corpus=str(write_corpus(conversations)), **{"max_iter": 60, "phase1_lr": 0.01} | knobs
        )
        path.write_text(yaml.safe_dump(made.knobs()), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def small(write_config: WriteConfig) -> Settled:
    return trained(write_config(), 10, 7)


@pytest.fixture
def found(small: Settled) -> Diagnosis:
    return measure(small, 6)


def test_a_trained_model_is_measured_as_it_was_trained(small: Settled, found: Diagnosis) -> None:
    """Every figure of the diagnosis, from the model itself."""
    assert (small.config.samples, small.config.seeds) == ([10], [7])
    P, block, inputs = small.first.contexts, small.model.context_block, small.train
    goal = sequential_contexts(block, inputs)[-1]
    used = training_contexts(block, P, inputs)[-1]
    assert found.phase1["convergence_rate"].tolist() == [
        row["convergence_rate"] for row in small.first.trace
    ]
    first = found.train.settling.iloc[0]
    assert first["converged"] == metrics.convergence_rate(used, P, 0.03)
    assert first["median"] == distance(P, used)["median"]
    again = training_contexts(block, used, inputs)[-1]
    ratios = (again - used).norm(dim=1)[1:] / (used - P).norm(dim=1)[:-1]  # of a token to the next
    local = found.train.settling["local_median"][1]
    assert local == pytest.approx(float(ratios.quantile(0.5)), rel=1e-5)
    assert found.parallel == distance(used, goal)
    assert found.threshold == pytest.approx(math.sqrt(0.03 / float(goal.square().mean())))
    assert found.rows == min(len(P), len(small.val.index))
    assert len(found.train.settling) == len(found.val.settling) == 6
    assert found.train.spectra["step"].tolist() == [0, 1, 2, 5, 6]
    assert found.val.spectra["er"][0] > found.val.spectra["er"].iloc[-1]  # a draw is full
    assert found.train.left["median"] < found.parallel["median"]


def test_the_spectra_are_of_equal_numbers_of_rows(small: Settled) -> None:
    """5 rows have 5 directions at most of D = 24, and 4 where their mean is taken off."""
    few = dataclasses.replace(small, config=small.config.model_copy(update={"er_rows": 5}))
    measured = measure(few, 2)
    assert measured.rows == 5
    for text in (measured.train, measured.val):
        assert text.spectra["er"].max() <= 5 / 24 and text.spectra["er_centered"].max() <= 4 / 24


def test_many_steps_reach_the_sequential_contexts(small: Settled) -> None:
    """As many as there are tokens: everything is at the fixed point, and the table says so."""
    tokens = max(len(small.train.index), len(small.val.index))
    settled = measure(small, tokens + 1)
    for text in (settled.train, settled.val):
        assert text.settling["fixed"].iloc[-1] == 1
        assert text.left["max"] < 10 * TOLERANCE  # rounding, grown by 1 / (1 - contraction)
    row = next(
        line
        for line in fixed_point.settled(settled).splitlines()
        if line.startswith(f"| 固定点にいる割合（{tokens + 1} ステップ目）")
    )
    assert row.count("100.00%") == 2


def test_the_table_sets_converged_beside_fixed(found: Diagnosis) -> None:
    rows = dict(
        [cell.strip() for cell in line.split("|")[1:3]]
        for line in fixed_point.settled(found).splitlines()
        if line.startswith("| ")
    )
    first, last = (found.train.settling.iloc[i] for i in (0, -1))
    rate = found.phase1["convergence_rate"].iloc[-1]
    assert rows["訓練中の収束率（反復 60、雑音あり、重みは動く）"] == f"{100 * rate:.1f}%"
    assert (
        rows["同じ閾値を満たす割合（雑音なし、1 ステップ目）"] == f"{100 * first['converged']:.1f}%"
    )
    assert rows["同じ閾値を満たす割合（6 ステップ目）"] == f"{100 * last['converged']:.1f}%"
    assert rows["固定点にいる割合（6 ステップ目）"] == f"{100 * last['fixed']:.2f}%"
    assert rows["相対残差の中央値（1 ステップ目）"] == f"{first['median']:.2g}"


def changed(d: Diagnosis, **columns: Any) -> Diagnosis:
    """The diagnosis with other columns in the training text's settling."""
    text = dataclasses.replace(d.train, settling=d.train.settling.assign(**columns))
    return dataclasses.replace(d, train=text)


def test_the_sentences_follow_the_contraction(found: Diagnosis) -> None:
    """From 0.08 at a half per step to 1e-5: ln(1.25e-4) / ln(0.5) = 12.97."""
    shrinks = fixed_point.meaning(changed(found, local_median=0.5, median=0.08))
    assert "×0.500（局所の中央値）に縮み" in shrinks and "あと約 13 ステップ" in shrinks
    there = fixed_point.meaning(changed(found, local_median=0.5, median=1e-6))
    assert "に縮み" in there and "あと約" not in there
    grows = fixed_point.meaning(changed(found, local_median=1.2, median=0.08))
    assert "縮まない（局所の中央値 ×1.200）" in grows and "あと約" not in grows
    still = fixed_point.meaning(changed(found, local_median=math.nan, median=0.0))
    assert "初めから固定点の範囲" in still and "nan" not in still


def test_the_sentences_follow_the_distance(found: Diagnosis) -> None:
    near = dataclasses.replace(found, parallel=found.parallel | {"median": 0.5})
    assert "に縮む。" in fixed_point.meaning(near)
    far = dataclasses.replace(found, parallel=found.parallel | {"median": 1e-12})
    assert "縮まない。" in fixed_point.meaning(far)


def late(d: Diagnosis, diversity: list[float], gain: list[float]) -> str:
    """What is said of a trace of four rows, of which the last two are late."""
    trace = pd.DataFrame({"diversity_loss": diversity, "layernorm_gain": gain})
    trace = trace.assign(iteration=range(2, 6), fixed_point_loss=[4.0, 3, 2, 1], clipped=False)
    w = d.config.dist_reg_weight
    loss = (1 - w) * trace["fixed_point_loss"] + w * trace["diversity_loss"]
    return fixed_point.late_fall(dataclasses.replace(d, phase1=trace.assign(loss=loss)))


def test_the_late_fall_of_the_diversity_term_is_divided_by_the_gain(found: Diagnosis) -> None:
    """-0.20 to -0.22 is +10 %; with the gain +10 % all of it, with +4.88 % (√1.1) half of it."""
    diversity = [-0.1, -0.15, -0.2, -0.22]
    text = late(found, diversity, [1, 1, 1, 1.1])
    assert "後半の低下の 100% は利得の伸び" in text and "大きさは ±0.0%" in text
    assert "損失 -0.11800、固定点の項 -0.10000、多様性の項 -0.01800" in text  # 0.1·1, 0.9·0.02
    assert "後半の低下の 50% は利得の伸び" in late(found, diversity, [1, 1, 1, math.sqrt(1.1)])
    assert "後半の低下の 0% は利得の伸び" in late(found, diversity, [1, 1, 1, 1])
    for gain in ([1, 1, 1, 0.99], [1, 1, 1, 1.3]):  # no share of the fall
        assert "利得の伸び" not in late(found, diversity, gain)
    assert "多様性の項は下がっていない" in late(found, [-0.1, -0.2, -0.3, -0.2], [1, 1, 1, 1.1])


def test_the_report_and_its_figures(
    found: Diagnosis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    path = fixed_point.write(found)
    assert path == tmp_path / "reports" / "fixed-point" / "small-10" / "report.md"
    text = path.read_text("utf-8")
    for part in ("setting", "settled", "meaning", "residuals", "spectra", "late_fall"):
        assert getattr(fixed_point, part)(found) in text
    assert "nan" not in text
    html = path.with_name("report.html").read_text("utf-8")
    assert html.count("data:image/png") == 4 == len(list(path.parent.glob("*.png")))


def test_what_cannot_be_diagnosed(write_config: WriteConfig) -> None:
    small = write_config()
    with pytest.raises(ConfigError, match=r"v5-smal\.yaml \(did you mean v5-small\?\)"):
        diagnose("v5-smal", 10, 42, 5)
    with pytest.raises(ConfigError, match="iterations must be a whole number of at least 2, not 1"):
        diagnose(small, 10, 42, 1)
    with pytest.raises(ConfigError, match="samples must be"):
        diagnose(small, 0, 42, 5)
    with pytest.raises(CorpusError, match="but samples asks for 99"):
        diagnose(small, 99, 42, 5)
    with pytest.raises(ConfigError, match="has contexts zero, so no phase 1 to look at"):
        diagnose(write_config(contexts="zero"), 10, 42, 5)
