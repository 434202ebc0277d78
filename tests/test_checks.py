"""Each check with records that trigger it and records that do not, by small edits."""

from typing import Any

import pytest
from test_compare import record, result

from fpcore import checks
from fpcore.checks import CARE, OK, WRONG
from fpcore.records import RunRecord, distinct

ENVIRONMENT = {"device": "cpu", "precision": "float32", "packages": {"torch": "1"}, "threads": 2}
DIGESTS = {"validation_ids": "v", "vocabulary": "w", "code/model.py": "m"}
DATA = {"training_pool": [0, 999], "development": [1000, 1009], "validation": [1010, 1019]}
KNOBS = {"select_on": "dev", "epochs": 20, "phase2_lr": 0.001, "seeds": [42]}


def trace(factor: float = 1.0, norm: float = 0.01) -> dict[str, list[Any]]:
    return {
        "iteration": [2, 3, 4],
        "convergence_rate": [0.1, 0.2, 0.7],
        "loss": [-0.1 * factor, -0.2 * factor, -0.3 * factor],
        "grad_norm": [norm] * 3,
        "clipped": [norm > 1] * 3,
    }


def run(name: str, config: dict[str, Any] | None = None, **fields: Any) -> RunRecord:
    known = {"train_er_rows": 1000, "val_er_rows": 1000, "phase1": trace()} | fields
    base = record(name, KNOBS | (config or {}), **known)
    return base.model_copy(update={"environment": ENVIRONMENT, "digests": DIGESTS, "data": DATA})


def edited(base: RunRecord, **update: Any) -> RunRecord:
    return base.model_copy(update=update)


def with_seed(base: RunRecord, seed: int, shift: float) -> RunRecord:
    """The run with a second seed whose Val PPL is higher by `shift`."""
    more = [
        r.model_copy(update={"seed": seed, "val_ppl": r.val_ppl + shift})
        for r in base.results
        if r.val_ppl is not None
    ]
    return edited(base, results=base.results + more)


def test_one_factor() -> None:
    one = checks.one_factor([run("a"), run("b", {"max_iter": 100})])
    assert (one.verdict, one.evidence) == (OK, "`max_iter` 60 → 100")
    both = {"max_iter": 100, "gradient_clip": 2.0}
    two = checks.one_factor([run("a"), run("b", both)])
    assert two.verdict == CARE
    assert "2 つ同時" in two.evidence
    assert "`max_iter: 100`" in two.settle and "`gradient_clip: 2.0`" in two.settle
    half = checks.one_factor([run("a"), run("b", both), run("c", {"max_iter": 100})])
    assert "`max_iter: 100`" not in half.settle and "`gradient_clip: 2.0`" in half.settle
    assert checks.one_factor([run("a"), run("a2")]).evidence == "違う条件はない"


def test_factor_without_effect() -> None:
    clip = run("b", {"gradient_clip": 2.0})
    idle = checks.factor_without_effect([run("a"), clip])
    assert idle.verdict == CARE
    assert "完全に一致" in idle.evidence and "最大 0.0100" in idle.evidence
    acting = checks.factor_without_effect(
        [run("a"), run("b", {"gradient_clip": 2.0}, phase1=trace(1.1))]
    )
    assert acting.verdict == OK
    # more iterations leave the shared ones as they are, and that is no lack of effect
    longer = checks.factor_without_effect([run("a"), run("b", {"max_iter": 100})])
    assert longer.verdict == OK
    unknown = checks.factor_without_effect([run("a"), run("b", {"gradient_clip": 2.0}, phase1={})])
    assert unknown.verdict == CARE and "確かめられない" in unknown.evidence
    noisy = run("b", {"context_noise": 0.2}, phase1=trace(1.0, norm=2.0))
    assert "クリップ" not in checks.factor_without_effect([run("a"), noisy]).evidence


@pytest.mark.parametrize(
    ("update", "word"),
    [
        ({"environment": ENVIRONMENT | {"device": "cuda"}}, "device"),
        ({"environment": ENVIRONMENT | {"packages": {"torch": "2"}}}, "packages"),
        ({"digests": DIGESTS | {"code/model.py": "other"}}, "code/model.py"),
        ({"environment": {}}, "環境の記録がない"),
    ],
)
def test_environments(update: dict[str, Any], word: str) -> None:
    assert checks.environments([run("a"), run("b")]).verdict == OK
    found = checks.environments([run("a"), edited(run("b"), **update)])
    assert found.verdict == CARE and word in found.evidence


def test_duplicates_are_counted_once() -> None:
    twin = [run("a"), run("b", val_er=0.6), run("c")]
    found = checks.duplicates(twin)
    assert found.verdict == CARE
    assert "a = c" in found.evidence and "n=2" in found.evidence
    assert [r.name for r in distinct(twin)] == ["a", "b"]
    assert checks.duplicates(twin[:2]).verdict == OK


def test_a_run_known_in_part_can_be_a_duplicate() -> None:
    """As printed figures are: equal in everything that both know."""
    part = run("part", train_ppl=None, val_acc=None, phase1={})
    assert checks.duplicates([run("a"), part]).verdict == CARE


def test_trace_ends() -> None:
    assert checks.trace_ends([run("a"), run("b")]).verdict == OK
    found = checks.trace_ends([run("a"), run("b", convergence_rate=0.71)])
    assert found.verdict == WRONG
    assert "推移 70.0%、要約 71.0%" in found.evidence and "b 25 会話" in found.evidence


def test_enough_runs_counts_distinct_ones_at_one_size() -> None:
    runs = [run(f"r{i}", val_er=0.6 + i / 100) for i in range(5)]
    assert checks.enough_runs(runs).verdict == OK
    assert "n=4" in checks.enough_runs(runs[:4]).evidence
    copies = [*runs[:4], edited(runs[0], name="copy")]
    assert checks.enough_runs(copies).verdict == CARE
    assert "n=4" in checks.enough_runs(copies).evidence


def test_seeds() -> None:
    a, b = run("a"), run("b", val_er=0.6)
    assert "シード1" in checks.seeds([a, b]).evidence
    far = [with_seed(a, 43, 1.0), with_seed(_shifted(b, 50.0), 43, 1.0)]
    assert checks.seeds(far).verdict == OK
    near = [with_seed(a, 43, 60.0), with_seed(_shifted(b, 50.0), 43, 1.0)]
    assert checks.seeds(near).verdict == CARE
    assert "25, 50, 100, 200, 400 会話" in checks.seeds(near).evidence


def _shifted(base: RunRecord, shift: float) -> RunRecord:
    results = [
        r.model_copy(update={"val_ppl": r.val_ppl + shift})
        for r in base.results
        if r.val_ppl is not None
    ]
    return edited(base, results=results)


def test_early_stop() -> None:
    assert checks.early_stop([run("a"), run("b")]).verdict == OK
    chosen = checks.early_stop([run("a"), run("b", {"select_on": "val"})])
    assert chosen.verdict == CARE and "b" in chosen.evidence
    unequal = checks.early_stop([run("a"), run("b", epochs_run=9)])
    assert "4–9" in unequal.evidence
    capped = checks.early_stop([run("a", best_epoch=20), run("b")])
    assert "5 件で最良が最終エポック" in capped.evidence


def test_same_text() -> None:
    assert checks.same_text([run("a"), run("b")]).verdict == OK
    other = edited(run("b"), digests=DIGESTS | {"validation_ids": "x"})
    assert checks.same_text([run("a"), other]).verdict == WRONG
    assert "validation_ids" in checks.same_text([run("a"), other]).evidence
    unknown = edited(run("b"), digests={})
    assert checks.same_text([run("a"), unknown]).verdict == CARE


def test_overlap_of_training_and_validation() -> None:
    inside = edited(run("b"), data=DATA | {"validation": [399, 400]})
    outside = edited(run("b"), data=DATA | {"validation": [400, 401]})
    assert checks.same_text([run("a"), inside]).verdict == WRONG
    assert checks.same_text([run("a"), outside]).verdict == OK


def test_same_rows() -> None:
    assert checks.same_rows([run("a"), run("b")]).verdict == OK
    fewer = checks.same_rows([run("a"), run("b", val_er_rows=500)])
    assert fewer.verdict == CARE and "500–1,000" in fewer.evidence
    assert checks.same_rows([run("a"), run("b", val_er_rows=None)]).verdict == CARE


def test_bending() -> None:
    sizes = {25: 900.0, 50: 700.0, 100: 580.0, 200: 510.0, 400: 470.0}
    bent = edited(run("a"), results=[result(n, val_ppl=ppl) for n, ppl in sizes.items()])
    found = checks.bending([bent, bent])
    assert found.verdict == CARE and "一方向" in found.evidence and "n=5" in found.evidence
    assert "飽和則の自由度 2" in found.evidence
    wobbly = {25: 900.0, 50: 700.0, 100: 500.0, 200: 400.0, 400: 300.0}
    straight = edited(run("a"), results=[result(n, val_ppl=ppl) for n, ppl in wobbly.items()])
    assert "一方向" not in checks.bending([straight, straight]).evidence


def test_the_list_puts_the_worst_first() -> None:
    text = checks.checks_list([run("a"), run("b", convergence_rate=0.71)])
    verdicts = [line.split("**")[1] for line in text.splitlines()]
    order: list[str] = [WRONG, CARE, OK]
    assert verdicts == sorted(verdicts, key=order.index)
    assert len(verdicts) == len(checks.CHECKS) and verdicts[0] == WRONG
