"""The rules of `fpcore.claims` on the published seed, and on it with its five slips mended."""

import re
from pathlib import Path
from random import Random

import pytest

from fpcore import claims
from fpcore.claims import Finding, check_report
from fpcore.claims.quantities import numbers_in
from fpcore.claims.terms import TERMS
from fpcore.paths import ROOT

SEED = (ROOT / "reports" / "published" / "v5-vs-v6.md").read_text("utf-8")
RULES = ["二つの値"] * 4 + ["方向"]
MENDS = (
    ("-0.4722→", "-0.4654→"),
    ("方がやや低い", "方がやや高い"),
    ("+0.018", "+0.019"),
    ("conv=82%", "conv=83%"),
    ("82%→95%に向上（+13%）", "83%→95%に向上（+12%）"),
)


def mended(*edits: tuple[str, str]) -> str:
    text = SEED
    for old, new in (*MENDS, *edits):
        assert old in text
        text = text.replace(old, new)
    return text


def said(sentence: str) -> list[Finding]:
    """Return the findings of a sentence that is put into the mended report."""
    return check_report(mended(("### ER-PPL相関", f"- {sentence}\n\n### ER-PPL相関")))


def renamed(text: str, a: str, b: str) -> str:
    return text.replace("v5", "\0").replace("v6", b).replace("\0", a)


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def test_the_seed_has_its_five_slips_and_no_other() -> None:
    found = check_report(SEED)
    slips = ["+0.019 +0.018", "83% 82%", "+12% +13%", "-0.4722→-0.5014 -0.4654", "-0.4654 -0.4722"]
    assert [f.rule for f in found] == RULES
    for finding, slip in zip(found, slips, strict=True):
        assert all(part in finding.text for part in slip.split())
    assert [f.lines[0] for f in found] == [28, 31, 31, 96, 123]


def test_no_slip_is_left_when_the_seed_is_mended() -> None:
    assert check_report(mended()) == []


@pytest.mark.parametrize("mend", MENDS[:4])
def test_each_mend_takes_its_finding_away(mend: tuple[str, str]) -> None:
    assert len(check_report(SEED.replace(*mend))) == 4


@pytest.mark.parametrize(
    "names",
    [
        ("alpha1", "beta1"),
        ("実験A", "実験B"),
        ("改善前", "改善後"),
        ("base", "new"),
        ("short", "long"),
        ("松", "竹"),
        ("v6", "v5"),
    ],
    ids="-".join,
)
def test_the_names_of_runs_are_no_words(names: tuple[str, str]) -> None:
    assert [f.rule for f in check_report(renamed(SEED, *names))] == RULES
    assert check_report(renamed(mended(), *names)) == []
    wrong = mended(("一貫してERが4-5%低い", "一貫してERが4-5%高い"))
    assert only(check_report(renamed(wrong, *names))).rule == "方向"


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_sections_have_the_same_slips(seed: int) -> None:
    for text, count in ((SEED, 5), (mended(), 0)):
        head, *sections = re.split(r"(?m)^(?=## )", text)
        Random(seed).shuffle(sections)
        assert len(check_report("".join([head, *sections]))) == count


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


# What is planted into the seed, one at a time: an edit, and a part of the line that is then wrong.
PLANTED = [
    ("+7.4 (+4.1%) |\n| **Val Acc**", "+7.4 (+5.1%) |\n| **Val Acc**"),
    ("+67%", "+77%"),
    ("+100%", "+50%"),
    ("| 66.1% | -4.7% |\n| **Train", "| 66.1% | -5.7% |\n| **Train"),
    ("67.7% | -4.5%", "67.7% | +4.5%"),
    ("+11.5分", "+12.5分"),
    ("(+41%) |", "(+51%) |"),
    ("66.7% | -4.1%", "66.7% | -5.1%"),
    ("-6.0 (-1.0%)", "+6.0 (+1.0%)"),
    ("+2.9 (+0.7%)", "+3.9 (+0.7%)"),
    ("+7.7 (+3.4%)", "+7.7 (+4.4%)"),
    ("| 400 | 227.0", "| 400 | 229.0"),
    ("-0.457 | +0.021", "-0.457 | +0.031"),
    ("-0.383 | +0.016", "-0.383 | -0.016"),
    ("227.0  22.2%", "272.0  22.2%"),
    ("473,429     100", "474,329     100"),
    ("66.7%   112.0", "67.6%   112.0"),
    ("α = -0.399, R² = 0.995", "α = -0.389, R² = 0.995"),
    ("α = -0.457, R² = 0.993", "α = -0.475, R² = 0.993"),
    ("Δα = +0.079", "Δα = +0.089"),
    ("(+16.1%)", "(+26.1%)"),
    ("v5の方がαが急峻", "v6の方がαが急峻"),
    ("一貫してERが4-5%低い", "一貫してERが4-5%高い"),
    ("一貫してERが4-5%低い", "一貫してERが9-10%低い"),
    ("83%→95%に向上（+12%）", "83%→95%に向上（+22%）"),
    ("83%→95%に向上", "83%→95%に低下"),
    ("ERが4-5%低下（多様", "ERが9-10%低下（多様"),
    ("Val PPLが悪化（+7.4）", "Val PPLが悪化（+9.4）"),
    ("Val PPLが悪化（+7.4）", "Val PPLが改善（+7.4）"),
    ("実行時間が+41%増加", "実行時間が+51%増加"),
    ("最終的なPPLはv5が優位", "最終的なPPLはv6が優位"),
    ("| 800 | **180.0** | 187.4 |", "| 800 | 180.0 | **187.4** |"),
    ("| v6 (800samples) | 66.1% | 187.4 |", "| v6 (800samples) | 66.1% | 178.4 |"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), PLANTED)
def test_slips_that_are_planted_into_the_seed_are_found(old: str, new: str) -> None:
    assert check_report(mended((old, new)))


def test_a_section_that_quotes_another_text_makes_no_claim() -> None:
    quote = "## 検証\n\n- v6のVal PPLは199.9である\n\n### 詳細\n\n- Val ERは9.9ポイント上昇\n\n"
    assert check_report(mended(("## 結論", quote + "## 結論"))) == []
    other = quote.replace("検証", "検証の補足")
    assert len(check_report(mended(("## 結論", other + "## 結論")))) == 2


@pytest.mark.parametrize("text", ["", "# a vs b", "| x |\n|---|\n| 1 |", "```", "<table>", "\0"])
def test_texts_without_tables_are_read(text: str) -> None:
    assert check_report(text) == []


@pytest.mark.parametrize(
    "word", [word for word, (_, unit) in TERMS["units"].items() if unit != "#"]
)
def test_a_figure_has_the_unit_that_stands_behind_its_spread(word: str) -> None:
    """「42.9 ± 1.4%」 and 「42.9%」 are one figure, whichever of them a table prints."""
    (alone,), (spread,) = numbers_in(f"42.9 {word}"), numbers_in(f"42.9 ± 1.4 {word}")
    assert (spread.value, spread.unit, spread.half) == (alone.value, alone.unit, alone.half)


def test_every_part_of_a_report_may_be_missing() -> None:
    lines = SEED.splitlines()
    for i in range(0, len(lines), 5):
        check_report("\n".join(lines[:i] + lines[i + 2 :]))


def test_neither_the_rules_nor_the_terms_know_a_number_or_run_of_the_seed() -> None:
    room = Path(str(claims.__file__)).parent
    known = "".join(p.read_text("utf-8") for p in [*room.glob("*.py"), *room.glob("*.yaml")])
    words = set(re.findall(r"\d+\.\d+%?|\bv\d+\b|\d+,\d{3}", SEED))
    words = {w for w in words if w[0] == "v" or len(re.sub(r"\D", "", w).lstrip("0")) > 2}
    assert len(words) > 70
    found = {w for w in words if re.search(rf"(?<![\d.]){re.escape(w)}(?!\d)", known)}
    assert found == set()
