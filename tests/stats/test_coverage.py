"""How often the interval of a difference of losses holds the true one, on stored losses.

`stored_losses.json` holds the loss sums of five runs at three sizes and seeds on 25 conversations,
one of which has half of the tokens. From a pair of them a population is made: what a conversation
moves, what a seed moves, and what is left of both. Seeds and conversations are drawn from it anew.

With 200 conversations of at most 1,000 tokens 95 % intervals cover 0.95 to 0.98 for 3, 5 and 10
seeds where these spread alike at all sizes. Records spread FALLS times as much at the smallest size
as at the largest; then it is 0.93 to 0.96 at the smallest, and up to 0.99 at the largest. A true
effect shifts all alike and changes none of it.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fpcore.stats.priors import prior_of
from fpcore.stats.uncertainty import (
    Array,
    Difference,
    Values,
    differences,
    over_seeds,
    simultaneous,
)
from fpcore.stats.variance import Variance, over_conversations

STORED = json.loads((Path(__file__).parent / "stored_losses.json").read_text("utf-8"))
COUNTS = np.array(STORED["counts"], float)
RUNS = [name for name in STORED["losses"] if name != "study"]
SIZES = ("25", "50", "100")
FALLS = 2.33  # from 25 to 100 conversations, over 113 pairs of the committed runs of studies
MEMORY = 200  # tokens after which a conversation's mean gap gets no more certain
LENGTHS = {"25 heavy-tailed": COUNTS, "200 capped": np.tile(np.minimum(COUNTS, 1000), 8)}


@dataclass(frozen=True)
class Population:
    """What moves the gap per token of a pair of runs at one size.

    `texts` [C] and `rests` [3, C] are gaps of conversations, and what a seed adds to them, both
    times the square root of their length (at most MEMORY); `spread` is that of seeds.
    """

    texts: Array
    rests: Array
    spread: float


def population(run: str, falls: float) -> list[Population]:
    """The populations of a run beside the base by size.

    The spread of seeds is that of all, `falls` times as large at the first as at the last.
    """
    root, found, spreads = np.sqrt(np.minimum(COUNTS, MEMORY)), [], []
    for n in SIZES:
        gaps = np.array(STORED["losses"][run][n]) - np.array(STORED["losses"]["study"][n])
        by_seed = gaps.sum(1) / COUNTS.sum()
        texts = (gaps.mean(0) / COUNTS - by_seed.mean()) * root
        rests = ((gaps - gaps.mean(0)) / COUNTS - (by_seed - by_seed.mean())[:, None]) * root
        found.append((texts - texts.mean(), (rests - rests.mean()) * math.sqrt(3 / 2)))
        spreads.append(by_seed.var(ddof=1))
    spread = math.sqrt(sum(spreads) / len(spreads))
    scales = np.geomspace(math.sqrt(falls), 1 / math.sqrt(falls), len(SIZES)).tolist()
    return [Population(*own, spread * scale) for own, scale in zip(found, scales, strict=True)]


def drawn(
    sizes: list[Population], counts: Array, seeds: int, effect: float, rng: np.random.Generator
) -> dict[int, Difference]:
    """Draw an experiment of some seeds and conversations, and compare its two runs."""
    root, sides, texts = np.sqrt(np.minimum(counts, MEMORY)), {}, {}
    for n, own in enumerate(sizes):
        rest = rng.choice(own.rests.ravel(), (seeds, len(counts)))
        of_texts = rng.choice(own.texts, len(counts))
        moved = rng.normal(0, own.spread, (seeds, 1))
        gaps = (effect + moved + (of_texts + rest) / root) * counts
        by_seed: Values = dict(enumerate((gaps.sum(1) / counts.sum()).tolist()))
        sides[n] = (dict.fromkeys(by_seed, 0.0), by_seed)
        texts[n] = over_conversations(gaps.mean(0), counts)
    return differences(sides, texts)


def coverage(
    run: str, counts: Array, seeds: int, effect: float, times: int, falls: float
) -> list[float]:
    """The share of intervals that hold the true effect, by size."""
    sizes, rng, held = population(run, falls), np.random.default_rng(seeds), []
    for _ in range(times):
        found = drawn(sizes, counts, seeds, effect, rng)
        held.append([d.low <= effect <= d.high for d in found.values()])
    shares: list[float] = np.mean(held, 0).tolist()
    return shares


@pytest.mark.parametrize("falls", [1.0, FALLS])
def test_intervals_hold_the_true_difference(falls: float) -> None:
    """A small one of the simulation below: 400 intervals at each size, standard error 1 %."""
    found = coverage("study-contextsuntrained", LENGTHS["200 capped"], 5, 0.01, 400, falls)
    assert min(found) >= 0.93 and np.mean(found) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("falls", [1.0, FALLS])
@pytest.mark.parametrize("effect", [0.0, 0.01, -0.1])
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("run", RUNS)
def test_coverage(run: str, seeds: int, effect: float, falls: float) -> None:
    for kind, low in {"200 capped": 0.91, "25 heavy-tailed": 0.9}.items():
        found = coverage(run, LENGTHS[kind], seeds, effect, 1000, falls)
        print(f"{run} {seeds} {effect} {falls} {kind}: {found}")
        assert min(found) >= low and np.mean(found) <= 0.99, kind


def family(arms: int, seeds: int, unlike: float, rng: np.random.Generator) -> list[Difference]:
    """Compare runs of one true value with the first of them, as a study of two sizes does.

    Their spreads over seeds differ by chance by the factor exp(±`unlike`), and between the sizes
    by 1.6; conversations add a known amount.
    """
    spread = np.exp(rng.normal(0, unlike, (arms, 1, 1))) * np.array([[[1.6], [1.0]]])
    values = rng.normal(size=(arms, 2, seeds)) * spread
    texts = rng.normal(size=(arms, 2)) * 0.25
    pairs: list[dict[int, tuple[Values, Values]]] = [
        {
            n: ({s: float(v) for s, v in enumerate(values[0, n])},
                {s: float(v) + texts[i, n] - texts[0, n] for s, v in enumerate(values[i, n])})
            for n in (0, 1)
        }
        for i in range(1, arms)
    ]  # fmt: skip
    prior = prior_of([{n: over_seeds(*pair[n]) for n in pair} for pair in pairs])
    level = simultaneous(2 * (arms - 1))
    known = [{n: Variance(2 * 0.25**2 * rng.chisquare(60) / 60, 60.0) for n in (0, 1)}
             for _ in pairs]  # fmt: skip
    return [
        d
        for pair, text in zip(pairs, known, strict=True)
        for d in differences(pair, text, level, prior).values()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("unlike", [0.0, 0.5])
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("arms", [4, 14])
def test_simultaneous_coverage(arms: int, seeds: int, unlike: float) -> None:
    """How often all intervals of a study hold the truth at once: 0.92 to 0.97 with 5 seeds.

    With 3 seeds it is 0.89 to 0.94 (standard error 1.3 %): in the far tails that a family needs,
    few degrees of freedom count for less than they say.
    """
    rng = np.random.default_rng(arms * seeds)
    studies = [family(arms, seeds, unlike, rng) for _ in range(600)]
    found = np.mean([all(d.low <= 0 <= d.high for d in study) for study in studies])
    width = np.median([d.high - d.low for study in studies for d in study]) / 2
    print(f"{arms} runs, {seeds} seeds, unlike by {unlike}: {found:.3f}, half width {width:.2f}")
    assert found >= (0.88 if seeds > 3 else 0.83)
