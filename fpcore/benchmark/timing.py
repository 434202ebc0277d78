"""Plain and fast side by side: `python -m fpcore.benchmark [--quick] [--repeats N]`.

Both work on the same tensors in the same run, in turns, so that a noisy machine troubles both
alike; ratios are medians over the turns. Beside them stands the bound: the matrix products of
that work alone, timed in the same turns. It writes `reports/benchmark.md` and its figure; the name
says `-gpu` where a GPU was measured, and `-small` for the small setting.
"""

import argparse
import math
import platform
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch

from fpcore.benchmark.cards import Measured, beside, section
from fpcore.benchmark.cases import FULL, QUICK, SIZES, Case, Cases, Shapes
from fpcore.benchmark.clock import seconds
from fpcore.benchmark.counted import counted
from fpcore.benchmark.counts import Counts
from fpcore.benchmark.generated import generation
from fpcore.benchmark.peaks import KINDS, bytes_per_token
from fpcore.benchmark.profiled import Stages
from fpcore.config.run_config import RunConfig
from fpcore.data.dataset import prepare
from fpcore.model.precision import device_of
from fpcore.notation import Markdown, number, table
from fpcore.paths import reports, write_atomically
from fpcore.reports import figures
from fpcore.runs.progress import Progress
from fpcore.runs.provenance import device_name, environment

SPEC = {"Phase 1 iteration": 7.0, "Phase 2 training": 1.43}  # plain, 2 cores (spec section 7)
SPEC_RATE = (103, 117)  # GFLOP/s of float32 products on that machine
GAP = 0.25  # where the plain time is off the spec's by more than this share, the report says so


def measure(case: Case, repeats: int, progress: Progress) -> pd.DataFrame:
    """Time a case in turns; one row per precision, times in the case's unit.

    Columns `stage, unit, precision, version, plain, fast, ratio, products, above`: `ratio` is
    plain / fast, `above` is fast / products, each the median over the turns. Where a stage has two
    plain versions, `version` says which of them was the faster and stands there.
    """
    works = {("plain", ""): case.plain}
    works |= {("nn.Module", ""): case.module} if case.module else {}
    works |= {("fast", name): work for name, work in case.fast.items()}
    works |= {("products", name): work for name, work in case.products.items()}
    for key, work in works.items():  # the plain work needs no warming up: it allocates anyway
        if key[0] in ("fast", "products"):
            work()
    times: dict[tuple[str, str], list[float]] = {key: [] for key in works}
    for turn in range(repeats):
        for key, work in works.items():
            progress.update(f"{case.stage}: turn {turn + 1} of {repeats}, {' '.join(key)}")
            times[key].append(seconds(work))
    return pd.DataFrame([_row(case, name, times) for name in case.fast])


def _row(case: Case, name: str, times: dict[tuple[str, str], list[float]]) -> dict[str, object]:
    plains = {kind: turns for (kind, _), turns in times.items() if kind in ("plain", "nn.Module")}
    version = min(plains, key=lambda kind: statistics.median(plains[kind]))
    plain, fast = plains[version], times["fast", name]
    products = times.get(("products", name))
    factor = case.scale / case.amount
    return {
        "stage": case.stage,
        "unit": case.unit,
        "precision": name,
        "version": version,
        "plain": statistics.median(plain) * factor,
        "fast": statistics.median(fast) * factor,
        "ratio": _median_ratio(plain, fast),
        "products": statistics.median(products) * factor if products else None,
        "above": _median_ratio(fast, products) if products else None,
    }


def _median_ratio(a: list[float], b: list[float]) -> float:
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


@dataclass(frozen=True)
class Benchmark:
    """What one run measured: rows of `measure`, and bytes of phase 1's peak memory per token.

    The reference times and the memory are those of a CPU; `on_cpu` says whether this was one.
    `draw` are the seconds of phase 1's first iteration, which only draws, and `text` those in which
    phase 2's text is made; `counted` is what a GPU would be asked to do, and `profiled` what one
    took for it, where this was one.
    """

    shapes: Shapes
    repeats: int
    rows: pd.DataFrame
    memory: dict[str, float]
    on_cpu: bool = True
    draw: float = 0.0
    text: float = 0.0
    counted: dict[str, Counts] = field(default_factory=dict)
    profiled: dict[str, Measured] = field(default_factory=dict)


def run(quick: bool = False, repeats: int = 3) -> Benchmark:
    """Time every stage at the seed's shapes (or the small setting's), and measure the memory."""
    shapes, progress = QUICK if quick else FULL, Progress()
    data, device = _data(shapes), device_of("auto")
    cases = Cases(shapes, *data, device)
    ranks = [partial(cases.effective_rank, dtype) for dtype in (torch.float64, torch.float32)]
    made: list[Callable[[], Case]] = [cases.phase1, cases.phase2, cases.evaluation]
    made += [cases.sequential, partial(generation, cases)]
    made += [] if quick else [partial(generation, Cases(QUICK, *_data(QUICK), device))]
    made += ranks
    rows = pd.concat([measure(case(), repeats, progress) for case in made], ignore_index=True)
    progress.update("memory of phase 1")
    on_cpu = cases.device.type == "cpu"  # whose peaks the system tells
    memory = {kind: bytes_per_token(kind) for kind in KINDS} if on_cpu and not quick else {}
    progress.finish(f"{len(rows)} rows in {repeats} turns")
    draw, text = (
        statistics.median(seconds(work) for _ in range(repeats))
        for work in (cases.first, cases.text())
    )
    work = {} if quick else counted()
    del cases, made, ranks  # the profile needs the room
    whole = {} if quick or on_cpu else Stages(shapes, *_long(data), device).measure()
    return Benchmark(shapes, repeats, rows, memory, on_cpu, draw, text, work, whole)


def stages(b: Benchmark) -> Markdown:
    """Return the times as a Markdown table; of the least of a row three digits are shown."""
    rows = b.rows
    times = rows[["plain", "fast", "products"]]
    digits = [max(3, 2 - math.floor(math.log10(least))) for least in times.min(axis=1)]
    written = {kind: list(map(number, times[kind], digits)) for kind in times}
    shown = {
        "段階": rows["stage"],
        "精度": rows["precision"],
        "単位": rows["unit"],
        "速い plain": rows["version"],
        "plain": written["plain"],
        "fast": written["fast"],
        "plain / fast": [number(v, 2, "×") for v in rows["ratio"]],
        "行列積だけ": written["products"],
        "fast / 行列積": [number(v, 2, "×") for v in rows["above"]],
    }
    return table(pd.DataFrame(shown))


def memory(b: Benchmark) -> Markdown:
    """Return the growth of phase 1's peak memory as a Markdown table."""
    if not b.on_cpu:
        return Markdown("ピークメモリは CPU だけで測る。")
    if not b.memory:
        return Markdown("小さい設定では測らない。")
    shown = {
        "Phase 1": list(b.memory),
        "ピークメモリの増え方": [number(v / 1000, 2, " KB/トークン") for v in b.memory.values()],
    }
    return table(pd.DataFrame(shown))


def machine() -> str:
    """Say what this ran on."""
    about = environment(device_of("auto"), "float32")
    where = about["device"] if about["device"] != "cpu" else _processor()
    return f"{where}、{about['threads']} スレッド、torch {about['packages']['torch']}"


def beside_the_spec(b: Benchmark) -> Markdown:
    """Set the plain times beside those of the spec's machine; a large gap is said."""
    if not b.on_cpu:
        return Markdown("仕様書の参照時間は CPU のものなので、並べない。")
    if b.shapes != FULL:
        return Markdown("仕様書の参照時間は大きい設定のものなので、並べない。")
    lines, rate = [], _rate()
    near = SPEC_RATE[0] * (1 - GAP) < rate < SPEC_RATE[1] * (1 + GAP)
    why = "行列積の外（要素ごとの計算とメモリの確保）が違う" if near else "行列積の速さが違う"
    for stage, told in SPEC.items():
        row = b.rows[b.rows["stage"] == stage].iloc[0]
        gap = row["plain"] / told - 1
        line = f"- {stage}: plain {number(row['plain'], 2)} {row['unit']}、仕様書 {told}"
        faster = "速い" if gap < 0 else "遅い"
        note = f"（{number(abs(gap) * 100, 0)}% {faster}: {why}）"
        lines.append(line + (note if abs(gap) > GAP else ""))
    low, high = SPEC_RATE
    lines.append(
        f"- この機械の float32 行列積は {rate:,.0f} GFLOP/s、仕様書の機械は {low} から {high}"
    )
    return Markdown("\n".join(lines))


def render(b: Benchmark) -> Markdown:
    """Return the page."""
    s = b.shapes
    parts = [
        "# ベンチマーク: plain と fast",
        f"{machine()}。D {s.context_dim}、E {s.embed_dim}、{s.tokenizer}、"
        f"Phase 1 は {s.tokens:,} トークン。{b.repeats} 回ずつ交互に測った中央値。"
        "比は回ごとの比の中央値なので、時間の中央値どうしの比とは少し違う。"
        "「行列積だけ」は同じ仕事の行列積を同じ回にふつうの形で測ったもので、下限の目安である。"
        "plain は、式のとおりの実装と、ふつうの nn.Module で書いた実装の、速い方。"
        f"Phase 1 の最初の文脈を引く時間（{number(b.draw, 2)} 秒、1 回だけ）と、"
        f"Phase 2 の入力をならべておく時間（{number(b.text, 2)} 秒、1 回だけ）は含まない。",
        stages(b),
        f"![plain に対する速さ]({_name(b)}.png)",
    ]
    if b.on_cpu:
        parts.append(f"## メモリ\n\n{memory(b)}")
        parts.append(f"## 参照時間との比較\n\n{beside_the_spec(b)}")
    if b.profiled:
        parts.append(beside(b.counted, b.profiled, device_name(device_of("auto"))))
    elif b.counted:
        parts.append(section(b.counted))
    return Markdown("\n\n".join(parts) + "\n")


def _name(b: Benchmark) -> str:
    """Return the name of the page: a glance at the small setting leaves the other as it is."""
    kinds = [kind for kind, so in (("gpu", not b.on_cpu), ("small", b.shapes != FULL)) if so]
    return "-".join(["benchmark", *kinds])


def write(b: Benchmark) -> Path:
    """Write the page of a device and setting, and its figure; return the path of the former."""
    figures.use_style()
    figures.speedups(b.rows, figures.axes())
    reports().mkdir(parents=True, exist_ok=True)
    write_atomically(reports() / f"{_name(b)}.png", figures.png(plt.gcf()))
    plt.close()
    path = reports() / f"{_name(b)}.md"
    write_atomically(path, render(b).encode())
    return path


def _data(shapes: Shapes) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first tokens of chitchat, and a random embedding of its vocabulary."""
    config = RunConfig(
        tokenizer=shapes.tokenizer, embedding="random", embed_dim=shapes.embed_dim, samples=[1]
    )
    data = prepare(config)
    return torch.cat(data.conversations), data.weights


def _long(data: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return as much of a text as the largest published size, and its embedding."""
    return data[0][: SIZES[-1]], data[1]


def _processor() -> str:
    """Return the name of the processor where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "CPU")


def _rate() -> float:
    """Return the rate of a float32 product of phase 1's shape, in GFLOP/s."""
    a, b = torch.randn(5_000, 1_085), torch.randn(1_085, 1_085)
    times = [seconds(lambda: a @ b) for _ in range(7)]
    return 2 * 5_000 * 1_085**2 / statistics.median(times) / 1e9


def main(arguments: list[str]) -> int:
    """Run the benchmark, print it and write it."""
    parser = argparse.ArgumentParser(prog="python -m fpcore.benchmark", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small setting's shapes")
    parser.add_argument("--repeats", type=int, default=3, help="turns per stage (3)")
    given = parser.parse_args(arguments)
    b = run(given.quick, given.repeats)
    print(render(b))
    print(write(b))
    return 0
