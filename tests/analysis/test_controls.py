"""What is said of phase 1 beside its controls follows from the differences."""

from typing import Any

import pytest
from helpers.studies import arm, evidence

from fpcore import RunConfig, compare_runs
from fpcore.analysis import factors
from fpcore.reports import baselines, controls
from fpcore.reports.study import answers


@pytest.mark.parametrize(("gap", "noise", "said"), [
    (0.02, 0, "全 5 サイズで役に立つと言える（400 サンプルで +2.0% [+2.0%, +2.0%]）"),
    (-0.02, 0, "全 5 サイズで害になると言える（400 サンプルで -2.0% [-2.0%, -2.0%]）"),
    (0.0, 0, "全 5 サイズでまったく同じ。"),
    (0.0, 7, "全 5 サイズで役に立つとも害になるとも言えない（400 サンプルで "),
])  # fmt: skip
def test_what_phase_1_is_worth(gap: float, noise: int, said: str) -> None:
    """A control whose losses are `gap` nats above the trained run's."""
    trained = arm(RunConfig.load("study"))
    control = arm(RunConfig(**trained.config | {"name": "c", "contexts": "zero"}), gap, noise)
    sentence = controls.worth("study", [compare_runs(trained, control)], 0.95)
    assert said in sentence and sentence.count("。") == 1
    assert sentence.startswith("Phase 1 の訓練は（差は対照の Val PPL − `study`、[ ] は 95 % 区間）")
    assert "zero に対して" in sentence


def test_a_control_differs_in_its_contexts_alone() -> None:
    trained = arm(RunConfig.load("study"))
    knobs: list[dict[str, Any]] = [{"contexts": "zero"}, {"contexts": "untrained"}]
    knobs += [{"max_iter": 70}]
    knobs += [{"contexts": "zero", "phase2_lr": 0.01}]
    others = [arm(RunConfig(**trained.config | {"name": f"c{i}"} | k)) for i, k in enumerate(knobs)]
    assert factors.beside(trained, [trained, *others]) == others[:2]
    assert factors.beside(others[0], [trained, *others]) == []
    assert controls.worth("study", [], 0.95) == ""


def test_a_control_runs_no_phase_1_whatever_its_knobs_say() -> None:
    longer = arm(RunConfig(**RunConfig.load("study").model_dump() | {"name": "x", "max_iter": 70}))
    zero = arm(RunConfig(**longer.config | {"name": "zero", "contexts": "zero", "max_iter": 60}))
    twin = arm(RunConfig(**zero.config | {"name": "twin", "max_iter": 30}))
    assert factors.beside(longer, [zero, twin, longer]) == [zero]


def test_studies_and_baselines_say_it_of_the_shipped_controls() -> None:
    e = evidence("controls", **{"study-contextszero": {"gap": 0.02}})
    said = "\n".join(answers.answer(e))
    assert "zero に対して" in said and "役に立つと言える" in said
    assert "untrained に対して全 5 サイズでまったく同じ" in said
    standing = baselines.standing(list(e.records), [])
    assert "zero に対して" in standing and "99.50 % 区間" in standing  # two controls, five sizes
