"""Small reports from a table of random numbers: printed rightly, and with one slip put in.

A report is drawn from formats, conventions, keys and languages. It knows its `slips`: edits that
make one statement surely wrong, by kind.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

NAMES = (
    ("松", "竹"),
    ("甲案", "乙案"),
    ("base", "new"),
    ("v1", "v2"),
    ("小型モデル", "大型モデル"),
    ("LSTM", "GPT"),
    ("run-a", "run-b"),
    ("従属型", "独立型"),
    ("Adam", "Lion"),
    ("short", "long"),
)
SIZES = ((50, 100, 200), (40, 160, 320, 640), (100, 200, 400, 800, 1600))
METRICS = {  # name: (low, high, digits, unit, lower is better)
    "Val PPL": (40, 600, 1, "", True),
    "Val ER": (30, 90, 1, "%", None),
    "Val Acc": (10, 60, 1, "%", False),
    "Val Loss": (2.5, 6, 3, "", True),
}
WIDE = str.maketrans("0123456789.", "０１２３４５６７８９．")


@dataclass
class Draft:
    """A report in the making: its lines, and the edits that put a slip into it, by kind."""

    rng: Random
    japanese: bool
    a: str
    b: str
    sizes: tuple[int, ...]
    lines: list[str] = field(default_factory=list)
    slips: list[tuple[str, str, str]] = field(default_factory=list)
    style: str = "pipes"

    @property
    def text(self) -> str:
        """The report as Markdown."""
        return "\n".join(self.lines) + "\n"

    def say(self, japanese: str, english: str) -> str:
        """One of two texts, by the language of the report."""
        return japanese if self.japanese else english

    def add(self, *lines: str) -> None:
        """Append lines."""
        self.lines += lines

    def slip(self, kind: str, old: str, new: str) -> None:
        """Note an edit of a line that stands once in the report; one that changes it."""
        if old == new:
            return
        self.slips.append((kind, old, new))

    def table(self, head: list[str], rows: list[list[str]]) -> list[str]:
        """Print a table in the style of the report and return the lines of its rows."""
        printed = [self._row(row) for row in rows]
        if self.style == "html":
            cells = "".join(f"<th>{c}</th>" for c in head)
            self.add("<table>", f"<tr>{cells}</tr>", *printed, "</table>", "")
        else:
            rule = self._row(["---"] * len(head))
            self.add(self._row(head), rule, *printed, "")
        return printed

    def _row(self, cells: list[str]) -> str:
        if self.style == "html":
            bare = [f"<b>{c.strip('*')}</b>" if c.startswith("**") else c for c in cells]
            return "<tr>" + "".join(f"<td>{c}</td>" for c in bare) + "</tr>"
        if self.style == "open":
            return " | ".join(cells)
        if self.style == "wide":
            cells = [c.translate(WIDE) if not c.isascii() or c[:1].isdigit() else c for c in cells]
        return "| " + " | ".join(cells) + " |"

    def swap(self, row: str, old: str, new: str) -> tuple[str, str]:
        """The row with its last `old` made `new`, in the digits of the style."""
        if self.style == "wide" and old.translate(WIDE) in row:
            old, new = old.translate(WIDE), new.translate(WIDE)
        at = row.rindex(old)
        return row, row[:at] + new + row[at + len(old) :]


def number(value: float, digits: int, unit: str = "") -> str:
    """Print a number."""
    return f"{value:,.{digits}f}{unit}"


def signed(value: float, digits: int, unit: str = "", fall: str = "-") -> str:
    """Print a number with its sign."""
    text = f"{abs(value):.{digits}f}{unit}"
    return ("+" if value >= 0 else fall) + text


def values(d: Draft, metric: str) -> list[tuple[float, float]]:
    """Draw the values of both runs at each size, as printed, surely different."""
    low, high, digits, _, falls = METRICS[metric]
    found = []
    for i in range(len(d.sizes)):
        share = (i + d.rng.uniform(0.1, 0.7)) / len(d.sizes)
        x = low + (high - low) * (1 - share if falls else share)
        y = x * (1 + d.rng.choice((-1, 1)) * d.rng.uniform(0.04, 0.16))
        found.append((round(x, digits), round(y, digits)))
    return found


def by_size(d: Draft) -> None:
    """A table of one metric over sizes, with a difference column, and sentences about it."""
    metric = d.rng.choice(list(METRICS))
    _, _, digits, unit, falls = METRICS[metric]
    pairs = values(d, metric)
    turn = d.rng.choice((1, 1, 1, -1))
    relative = d.rng.choice(("", "only", "both"))
    fall = d.rng.choice(("-", "-", "▲", "−"))
    head = (
        d.say("差分", "Diff") if turn == 1 else d.say(f"差({d.a} − {d.b})", f"Diff ({d.a} - {d.b})")
    )
    d.add(d.say(f"### {metric} の変化", f"### {metric} by size"), "")
    rows = []
    for n, (x, y) in zip(d.sizes, pairs, strict=True):
        change = signed(turn * (y - x), digits, unit, fall)
        share = signed(turn * (y - x) / (x if turn == 1 else y) * 100, 1, "%", fall)
        cell = {"": change, "only": share, "both": f"{change} ({share})"}[relative]
        cell = change if unit == "%" else cell
        rows.append([f"{n}", number(x, digits, unit), number(y, digits, unit), cell])
    title = d.say("サンプル数", "Samples")
    printed = d.table([title, f"{d.a} {metric}", f"{d.b} {metric}", head], rows)
    k = d.rng.randrange(len(rows))
    cell = rows[k][3]
    wrong = cell.replace(cell.split(" ")[0], _off(d, cell.split(" ")[0]), 1)
    d.slip("difference", *d.swap(printed[k], cell, wrong))
    if len(rows) > 2:
        flipped = cell.replace("+", "#").replace(fall, "+").replace("#", fall)
        d.slip("sign", *d.swap(printed[k], cell, flipped))
    by_size_sentences(d, metric, pairs, falls)


def _off(d: Draft, cell: str) -> str:
    """A printed number with its leading digit changed."""
    at = next(i for i, c in enumerate(cell) if c.isdigit())
    more = str((int(cell[at]) + d.rng.randint(2, 7)) % 10)
    tail = cell[at + 1 :]
    first = more + tail if more != cell[at] else "7" + tail
    return cell[:at] + first if any(c in "123456789" for c in first) else cell[:at] + "4" + tail


def by_size_sentences(
    d: Draft, metric: str, pairs: list[tuple[float, float]], falls: bool | None
) -> None:
    """Sentences that count, bound and compare what the table holds."""
    _, _, digits, unit, _ = METRICS[metric]
    won = sum(y < x for x, y in pairs)
    total = len(pairs)
    if d.japanese:
        said = f"- {total}サイズのうち{won}サイズで{d.b}の{metric}が低い"
        d.slip("count", said, said.replace(f"うち{won}サ", f"うち{(won + 1) % (total + 1)}サ"))
    else:
        said = f"- In {won} of {total} sizes {d.b} has a lower {metric}"
        d.slip("count", said, said.replace(f"In {won}", f"In {(won + 1) % (total + 1)}"))
    d.add(said)
    top = max(y for _, y in pairs)
    low = min(y for _, y in pairs)
    if d.japanese:
        bound = number(top * 1.05, digits, unit)
        said = f"- {d.b}の{metric}はどのサイズでも{bound}を下回る"
        d.add(said)
        d.slip(
            "every",
            said,
            said.replace(bound, number((top + low) / 2 + (top - low) * 0.3, digits, unit)),
        )
    x, y = pairs[-1]
    share = abs(y - x) / x * 100
    word = ("高い", "higher") if y > x else ("低い", "lower")
    n = d.sizes[-1]
    if unit != "%":
        said = d.say(
            f"- {n}サンプルで{d.b}の{metric}は{d.a}より{share:.1f}%{word[0]}",
            f"- At {n} samples the {metric} of {d.b} is {share:.1f}% {word[1]} than that of {d.a}",
        )
        d.add(said)
        d.slip("percent", said, said.replace(f"{share:.1f}%", f"{share * 1.9 + 3:.1f}%"))
        other = {"高い": "低い", "低い": "高い", "higher": "lower", "lower": "higher"}
        told = d.say(*word)
        d.slip("direction", said, said.replace(told, other[told]))


def by_run(d: Draft) -> None:
    """Runs as rows, metrics as columns, a change against the first row, superlatives and bold."""
    d.add(d.say("### 手法の一覧", "### All methods"), "")
    names = [d.a, d.b, d.say("梅", "third"), d.say("桜", "fourth")]
    ppl = [round(d.rng.uniform(60, 99) - 9 * i + d.rng.random(), 1) for i in range(4)]
    while len(set(ppl)) < 4:
        ppl = [round(d.rng.uniform(60, 99) - 9 * i, 1) for i in range(4)]
    acc = [round(d.rng.uniform(20, 60), 1) for _ in range(4)]
    while len(set(acc)) < 4:
        acc = [round(d.rng.uniform(20, 60), 1) for _ in range(4)]
    d.rng.shuffle(ppl)
    marked = d.rng.random() < 0.6
    rows = []
    for i, name in enumerate(names):
        share = (ppl[i] - ppl[0]) / ppl[0] * 100
        cells = [name, number(ppl[i], 1), number(acc[i], 1, "%")]
        if marked:
            cells[1] = f"**{cells[1]}**" if ppl[i] == min(ppl) else cells[1]
            cells[2] = f"**{cells[2]}**" if acc[i] == max(acc) else cells[2]
        rows.append([*cells, "-" if i == 0 else signed(share, 1, "%")])
    title = d.say("手法", "Method")
    change = d.say(f"PPL変化({d.a}比)", f"PPL change vs {d.a}")
    printed = d.table([title, "Test PPL", "Test Acc", change], rows)
    k = d.rng.randrange(1, 4)
    d.slip(
        "base row",
        *d.swap(printed[k], rows[k][3], signed(float(rows[k][3][:-1]) * 1.7 + 4, 1, "%")),
    )
    best = names[ppl.index(min(ppl))]
    low = number(min(ppl), 1)
    said = d.say(f"- 最も低いTest PPLは{best}の{low}", f"- The lowest Test PPL is {low} ({best})")
    d.add(said)
    other = names[ppl.index(sorted(ppl)[1])]
    second = number(sorted(ppl)[1], 1)
    d.slip("superlative", said, said.replace(low, second).replace(best, other))
    high = number(max(ppl), 1)
    if d.japanese:
        said = f"- Test PPLは{low}から{high}の範囲"
        d.add(said)
        d.slip("range", said, said.replace(high, number(max(ppl) + 7.3, 1)))
    x, y = max(ppl), min(ppl)
    worst = names[ppl.index(x)]
    times = x / y
    said = d.say(
        f"- {worst}のTest PPLは{best}の{times:.2f}倍",
        f"- Test PPL of {worst} is {times:.2f} times that of {best}",
    )
    d.add(said)
    if d.japanese:
        d.slip("ratio", said, said.replace(f"{times:.2f}", f"{times * 1.5:.2f}"))


def written_out(d: Draft) -> None:
    """Sentences that print their own operands."""
    x, y = round(d.rng.uniform(300, 500), 1), round(d.rng.uniform(120, 250), 1)
    share = (x - y) / x * 100
    said = d.say(
        f"- Train PPL が {x}→{y} に改善（-{share:.1f}%）",
        f"- Train PPL improved from {x} to {y} (-{share:.1f}%)",
    )
    d.add("", said)
    d.slip("arrow", said, said.replace(f"-{share:.1f}%", f"-{share / 2:.1f}%"))
    told = d.say("改善", "improved")
    d.slip("arrow word", said, said.replace(told, d.say("悪化", "worsened")))
    wide = (x - y) / y * 100
    said = d.say(
        f"- 逆方向の値は {wide:.0f}% 高い（{x} vs {y}）",
        f"- The other is {wide:.0f}% higher ({x} vs {y})",
    )
    d.add(said)
    d.slip("wrong base", said, said.replace(f"{wide:.0f}%", f"{share:.0f}%"))
    p, q = d.rng.randint(11, 99), d.rng.randint(101, 999)
    said = d.say(f"- 計算量は {p} × {q} = {p * q:,}", f"- The cost is {p} × {q} = {p * q:,}")
    d.add(said)
    d.slip("equation", said, said.replace(f"{p * q:,}", f"{p * q + 10 * p:,}"))
    said = d.say(f"- 成功 {p}/{q}（{100 * p / q:.1f}%）", f"- Passed {p}/{q} ({100 * p / q:.1f}%)")
    d.add(said)
    d.slip("share", said, said.replace(f"{100 * p / q:.1f}%", f"{100 * p / q + 6.5:.1f}%"))
    low, high = sorted((round(x), round(y)))
    said = d.say(f"- 大小は {high} > {low}", f"- In order: {high} > {low}")
    d.add(said)
    d.slip("order", said, said.replace(f"{high} > {low}", f"{low} > {high}"))


def totals(d: Draft) -> None:
    """Parts and their total, with shares."""
    d.add("", d.say("### 内訳", "### Parts"), "")
    parts = [d.rng.randint(1000, 9000) for _ in range(d.rng.randint(3, 5))]
    whole = sum(parts)
    words = (
        "埋込 層甲 層乙 出力 予備".split()
        if d.japanese
        else "embed front back output spare".split()
    )
    rows = [[w, f"{p:,}", f"{100 * p / whole:.1f}%"] for w, p in zip(words, parts, strict=False)]
    rows.append([d.say("合計", "Total"), f"{whole:,}", "100%"])
    head = [d.say("要素", "Part"), d.say("個数", "Count"), d.say("割合", "Share")]
    printed = d.table(head, rows)
    wrong = whole + d.rng.choice((-1, 1)) * d.rng.randint(100, 900)
    d.slip("total", *d.swap(printed[-1], f"{whole:,}", f"{wrong:,}"))


def raw_data(d: Draft) -> None:
    """A summary, and the same values again in a code block of raw data for each run."""
    d.add("", d.say("### 性能のまとめ", "### Summary"), "")
    ppl = [[round(d.rng.uniform(100, 500), 1) for _ in d.sizes] for _ in "ab"]
    acc = [[round(d.rng.uniform(10, 40), 1) for _ in d.sizes] for _ in "ab"]
    tokens = [d.rng.randint(10_000, 90_000) * (i + 1) for i in range(len(d.sizes))]
    rows = [[f"{n}", f"{ppl[0][i]:.1f}", f"{ppl[1][i]:.1f}"] for i, n in enumerate(d.sizes)]
    title = d.say("サンプル数", "Samples")
    d.table([title, f"{d.a} V.PPL", f"{d.b} V.PPL"], rows)
    fence = d.rng.choice(("```", "~~~"))
    for k, name in enumerate((d.a, d.b)):
        d.add(d.say(f"### {name} 詳細結果", f"### {name} details"), fence)
        d.add(f"{'Samples':>8} {'Tokens':>10} {'V.PPL':>8} {'Val Acc':>8}")
        for i, n in enumerate(d.sizes):
            line = f"{n:>8} {tokens[i]:>10,} {ppl[k][i]:>8.1f} {acc[k][i]:>7.1f}%"
            d.add(line)
            if k and i == len(d.sizes) - 1:
                old = f"{ppl[k][i]:>8.1f}"
                d.slip("two values", line, line.replace(old, f"{ppl[k][i] + 3.7:>8.1f}"))
                less = f"{tokens[i]:>10,}"
                d.slip("tokens", line, line.replace(less, f"{tokens[i] + 1090:>10,}"))
        d.add(fence, "")


def epochs(d: Draft) -> None:
    """What must stay silent: positions, traces, settings, spreads, plans and other quantities."""
    d.add(
        "",
        d.say("### 学習の経過", "### Training"),
        "",
        "| Epoch | Train PPL | Val PPL |",
        "|---|---|---|",
    )
    ppl = [round(400 / (i + 1) + d.rng.random(), 1) for i in range(5)]
    d.add(*(f"| {i} | {p - 5:.1f} | {p} |" for i, p in enumerate(ppl, 1)), "")
    d.add("| Layer | Forward PPL | Backward PPL |", "|---|---|---|")
    d.add(
        *(f"| {i} | {d.rng.uniform(50, 90):.1f} | {d.rng.uniform(50, 90):.1f} |" for i in range(3))
    )
    d.add(
        "",
        "```",
        *(f"Epoch {i}: train_ppl={p - 5:.1f}, val_ppl={p}" for i, p in enumerate(ppl, 1)),
        "```",
    )
    d.add(
        d.say(
            "- 目標は PPL 30.0 以下、予測は 35.5 である。",
            "- The target is a PPL below 30.0; 35.5 is expected.",
        ),
        d.say(
            "- 以前の実験では Val PPL は 777.7 だった。",
            "- In an earlier run the Val PPL was 777.7.",
        ),
        d.say(
            "- 学習率 0.001→0.0005、batch 32、2025-11-30 開始、約 12% の差。",
            "- lr 0.001, batch 32, started 2025-11-30, about 12% apart.",
        ),
        "- R² = 0.99, RSS = 41.1",
    )


SECTIONS: tuple[Callable[[Draft], None], ...] = (
    by_size,
    by_run,
    written_out,
    totals,
    raw_data,
    epochs,
)


def draw(seed: int) -> Draft:
    """A right report of a seed: two to five sections in any order."""
    rng = Random(seed)
    a, b = rng.choice(NAMES)
    d = Draft(rng, rng.random() < 0.6, a, b, rng.choice(SIZES))
    d.style = rng.choice(("pipes", "pipes", "pipes", "open", "html", "wide"))
    d.add(
        d.say(f"# {a} と {b} の実験", f"# Experiment {a} and {b}"),
        "",
        d.say("## 結果", "## Results"),
        "",
    )
    for section in rng.sample(SECTIONS, rng.randint(2, 5)):
        section(d)
        d.add("")
    return d


def with_slip(d: Draft, old: str, new: str) -> str:
    """The report with one statement made wrong."""
    assert d.text.count(old) == 1 and old != new, (old, new)
    return d.text.replace(old, new)
