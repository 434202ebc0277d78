"""The rules of `fpcore.claims` on a small report, right at first, into which slips are put."""

import re
from pathlib import Path
from random import Random

import pytest

from fpcore import claims, load_comparison
from fpcore.claims import Finding, check_report
from fpcore.paths import ROOT
from fpcore.reports.comparison import report

SEED = ROOT / "reports" / "published" / "v5-vs-v6.md"

# Every statement of this report is right; each test changes a few of its words or numbers.
REPORT = """# short vs long 実験比較

| パラメータ | short | long | 変更 |
|---|---|---|---|
| `max_iter` | 20 | 50 | +150% |

## 結果（640サンプル時）

| 指標 | short (20iter) | long (50iter) | 差分 |
|---|---|---|---|
| **Val PPL** | 212.5 | **203.1** | -9.4 (-4.4%) |
| **Val ER** | 61.4% | 58.2% | -3.2% |
| **α** | -0.3127 | -0.3345 | -0.022 |
| **Phase 1 収束率** | 64% | 91% | +27% |
| **実行時間** | 12.4分 | 30.1分 | +17.7分 (+143%) |

## 詳細

| サンプル数 | short Val PPL | long Val PPL | 差分 |
|---|---|---|---|
| 320 | 301.7 | 288.4 | -13.3 (-4.4%) |
| 640 | 212.5 | 203.1 | -9.4 (-4.4%) |

| ウィンドウ | short α | long α | 差分 |
|---|---|---|---|
| Window 1 (40-320) | -0.351 | -0.372 | -0.021 |
| Window 2 (80-640) | -0.284 | -0.303 | -0.019 |
| **全体** | -0.313 | -0.335 | -0.022 |

**short (20 iterations)**:
```
Iter 10: conv=31%, loss=-0.2211
Iter 20: conv=64%, loss=-0.2987  ← 終了
```

**long (50 iterations)**:
```
Iter 10: conv=31%, loss=-0.2150
Iter 20: conv=66%, loss=-0.2904
...
Iter 50: conv=91%, loss=-0.3468  ← 終了
```

- longは追加の30iterで収束率を91%まで上げ、loss改善は-0.2904→-0.3468
- 収束率が64%→91%に向上（+27%）
- Val PPLが改善（-9.4）、ERは3-4%低下
- 実行時間が+143%増加
- 20iter時点のlossはlongの方がやや高い（-0.2904 vs -0.2987 at iter 20）

### max_iterの増加（20→50）

### short 詳細結果
```
Config   Samples  Tokens P1 Iter Train ER  Val ER   T.PPL   V.PPL    Acc
2L_64d       320  30,111      20    63.0%   61.9%   101.3   301.7  11.2%
2L_64d       640  60,222      20    63.2%   61.4%    98.8   212.5  12.9%
```

### Alpha

**short**:
- Window 1 (40-320): α = -0.351, R² = 0.991
- Window 2 (80-640): α = -0.284, R² = 0.987
- Δα = +0.067 (+19.1%)
"""


def changed(*edits: tuple[str, str]) -> list[Finding]:
    text = REPORT
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the report"
        text = text.replace(old, new)
    return check_report(text)


def line_of(part: str) -> int:
    return next(i for i, line in enumerate(REPORT.splitlines(), 1) if part in line)


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def test_a_right_report_has_no_finding() -> None:
    assert check_report(REPORT) == []


@pytest.mark.parametrize(
    "edit",
    [
        ("| 301.7 | 288.4 | -13.3 (-4.4%)", "| 301.7 | 288.4 | -13.5 (-4.4%)"),
        ("| 301.7 | 288.4 | -13.3 (-4.4%)", "| 301.7 | 288.4 | -13.3 (-4.7%)"),
        ("| 301.7 | 288.4 | -13.3 (-4.4%)", "| 301.7 | 288.4 | +13.3 (+4.4%)"),
        ("+150%", "+140%"),
        ("58.2% | -3.2%", "58.2% | -4.2%"),
        ("+17.7分", "+18.7分"),
        ("-0.019 |", "-0.029 |"),
        ("+0.067", "+0.077"),
        ("+19.1%", "+20.1%"),
        ("64%→91%に向上（+27%）", "64%→91%に向上（+30%）"),
    ],
)
def test_a_difference_must_follow_from_its_numbers(edit: tuple[str, str]) -> None:
    found = only(changed(edit))
    assert (found.rule, found.line) == ("算術", line_of(edit[0]))


@pytest.mark.parametrize(
    "edit",
    [
        ("301.7 | 288.4 | -13.3", "301.7 | 288.4 | -13.4"),  # 301.74 − 288.36
        ("58.2% | -3.2%", "58.2% | -3.1%"),
        ("58.2% | -3.2%", "58.2% | -5.2%"),  # relative
        ("58.2% | -3.2%", "58.2% | -3.2 ポイント"),
        ("12.4分 | 30.1分", "12.4 | 30.1"),
        ("α = -0.351, R² = 0.991\n", "α = -0.351\n"),
        ("+17.7分", "+17.7"),
        ("64%→91%に向上（+27%）", "64%→91%に向上（+42%）"),
        ("、ERは3-4%低下", "、ERは低下（-3.2%）"),
        ("、ERは3-4%低下", "、ERは低下（-5.2%）"),
        ("、ERは3-4%低下", "、Val ERは61.4%→58.2%に低下"),
    ],
)
def test_roundings_and_both_readings_of_percent_are_allowed(edit: tuple[str, str]) -> None:
    assert changed(edit) == []


@pytest.mark.parametrize(
    "edit",
    [
        ("やや高い（", "やや低い（"),
        ("やや高い（", "良い（"),
        ("longの方がやや高い（", "shortの方がやや高い（"),
        ("向上（+27%）", "悪化（+27%）"),
        ("改善（-9.4）", "悪化（-9.4）"),
        ("+143%増加", "+143%減少"),
        ("max_iterの増加（20→50）", "max_iterの減少（20→50）"),
        ("、ERは3-4%低下", "、640サンプルのERは61.4%→58.2%に向上"),
        ("、ERは3-4%低下", "、Val PPLはlongの203.1がshortの212.5より高い"),
        ("、ERは3-4%低下", "、640サンプルのαはshortの方が急峻（-0.313 vs -0.335）"),
    ],
)
def test_direction_words_must_agree_with_the_numbers(edit: tuple[str, str]) -> None:
    found = only(changed(edit))
    assert (found.rule, found.line) == ("方向", line_of(edit[0]))


@pytest.mark.parametrize(
    "edit",
    [
        ("（-0.2904 vs -0.2987 at", "（-0.2987 vs -0.2904 at"),  # the tables say whose each is
        ("longの方がやや高い（", "shortの方がやや低い（"),
        ("やや高い（", "悪い（"),
        ("、ERは3-4%低下", "、Val PPLはlongの203.1がshortの212.5より低い"),
        ("、ERは3-4%低下", "、640サンプルのαはlongの方が急峻（-0.335 vs -0.313）"),
        ("、ERは3-4%低下", "、ERは低い（61.4%→58.2%）が改善しないとは言えない"),
        ("、ERは3-4%低下", "、ERは改善しない（61.4%→58.2%）"),
    ],
)
def test_right_direction_words_are_no_finding(edit: tuple[str, str]) -> None:
    assert changed(edit) == []


@pytest.mark.parametrize(
    ("edits", "lines"),
    [
        ([("loss改善は-0.2904", "loss改善は-0.2987")], ["loss=-0.2987", "loss=-0.2904", "追加"]),
        ([("conv=64%", "conv=65%")], ["**Phase 1", "loss=-0.2987", "64%→91%"]),
        ([("収束率を91%まで", "収束率を94%まで")], ["**Phase 1", "追加"]),
        ([("-0.022 |\n\n", "-0.021 |\n\n")], ["**α**", "**全体**"]),
        ([("改善（-9.4）", "改善（-9.9）")], ["**Val PPL**", "改善（"]),
        ([("+143%増加", "+153%増加")], ["**実行時間**", "+143%増加"]),
        ([("301.7  11.2%", "303.7  11.2%")], ["| 320 |", "301.7  11.2%"]),
        ([("α = -0.351, R² = 0.991", "α = -0.352, R² = 0.991")], ["| Window 1", "- Window 1"]),
        ([("-0.2904 vs -0.2987 at", "-0.2904 vs -0.2999 at")], ["loss=-0.2987", "at iter"]),
    ],
)
def test_a_quantity_has_one_value(edits: list[tuple[str, str]], lines: list[str]) -> None:
    found = only([f for f in changed(*edits) if f.rule != "算術"])
    assert found.rule == "二つの値"
    assert isinstance(found.line, tuple)
    assert set(found.line) <= {line_of(part) for part in lines}
    assert len(found.line) > 1


def test_two_values_of_a_difference_count_although_each_follows_from_its_numbers() -> None:
    found = changed(("64%→91%に向上（+27%）", "65%→91%に向上（+26%）"))
    assert [f.rule for f in found] == ["二つの値", "二つの値"]
    assert "64%" in found[0].text and "+26%" in found[1].text


def test_a_trace_of_another_size_is_another_quantity() -> None:
    size = ("**short (20 iterations)**", "**short (20 iterations, 40サンプル)**")
    assert changed(size, ("conv=64%", "conv=60%")) == []
    assert len(changed(("conv=64%", "conv=60%"))) == 1


def test_the_order_of_sections_and_the_names_do_not_matter() -> None:
    head, *sections = re.split(r"(?m)^(?=## )", REPORT)
    text = head + "".join(reversed(sections))
    for name, other in (("short", "基準-1.5x"), ("long", "b20")):
        text = text.replace(name, other)
    assert check_report(text) == []
    assert only(check_report(text.replace("やや高い", "やや低い"))).rule == "方向"


@pytest.mark.parametrize(
    "text", ["", "# a vs b", "| x |\n|---|\n| 1 |", "PPLが1→2に改善（+5%）", "```"]
)
def test_texts_without_runs_are_read(text: str) -> None:
    assert len(check_report(text)) == ("改善" in text)


def test_every_part_of_a_report_may_be_missing() -> None:
    lines = REPORT.splitlines()
    for i in range(0, len(lines), 3):
        check_report("\n".join(lines[:i] + lines[i + 2 :]))


def test_the_seed_has_its_five_slips_and_no_other() -> None:
    found = check_report(SEED.read_text("utf-8"))
    slips = ["+0.019 +0.018", "83% 82%", "+12% +13%", "-0.4722→-0.5014 -0.4654", "-0.4654 -0.4722"]
    assert len(found) == len(slips)
    for finding, slip in zip(found, slips, strict=True):
        assert all(part in finding.text for part in slip.split())
    assert [f.rule for f in found] == ["二つの値"] * 4 + ["方向"]


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        ("-0.4722→-0.5014", "-0.4654→-0.5014", 4),
        ("方がやや低い", "方がやや高い", 4),
        ("+0.018", "+0.019", 4),
        ("向上（+13%）", "向上", 4),
        ("conv=82%", "conv=83%", 5),  # the sentence still says 82 %
        ("594", "594", 5),
        ("+7.4 (+4.1%)", "+7.4 (+5.1%)", 7),
    ],
)
def test_slips_of_the_seed_vanish_and_appear(old: str, new: str, count: int) -> None:
    assert len(check_report(SEED.read_text("utf-8").replace(old, new))) == count


MENDS = (
    ("-0.4722→", "-0.4654→"),
    ("方がやや低い", "方がやや高い"),
    ("+0.018", "+0.019"),
    ("conv=82%", "conv=83%"),
    ("82%→95%に向上（+13%）", "83%→95%に向上（+12%）"),
)


def mended(*edits: tuple[str, str]) -> str:
    text = SEED.read_text("utf-8")
    for old, new in (*MENDS, *edits):
        assert old in text
        text = text.replace(old, new)
    return text


def said(sentence: str) -> list[Finding]:
    """Return the findings of a sentence that is put into the mended report."""
    return check_report(mended(("### ER-PPL相関", f"- {sentence}\n\n### ER-PPL相関")))


def renamed(text: str, a: str, b: str) -> str:
    return text.replace("v5", "\0").replace("v6", b).replace("\0", a)


def test_no_slip_is_left_when_the_seed_is_mended() -> None:
    assert check_report(mended()) == []


@pytest.mark.parametrize(
    "names",
    [
        ("alpha", "beta"),
        ("loss1", "loss2"),
        ("ER-a", "ER-b"),
        ("acc", "conv"),
        ("実験A", "実験B"),
        ("改善前", "改善後"),
        ("v5.1", "v5.2"),
        ("v5", "v5-long"),
        ("base", "new"),
        ("model-800", "model-50"),
        ("v6", "v5"),
    ],
    ids="-".join,
)
def test_the_names_of_runs_are_no_words(names: tuple[str, str]) -> None:
    found = check_report(renamed(SEED.read_text("utf-8"), *names))
    assert [f.rule for f in found] == ["二つの値"] * 4 + ["方向"]
    assert check_report(renamed(mended(), *names)) == []
    wrong = mended(("一貫してERが4-5%低い", "一貫してERが4-5%高い"))
    assert only(check_report(renamed(wrong, *names))).rule == "方向"


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_sections_have_the_same_slips(seed: int) -> None:
    for text, count in ((SEED.read_text("utf-8"), 5), (mended(), 0)):
        head, *sections = re.split(r"(?m)^(?=###? )", text)
        tops = re.split(r"(?m)^(?=## )", head + "".join(sections))
        Random(seed).shuffle(tops)
        assert len(check_report("".join(tops))) == count


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [line.split(" ", 1) for line in """
算術 Val ERは5.7ポイント低下した
方向 Val ERは4.7ポイント上昇した
算術 Val ERは6.6ポイント低下した
算術 Val PPLは7.1%悪化した
算術 Val PPLは14.7ポイント悪化した
方向 v6のVal PPLはv5より7.4低い
方向 v5の方が実行時間が11.5分長い
算術 実行時間は21.5分増加
算術 収束率は22ポイント高い
方向 v5はv6を収束率で12ポイント上回る
算術 v6はv5に比べてVal PPLが9.1%悪化した
算術 180.0から187.4へ 9.1% 悪化
方向 v6は一貫してERが4〜5ポイント高い
算術 v6は一貫してERが6-7ポイント低い
方向 Val ERは約5ポイント上昇した
算術 Val ERの差は5.7ポイント
算術 ERが低下（5.7ポイント）
算術 v5の方がαが急峻（差 0.028）
算術 max_iterを60→100に増やすとVal ERは5.7ポイント低下する
方向 max_iterを100→60に減らすとVal ERは4.7ポイント低下する
方向 50サンプルではv6のVal PPLが6.0高い
方向 v6の方がαが急峻（よりデータ効率が良い）
方向 最終的なPPLはv6が優位
方向 v6のVal PPLはv5より低い（800サンプル）
方向 v6ではERは上昇している
二つの値 v6のVal PPLは199.4である
算術 v6's Val ER is 5.7 points lower than v5's
方向 Val PPL decreased by 4.1%
方向 Compared with v5, v6 has a lower convergence rate
""".strip().splitlines()],
)  # fmt: skip
def test_what_a_sentence_says_without_a_sign_is_checked(rule: str, sentence: str) -> None:
    assert only(said(sentence)).rule == rule


@pytest.mark.parametrize(
    "sentence",
    """Val ERは4.7ポイント低下した
Val ERは4.7%低下、相対では6.6%低下
Val PPLは4.1%悪化した
Val PPLは7.4ポイント悪化した
v5のVal PPLはv6より7.4低く、v6のVal PPLはv5より4.1%高い
180.0から187.4へ 4.1% 悪化
v6は一貫してERが4〜5ポイント低い
v6はVal PPLが4.1%悪化したが、50サンプルでは1.0%改善した
Val ERは約5ポイント低下した
v5の方がαが急峻（差 -0.018）
全体のαはv5よりv6の方が緩やか（差 0.019）
v5ではウィンドウ間のαの差が0.079、v6では0.074
ウィンドウ1からウィンドウ2でαは-0.478→-0.399と緩やかになる
Val PPLはv6が優位
v6の方が収束率が高いが、ERが高いとは言えない
v6の方がαが急峻だと予想した
v6のVal PPLは187.4（50サンプルでは592.6）
v6の収束率は60iter時で83%、最終的に95%
v6の収束率は30iterから60iterで58ポイント上昇
v6のVal ERは50サンプルから800サンプルで0.8ポイント低下
Val PPLはv5→v6で180.0→187.4に悪化、lossは-0.4722→-0.5014に低下
Val ERとTrain ERは4.7ポイント低下
差が大きい（66.1% vs 70.8%）
lossは大きく低下した（-0.4423→-0.4722）
GPUに変えると実行時間が90%短縮した
v5のαは-0.440、標準誤差 0.02
max_iterを60→100に増やすとVal PPLが悪化する
max_iterを100→60に減らすとVal ERは4.7ポイント上昇する
サンプル数が50→800に増えるとVal PPLは低下する
50→800サンプルでVal PPLは598.6→180.0に低下
gradient_clipを1.0→2.0に上げるとlossが悪化する
学習率を0.001→0.002に上げるとlossが悪化する
訓練サンプルを50から800に増やすとVal PPLが低下する
Val PPLはdropout 0.1→0.2で悪化する
シードを42→43に変えるとVal PPLが0.3悪化する
60→100では多様性が低下した
v6's Val ER is 4.7 points lower than v5's
Raising max_iter from 60 to 100 worsens Val PPL by 4.1%""".splitlines(),
)
def test_what_is_right_or_of_something_else_is_left_alone(sentence: str) -> None:
    assert said(sentence) == []


def test_a_metric_that_spans_the_sizes_is_named_without_a_size() -> None:
    texts = [f.text for f in check_report(SEED.read_text("utf-8"))]
    assert "α" in texts[0] and "サイズ" not in texts[0]
    assert "収束率（サイズ 800）" in texts[1]


def test_a_section_that_quotes_another_text_makes_no_claim() -> None:
    quote = "## 検証\n\n- v6のVal PPLは999.9である\n\n### 詳細\n\n- Val ERは9.9ポイント上昇\n\n"
    assert check_report(mended(("## 結論", quote + "## 結論"))) == []
    assert (
        len(check_report(mended(("## 結論", quote.replace("検証", "検証の補足") + "## 結論")))) == 2
    )
    after = mended(("## 生データ", quote + "## 付録\n\n- Val ERは9.9ポイント上昇\n\n## 生データ"))
    assert only(check_report(after)).rule == "算術"


@pytest.mark.parametrize("names", [("v5-small", "v6-small"), ("v5-published", "v6-published")])
def test_reports_of_the_book_are_clean_in_both_orders(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FPCORE_HOME", str(ROOT))
    for a, b in (names, names[::-1]):
        text = report.render(load_comparison(a, b))
        assert check_report(text) == check_report(text.split("\n## 検証")[0]) == []


def test_neither_the_rules_nor_the_terms_know_a_number_or_run_of_the_seed() -> None:
    rooms = ["claims", "conflicts", "differences", "directions", "facts", "statements", "terms"]
    sources = [Path(claims.__file__).with_name(f"{room}.py") for room in rooms]
    sources.append(Path(claims.__file__).with_name("terms.yaml"))
    known = "".join(source.read_text("utf-8") for source in sources)
    words = set(re.findall(r"\d+\.\d+|\bv\d+\b|\d+%|\d,\d{3}", SEED.read_text("utf-8")))
    assert len(words) > 100
    assert {w for w in words if re.search(rf"(?<![\d.]){re.escape(w)}(?!\d)", known)} == set()


def test_the_command_prints_findings_and_tells_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.md", tmp_path / "bad.md"
    good.write_text(REPORT, "utf-8")
    bad.write_text(REPORT.replace("やや高い", "やや低い"), "utf-8")
    assert claims.main([str(good)]) == 0
    assert capsys.readouterr().out == "指摘 0 件\n"
    assert claims.main([str(bad)]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{bad}:{line_of('やや高い')}: [方向] ")
    assert last == "指摘 1 件"


@pytest.mark.parametrize("arguments", [[], ["missing.md"], ["."], ["a", "b"]])
def test_a_file_that_cannot_be_read_is_one_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert claims.main(arguments) == 2
    out = capsys.readouterr()
    assert out.out == "" and len(out.err.splitlines()) == 1
