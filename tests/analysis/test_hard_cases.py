"""Pairs and sets of records that a report must survive, and must not say too much of."""

from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers.records import DIGESTS, edited, record, run, scaled, seeded, trace

from fpcore import compare_runs
from fpcore.analysis import factors
from fpcore.analysis.checks import of_data, of_pairs, of_records, registry
from fpcore.analysis.checks.check import CARE, OK, WRONG
from fpcore.analysis.trade_off import trade_off
from fpcore.records.record import load_records
from fpcore.reports.comparison import conclusions, effects, raw_data, report, sections
from fpcore.reports.sentences import TINY

PPL_WORDS = (
    "高い（悪い）",
    "低い（良い）",
    "上がった（悪化）",
    "下がった（改善）",
    "急峻",
    "緩やか",
)


@pytest.mark.usefixtures("committed")
def test_committed_records_of_every_kind() -> None:
    """Each kind of record beside each other kind, and the studies' base beside every record."""
    kinds = ("v5-published", "v5-small", "study", "study-contextszero", "lstm-small")
    by_name = {record.name: record for record in load_records()}
    names = {*permutations(kinds, 2), *(("study", name) for name in by_name if name != "study")}
    rendered = 0
    for a, b in ((by_name[x], by_name[y]) for x, y in sorted(names)):
        if {r.samples for r in a.results} & {r.samples for r in b.results}:
            text = report.render(compare_runs(a, b))
            assert "nan" not in text.lower() and "None" not in text, (a.name, b.name)
            rendered += 1
    assert rendered > 30


def test_other_texts_leave_nothing_to_say_of_ppl() -> None:
    a = run("a")
    b = edited(scaled(run("b", {"max_iter": 100}, val_er=0.6), "b", 1.2),
               digests=DIGESTS | {"vocabulary": "other"})  # fmt: skip
    c = compare_runs(a, b)
    text = report.render(c).split("## 検証")[0]
    assert not [word for word in PPL_WORDS if word in text]
    assert "`vocabulary` が違うので、比べられない" in sections.perplexity(c)
    assert "全 5 サイズで低い" in sections.effective_rank(c)  # which can be compared
    assert "どちらの設定も勧められない" in conclusions.recommended(c)
    assert trade_off([a, b]).n == 1


def test_er_of_other_row_counts() -> None:
    c = compare_runs(run("a"), run("b", val_er=0.6, val_er_rows=100))
    said = sections.effective_rank(c)
    assert "行数が違う" in said and "全 5 サイズで" not in said


@pytest.mark.parametrize("short", ["a", "b"])
def test_training_cut_short_leaves_nothing_to_say_of_ppl(short: str) -> None:
    """Wherever the best epoch is the last one, and however large the difference."""
    a, b = (
        scaled(run(name, {"max_iter": n}, val_er=er, val_acc=acc), name, factor)
        for name, n, er, acc, factor in (("a", 60, 0.7, 0.1, 1.0), ("b", 100, 0.6, 0.2, 1.4))
    )
    cut = {r.name: edited(r, results=[
        x.model_copy(update={"best_epoch": 20}) if x.samples == 50 else x for x in r.results
    ]) for r in (a, b) if r.name == short}  # fmt: skip
    c = compare_runs(cut.get("a", a), cut.get("b", b))
    text = report.render(c)
    body = text.split("## 検証")[0]
    assert not [word for word in PPL_WORDS if word in body] and "Acc が" not in body
    assert f"{short} は最良エポックが `epochs` の上限" in sections.perplexity(c)
    assert "全 5 サイズで低い" in sections.effective_rank(c)  # phase 1 has ended
    assert "どちらの設定も勧められない" in conclusions.recommended(c)
    assert trade_off(c.records).n == 1 and f"{short}: " not in sections.perplexity(c)
    assert f"- **{WRONG}**　Phase 2 は終わっているか" in text


def test_training_on_validation_text_leaves_nothing_to_say() -> None:
    data = {"training_pool": [0, 999], "validation": [399, 420]}
    c = compare_runs(run("a"), edited(scaled(run("b"), "b", 0.5), data=data))
    assert "訓練と検証が重なる" in sections.perplexity(c)
    assert "低い（良い）" not in report.render(c)


def test_trade_offs_respect_uncertainty() -> None:
    a = seeded(record("a"), "a", {1: 0.0, 2: 5.0, 3: -5.0})
    b = seeded(record("b", val_er=0.6), "b", {1: 9.0, 2: -2.0, 3: 1.0})
    found = trade_off([a, b])
    assert (found.opposed, found.alike, found.n) == ([], [], 2)
    clear = seeded(record("b", val_er=0.6), "b", {1: 50.0, 2: 56.0, 3: 44.0})
    assert trade_off([a, clear]).opposed == [25, 50, 100, 200, 400]


def test_counter_examples_are_no_chance_of_many_pairs() -> None:
    """PPL differs but for noise: of 66 pairs some are told at 95 %, in both ways; none at once."""
    rng = np.random.default_rng(1)
    runs = []
    for i, noise in enumerate(rng.normal(size=(12, 3)).tolist()):
        own = seeded(
            record("x", val_er=0.6 + i / 100), f"r{i}", dict(enumerate(20 * v for v in noise))
        )
        runs.append(own.where(lambda r: r.samples == 25))
    pairs = [compare_runs(a, b) for a, b in combinations(runs, 2)]
    assert {c["val_ppl"].direction for c in pairs} == {"up", "down", "unclear"}
    found = trade_off(runs)
    assert (found.opposed, found.alike) == ([], [])


def test_one_run_alone_carries_no_correlation() -> None:
    """Five runs without an order, and one far away in both."""
    points = [(0.70, 500), (0.71, 503), (0.72, 501), (0.73, 502), (0.74, 499), (0.5, 600)]
    runs = [run(f"r{i}", val_er=er, val_ppl=float(ppl)) for i, (er, ppl) in enumerate(points)]
    found = trade_off(runs).correlation
    assert found is not None and not found.holds
    left = [rho for rho, _ in found.without_one]
    assert min(left) < found.rho < max(left)
    assert of_records.er_and_ppl(runs).verdict == CARE


def test_what_cannot_be_seen_has_no_direction() -> None:
    c = compare_runs(record("a"), scaled(record("b", {"max_iter": 100}), "b", 1.00001))
    assert f"全 5 サイズでは{TINY}" in sections.perplexity(c)
    assert "0.0 高い" not in conclusions.findings(c) and "高い" not in sections.perplexity(c)
    assert "どちらの設定も勧められない" in conclusions.recommended(c)
    assert "メリット" not in effects.influence(c)


def test_time_is_by_seed() -> None:
    three = seeded(run("a"), "a", {42: 0.0, 43: 1.0, 44: 2.0})
    rows = compare_runs(three, run("b")).summary.set_index("metric")
    assert rows.loc["seconds", "difference"] == 0.0


def test_seeds_are_no_setting_to_recommend() -> None:
    a, b = record("a", {"seeds": [42]}), record("b", {"seeds": [7]})
    other = edited(b, results=[r.model_copy(update={"seed": 7, "val_ppl": 1.0}) for r in b.results])
    c = compare_runs(a, other)
    assert "seeds" not in conclusions.recommended(c)
    assert "この変更によると読める" not in effects.influence(c)


def test_unknown_settings_are_not_equal_settings() -> None:
    known, bare = run("a", {"max_iter": 60}), edited(run("b"), config={"name": "b"})
    c = compare_runs(known, bare)
    assert "片方の記録にしかない条件" in sections.conditions(c)
    assert "影響は分けられない" in effects.influence(c)
    found = of_pairs.one_factor([known, bare])
    assert found.verdict == CARE and "片方の記録にしかない" in found.evidence


def test_a_clip_that_acts_late_is_not_idle() -> None:
    late = trace() | {"iteration": [2, 3, 4, 5], "grad_norm": [0.01, 0.01, 0.01, 3.0]}
    late |= {"convergence_rate": [0.1, 0.2, 0.7, 0.8], "loss": [-0.1, -0.2, -0.3, -0.4]}
    late |= {"clipped": [False, False, False, True]}
    a, b = run("a"), run("b", {"gradient_clip": 2.0, "max_iter": 100}, phase1=late, val_er=0.6)
    assert factors.inert(a, b) == []
    small = run("b", {"gradient_clip": 0.005, "max_iter": 100}, val_er=0.6)
    assert factors.inert(a, small) == []  # the other run's clip would have acted


def test_equal_traces_say_nothing_of_the_vocabulary() -> None:
    a, b = run("a", {"tokenizer": "x"}), run("b", {"tokenizer": "y", "phase1_lr": 1.0}, val_er=0.6)
    a = edited(a, config=a.config | {"phase1_lr": 2.0})
    assert factors.inert(a, b) == [("phase1_lr",)]


def test_a_factor_that_changes_no_result_is_idle() -> None:
    c = compare_runs(run("a"), run("b", {"max_iter": 100}))
    assert "`max_iter` は効いていない" in conclusions.findings(c)
    assert "この変更によると読める" not in effects.influence(c)
    assert "差は `max_iter`" not in conclusions.findings(c)


@pytest.mark.parametrize("field", ["phase1", "val_ppl", "train_tokens", "val_er"])
def test_reports_without_a_figure_are_written(
    field: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    empty: dict[str, Any] = {field: {} if field == "phase1" else None}
    path = report.write(compare_runs(record("a", **empty), record("b", **empty)))
    text = path.read_text("utf-8")
    assert "nan" not in text.lower() and "None" not in text
    plt.close("all")


def test_flat_ppl() -> None:
    flat = record("a", val_ppl=100.0)
    assert "差はない" in sections.alpha(compare_runs(flat, edited(flat, name="b")))
    assert "Δα = ±0.000 (–)" in raw_data.progression(compare_runs(flat, edited(flat, name="b")))


def test_others_of_other_sizes_do_no_harm() -> None:
    alone = run("alone", {"max_iter": 100})
    far = edited(alone, results=[r.model_copy(update={"samples": 7}) for r in alone.results[:1]])
    b = run("b", {"max_iter": 100, "gradient_clip": 2.0}, phase1=trace(1.1, 1.5), val_er=0.6)
    assert "分けられない" in report.render(compare_runs(run("a"), b, [far]))
    assert len(registry.run_checks([run("a"), far]).checks) == len(registry.CHECKS)


def test_both_single_factor_runs_tell_the_factors_apart() -> None:
    a = run("a")
    clipped = trace(1.1, 1.5)
    b = run("b", {"max_iter": 100, "gradient_clip": 2.0}, phase1=clipped, val_er=0.6)
    longer = run("longer", {"max_iter": 100}, val_er=0.65)
    wider = run("wider", {"gradient_clip": 2.0}, phase1=clipped, val_er=0.68)
    c = compare_runs(a, b, [longer, wider])
    assert "1 つだけ変えた実行で分けて示した" in conclusions.findings(c)
    assert of_pairs.one_factor(c.records).verdict == OK


def test_sets_are_checked_whole() -> None:
    other = edited(run("c"), digests=DIGESTS | {"validation_ids": "x"}, environment={"device": "x"})
    found = of_data.same_text([run("a"), run("b"), other])
    assert found.verdict == WRONG and "a と c" in found.evidence
    found = of_records.environments([run("a"), run("b"), other])
    assert found.verdict == CARE and "a と c" in found.evidence


def test_tied_knobs_are_one_factor() -> None:
    knobs = {"tokenizer": "gpt2", "embedding": "gpt2", "embed_dim": 768}
    a = run(
        "a", {"tokenizer": "bpe-4096", "embedding": "ppmi", "embed_dim": 128, "corpus": "x.txt"}
    )
    b = edited(scaled(a, "b", 1.1), config=a.config | knobs | {"max_iter": 100})
    assert factors.changed_factors(a, b)[0] == ("tokenizer", "embedding", "embed_dim")
    files = factors.missing_runs(a, b, [])
    assert len(files) == 2 and any("embed_dim: 768" in text for text in files.values())


def test_long_names_stay_apart() -> None:
    a = edited(run("a", {"corpus": "x.txt"}), name="n" * 79)
    changed = {"corpus": "x.txt", "max_iter": 100, "gradient_clip": 2.0}
    b = run("b", changed, phase1=trace(1.1, 1.5))
    names = set(factors.missing_runs(a, b, []))
    assert len(names) == 2 and all(len(name) <= 80 for name in names)


def test_printed_parts_of_a_trace_are_no_contradiction() -> None:
    part = run("a", phase1_iterations=60, convergence_rate=0.82)
    assert of_records.trace_ends([part, run("b")]).verdict == OK


def test_two_sizes_cannot_bend() -> None:
    short = edited(run("a"), results=run("a").results[:3])
    assert "曲がりも調べられない" in " ".join(of_records.bending([short]).details)
    assert of_records.bending([short]).verdict == CARE


def test_a_lost_document_is_said() -> None:
    lost = edited(run("a"), document="lost.md")
    found = of_records.written_report([lost, run("b")])
    assert found.verdict == CARE and "読めない" in found.evidence


def test_printed_figures_are_those_of_the_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    (tmp_path / "reports").mkdir()
    text = "# a vs b\n\n| サンプル数 | a Val PPL | b Val PPL | 差分 |\n|---|---|---|---|\n"
    path = tmp_path / "reports" / "written.md"
    path.write_text(f"{text}| 25 | 901.0 | 900.0 | -1.0 |\n", encoding="utf-8")
    a = edited(run("a"), document="written.md")
    found = of_records.written_report([a, run("b")])
    assert found.verdict == WRONG
    assert found.details == (
        "[記録] 5 行: a のVal PPL（サイズ 25）の 901.0 は記録の 900.0 と違う。",
    )
