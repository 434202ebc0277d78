"""Texts that are cut, doubled and mixed at random are read, whatever they say."""

from pathlib import Path
from random import Random

from fpcore.claims import check_report

DOCUMENTS = Path(__file__).with_name("silent.md").read_text("utf-8").split("\n=====\n")
PIECES = (
    "| \n # ** ` ``` → vs ( ) % - + 0 9999999 1e999 ×10⁵ の は 最も低い α ~ <table> "
    "<td> = Δα= 合計 差 倍 1/0(0%) 12×0=0 1/0=3 PPL=10×N^(-0.3) 0倍で5%下がる １ ▲ \0 最大 範囲"
).split(" ")


def broken(rng: Random) -> str:
    text = rng.choice(DOCUMENTS)
    for _ in range(rng.randint(1, 30)):
        i, j = rng.randrange(len(text)), rng.randrange(len(text))
        part = rng.choice([rng.choice(PIECES), text[j : j + rng.randint(1, 80)]])
        text = text[:i] + part + text[i + rng.choice((0, 0, 5, 20)) :]
    return text


def test_no_text_stops_the_checker() -> None:
    rng = Random(7)
    for _ in range(150):
        check_report(broken(rng))
