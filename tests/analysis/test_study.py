"""Studies: their grids, what their records show, and what they may say."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
from helpers.studies import COUNTS, arm, evidence, study_of

from fpcore import RunConfig
from fpcore.analysis.gathering import gather
from fpcore.analysis.study import Evidence
from fpcore.config.study import Study
from fpcore.errors import ConfigError, RecordError
from fpcore.paths import PARAMS, ROOT
from fpcore.reports.sentences import UNCLEAR
from fpcore.reports.study import answers, following, report

STUDIES = sorted(path.stem for path in (PARAMS / "studies").glob("*.yaml"))


@pytest.mark.parametrize("name", STUDIES)
def test_shipped_studies(name: str) -> None:
    study = Study.load(name)
    configs = study.configs()
    assert len({config.run_name for config in configs}) == len(configs)
    assert study.base_name in {config.run_name for config in configs}
    for config in configs:
        assert config.select_on == "dev" and len(config.seeds) >= 3
        changed = {k for k, v in config.knobs().items() if v != RunConfig.load("study").knobs()[k]}
        assert changed <= set(study.knobs())


def test_a_grid_is_every_combination_once(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(
        "title: t\nquestion: q\nbase: study\ngrid: {max_iter: [60, 70], gradient_clip: [1.0, 2]}\n"
        "also: [{phase1_lr: 1e-3}]\n"
    )
    found = [(c.name, c.max_iter, c.gradient_clip, c.phase1_lr) for c in Study.load(path).configs()]
    assert found == [
        ("study", 60, 1.0, 0.002),
        ("study-gradient_clip2.0", 60, 2.0, 0.002),
        ("study-max_iter70", 70, 1.0, 0.002),
        ("study-max_iter70-gradient_clip2.0", 70, 2.0, 0.002),
        ("study-phase1_lr0.001", 60, 1.0, 0.001),
    ]


MANY = ", ".join(f"{knob}: {[*range(2, 14)]}" for knob in [*RunConfig.model_fields][10:19])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title: t\nquestion: q\nbase: study\n", "grid must be a mapping of knobs"),
        ("title: t\nquestion: q\nbase: study\ngird: {}\n", "gird is not a field of a study (did"),
        ("title: t\nquestion: q\nbase: studi\ngrid: {max_iter: [3]}\n", "params/studi.yaml"),
        ("title: t\nquestion: q\nbase: study\ngrid: {max_itr: [3]}\n", "did you mean max_iter"),
        ("title: t\nquestion: q\nbase: study\ngrid: {max_iter: [0]}\n", "at least 2"),
        ("title: t\nquestion: q\nbase: study\ngrid: {max_iter: 3}\n", "grid must be a mapping"),
        ("title: t\nquestion: q\nbase: study\ngrid: {max_iter: []}\n", "lists of different values"),
        ("title: t\nquestion: q\nbase: study\ngrid: {max_iter: [3, 3]}\n", "of different values"),
        ("title: t\nquestion: q\nbase: study\ngrid: {samples: [[3], [4]]}\n", "vary samples; make"),
        ("title: t\nquestion: q\nbase: v5-small\ngrid: {max_iter: [3]}\n", "v5-small must be dev"),
        (f"title: t\nquestion: q\nbase: study\ngrid: {{{MANY}}}\n", "1,000 runs, not 5159780352"),
        (
            f"title: t\nquestion: q\nbase: study\ngrid: {{max_iter: {[*range(2, 9999)]}}}\n",
            "1,000 runs, not 9997",
        ),
        ("title: t\nquestion: q\nbase: study\ngrid: {self: [1, 2]}\n", "self is not a knob"),
        (
            "title: t\nquestion: q\nbase: ~no-such-user/x.yaml\ngrid: {max_iter: [3]}\n",
            "'~no-such-user/x.yaml'",
        ),
        ("- a\n", "must hold lines of the form"),
        ("a: [\n", "is not readable YAML"),
    ],
)
def test_a_bad_study_says_what_is_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        Study.load(path)
    assert sentence in str(error.value) and "bad.yaml" in str(error.value)


def test_an_unknown_study_is_suggested() -> None:
    with pytest.raises(ConfigError, match="did you mean iterations"):
        Study.load("iteration")


def clip_trace(norms: list[float], clip: float) -> dict[str, list[Any]]:
    clipped = [norm > clip for norm in norms]
    return {
        "iteration": list(range(2, len(norms) + 2)), "convergence_rate": [0.7] * len(norms),
        "loss": [-0.1] * len(norms), "grad_norm": norms, "clipped": clipped,
    }  # fmt: skip


def test_effects_of_two_factors_are_taken_apart() -> None:
    """Iterations add 0.02 nats, the clip nothing, and both together nothing more."""
    more = {"gap": 0.02, "val_er": 0.66, "convergence_rate": 0.84}
    names = ("study-max_iter100", "study-max_iter100-gradient_clip2.0")
    e = evidence("two-factors", **dict.fromkeys(names, more))
    rank = {effect.of: effect["val_er"] for effect in e.effects}
    assert rank["max_iter"].difference == pytest.approx(-0.04)
    assert rank["gradient_clip"].difference == 0
    assert rank["max_iter × gradient_clip"].difference == 0
    ppl = {effect.of: effect["val_ppl"] for effect in e.effects}
    assert ppl["max_iter"].certain == "up" and ppl["max_iter"].low > 0
    assert ppl["max_iter"].relative == pytest.approx(math.expm1(0.02))
    assert e.unchanged == ["study-gradient_clip2.0"]
    said = "\n".join(answers.answer(e))
    assert "`gradient_clip` 1.0 → 2.0（2 設定の平均）: どの指標もまったく変わらない" in said
    assert "`max_iter` 60 → 100（2 設定の平均）: Phase 1 収束率は 14 ポイント高い" in said
    assert "Val ER は 4.0 ポイント低い" in said


def test_an_interaction_is_seen() -> None:
    e = evidence("two-factors", **{"study-max_iter100-gradient_clip2.0": {"val_er": 0.60}})
    gaps = [effect["val_er"].difference for effect in e.effects]
    assert gaps == pytest.approx([-0.05, -0.05, -0.10])


def test_a_run_that_cannot_be_told_from_the_best_is_a_rival() -> None:
    far = {n: {"gap": 0.05} for n in ("study-max_iter30", "study-max_iter100", "study-max_iter40")}
    near = {"study-max_iter50": {"gap": -1e-5, "noise": 7}, "study-max_iter70": {"gap": 0.05}}
    e = evidence("iterations", **far, **near)
    assert e.best.name == "study-max_iter50" and e.rivals == ["study"]
    said = "\n".join(answers.answer(e))
    assert f"Val PPL に{UNCLEAR}: max_iter 60（基準）" in said
    assert "最も低いのは max_iter 50" in said
    assert not any("シードが要る" in line for line in following.next_steps(e))  # known to be small


def test_the_best_at_the_end_of_the_range_asks_for_more() -> None:
    gaps = dict(zip((30, 40, 50, 70, 100), (0.03, 0.02, 0.01, -0.01, -0.02), strict=True))
    e = evidence("iterations", **{f"study-max_iter{n}": {"gap": g} for n, g in gaps.items()})
    assert e.rivals == []
    assert any("端なので、その先の値を試す" in line for line in following.next_steps(e))
    weights = dict(zip((0.0, 0.5, 0.8), (-0.03, -0.02, -0.01), strict=True))
    arms = {f"study-dist_reg_weight{w}": {"gap": g} for w, g in weights.items()}
    lowest = evidence("dist-reg-weight", **arms)  # a weight below 0 is no weight
    assert any("端なので、隣の値との間を試す" in s for s in following.next_steps(lowest))


def test_more_seeds_only_where_they_would_help() -> None:
    runs = {"study-max_iter30": {"gap": 0.01, "seed_noise": 0.006}}
    few = following.next_steps(evidence("iterations", **runs))
    assert any(re.search(r"max_iter 30 を基準と区別するには、.*約 \d+ シード", s) for s in few)
    texts = {"study-max_iter30": {"gap": 0.002, "noise": 3, "text_noise": 0.1}}
    limited = following.next_steps(evidence("iterations", **texts))
    assert not any("シードが要る" in line for line in limited)  # the conversations limit
    little = {"study-max_iter30": {"gap": 0.009, "seed_noise": 0.006}}  # as noisy, and under 1 %
    small = following.next_steps(evidence("iterations", **little))
    assert not any("シードが要る" in line for line in small)
    alike = evidence("iterations", **{"study-max_iter30": {"gap": 0.0, "noise": 0}})
    assert not any("シードが要る" in line for line in following.next_steps(alike))


def test_rank_kept_lost_or_left_open_while_the_rate_rises() -> None:
    """Kept is what surely falls by less than a point; what hardly moves but spreads is open."""
    faster = {"convergence_rate": 0.8}
    runs = {
        "study-dist_reg_weight0.95": faster | {"val_er": 0.695},
        "study-dist_reg_weight0.99": faster | {"val_er": 0.65},
        "study-dist_reg_weight1.0": faster | {"val_er": 0.69, "er_noise": 0.03},
    }
    said = answers.answer(evidence("dist-reg-weight", **runs))[0]
    parts = {part.split(":")[0]: part for part in said.split("。") if ":" in part}
    kept = parts["ER を保って（Val ER の低下が 1 ポイント未満と言える）収束率が上がる設定"]
    lost, left = parts["収束率は上がるが Val ER が下がる設定"], said.split("。")[-2]
    assert "0.95" in kept and "0.99" in lost and "0.95" not in lost
    assert "ER を保つとも失うとも言えない設定: dist_reg_weight 1.0" in left
    none = answers.answer(evidence("dist-reg-weight"))
    assert "収束率が基準より高いと言える設定は、この中にない。" in none


def test_clipping_and_making_a_difference_are_kept_apart() -> None:
    norms = [0.02, 0.01, 0.004]
    runs: dict[str, dict[str, Any]] = {
        config.run_name: {"phase1": clip_trace(norms, config.gradient_clip)}
        for config in study_of("gradient-clip").configs()
    }
    runs["study-gradient_clip0.003"] |= {"val_er": 0.6}
    e = evidence("gradient-clip", **runs)
    clipping = {own.run: own for own in e.clipping}
    assert clipping["study-gradient_clip0.01"].clipped == pytest.approx(1 / 3)
    assert clipping["study-gradient_clip0.003"].scale == pytest.approx((0.15 + 0.3 + 0.75) / 3)
    said = answers.answer(e)
    assert (
        "`gradient_clip` が一度も働かない値: 0.1, 0.5, 1, 2。働く値: 0.001（更新の 100%" in said[1]
    )
    idle = next(line for line in said if line.startswith("gradient_clip 0.001"))
    assert "更新の 100.0% でクリップが働き" in idle and UNCLEAR in idle
    acts = next(line for line in said if line.startswith("gradient_clip 0.003"))
    assert "Val ER は 10.0 ポイント低い" in acts
    assert any("基準の勾配ノルムは 0.0040–0.0200（中央値 0.0100）なので" in s for s in said)
    rates = [line for line in said if line.startswith("phase1_lr")]
    # The clips' mean scales are 0.13, 0.4 and 0.83; the rates 0.07 and 0.2 of the base's.
    assert "（基準の 0.07 倍）: どの指標にも基準との" in rates[0] and "働いても" not in rates[0]
    assert "0.13 倍にする gradient_clip 0.001 とは、どの指標にも" in rates[0]
    assert "0.13 倍にする gradient_clip 0.001 とは" in rates[1]


def test_a_clip_that_acts_once_is_named() -> None:
    runs = {
        c.run_name: {"phase1": clip_trace([0.004] * 400 + [0.02], c.gradient_clip)}
        for c in study_of("gradient-clip").configs()
    }
    said = answers.answer(evidence("gradient-clip", **runs))
    once = next(line for line in said if line.startswith("gradient_clip 0.01:"))
    assert "更新の 0.2% でクリップが働き" in once


def test_a_clear_winner_of_any_kind_of_knob_is_reported() -> None:
    """Knobs of text have no further end."""
    gaps = {"study-contextszero": 0.02, "study-contextsuntrained": 0.03}
    e = evidence("controls", **{run: {"gap": gap} for run, gap in gaps.items()})
    assert e.best.name == "study" and e.rivals == []
    assert not any("端" in line for line in following.next_steps(e))
    said = "\n".join(answers.answer(e))
    assert "ほかの 2 設定のどれよりも低いと言える" in said
    assert "収束率が基準より高い" in said  # known of these synthetic runs
    assert report.render(e)


@pytest.mark.parametrize(("knob", "order", "value", "further"), [
    ("max_iter", [31, 60], 31, True),
    ("max_iter", [2, 60], 2, False),
    ("dist_reg_weight", [0.5, 0.95], 0.95, False),
    ("dist_reg_weight", [0.9, 0.95], 0.95, True),
    ("dist_reg_weight", [0.0, 0.5], 0.0, False),
    ("gradient_clip", [0.001, 0.003], 0.001, True),
])  # fmt: skip
def test_whether_a_range_goes_on(
    knob: str, order: list[float], value: float, further: bool
) -> None:
    assert following._goes_on(knob, order, value) is further


def test_one_seed_allows_no_conclusion() -> None:
    runs = {"study-max_iter100": {"gap": 0.02, "val_er": 0.6, "convergence_rate": 0.9}}
    e = evidence("iterations", **runs)
    single = [
        r.model_copy(update={"results": [x for x in r.results if x.seed == 42]}) for r in e.records
    ]
    e = Evidence(e.study, tuple(single))
    said = "\n".join(answers.answer(e))
    assert "収束率が基準より高いと言える設定は" in said
    assert report.render(e).count("確からしさは判定できない") == 1  # in 要点 alone
    assert "と言える。" not in said.replace("と言える設定は", "")
    two = evidence("two-factors", **{"study-max_iter100": {"gap": 0.02, "val_er": 0.6}})
    single = [
        r.model_copy(update={"results": [x for x in r.results if x.seed == 42]})
        for r in two.records
    ]
    effects = Evidence(two.study, tuple(single)).effects
    told = {effect[m].certain for effect in effects for m in effect.differences}
    assert told <= {"same", "unclear", "tiny"}


def test_a_main_effect_on_perplexity_must_survive_other_conversations() -> None:
    """Seeds agree, but the gap is in one conversation alone."""
    e = evidence("two-factors")
    moved = []
    for own in e.records:
        sign = 1 if own.config["max_iter"] == 100 else 0
        results = []
        for r in own.results:
            sums = list(r.val_loss_sums or [])
            sums[0], sums[1] = sums[0] + 60 * sign, sums[1] - 20 * sign
            ppl = math.exp(sum(sums) / sum(COUNTS))
            results.append(r.model_copy(update={"val_loss_sums": sums, "val_ppl": ppl}))
        moved.append(own.model_copy(update={"results": results}))
    found = Evidence(e.study, tuple(moved)).effects
    moved_ppl = next(x for x in found if x.of == "max_iter")["val_ppl"]
    assert moved_ppl.by_seeds.value < 1e-20 and moved_ppl.certain == "unclear"


def test_checks_look_at_every_run_beside_the_base() -> None:
    unlike = {"study-max_iter100": {"gap": 0.001, "seed_noise": 0.05}}
    text = evidence("iterations", **unlike).checks.listed()
    seeds = next(line for line in text.splitlines() if "シードは足りるか" in line)
    assert "**注意**" in seeds and "5 個の比較のうち 1 個" in seeds
    assert "study-max_iter100: シード n=3。Val PPL の差は" in text
    factors = next(line for line in text.splitlines() if "変えた条件は 1 つか" in line)
    assert "**問題なし**" in factors and "5 個の比較のどれでも" in factors
    two = evidence("two-factors").checks.listed()
    assert "変えた条件は 1 つか: 基準との 3 個の比較のどれでも" in two


def test_a_run_that_stopped_early_is_named() -> None:
    e = evidence("dist-reg-weight", **{"study-dist_reg_weight0.0": {"phase1_iterations": 23}})
    said = next(line for line in answers.answer(e) if "早く止まった" in line)
    assert "dist_reg_weight 0.0（23 反復）" in said
    assert re.search(r"dist_reg_weight 0.0 +\| +3 \| +23 \|", report.results(e))


def test_a_study_needs_records_of_its_own_configs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    study = study_of("iterations")
    for config in study.configs():
        arm(config).save()
    assert len(gather(study).records) == 6
    foreign = arm(RunConfig(**study.configs()[0].model_dump() | {"phase2_lr": 0.5}))
    foreign.save()
    with pytest.raises(RecordError, match=r"study-max_iter30.json is .* another phase2_lr than"):
        gather(study)


@pytest.mark.parametrize("lost", [{"samples": 400}, {"seed": 44}, {"samples": 25, "seed": 42}])
def test_a_study_needs_every_size_and_seed_of_its_base(
    lost: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    study = study_of("controls")
    whole = [arm(config) for config in study.configs()]
    part = whole[2].where(lambda r: any(getattr(r, k) != v for k, v in lost.items()))
    for record in (*whole[:2], part):
        record.save()
    with pytest.raises(RecordError, match=r"study-contextszero.json has no result at "):
        gather(study)


def test_intervals_are_simultaneous() -> None:
    """Five runs beside the base, of which two repeat it: the three others, two beside the best."""
    gaps = {"study-max_iter30": -0.1, "study-max_iter40": 0.1, "study-max_iter50": 0.2}
    e = evidence("iterations", **{name: {"gap": gap} for name, gap in gaps.items()})
    assert e.best.name == "study-max_iter30" and e.unchanged == [
        "study-max_iter70",
        "study-max_iter100",
    ]
    assert e.family == (3 + 2, 5, 6 - 1)
    assert e.level == pytest.approx(1 - 0.05 / 125)
    assert any("5 個の比較 × 5 サイズ × 5 指標" in line and "99.960 %" in line
               for line in answers.answer(e))  # fmt: skip


def test_the_report_names_every_run_and_its_records() -> None:
    e = evidence("iterations", **{"study-max_iter100": {"gap": 0.02}})
    text = report.render(e)
    for r in e.records:
        assert f"`{r.name}`" in text and e.label(r) in text
    assert "± " in text and "検証" in text


@pytest.mark.parametrize(
    "path", sorted((ROOT / "reports" / "studies").glob("*/report.md")), ids=lambda p: p.parent.name
)
@pytest.mark.usefixtures("committed")
def test_committed_reports_are_what_their_records_give(path: Path) -> None:
    e = gather(Study.load(path.parent.name))
    assert path.read_text("utf-8") == report.render(e)


def test_every_study_whose_runs_are_recorded_has_a_report() -> None:
    made = {path.parent.name for path in (ROOT / "reports" / "studies").glob("*/report.md")}
    recorded = {path.stem for path in (ROOT / "reports" / "runs").glob("*.json")}
    whole = {n for n in STUDIES if {c.run_name for c in Study.load(n).configs()} <= recorded}
    assert made == whole
