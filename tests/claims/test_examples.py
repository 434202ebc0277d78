"""The examples of what must be silent and what must be found, in small reports."""

import pytest

from fpcore.claims import check_report


def table(*rows: str) -> str:
    """A table from its head and rows, `a|b|c` each."""
    rule = "|".join(["---"] * (rows[0].count("|") + 1))
    return "\n".join(f"|{row}|" for row in (rows[0], rule, *rows[1:])) + "\n"


def report(*blocks: str) -> str:
    return "# 実験の報告\n\n## 結果\n\n" + "\n\n".join(blocks) + "\n"


SILENT = {
    "a method is a key": table("手法|小型 Val PPL|大型 Val PPL|差分", "甲|52.0|50.0|-2.0", "乙|61.0|57.0|-4.0"),
    "an epoch is a position": table("Epoch|Val PPL", "1|80.0", "2|70.0"),
    "an epoch is no value": table("Metric|Value|Epoch", "Best Val PPL|40.9|50", "Final Val PPL|41.7|60"),
    "an unknown column is a key": table("手法|τ|Val PPL", "甲|0.1|52.0", "甲|0.2|50.0"),
    "an unknown column is a key in code": "```\nmethod  dim  Val PPL\nA        64     52.0\nA       128     50.0\n```",
    "metrics of a trace": "```\nEpoch 1: train_ppl=50.0 val_ppl=80.0\nEpoch 2: train_ppl=40.0 val_ppl=70.0\n```",
    "two metrics of a fit": "- R² = 0.99, RSS = 41.1",
    "a lower bound": "- PPL (38.0) と下限 (30.0) の差は 8.0",
    "another direction": "- 逆方向 PPL が 25% 高い（500.0 vs 400.0）",
    "a mean": table("手法|Val PPL", "甲|300.0", "乙|384.6") + "\n- 平均は 342.3",
    "a − b": table("指標|松|竹|差", "Val PPL|40.0|38.0|+2.0", "Val ER|60.0%|66.0%|-6.0%"),
    "a target between": table("指標|松|目標|竹|差分", "Val ER|松 76.0%|目標 80%|竹 79.0%|-3.0%"),
    "counts with shares": table("指標|松|竹|差", "件数|300件 (50.0%)|210件 (35.0%)|-15.0%"),
    "minutes and seconds": table("指標|松|竹|差", "時間|28分30秒|39分45秒|+11分15秒"),
    "a base row": table("dim|パラメータ|変化", "100|2.00×10⁵|-", "200|1.50×10⁵|-25%"),
    "sections": "### 小型\n\n**変化**: PPL +80.0 (+80%)\n\n### 大型\n\n**変化**: PPL +1.0 (+1.1%)",
    "an earlier value": table("手法|Val PPL", "甲|52.0", "乙|61.0") + "\n- 以前の実験では甲のVal PPLは55.0だった",
    "two experiments": "### 実験1\n\n" + table("手法|Val PPL", "甲|52.0", "乙|61.0")
    + "\n### 実験2\n\n" + table("手法|Val PPL", "甲|53.0", "乙|61.0"),
    "a comment": "<!-- PPLは 52.0→50.0 に悪化（+9%） -->",
    "code of a language": "```python\nx = 12 * 64  # 12 * 64 = 700\n```",
    "a law": "- `PPL = 1000 × N^(-0.30)`、2倍で約19%下がる",
    "a positive α that is steeper": table("実験|α", "松|0.44", "竹|0.42") + "\n- αは松の方が急峻",
}  # fmt: skip

FOUND = {
    "a row against the others": table("指標|松|竹|差", "Val PPL|40.0|38.0|+2.0", "Train PPL|30.0|28.0|-2.0", "Val ER|60.0%|66.0%|-6.0%"),
    "a wrong difference": table("手法|小型 Val PPL|大型 Val PPL|差分", "甲|52.0|50.0|-2.0", "乙|61.0|57.0|-3.0"),
    "a named order": table("サイズ|松|竹|差（松 − 竹）", "50|40.0|38.0|-2.0", "100|30.0|27.0|+3.0"),
    "minutes and seconds": table("指標|松|竹|差", "時間|28分30秒|39分45秒|+12分15秒"),
    "a base row": table("dim|Val PPL|変化", "100|200.0|-", "200|150.0|-25.0%", "400|120.0|-40.0%", "800|100.0|-55.0%"),
    "times": table("手法|実行時間", "松|100秒", "竹|125秒") + "\n- 竹の実行時間は松の2.5倍",
    "a gain in a row": table("手法|Val PPL", "松|200.0", "竹|150.0", "改善率|-30.0%"),
    "a percent on the wrong base": "- Val PPL は 200.0→150.0 で 33% 改善した",
    "a percent of the other base": "- 逆方向 PPL が 20% 高い（500.0 vs 400.0）",
    "a law": "- `PPL = 1000 × N^(-0.30)`、2倍で30%下がる",
    "PPL = exp(loss)": table("Epoch|Val Loss|Val PPL", "1|3.50|33.1", "2|3.20|24.5", "3|3.00|22.1", "4|2.90|18.2"),
    "a total": table("要素|個数", "甲|120", "乙|180", "合計|310"),
    "an equation": "- 12 × 64 = 778",
    "steps and time": "- 0.5秒 × 1000ステップ = 600秒",
    "a superlative": table("手法|Val PPL", "松|35.0", "竹|31.0", "梅|29.5") + "\n- 最も低いのは竹の31.0",
    "a count": table("サイズ|松 Val PPL|竹 Val PPL", "50|52.0|50.0", "100|42.0|39.0", "200|35.0|31.0") + "\n- 3サイズのうち1サイズで松のVal PPLが低い",
    "a bound": table("サイズ|松 Val PPL|竹 Val PPL", "50|52.0|50.0", "100|42.0|39.0", "200|35.0|31.0") + "\n- 竹はVal PPLがどのサイズでも40を下回る",
    "a range": table("手法|Val PPL", "松|35.0", "竹|42.0", "梅|52.0") + "\n- Val PPLは35.0から50.0の範囲",
    "an order": "- 815 > 847",
    "a wrong bold value": table("手法|Val PPL|Val Acc|Test Acc", "松|**35.0**|**24.1%**|**22.0%**", "竹|31.0|22.0%|21.0%"),
    "tokens of one size": "### 松\n\n" + table("Samples|Tokens|Val PPL", "50|62,000|52.0", "100|122,000|42.0", "200|240,000|35.0")
    + "\n### 竹\n\n" + table("Samples|Tokens|Val PPL", "50|62,000|50.0", "100|122,000|39.0", "200|204,000|31.0"),
    "the end of a trace": table("指標|松|竹", "収束率|83%|95%") + "\n**松**:\n```\nIter 10: conv=25%\nIter 60: conv=82%\n```\n\n**竹**:\n```\nIter 10: conv=25%\nIter 100: conv=95%\n```",
    "a table without outer pipes": "指標 | 松 | 竹 | 差\n---|---|---|---\nVal PPL | 52.0 | 50.0 | -3.0",
    "a tilde fence": "~~~\nmethod  base PPL  new PPL  diff\nA           52.0     50.0  -3.0\nB           61.0     57.0  -4.0\n~~~",
    "HTML": "<table><tr><th>指標</th><th>松</th><th>竹</th><th>差</th></tr><tr><td>Val PPL</td><td>52.0</td><td>50.0</td><td>-3.0</td></tr></table>",
    "▲ for minus": table("指標|松|竹|差", "Val PPL|52.0|50.0|▲3.0"),
    "full-width digits": table("指標|松|竹|差", "Val PPL|５２．０|５０．０|-３．０"),
    "powers of ten": table("指標|松|竹|変化", "個数|2.00×10⁵|1.50×10⁵|-35%"),
    "an arrow": "- Val PPL が 52.0→50.0 に改善（-5.8%）",
    "a word": "- Val PPL が 50.0→52.0 に改善",
    "a share": "- 成功 12/40（35%）",
}  # fmt: skip


@pytest.mark.parametrize("block", SILENT.values(), ids=SILENT)
def test_what_is_right_is_silent(block: str) -> None:
    assert check_report(report(block)) == []


@pytest.mark.parametrize("block", FOUND.values(), ids=FOUND)
def test_a_slip_is_found_once(block: str) -> None:
    assert len(check_report(report(block))) == 1


def test_findings_are_in_the_language_of_the_report() -> None:
    (found,) = check_report("# Report\n\n- The PPL fell from 52.0 to 50.0 (-5.8%).\n")
    assert found.text.startswith("'-5.8%' does not follow from 52.0 and 50.0")
    assert found.lines == (3,)
