"""Each check with records that trigger it and records that do not, by small edits."""

from pathlib import Path
from types import FunctionType
from typing import Any, get_type_hints

import pytest
from helpers.records import (
    DATA,
    DIGESTS,
    ENVIRONMENT,
    edited,
    record,
    result,
    run,
    seeded,
    trace,
    with_seed,
)
from hypothesis import given
from hypothesis import strategies as st

from fpcore.analysis.checks import of_data, of_pairs, of_records, registry
from fpcore.analysis.checks.check import CARE, OK, WRONG, Check
from fpcore.analysis.comparison import compare_runs
from fpcore.analysis.trade_off import chance, trade_off
from fpcore.records.pairs import distinct, incomparable, overlaps
from fpcore.records.record import RunRecord


def test_one_factor() -> None:
    one = of_pairs.one_factor([run("a"), run("b", {"max_iter": 100})])
    assert (one.verdict, one.evidence) == (OK, "`max_iter` 60 → 100")
    both, acting = {"max_iter": 100, "gradient_clip": 2.0}, {"phase1": trace(1.1, 1.5)}
    two = of_pairs.one_factor([run("a"), run("b", both, **acting)])
    assert two.verdict == CARE
    assert "2 つ同時" in two.evidence
    assert "`max_iter: 100`" in two.settle and "`gradient_clip: 2.0`" in two.settle
    longer = run("c", {"max_iter": 100}, val_er=0.6)
    half = of_pairs.one_factor([run("a"), run("b", both, **acting), longer])
    assert "`max_iter: 100`" not in half.settle and "`gradient_clip: 2.0`" in half.settle
    idle = of_pairs.one_factor([run("a"), run("b", both, val_er=0.6)])
    assert idle.verdict == OK and "効いたのは `max_iter` だけ" in idle.evidence and not idle.settle
    assert of_pairs.one_factor([run("a"), run("a2")]).evidence == "違う条件はない"


def test_factor_without_effect() -> None:
    clip = run("b", {"gradient_clip": 2.0, "max_iter": 100}, val_er=0.6)
    idle = of_pairs.factor_without_effect([run("a"), clip])
    assert idle.verdict == CARE and not idle.settle  # the report says so itself
    assert "`gradient_clip` を変えても" in idle.evidence
    assert "完全に一致" in idle.evidence and "最大 0.0100" in idle.evidence
    differs = run("b", {"gradient_clip": 2.0, "phase1_lr": 0.1}, phase1=trace(1.1))
    unclipped = of_pairs.factor_without_effect(
        [
            edited(run("a"), config=differs.config | {"gradient_clip": 1.0, "phase1_lr": 0.2}),
            differs,
        ]
    )
    assert unclipped.verdict == CARE and "`phase1_lr`" not in unclipped.evidence
    acting = run("b", {"gradient_clip": 2.0}, phase1=trace(1.1, norm=1.5))
    assert of_pairs.factor_without_effect([run("a"), acting]).verdict == OK
    # more iterations leave the shared ones as they are, and that is no lack of effect
    longer = of_pairs.factor_without_effect([run("a"), run("b", {"max_iter": 100}, val_er=0.6)])
    assert longer.verdict == OK
    longer = of_pairs.factor_without_effect([run("a"), run("b", {"max_iter": 100})])
    assert longer.verdict == CARE and "結果がすべて同じ" in longer.evidence
    blind = run("b", {"gradient_clip": 2.0}, phase1={}, val_er=0.6)
    unknown = of_pairs.factor_without_effect([run("a"), blind])
    assert unknown.verdict == CARE and "確かめられない" in unknown.evidence
    bare = {k: v for k, v in trace().items() if k not in ("grad_norm", "clipped")}
    silent = [run(n, k, phase1=bare, val_er=e) for n, k, e in
              (("a", {}, 0.7), ("b", {"gradient_clip": 2.0, "max_iter": 100}, 0.6))]  # fmt: skip
    seen = of_pairs.factor_without_effect(silent)  # norms are not known, but the traces agree
    assert seen.verdict == CARE and seen.evidence.startswith("`gradient_clip` を変えても")
    moved = edited(silent[1], results=[
        r.model_copy(update={"phase1": bare | {"loss": [-0.1, -0.2, -0.9]}}) if r.samples == 100
        else r for r in silent[1].results])  # fmt: skip
    assert of_pairs.factor_without_effect([silent[0], moved]).verdict == OK
    noisy = run("b", {"context_noise": 0.2}, phase1=trace(1.0, norm=2.0), val_er=0.6)
    assert "クリップ" not in of_pairs.factor_without_effect([run("a"), noisy]).evidence


@pytest.mark.parametrize(
    ("update", "word"),
    [
        ({"environment": ENVIRONMENT | {"device": "cuda"}}, "device"),
        ({"environment": ENVIRONMENT | {"packages": {"torch": "2"}}}, "packages"),
        ({"digests": DIGESTS | {"code/model": "other"}}, "model のコード"),
        ({"environment": {}}, "環境の記録がない"),
    ],
)
def test_environments(update: dict[str, Any], word: str) -> None:
    assert of_records.environments([run("a"), run("b")]).verdict == OK
    found = of_records.environments([run("a"), edited(run("b"), **update)])
    assert found.verdict == CARE and word in found.evidence


def test_duplicates_are_counted_once() -> None:
    twin = [run("a"), run("b", val_er=0.6), run("c")]
    found = of_records.duplicates(twin)
    assert found.verdict == CARE
    assert "a = c" in found.evidence and "n=2" in found.evidence
    assert [r.name for r in distinct(twin)] == ["a", "b"]
    assert of_records.duplicates(twin[:2]).verdict == OK


def test_a_run_known_in_part_can_be_a_duplicate() -> None:
    """As printed figures are: equal in everything that both know."""
    part = run("part", train_ppl=None, val_acc=None, phase1={})
    assert of_records.duplicates([run("a"), part]).verdict == CARE


def printed(base: RunRecord) -> RunRecord:
    """The run as print would give it: rounded, without norms, every second row of its trace."""
    digits = {"val_ppl": 1, "train_ppl": 1, "val_er": 3, "train_er": 3, "val_acc": 3}
    digits |= {"convergence_rate": 2, "bits_per_byte": 3, "unigram_ppl": 1}
    results = []
    for r in base.results:
        figures = {k: round(getattr(r, k), n) for k, n in digits.items()}
        rates = [round(v, 2) for v in r.phase1["convergence_rate"]][::2]
        losses = [round(v, 4) for v in r.phase1["loss"]][::2]
        rows = {"iteration": r.phase1["iteration"][::2], "convergence_rate": rates, "loss": losses}
        results.append(r.model_copy(update=figures | {"phase1": rows}))
    return edited(base, name=f"{base.name}-printed", results=results)


def measured(name: str, step: float = 0.0) -> RunRecord:
    """A run with all digits that a computer gives."""
    base = run(name, val_er=0.70612 + step, val_acc=0.123456 + step, train_ppl=98.7654321 + step)
    results = []
    for r in base.results:
        rows = {k: [v * 1.000123 for v in r.phase1[k]] for k in ("convergence_rate", "loss")}
        ppl = (r.val_ppl or 0) * 1.0000123 + step
        update = {"val_ppl": ppl, "convergence_rate": rows["convergence_rate"][-1]}
        results.append(r.model_copy(update=update | {"phase1": dict(r.phase1) | rows}))
    return edited(base, results=results)


def test_a_rounded_record_is_the_same_observation() -> None:
    one, other = measured("one"), measured("other", 0.0007)
    found = of_records.duplicates([one, printed(one), other])
    assert found.verdict == CARE and "one = one-printed" in found.evidence
    assert "n=2" in found.evidence
    assert [r.name for r in distinct([printed(one), one, other])] == ["one-printed", "other"]
    assert of_records.duplicates([one, measured("near", 1e-7)]).verdict == OK  # neither is rounded
    assert of_records.duplicates([one, printed(other)]).verdict == OK


def test_trace_ends() -> None:
    assert of_records.trace_ends([run("a"), run("b")]).verdict == OK
    found = of_records.trace_ends([run("a"), run("b", convergence_rate=0.71)])
    assert found.verdict == WRONG
    assert "5 件で違う" in found.evidence
    assert found.details[0] == "b 25 サンプル: 推移 70.0%、要約 71.0%"


def test_er_and_ppl_counts_distinct_ones_at_one_size() -> None:
    runs = [_shifted(run(f"r{i}", val_er=0.6 + i / 100), -10.0 * i) for i in range(5)]
    assert of_records.er_and_ppl(runs).verdict == OK
    flat = [run(f"r{i}", val_er=0.6 + i / 100) for i in range(5)]
    assert of_records.er_and_ppl(flat).verdict == CARE  # PPL does not vary
    assert "n=4" in of_records.er_and_ppl(runs[:4]).evidence
    copies = [*runs[:4], edited(runs[0], name="copy")]
    assert of_records.er_and_ppl(copies).verdict == CARE
    assert "n=4" in of_records.er_and_ppl(copies).evidence


def test_seeds() -> None:
    a, b = run("a"), run("b", val_er=0.6)
    assert of_pairs.seeds([a, b]).evidence == "シード n=1"
    two = [with_seed(a, 43, 1.0), with_seed(_shifted(b, 50.0), 43, 1.0)]
    assert of_pairs.seeds(two).verdict == CARE and "n=2" in of_pairs.seeds(two).evidence
    far = [with_seed(with_seed(r, 43, 1.0), 44, 2.0) for r in (a, _shifted(b, 50.0))]
    assert of_pairs.seeds(far).verdict == OK
    near = [with_seed(a, 43, 60.0), with_seed(_shifted(b, 50.0), 43, 1.0)]
    assert of_pairs.seeds(near).verdict == CARE
    assert "25, 50, 100, 200, 400 サンプル" in of_pairs.seeds(near).evidence
    close = [with_seed(with_seed(r, 43, 1.0), 44, 2.0) for r in (a, _shifted(b, 0.001))]
    assert of_pairs.seeds(close).verdict == OK  # the difference is known to be below 1 %


def test_many_seeds_tell_nothing_of_what_cannot_be_compared() -> None:
    """Phase 2 cut short everywhere, or Val PPL unknown at one size."""
    a, b = (seeded(run(name), name, {42: 0.0, 43: 1.0, 44: 2.0}) for name in "ab")
    short = edited(b, results=[r.model_copy(update={"best_epoch": 20}) for r in b.results])
    gone = [r.model_copy(update={"val_ppl": None} if r.samples == 50 else {}) for r in b.results]
    for other, places in ((short, "25, 50, 100, 200, 400"), (edited(b, results=gone), "50")):
        found = of_pairs.seeds([a, other])
        assert found.evidence == f"シード n=3、Val PPL は {places} サンプルで比べられない"


def test_seeds_at_the_level_of_the_report() -> None:
    """One verdict in the tables and in the check: what 95 % tell, a wide family need not."""
    shifts = {42: 0.0, 43: 5.0, 44: -5.0}
    a, b = seeded(run("a"), "a", dict.fromkeys(shifts, 0.0)), seeded(run("b"), "b", shifts)
    b = _shifted(b, 30.0)
    check = next(c for c in registry.CHECKS if c.rule is of_pairs.seeds)
    assert check.of([a, b], compare_runs(a, b)).verdict == OK
    assert check.of([a, b], compare_runs(a, b, level=1 - 1e-12)).verdict == CARE


def _shifted(base: RunRecord, shift: float) -> RunRecord:
    results = [
        r.model_copy(update={"val_ppl": r.val_ppl + shift})
        for r in base.results
        if r.val_ppl is not None
    ]
    return edited(base, results=results)


def test_early_stop() -> None:
    assert of_records.early_stop([run("a"), run("b")]).verdict == OK
    chosen = of_records.early_stop([run("a"), run("b", {"select_on": "val"})])
    assert chosen.verdict == CARE and "b" in chosen.evidence
    unequal = of_records.early_stop([run("a", {"patience": 3}), run("b", {"patience": 1})])
    assert unequal.verdict == CARE and "a は dev と patience 3" in unequal.evidence
    patient = [run(name, {"patience": 3}, epochs_run=n) for name, n in (("a", 9), ("b", 14))]
    assert of_records.early_stop(patient).verdict == OK  # each stops when it is done


@pytest.mark.parametrize(("a", "b", "word"), [
    ({"phase2_lr": [0.1, 0.2]}, {"phase2_lr": [0.3, 0.4]}, ""),
    ({"phase2_lr": [0.1, 0.2]}, {"phase2_lr": 0.1}, "a は 2 個、b は 1 個"),
    ({"phase2_lr": 0.1}, {"learning_rates": [1, 2, 3]}, "a は 1 個、b は 3 個"),
    ({"dev": "x"}, {"dev": "x"}, ""),
    ({"dev": "x"}, {"dev": "y"}, "開発テキストが違う: b"),
    ({"dev": "x"}, {"dev": "y", "vocabulary": "other"}, ""),  # other tokens of any text
    ({"dev": "x"}, {"dev": "y", "select_on": "val"}, "止め方が違う"),
], ids=str)  # fmt: skip
def test_the_same_effort_for_each(a: dict[str, Any], b: dict[str, Any], word: str) -> None:
    """As many rates to choose from, and one text to choose on; 問題なし says that they had."""

    def trained(name: str, own: dict[str, Any]) -> RunRecord:
        knobs = {k: v for k, v in own.items() if k not in ("dev", "vocabulary")}
        known = {"development_ids": own["dev"]} if "dev" in own else {}
        known |= {k: v for k, v in own.items() if k == "vocabulary"}
        base = run(name, {"patience": 3} | knobs)
        return edited(base, digests=DIGESTS | known)

    found = of_records.early_stop([trained("a", a), trained("b", b)])
    assert (found.verdict == CARE) is bool(word) and word in found.evidence
    assert bool(found.settle) is bool(word)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 8))
def test_a_cap_that_ended_a_training_is_told(best: int, more: int, patience: int) -> None:
    """A best epoch at the cap is wrong; one that patience had not left behind yet asks for care."""
    cap = 20
    ran = min(best + min(more, patience), cap)
    best = min(best, cap)
    record = run("a", {"epochs": cap, "patience": patience}, best_epoch=best, epochs_run=ran)
    ended = ran < cap or ran - best >= patience
    wanted = WRONG if best == cap else OK if ended else CARE
    found = of_records.phase2_ended([record])
    assert found.verdict == wanted and (found.verdict == OK) is not bool(found.settle)


def test_what_models_know_is_compared() -> None:
    known = {
        name: run(name, {"embedding": "ppmi", "built_from": text})
        for name, text in (("a", "pool"), ("b", "training"))
    }
    found = of_data.same_knowledge([known["a"], known["b"]])
    assert found.verdict == CARE and any(d.startswith("b: 訓練テキストだけ") for d in found.details)
    assert of_data.same_knowledge([known["a"]]).verdict == OK
    assert of_data.same_knowledge([known["b"], record("printed")]).verdict == OK


def test_bits_are_no_way_out_where_the_texts_differ() -> None:
    """Another vocabulary of one text leaves bits per byte; another text leaves nothing."""
    tokens = edited(run("b"), digests=DIGESTS | {"validation_ids": "x", "vocabulary": "y"})
    cut = edited(run("b"), digests=DIGESTS | {"validation_ids": "x"})
    assert "bits per byte" in of_data.same_text([run("a"), tokens]).settle
    assert of_data.same_text([run("a"), cut]).settle == "同じデータで実行し直す"
    assert "bits_per_byte" in incomparable(run("a"), cut)


@pytest.mark.parametrize("best", [20, 21])
def test_training_that_was_cut_short(best: int) -> None:
    assert of_records.phase2_ended([run("a"), run("b", best_epoch=19)]).verdict == OK
    found = of_records.phase2_ended([run("a"), run("b", best_epoch=best)])
    assert found.verdict == WRONG and "b（20）" in found.evidence and "a（" not in found.evidence
    assert "`epochs` を増やして" in found.settle
    once = run("c").results[1].model_copy(update={"best_epoch": best})
    assert of_records.phase2_ended([edited(run("c"), results=[once])]).verdict == WRONG


def test_n_grams_have_no_epochs() -> None:
    counted = edited(record("n", seed=None, best_epoch=None, epochs_run=None), config={"order": 5})
    assert of_records.phase2_ended([counted]).verdict == OK
    assert of_records.early_stop([counted, run("a")]).verdict == OK


def test_same_text() -> None:
    assert of_data.same_text([run("a"), run("b")]).verdict == OK
    other = edited(run("b"), digests=DIGESTS | {"validation_ids": "x"})
    assert of_data.same_text([run("a"), other]).verdict == WRONG
    assert "validation_ids" in of_data.same_text([run("a"), other]).evidence
    unknown = edited(run("b"), digests={})
    assert of_data.same_text([run("a"), unknown]).verdict == CARE


@pytest.mark.parametrize("odd", [["a", "b"], "x", 3, {"a": 1}])
def test_splits_of_another_form_are_not_known(odd: object) -> None:
    own = record("a").model_dump()
    for part in ("training_pool", "validation"):
        data = {"training_pool": [0, 900], "validation": [1, 5]} | {part: odd}
        assert not overlaps(RunRecord(**own | {"data": data}))


def test_overlap_of_training_and_validation() -> None:
    inside = edited(run("b"), data=DATA | {"validation": [399, 400]})
    outside = edited(run("b"), data=DATA | {"validation": [400, 401]})
    assert of_data.same_text([run("a"), inside]).verdict == WRONG
    assert of_data.same_text([run("a"), outside]).verdict == OK


def test_same_rows() -> None:
    assert of_data.same_rows([run("a"), run("b")]).verdict == OK
    fewer = of_data.same_rows([run("a"), run("b", val_er_rows=500)])
    assert fewer.verdict == CARE and "500–1,000" in fewer.evidence
    assert of_data.same_rows([run("a"), run("b", val_er_rows=None)]).verdict == CARE


def test_bending() -> None:
    sizes = {25: 900.0, 50: 700.0, 100: 580.0, 200: 510.0, 400: 470.0}
    bent = edited(run("a"), results=[result(n, val_ppl=ppl) for n, ppl in sizes.items()])
    found = of_records.bending([bent, bent])
    text = " ".join(found.details)
    assert found.verdict == CARE and "一方向" in text and "n=5" in text
    assert "飽和則" in text and "残る自由度は 2" in text
    wobbly = {25: 900.0, 50: 700.0, 100: 500.0, 200: 400.0, 400: 300.0}
    straight = edited(run("a"), results=[result(n, val_ppl=ppl) for n, ppl in wobbly.items()])
    assert "一方向" not in " ".join(of_records.bending([straight, straight]).details)
    exact = {n: 5000 * (450 * n) ** -0.3 for n in (25, 50, 100, 200, 400, 800)}
    law = edited(run("a"), results=[result(25 * 2**i, val_ppl=ppl, train_tokens=450 * n)
                                    for i, (n, ppl) in enumerate(exact.items())])  # fmt: skip
    assert of_records.bending([law, law]).verdict == OK
    short = edited(bent, config=bent.config | {"epochs": 3})
    assert of_records.bending([short]).verdict == OK  # it bends because it was cut short


def test_the_list_puts_the_worst_first() -> None:
    text = registry.run_checks([run("a"), run("b", convergence_rate=0.71)]).listed()
    verdicts = [line.split("**")[1] for line in text.splitlines() if line.startswith("- ")]
    order: list[str] = [WRONG, CARE, OK]
    assert verdicts == sorted(verdicts, key=order.index)
    assert len(verdicts) == len(registry.CHECKS) and verdicts[0] == WRONG


def test_every_check_of_a_module_is_run_once() -> None:
    for modules, paired in (([of_pairs], True), ([of_records, of_data], False)):
        own = {
            rule
            for module in modules
            for rule in vars(module).values()
            if isinstance(rule, FunctionType) and rule.__module__ == module.__name__
            if get_type_hints(rule).get("return") is Check
        }
        assert {check.rule for check in registry.CHECKS if check.paired is paired} == own
    places = [check.place for check in registry.CHECKS]
    assert places == sorted(set(places))


def traced(base: RunRecord, samples: int) -> RunRecord:
    """The run with the trace of one size alone, whose end is that size's rate."""
    results = [r if r.samples == samples else r.model_copy(update={"phase1": {}})
               for r in base.results]  # fmt: skip
    return edited(base, results=results)


def test_trace_sizes() -> None:
    assert of_pairs.trace_sizes([run("a"), run("b")]).verdict == OK
    apart = of_pairs.trace_sizes([traced(run("a"), 50), traced(run("b"), 400)])
    assert apart.verdict == CARE
    assert "a の推移は 50、b の推移は 400 サンプルで、比べられない" in apart.evidence
    same = of_pairs.trace_sizes([traced(run("a"), 50), traced(run("b"), 50)])
    assert same.verdict == OK and "50 サンプル" in same.evidence
    assert of_pairs.trace_sizes([run("a", phase1={}), run("b")]).verdict == OK


def test_a_summary_of_another_size_than_its_trace() -> None:
    base = traced(run("a"), 50)
    results = [
        r if r.samples == 400 else r.model_copy(update={"convergence_rate": None})
        for r in base.results
    ]
    found = of_pairs.trace_sizes([edited(base, results=results), run("b")])
    assert found.verdict == CARE
    assert "要約の収束率は 400 サンプルのもの（70% と 70%）" in found.evidence


def test_counter_examples() -> None:
    """Five runs that trade ER for PPL, then one size at which two of them do not."""
    runs = [_shifted(run(f"r{i}", val_er=0.6 + i / 100), -10.0 * i) for i in range(5)]
    fine = of_records.er_and_ppl(runs)
    assert fine.verdict == OK and "n=5" in fine.evidence
    assert "ρ = -1.00（p = 0.02、1 つ除くと -1.00〜-1.00）" in fine.evidence  # p is 2 of 120
    first = runs[4].results[0].model_copy(update={"val_ppl": 2000.0})
    against = [*runs[:4], edited(runs[4], results=[first, *runs[4].results[1:]])]
    found = of_records.er_and_ppl(against)
    assert found.verdict == CARE
    assert "PPL も低い組は 4（25 サンプル）" in found.evidence


def test_a_correlation_needs_pairs_that_point_its_way() -> None:
    """Its pairs differ by noise alone; or all that can be told, at another size, contradict it."""
    runs = [_shifted(run(f"r{i}", val_er=0.6 + i / 100), -0.1 * i) for i in range(5)]
    noisy = [seeded(r, r.name, {42: 50.0, 43: 0.0, 44: -50.0 - i}) for i, r in enumerate(runs)]
    found = of_records.er_and_ppl(noisy)
    assert found.verdict == CARE and "向きを言える組はない" in found.evidence
    turned = [
        edited(r, results=[
            x.model_copy(update={"val_ppl": 900 + 50.0 * i} if x.samples == 25 else {})
            for x in r.results
        ])
        for i, r in enumerate(noisy)
    ]  # fmt: skip
    assert trade_off(turned, [25, 400]).contrary == [25] * 10
    found = of_records.er_and_ppl(turned)
    assert found.verdict == CARE
    assert "どれも順位相関と逆の向き（25 サンプル）" in found.evidence


@given(st.floats(0, 1))
def test_no_p_value_is_shown_as_zero(p: float) -> None:
    shown = chance(p)
    assert not shown.endswith("0.00") and (shown == "p < 0.01") == (p < 0.01)


def test_knobs_stand_in_for_unknown_digests() -> None:
    plain = [
        edited(run(name, {"tokenizer": t}), digests={}) for name, t in (("a", "x"), ("b", "y"))
    ]
    found = of_data.same_text(plain)
    assert found.verdict == WRONG and "tokenizer" in found.evidence
    assert of_data.same_text([plain[0], edited(plain[0], name="c")]).verdict == CARE


def test_unknown_epochs_are_said() -> None:
    found = of_records.phase2_ended([run("a"), run("b", epochs_run=None, best_epoch=None)])
    assert found.verdict == CARE and "エポック数の記録がない: b" in found.evidence


def test_no_seed_in_common_is_a_factor() -> None:
    other = of_pairs.one_factor([run("a"), run("b", {"seeds": [7], "max_iter": 100}, val_er=0.6)])
    assert other.verdict == CARE and "`seeds`" in other.evidence
    more = of_pairs.one_factor([run("a"), run("b", {"seeds": [42, 7], "max_iter": 100})])
    assert more.verdict == OK


REPORT = """# a vs b

| サンプル数 | a Val PPL | b Val PPL | 差分 |
|---|---|---|---|
| 25 | 900.0 | 990.0 | +90.0 (+10.0%) |
| 400 | 400.0 | 440.0 | +40.0 (+10.0%) |

| ウィンドウ | a α | b α | 差分 |
|---|---|---|---|
| Window 1 (25-200) | -0.305 | -0.305 | +0.000 |
"""


@pytest.fixture
def document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    path = tmp_path / "reports" / "written.md"
    path.parent.mkdir()
    path.write_text(REPORT, encoding="utf-8")
    return path


def test_written_report(document: Path) -> None:
    a = edited(run("a"), document="written.md")
    b = edited(_scaled(run("b"), 1.1), document="written.md")
    assert of_records.written_report([a, b]).verdict == OK
    assert of_records.written_report([a, run("b")]).verdict == OK  # not taken from it
    document.write_text(REPORT.replace("+40.0", "+60.0"), encoding="utf-8")
    found = of_records.written_report([a, b])
    assert found.verdict == WRONG and "1 件" in found.evidence
    assert "+60.0" in found.details[0]


def test_a_difference_of_rounded_numbers_is_found(document: Path) -> None:
    """+0.000 fits -0.305 and -0.305, but not the exponents behind them."""
    a = edited(run("a"), document="written.md")
    b = edited(_scaled(run("b"), 1.1), document="written.md")
    last = b.results[3].model_copy(update={"val_ppl": 480.0 * 1.1 * 1.003})
    bent = edited(b, results=[*b.results[:3], last, b.results[4]])
    found = of_records.written_report([a, bent])
    assert found.verdict == WRONG
    assert len(found.details) == 1 and "印刷された値どうしの差" in found.details[0]
    assert of_records.written_report([bent, a]).details == found.details  # the document's own order


def _scaled(base: RunRecord, factor: float) -> RunRecord:
    results = [
        r.model_copy(update={"val_ppl": r.val_ppl * factor})
        for r in base.results
        if r.val_ppl is not None
    ]
    return edited(base, results=results)
