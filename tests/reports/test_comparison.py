"""The words and files of the report: they follow the records, whatever these are."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.records import edited, record, run, scaled, seeded, trace

from fpcore import RunConfig, compare_runs, load_comparison
from fpcore.analysis import factors
from fpcore.claims import check_report
from fpcore.paths import ROOT
from fpcore.records.record import RunRecord
from fpcore.reports.comparison import conclusions, effects, report, sections
from fpcore.reports.page import page
from fpcore.reports.sentences import UNCLEAR

WORDS = "高い 低い 急峻 緩やか 上がった 下がった 悪化 改善 延びた 短くなった メリット".split()
ONE_SEED = "確からしさは判定できない"
COMMITTED = sorted((ROOT / "reports").glob("*-vs-*/report.md"))


def without_numbers(text: str) -> str:
    return re.sub(r"[-+±]?\d[\d,.]*%?", "#", text)


def test_swapping_flips_every_sign_and_word() -> None:
    a = run("a", val_er=0.7, convergence_rate=0.7)
    worse = scaled(run("b", {"max_iter": 100}, val_er=0.6, convergence_rate=0.8), "b", 1.1)
    factors_ = (1.05, 1.08, 1.1, 1.15, 1.2)  # so that α differs, too
    results = [
        r.model_copy(update={"val_ppl": (r.val_ppl or 0) * f})
        for r, f in zip(worse.results, factors_, strict=True)
    ]
    b = edited(worse, results=results)
    ab, ba = compare_runs(a, b), compare_runs(b, a)
    turned = {"up": "down", "down": "up"}
    found = [*ab.differences, *ab.by_size("val_ppl").values(), *ab.windows.values()]
    turn = [*ba.differences, *ba.by_size("val_ppl").values(), *ba.windows.values()]
    for t, u in zip(found, turn, strict=True):
        assert u.difference == pytest.approx(-t.difference, nan_ok=True)
        assert u.direction == turned.get(t.direction, t.direction)
    there, back = sections.effective_rank(ab), sections.effective_rank(ba)
    assert "全 5 サイズで低い" in there and "全 5 サイズで高い" not in there
    assert "全 5 サイズで高い" in back and "全 5 サイズで低い" not in back
    assert "緩やか" in sections.alpha(ab) and "急峻" in sections.alpha(ba)
    there, back = effects.influence(ab), effects.influence(ba)
    good, bad = there.split("**デメリット")
    assert "収束率が上がった" in good and "Val PPL が上がった（悪化）" in bad
    good, bad = back.split("**デメリット")
    assert "Val PPL が下がった（改善）" in good and "収束率が下がった" in bad
    assert "増加（60→100）" in there and "減少（100→60）" in back


def test_a_copy_yields_no_direction_word() -> None:
    a = record("a")
    copy = a.model_copy(update={"name": "copy"})
    text = report.render(compare_runs(a, copy))
    assert [word for word in WORDS if word in text.split("## 検証")[0]] == []
    assert "変えた条件がない" in text and "どちらの設定も勧められない" in text


def test_scaling_a_ppl_column_changes_the_conclusion() -> None:
    a, b = record("a"), record("b", {"max_iter": 100})
    worse, better = compare_runs(a, scaled(b, "b", 1.2)), compare_runs(a, scaled(b, "b", 0.8))
    assert "低いのは a（400.0 対 480.0）" in conclusions.recommended(worse)
    assert "max_iter = 60" in conclusions.recommended(worse)
    assert "低いのは b（320.0 対 400.0）" in conclusions.recommended(better)
    assert "max_iter = 100" in conclusions.recommended(better)
    assert "Val PPL は 20.0% 高い" in conclusions.findings(worse)
    assert "Val PPL は 20.0% 低い" in conclusions.findings(better)


def test_a_contrary_size_is_named() -> None:
    a, b = record("a"), scaled(record("b", {"max_iter": 100}), "b", 1.1)
    first = b.results[0].model_copy(update={"val_ppl": 100.0})
    mixed = b.model_copy(update={"results": [first, *b.results[1:]]})
    said = conclusions.recommended(compare_runs(a, mixed))
    assert "ただし 25 サンプルでは b の方が低い" in said


def test_several_seeds_say_so_where_no_difference_stands() -> None:
    a = seeded(record("a"), "a", {1: 0.0, 2: 5.0, 3: -5.0})
    noisy = seeded(record("b", {"max_iter": 100}), "b", {1: 9.0, 2: -2.0, 3: 1.0})
    clear = seeded(record("b", {"max_iter": 100}), "b", {1: 20.0, 2: 25.5, 3: 15.5})
    said = sections.perplexity(compare_runs(a, noisy))
    assert f"全 5 サイズでは{UNCLEAR}" in said and "高い" not in said and "低い（" not in said
    assert UNCLEAR in effects.influence(compare_runs(a, noisy))
    assert "どちらの設定も勧められない" in conclusions.recommended(compare_runs(a, noisy))
    stands = sections.perplexity(compare_runs(a, clear))
    assert "全 5 サイズで高い（悪い）" in stands and UNCLEAR not in stands
    several = report.render(compare_runs(a, clear))
    assert ONE_SEED not in several and several.count("± はシード間の標準偏差") == 1
    assert report.render(compare_runs(record("a"), record("b", val_ppl=1.0))).count(ONE_SEED) == 1


def test_alpha_of_several_seeds() -> None:
    a = seeded(record("a"), "a", {1: 0.0, 2: 5.0, 3: -5.0})
    b = seeded(scaled(record("b"), "b", 1.3), "b", {1: 0.0, 2: 5.0, 3: -5.0})
    assert "全体の α に差があるとは言えない" in sections.alpha(compare_runs(a, b))


def test_an_idle_factor_leaves_the_difference_to_the_other() -> None:
    a, b = run("a"), run("b", {"max_iter": 100, "gradient_clip": 2.0}, val_er=0.6)
    said = effects.influence(compare_runs(a, b))
    clip = said.split("### 2. `gradient_clip`")[1]
    assert "効いていない" in clip and "クリップも一度も働かない" in clip
    assert "効いた条件はほかにない" in said.split("### 2.")[0]
    clipped = trace(1.1, norm=1.5)
    acting = run("b", {"max_iter": 100, "gradient_clip": 2.0}, phase1=clipped, val_er=0.6)
    said = effects.influence(compare_runs(a, acting))
    assert "効いていない" not in said and said.count("分けられない") == 2
    assert "2 つの変更を合わせた差" in said


def test_a_single_factor_run_tells_the_factors_apart() -> None:
    a = run("a")
    clipped = trace(1.1, norm=1.5)
    b = run("b", {"max_iter": 100, "gradient_clip": 2.0}, phase1=clipped, val_er=0.6)
    alone = run("alone", {"max_iter": 100}, val_er=0.65)
    said = effects.influence(compare_runs(a, b, [alone]))
    assert "この条件だけを変えた alone と a の差" in said
    assert "70.0% → 65.0%" in said.split("### 2.")[0]


def small(name: str, **knobs: Any) -> RunRecord:
    config = RunConfig(name=name, **knobs).model_dump()
    return record(name).model_copy(update={"config": config})


def moved(base: RunRecord) -> RunRecord:
    """The run with other traces and perplexities."""
    return edited(base, results=[
        r.model_copy(update={"val_ppl": 300.0, "phase1": r.phase1 | {"loss": [-0.3, -0.4]}})
        for r in base.results
    ])  # fmt: skip


def test_yaml_of_missing_runs_is_one_knob_away() -> None:
    a = small("a", dist_reg_weight=0.5)
    b = moved(small("b", max_iter=100, samples=[25, 50]))
    files = factors.missing_runs(a, b, [a, b])
    assert set(files) == {"a-max_iter100", "a-dist_reg_weight0.9"}
    for name, text in files.items():
        config = RunConfig(**yaml.safe_load(text))
        assert config.name == name
        changed = {k for k, v in config.knobs().items() if v != a.config[k]}
        assert len(changed) == 1 and changed < {"max_iter", "dist_reg_weight"}
        assert all(v == b.config[k] for k, v in config.knobs().items() if k in changed)
    made = moved(small("made", max_iter=100, dist_reg_weight=0.5))
    assert set(factors.missing_runs(a, b, [a, b, made])) == {"a-dist_reg_weight0.9"}
    assert factors.missing_runs(a, small("c", dist_reg_weight=0.9), [a]) == {}
    assert (
        factors.missing_runs(record("a"), record("b", {"max_iter": 1, "tokenizer": "x"}), []) == {}
    )


def test_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(tmp_path))
    c = compare_runs(small("a"), moved(small("b", max_iter=100, phase1_lr=0.1)))
    path = report.write(c)
    assert path == tmp_path / "reports" / "a-vs-b" / "report.md"
    text = path.read_text(encoding="utf-8")
    for name in report.FIGURES:
        assert f"({name}.png)" in text and (path.parent / f"{name}.png").stat().st_size > 5000
    made = {p.name for p in (path.parent / "params").iterdir()}
    assert made == {"a-max_iter100.yaml", "a-phase1_lr0.1.yaml"}
    assert all(conclusions.params_file(c, Path(name).stem) in text for name in made)
    report.write(compare_runs(small("a"), small("b", max_iter=100)))
    assert list((path.parent / "params").iterdir()) == []  # nothing is missing any more
    html = (path.parent / "report.html").read_text("utf-8")
    images = re.findall(r'<img [^>]*src="data:image/png;base64,([^"]+)"', html)
    assert len(images) == len(report.FIGURES)
    assert base64.b64decode(images[0]) == (path.parent / "effective-rank.png").read_bytes()


def test_the_page_stands_alone(tmp_path: Path) -> None:
    text = "# 題\n\n## 節 <b>\n\n| 列 | 値 |\n|:--|--:|\n| 甲 | 1 |\n\n- **注意**　乙: 丙\n"
    html = page(text, tmp_path)
    assert html == page(text, tmp_path)  # byte for byte
    assert "<title>題</title>" in html and '<html lang="ja">' in html
    assert '<div class="table"><table>' in html and 'class="verdict care">注意<' in html
    assert '<h2 id="s0">' in html and 'href="#s0"' in html
    assert "<b>" not in html
    outside = [u for u in re.findall(r'(?:src|href)="([^"]+)"|url\("([^"]+)"\)', html)
               if not (u[0] or u[1]).startswith(("data:", "#"))]  # fmt: skip
    assert outside == []


def test_the_embedded_font_has_every_character_and_little_else(tmp_path: Path) -> None:
    from io import BytesIO

    from fontTools.ttLib import TTFont

    text = COMMITTED[0].read_text("utf-8")
    plain = re.sub(r"!\[.*", "", text)
    html = page(plain, tmp_path)
    data = re.search(r"data:font/woff;base64,([^\"]+)", html)
    assert data is not None
    font = TTFont(BytesIO(base64.b64decode(data[1])))
    missing = {ch for ch in plain if ch.isprintable() and ord(ch) not in font.getBestCmap()}
    hints = {"fpgm", "prep", "cvt "} & set(font.keys())
    font.close()
    assert missing <= set("✕✓"), missing
    assert not hints  # two fifths of a page's font


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_committed_reports_are_what_their_records_give(path: Path) -> None:
    c = load_comparison(*path.parent.name.split("-vs-"))
    assert report.folder(c) == path.parent
    text = report.render(c)
    assert path.read_text(encoding="utf-8") == text
    assert (path.parent / "report.html").read_text("utf-8") == page(text, path.parent)
    missing = factors.missing_runs(c.a, c.b, c.records)
    assert {p.stem: p.read_text("utf-8") for p in (path.parent / "params").glob("*")} == missing


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_committed_reports_stand_their_own_checks(path: Path) -> None:
    """What the book writes must not make the slips that it finds in others."""
    own = path.read_text("utf-8").split("## 検証")[0]
    assert check_report(own) == []
