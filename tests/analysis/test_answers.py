"""What a study of contexts, weights and iterations answers, whatever its records say."""

import re
import statistics
from typing import Any

import pytest
from helpers.studies import arm, evidence, study_of
from hypothesis import given, settings
from hypothesis import strategies as st

from fpcore import compare_runs
from fpcore.analysis.study import Evidence
from fpcore.config.study import Study
from fpcore.reports.sentences import UNCLEAR, with_interval
from fpcore.reports.study import answers, following, ranks, report, worth

CONFIGS = {config.run_name: config for config in study_of("contexts").configs()}
DIRECTIONS = ("高い", "低い", "よいと言え", "役に立つと言える", "害になると言える")


def contexts(**by_run: dict[str, Any]) -> Evidence:
    """A study whose rate rises and rank falls with the iterations, and whose PPL `by_run` says."""
    runs: dict[str, dict[str, Any]] = {}
    for name, config in CONFIGS.items():
        rate = {30: 0.5, 60: 0.7, 100: 0.8}[config.max_iter]
        er = {30: 0.74, 60: 0.70, 100: 0.66}[config.max_iter] - 0.1 * (0.9 - config.dist_reg_weight)
        own: dict[str, Any] = {"convergence_rate": rate, "val_er": er, "val_er_centred": er + 0.01}
        if config.contexts != "trained":
            own = {"convergence_rate": None, "phase1": {}, "phase1_iterations": None}
        runs[name] = own | by_run.get(name, {})
    return evidence("contexts", **runs)


def by_knob(**gaps: Any) -> dict[str, dict[str, Any]]:
    """The gap of every run as the sum of what its knobs and contexts add."""
    return {
        name: {"gap": sum(gaps.get(f"{k}_{v}".replace(".", "_"), 0.0) for k, v in knobs.items())}
        for name, config in CONFIGS.items()
        for knobs in [
            {"max_iter": config.max_iter, "contexts": config.contexts}
            | {"weight": config.dist_reg_weight}
        ]
    }


def test_the_first_three_lines_answer_the_questions() -> None:
    """More iterations cost 2 %, zero contexts 5 %, weight 0 gains 4 %."""
    gaps = by_knob(max_iter_100=0.02, contexts_zero=0.05, contexts_untrained=0.0, weight_0_0=-0.04)
    first, second, third = answers.answer(contexts(**gaps))[:3]
    assert "収束率は上がるが Val ER が下がる設定: `max_iter` 60 → 100（3 設定の平均）" in first
    assert "Val PPL は 2.0% 高い" in first and "ER を保ったまま収束率を上げる設定" in first
    assert "100 は全 5 サイズで高い（400 サンプルで +2.0% [+2.0%, +2.0%]）" in second
    assert "30 は全 5 サイズで同じ；" in second
    assert "60 よりよいと言える値は、試した中にない" in second
    assert (
        "`dist_reg_weight` は 0.9 と比べて（3 設定の平均、Val PPL）: 0.0 は全 5 サイズで低い"
        in second
    )
    assert "0.0 は 0.9 よりよいと言える" in second and "`gradient_clip`" in second
    assert "zero に対して 25 サンプルで 9 設定で役に立つと言える" in third  # the clip changes none
    assert "untrained に対して" in third
    assert "最良の dist_reg_weight 0.0" in third and "基準（Val ER 70.0%）は最良より、" in third


def test_the_answer_turns_round_with_the_records() -> None:
    gaps = by_knob(max_iter_100=-0.02, contexts_zero=-0.05, weight_0_0=0.04)
    first, second, third = answers.answer(contexts(**gaps))[:3]
    assert "Val PPL は 2.0% 低い" in first
    assert "100 は 60 よりよいと言える" in second and "（400 サンプルで +4.1%" in second
    assert "zero に対して" in third and "害になると言える" in third


def test_whether_an_effective_rank_is_best() -> None:
    """The best lies between, at an end, has no rank at all, or cannot be told from the others."""
    costs = {"max_iter_30": 0.03, "max_iter_100": 0.03, "weight_0_0": 0.03, "weight_0_9": 0.03}
    third = answers.answer(contexts(**by_knob(**costs)))[2]
    assert "最良の dist_reg_weight 0.5 は" in third and "その付近の ER が最良と言える" in third
    short = answers.in_short(contexts(**by_knob(**costs))).splitlines()[-1]
    assert "最良の dist_reg_weight 0.5 の Val ER は" in short and "Val PPL は 3.0% 高い" in short
    end = by_knob(max_iter_60=0.03, max_iter_100=0.06, weight_0_5=0.1, weight_0_0=0.2)
    controls = ("study-contextsuntrained", "study-contextszero", "study-gradient_clip0.01")
    more = {name: {"gap": 0.5} for name in controls}
    assert "ER の高い方の端が最良である" in answers.answer(contexts(**end | more))[2]
    none = {name: {"gap": 0.1} for name in CONFIGS} | {"study-contextszero": {"val_er": None}}
    third = answers.answer(contexts(**none))[2]
    assert "最良の contexts zero に ER はなく、最良の ER は言えない" in third
    spread = {
        name: {"gap": 0.001 * i, "er_noise": 0.1 + 0.02 * i} for i, name in enumerate(CONFIGS)
    }
    third = answers.answer(contexts(**spread))[2]
    assert "ER の差が言える設定がなく、最良の ER は言えない" in third and "順位相関は ρ" in third
    assert "最良の ER は決まらない" in answers.answer(contexts(**by_knob(max_iter_30=0.03)))[2]


def test_a_cost_that_is_there_but_small_is_called_so() -> None:
    gaps = by_knob(max_iter_100=0.004, max_iter_30=0.003)
    first, second, _ = answers.answer(contexts(**gaps))[:3]
    assert "Val PPL は 0.4% 高い（差はあるが小さい）" in first
    assert "どの値でも Val PPL の差は小さい" in second


@pytest.mark.parametrize(("spread", "all_small"), [(0.0003, True), (0.0015, False)])
def test_differences_are_small_for_every_value_only_where_intervals_say_so(
    spread: float, all_small: bool
) -> None:
    """A cost of 0.8 % is told at both spreads; at the larger one it may be 1 % and more."""
    study = study_of("iterations").model_copy(update={"grid": {"max_iter": [30, 60, 100]}})
    cost: dict[str, Any] = {"gap": 0.008, "seed_noise": spread}
    arms = [arm(c, **cost if c.run_name != "study" else {}) for c in study.configs()]
    e = Evidence(study, tuple(arms))
    found = [c["val_ppl"] for c in e.comparisons.values()]
    assert all(d.certain == "up" and d.small for d in found)
    assert all(d.negligible for d in found) == all_small
    told = answers.answer(e)[1]
    assert ("どの値でも Val PPL の差は小さい" in told) == all_small
    assert all_small or "60 が最もよいと言える" in told


def test_a_cost_that_cannot_be_told_has_no_direction() -> None:
    noisy = {
        name: {"gap": 0.02 if config.max_iter == 100 else 0.0, "seed_noise": 0.05 + 0.01 * i}
        for i, (name, config) in enumerate(CONFIGS.items())
    }
    lines = answers.answer(contexts(**noisy))
    assert f"Val PPL に{UNCLEAR}" in lines[0]
    assert "は 60 よりよい" not in lines[1] and "最もよい" not in lines[1]


@pytest.mark.parametrize("short", ["study", "study-contextszero", "study-max_iter30"])
def test_a_study_with_a_run_cut_short_refuses_its_answer(short: str) -> None:
    gaps = by_knob(max_iter_100=0.02, contexts_zero=0.05)
    cap = CONFIGS[short].epochs
    e = contexts(**gaps | {short: gaps[short] | {"best_epoch": cap}})
    assert [r.name for r in e.cut_short] == [short]
    (line,) = answers.answer(e)
    assert line.startswith("**答えない。**") and e.said(e.record(short)) in line
    assert not any(word in line for word in DIRECTIONS)
    assert following.next_steps(e) == ["`epochs` を増やして、上の実行をやり直す。"]
    assert "**誤り**　Phase 2 は終わっているか" in report.render(e)
    other = contexts(**gaps | {short: gaps[short] | {"best_epoch": cap - 1}})
    assert not other.cut_short and len(answers.answer(other)) > 3


def test_what_other_sizes_say_is_said() -> None:
    """Untrained contexts are better at 25 and worse at 400; zero contexts differ at 25 alone."""
    turned = {"study-contextsuntrained": {"gap": {25: -0.12, 400: 0.05}},
              "study-contextszero": {"gap": {25: 0.08}}}  # fmt: skip
    e = contexts(**turned)
    said = next(line for line in answers.answer(e) if "サイズによって言えることが違う" in line)
    assert "contexts untrained（25 サンプルで -11.3%、400 サンプルで +5.1%、50, 100, 200" in said
    assert "contexts zero（25 サンプルで +8.3%、50, 100, 200, 400 サンプルでは" in said
    table = report.by_size(e)
    row = next(line for line in table.splitlines() if line.startswith("| contexts untrained"))
    assert "-11.3%、低い" in row and "+5.1%、高い" in row


def test_intervals_are_said_to_rest_on_what_the_records_know() -> None:
    """A single record without the losses of its conversations leaves its interval to the seeds."""
    noisy = {name: {"seed_noise": 0.004 + 0.0002 * i} for i, name in enumerate(CONFIGS)}
    blind = noisy | {"study-max_iter30": noisy["study-max_iter30"] | {"val_loss_sums": None}}
    for own, known in ((noisy, True), (blind, False)):
        told = "\n".join(answers.answer(contexts(**own))) + report.differences(contexts(**own))
        assert ("シードと検証会話の両方のばらつきが入る" in told) == known
        assert told.count("会話ごとの損失の和を知らない") == 2 * (not known)


def test_the_resolution_is_said_and_is_that_of_the_intervals() -> None:
    noisy = {name: {"seed_noise": 0.004 + 0.0002 * i} for i, name in enumerate(CONFIGS)}
    e = contexts(**noisy)
    line = next(line for line in answers.answer(e) if "見分けられる差は" in line)
    assert f"約 {100 * statistics.median(e.resolutions):.1f}%" in line and "検出力 80 %" in line
    d = e.comparisons["study-contextszero"]["val_ppl"]
    assert d.resolution > abs(d.ends[1] - d.relative)  # more than the half width


def test_equal_runs_of_one_kind_of_control_count_once() -> None:
    e = contexts()
    assert {r.name for found in e.controls.values() for r in found} == {
        "study-contextsuntrained",
        "study-contextszero",
    }
    effects = {(effect.of, effect.end): effect.settings for effect in e.effects}
    assert effects == {("dist_reg_weight", 0.0): 3, ("dist_reg_weight", 0.5): 3,
                       ("max_iter", 30): 3, ("max_iter", 100): 3}  # fmt: skip


def test_settings_of_the_same_results_count_once() -> None:
    """At weight 0 the rate is reached early, so that the iterations change nothing."""
    alike = {
        name: {"gap": 0.05, "val_er": 0.4, "val_er_centred": 0.5, "convergence_rate": 0.99}
        for name, config in CONFIGS.items()
        if config.dist_reg_weight == 0
    }
    once = {name: own for name, own in alike.items() if CONFIGS[name].max_iter == 60}
    more = {"study-contextszero": {"gap": 0.1}, "study-dist_reg_weight0.5": {"gap": -0.05}}
    third = answers.answer(contexts(**alike | more))[2]
    assert "ER がそれより低い 2 設定のうち Val PPL が高い（悪い）と言えるのは 2" in third
    assert third.count("zero に対して 25 サンプルで 7 設定で役に立つと言える") == 1
    assert len(contexts(**alike | more).pairs) < len(contexts(**once | more).pairs)


def test_one_trained_run_stands_beside_its_controls_as_in_the_tables() -> None:
    """What many runs tell of the spread over seeds is used in every sentence alike."""
    base, wide = study_of("controls"), [{"contexts": "zero", "embed_dim": n} for n in (32, 64, 96)]
    study = base.model_copy(update={"also": wide})
    noisy = {c.run_name: {"seed_noise": 0.002 * 3**i} for i, c in enumerate(study.configs())}
    e = Evidence(study, tuple(arm(c, noise=1, **noisy[c.run_name]) for c in study.configs()))
    zero = e.record("study-contextszero")
    found, alone = e.compared(e.base, zero), compare_runs(e.base, zero, level=e.level)
    shown, other = (with_interval(c["val_ppl"]) for c in (found, alone))
    assert shown in worth.answer(e) and other not in worth.answer(e)


def test_the_table_shows_the_centred_rank_where_it_is_known() -> None:
    assert "Val ER（中心化）" in report.results(contexts())
    assert "中心化" not in report.results(evidence("iterations"))


def test_one_seed_never_gets_a_direction() -> None:
    gaps = by_knob(max_iter_100=0.02, contexts_zero=0.05, weight_0_0=-0.04)
    e = contexts(**gaps)
    single = tuple(record.where(lambda r: r.seed == 42) for record in e.records)
    e = Evidence(e.study, single)
    said = "\n".join(answers.answer(e))
    assert not re.search(
        "で高い|で低い|よりよいと言える[。（]|最もよい|役に立つと言える|害になると言える", said
    )
    assert "見分けられる差" not in said and "[" not in said
    assert ranks.both_down(e) == []


CHOSEN = st.sampled_from([0.0005, 0.001, 0.002, None])


@settings(max_examples=5)
@given(st.tuples(*[CHOSEN] * len(CONFIGS)))
def test_learning_rates_at_an_end_of_those_tried_are_counted(own: tuple[float | None, ...]) -> None:
    """What lies beyond may be better, so that it shall be tried."""
    e = contexts(**{name: {"chosen": rate} for name, rate in zip(CONFIGS, own, strict=True)})
    told = "".join(line for line in answers.answer(e) if "選ばれた `phase2_lr`" in line)
    low, high = own.count(0.0005), own.count(0.002)
    assert told.startswith(f"{len(CONFIGS)} 設定のうち {low + high} 設定では") or not low + high
    wanted = [
        f"`phase2_lr` の候補に {rate} より{side}値を足し、{rate} が選ばれた {n} 設定を訓練し直す。"
        for rate, side, n in ((0.0005, "小さい", low), (0.002, "大きい", high))
        if n
    ]
    assert [line for line in following.next_steps(e) if "phase2_lr" in line] == wanted


TEXTS = {"validation_ids": "v", "vocabulary": "w"}


@pytest.mark.parametrize("odd", ["study-max_iter30", "study-contextszero"])
@pytest.mark.parametrize("text", sorted(TEXTS))
def test_a_study_on_unlike_texts_refuses_its_answer(odd: str, text: str) -> None:
    """Whatever the perplexities are: one run alone on another text or vocabulary is enough."""
    runs = contexts(**{odd: {"gap": -0.2}}).records
    other = {r.name: TEXTS | ({text: "x"} if r.name == odd else {}) for r in runs}
    unlike = tuple(r.model_copy(update={"digests": other[r.name]}) for r in runs)
    e = Evidence(study_of("contexts"), unlike)
    (refusal,) = answers.answer(e)
    assert refusal.startswith("**答えない。**")
    assert e.said(e.record(odd)) in refusal and f"`{text}`" in refusal
    assert refusal in report.gist(e) and not any(word in report.gist(e) for word in DIRECTIONS)
    assert "揃えて" in following.first_step(e)


# Knobs of every kind, the value of the base first.
KINDS: dict[str, list[Any]] = {
    "output_bias": ["none", "unigram"],
    "embedding": ["ppmi-frequency", "ppmi", "random", "a/b.safetensors"],
    "phase2_lr": [[0.0005, 0.001, 0.002], 0.001, [0.001, 0.004]],
    "er_rows": [10_000, None, 500],
    "phase2_batch": [512, 256, 1024],
    "patience": [3, 5],
}


def study_over(grid: dict[str, list[Any]], gap: float) -> Evidence:
    """A study whose runs differ from the base by so many nats, all alike."""
    study = Study(name="s", title="t", question="q", base="study", grid=grid)
    arms = [arm(c, 0.0 if c.run_name == "study" else gap) for c in study.configs()]
    return Evidence(study, tuple(arms))


@settings(max_examples=8)
@given(st.data(), st.sampled_from(sorted(KINDS)), st.sampled_from([-0.1, 0.1]), st.booleans())
def test_the_first_lines_answer_a_study_over_any_kind_of_knob(
    data: st.DataObject, knob: str, gap: float, with_base: bool
) -> None:
    """Words, lists, null or a single value: they say whether one is better than the base's."""
    own, *others = KINDS[knob]
    values = data.draw(st.lists(st.sampled_from(others), min_size=1, unique_by=str))
    e = study_over({knob: [own] * with_base + values}, gap)
    told = answers.in_short(e)
    best = "最もよいと言える" if gap > 0 else "よりよいと言える"
    assert f"`{knob}`: " in told and best in told and "[ ]" in told
    assert ("+10.5%" if gap > 0 else "-9.5%") in told


@settings(max_examples=4)
@given(st.sampled_from([-0.1, 0.1]), st.sampled_from([-0.1, 0.0, 0.1]))
def test_two_knobs_that_are_crossed_are_both_answered(words: float, numbers: float) -> None:
    study = Study(
        name="s",
        title="t",
        question="q",
        base="study",
        grid={"output_bias": ["none", "unigram"], "phase2_batch": [512, 256]},
    )
    arms = [
        arm(c, words * (c.output_bias == "unigram") + numbers * (c.phase2_batch == 256))
        for c in study.configs()
    ]
    told = answers.in_short(Evidence(study, tuple(arms)))
    said = {-0.1: "よりよいと言える。", 0.0: "どの値でも Val PPL は同じ", 0.1: "が最もよいと言える"}
    first, second = told.split("`phase2_batch`: ")
    assert "`output_bias`: " in first and said[words] in first and said[numbers] in second


def test_a_study_of_its_base_alone_says_so() -> None:
    e = study_over({"max_iter": [60]}, 0.0)
    assert answers.answer(e) == ["比べる設定が基準 max_iter 60（基準） のほかにない。"]
    assert "区間" not in report.gist(e) and report.render(e)


@pytest.mark.parametrize("gap", [-0.1, 0.1])
def test_no_draw_of_the_training_text_is_called_better(gap: float) -> None:
    e = study_over({"data_seed": [0, 1, 2]}, gap)
    told = "\n".join([answers.in_short(e), *answers.answer(e)[:1], *following.next_steps(e)])
    assert "`data_seed` は訓練会話の引き方の名前" in told
    assert "よりよい" not in told and "最もよい" not in told and "試した範囲の端" not in told
