"""What a study of contexts, weights and iterations answers, whatever its records say."""

import re
from typing import Any

import pytest
from helpers.studies import evidence, study_of

from fpcore.analysis.study import Evidence
from fpcore.reports.sentences import UNCLEAR
from fpcore.reports.study import answers, ranks, report

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
    assert "zero に対して 25 サンプルで 10 設定で役に立つと言える" in third
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
    assert answers.next_steps(e) == ["`epochs` を増やして、上の実行をやり直す。"]
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


def test_the_resolution_is_said_and_is_that_of_the_intervals() -> None:
    noisy = {name: {"seed_noise": 0.004 + 0.0002 * i} for i, name in enumerate(CONFIGS)}
    e = contexts(**noisy)
    line = next(line for line in answers.answer(e) if "見分けられる差は" in line)
    middle = e.resolutions[len(e.resolutions) // 2]
    assert f"約 {100 * middle:.1f}%" in line and "検出力 80 %" in line
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


@pytest.mark.parametrize(("chosen", "ends"), [(0.0005, 1), (0.001, 0), (0.002, 1), (None, 0)])
def test_a_learning_rate_at_an_end_of_those_tried_is_counted(
    chosen: float | None, ends: int
) -> None:
    """What lies beyond may be better, and other runs have found theirs inside."""
    inside = {name: {"chosen": 0.001} for name in CONFIGS}
    lines = answers.answer(contexts(**inside | {"study-contextszero": {"chosen": chosen}}))
    told = [line for line in lines if "選ばれた `phase2_lr` が候補の端" in line]
    assert len(told) == ends
    assert all(line.startswith(f"{len(CONFIGS)} 設定のうち 1 設定では") for line in told)
